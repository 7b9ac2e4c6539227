# SPDX-License-Identifier: MIT
set title 'The latest of a 1 kHz handler while another partition is made, loaded, ended, destroyed ('.on.')'
set ylabel 'instructions late, at most'
set yrange [0:*]
set style data histogram
set style histogram clustered gap 1
set style fill solid 0.8 noborder
set xtics rotate by -30
set bmargin 7
plot data using 2:xtic(1) lc rgb '#1f5fa8' title small, data using 3 lc rgb '#c8501e' title large
