# SPDX-License-Identifier: MIT
set title 'The latest of a 1 kHz handler on a core with a partition that does nothing but ... ('.on.')'
set ylabel 'instructions late, at most'
set yrange [0:*]
set style fill solid 0.8 noborder
set boxwidth 0.6
set xtics rotate by -35
set bmargin 10
set rmargin 12
unset key
plot data using 0:2:xtic(1) with boxes lc rgb '#1f5fa8'
