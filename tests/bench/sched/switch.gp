# SPDX-License-Identifier: MIT
set title 'YIELD from one vCPU to the next, by how many on the core do nothing else ('.on.')'
set xlabel 'runnable vCPUs on the core'
set ylabel 'instructions a switch'
set logscale x 2
set xrange [1.8:72]
set xtics (2, 4, 8, 16, 32, 64)
set yrange [0:*]
plot data using 1:2 with linespoints ls 1 title 'cheapest round', data using 1:3 with linespoints ls 2 title 'mean of all rounds'
