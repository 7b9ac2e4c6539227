# SPDX-License-Identifier: MIT
set title 'Two spinners of equal weight on one core: the share of each since the beginning ('.on.')'
set xlabel 'time since the beginning, ms'
set ylabel 'share of the core, %'
set yrange [0:100]
plot data using 1:2 with lines ls 1 title 'a', data using 1:3 with lines ls 2 title 'b', 50 with lines ls 9 title '50 %'
