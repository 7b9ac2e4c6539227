# SPDX-License-Identifier: MIT
set title 'Entitlements of 0.2, 0.3 and 0.5: the share of each in every window of 10 ms ('.on.')'
set xlabel 'time since the beginning, ms'
set ylabel 'share of the core in the window, %'
set yrange [0:60]
plot data using 1:2 with linespoints ls 1 title 'e20', data using 1:3 with linespoints ls 2 title 'e30', \
     data using 1:4 with linespoints ls 3 title 'e50', 20 with lines ls 9 title 'promised', 30 with lines ls 9 notitle, 50 with lines ls 9 notitle
