# SPDX-License-Identifier: MIT
set title 'What is not promised or not used goes by weight: shares over 100 ms ('.on.')'
set xlabel 'time since the beginning, ms'
set ylabel 'share of the core, %'
set yrange [0:60]
set label 1 'sleeper asleep' at graph 0.03,0.95
set label 2 'sleeper runs' at graph 0.55,0.95
plot data using 1:2 with lines ls 1 title '0.2 promised, weight 100', data using 1:3 with lines ls 2 title 'weight 100', \
     data using 1:4 with lines ls 3 title 'weight 200', data using 1:5 with lines ls 4 title '0.1 promised, capped', \
     data using 1:6 with lines ls 5 title 'sleeper: 0.3, capped'
