#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Counts the instructions of exits on QEMU (-icount) and Bochs, writes build/bench.tsv, fails where a budget is exceeded."""
import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = ROOT / os.environ.get('BUILD', 'build')
MACHINES = {'qemu-amd': ['--icount'], 'bochs-intel': [], 'bochs-amd': []}


def budgets():
    rows = (line.split('\t') for line in (ROOT / 'tests/bench/budgets.tsv').read_text().splitlines() if not line.startswith('#'))
    return {name: int(most) for name, most in rows}


def measure(machine):
    with tempfile.NamedTemporaryFile('r') as serial:
        subprocess.run([ROOT / 'tools/pith-run', '--machine', machine, '--cpus', '1', '--timeout', '300', '--serial', serial.name,
                        '--config', ROOT / 'tests/bench/pith.conf', '--file', f'bench.elf={BUILD}/guests/bench.elf',
                        '--until', r'^\[bench\] bench done', *MACHINES[machine]],
                       stdout=subprocess.DEVNULL, check=False)
        return {m[1]: int(m[2]) for m in re.finditer(r'^\[bench\] bench (\S+) (\d+)', serial.read(), re.M)}


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument('--machine', action='append', choices=MACHINES, help='default: all')
    wanted = p.parse_args().machine or list(MACHINES)
    most, bad, good = budgets(), 0, 0
    found = {machine: measure(machine) for machine in wanted}
    names = [*most, *sorted({n for f in found.values() for n in f} - set(most))]
    with open(BUILD / 'bench.tsv', 'w', encoding='utf-8') as out:
        print('operation', *wanted, 'budget', sep='\t', file=out)
        for name in names:
            row = [found[m].get(name) for m in wanted]
            print(name, *('-' if v is None else v for v in row), most.get(name, '-'), sep='\t', file=out)
            for machine, v in zip(wanted, row):
                if name not in most:
                    continue
                ok = v is not None and v <= most[name]
                good, bad = good + ok, bad + (not ok)
                if not ok:
                    print(f'not ok {machine} {name}: {v} instructions, budget {most[name]}')
    print((BUILD / 'bench.tsv').read_text(), end='')
    print(f'{good} passed, {bad} failed')
    return bad > 0


sys.exit(main())
