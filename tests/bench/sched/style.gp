# SPDX-License-Identifier: MIT
# What all pictures share. tests/bench/sched.py sets `out`, `data` and `on` (the machine) and loads this, then the picture's own file.
set terminal svg size 900,420 dynamic background rgb 'white' font 'DejaVu Sans,13' noenhanced
set output out
set border 3 lc rgb '#808080'
set tics nomirror out textcolor rgb '#303030'
set grid ytics lc rgb '#e0e0e0' lt 1
set key outside right top samplen 2
set style line 1 lw 2 lc rgb '#1f5fa8' pt 7 ps 0.6
set style line 2 lw 2 lc rgb '#c8501e' pt 7 ps 0.6
set style line 3 lw 2 lc rgb '#3a8a3a' pt 7 ps 0.6
set style line 4 lw 2 lc rgb '#8048a0' pt 7 ps 0.6
set style line 5 lw 2 lc rgb '#909020' pt 7 ps 0.6
set style line 9 lw 1 dt 2 lc rgb '#606060'
set xlabel offset 0,0.3
