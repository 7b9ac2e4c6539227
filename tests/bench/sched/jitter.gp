# SPDX-License-Identifier: MIT
set title 'A handler each millisecond, beside a memory hog and an exit hog: how late it begins ('.on.')'
set xlabel 'instructions from when it was due until the handler read the clock'
set ylabel 'periods, in 16 instructions'
set logscale y
set yrange [0.5:*]
set key inside
set style fill solid 0.8 noborder
set boxwidth 16
plot data using (16 * floor($1 / 16) + 8):2 smooth frequency with boxes lc rgb '#1f5fa8' title sum
