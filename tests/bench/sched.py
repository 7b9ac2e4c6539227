#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures how a core's time is shared, in instructions, on emulated machines; compares with the budgets; draws pictures."""
import argparse
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = ROOT / os.environ.get('BUILD', 'build')
OUT = BUILD / 'bench'
QEMU, INTEL, AMD = 'qemu-amd', 'bochs-intel', 'bochs-amd'
MACHINES = (QEMU, INTEL, AMD)
SHIFT = 3               # QEMU's TSC: 8 ticks an instruction: README.md
WINDOW_MS, SLACK_WINDOWS = 10, 10
TIMEOUT = 580


class Machine:
    """One of them, and how much is asked of it."""

    def __init__(self, name):
        self.name, self.qemu = name, name == QEMU
        self.shift = SHIFT if self.qemu else 0
        self.work = 25000 if self.qemu else 7500     # instructions: 200 us of QEMU's 125 MHz, 150 of Bochs' 50
        self.periods = 10000 if self.qemu else 2000
        self.flood_periods = 200 if self.qemu else 100
        self.sizes = (64, 1024) if self.qemu else (64, 192)     # MiB

    def run(self, name, conf, args=()):
        """What Pith and the guests print; kept, too."""
        log = OUT / f'sched-{self.name}-{name}.log'
        count = ['--icount', str(self.shift)] if self.qemu else ['--cpus', '1']
        with tempfile.NamedTemporaryFile('w') as config:
            config.write(conf)
            config.flush()
            subprocess.run([ROOT / 'tools/pith-run', '--machine', self.name, '--timeout', str(TIMEOUT), '--serial', log, '--config', config.name,
                            '--file', f'bench.elf={BUILD}/guests/bench.elf', '--until', r'^\[[a-z0-9-]*\] bench done', *count, *args],
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        return log.read_text(errors='replace').replace('\r', '')


def conf(members):
    """A section a member, on core 0 unless its lines say more: name, lines, command line."""
    text = '[pith]\npoweroff = when-done\n'
    for name, lines, cmdline in members:
        text += f'[partition {name}]\nimage = bench.elf\n{"" if "cores =" in lines else "cores = 0"}\n{"" if "memory =" in lines else "memory = 8M"}\n{lines}\ncmdline = {cmdline}\n'
    return text + f'[channel board]\nsize = 64K\nwriters = {", ".join(m[0] for m in members)}\n'


def said(text, what):
    """The words behind "bench WHAT" of each such line."""
    return [m[1].split() for m in re.finditer(rf'^\[[a-z0-9-]+\] bench {what} (.*)$', text, re.M)]


def keep(name, machine, rows):
    path = OUT / f'sched-{machine.name}-{name}.dat'
    path.write_text(''.join(' '.join(str(c) for c in row) + '\n' for row in rows))


# --- shares
def spinners(machine, name, members, beside=()):
    """Of each window, what each member had of it, 0 to 1."""
    n = len(members) + len(beside)
    sections = [(who, lines, f'spin shift={machine.shift} me={i} of={n} {words}') for i, (who, lines, words) in enumerate(members)]
    sections += [(who, lines, f'{words} me={i} of={n}') for i, (who, lines, words) in enumerate(beside, len(members))]
    text = machine.run(name, conf(sections))
    length = said(text, 'window')
    return [[int(ran) / int(length[0][0]) for ran in row[1:]] for row in said(text, 'ran')] if length else []


def even(machine):
    windows = spinners(machine, 'even', [('a', '', ''), ('b', '', '')])
    so_far, shown = [0, 0], []
    for i, window in enumerate(windows):
        so_far = [a + b for a, b in zip(so_far, window)]
        shown.append((WINDOW_MS * (i + 1), *(f'{100 * s / sum(so_far):.3f}' for s in so_far)))
    keep('even', machine, shown)
    return {'even_off_percent': max(abs(100 * s / sum(so_far) - 50) for s in so_far)} if windows else {}


def short(machine, name, wanted, beside=()):
    """The worst of all windows: missing from what somebody is promised, in % of the core."""
    windows = spinners(machine, name, [(f'e{100 * e:.0f}', f'entitlement = {e}', '') for e in wanted], beside)
    keep(name, machine, [(WINDOW_MS * i, *(f'{100 * s:.3f}' for s in window)) for i, window in enumerate(windows)])
    return max(100 * (e - s) for window in windows for e, s in zip(wanted, window)) if windows else None


def entitled(machine):
    """All of the core is promised; then with one who prints without end in his part of it."""
    found = {'entitled_short_percent': short(machine, 'entitled', (0.2, 0.3, 0.5)),
             'entitled_printing_short_percent': short(machine, 'entitled-printing', (0.2, 0.3, 0.4), [('printer', 'entitlement = 0.1\ncap = yes', 'hog only=18')])}
    return {} if None in found.values() else found


def slack(machine):
    """The sleeper, capped, sleeps through the first half: then 0.7 of the core go by weight 100, 100, 200, else 0.4."""
    windows = spinners(machine, 'slack', [('promised', 'entitlement = 0.2', ''), ('light', '', ''), ('heavy', 'weight = 200', ''),
                                          ('capped', 'entitlement = 0.1\ncap = yes', ''), ('sleeper', 'entitlement = 0.3\ncap = yes', 'half=1')])
    groups = [windows[i:i + SLACK_WINDOWS] for i in range(0, len(windows) - SLACK_WINDOWS + 1, SLACK_WINDOWS)]
    keep('slack', machine, [(WINDOW_MS * SLACK_WINDOWS * (i + 0.5), *(f'{100 * sum(c) / SLACK_WINDOWS:.3f}' for c in zip(*group))) for i, group in enumerate(groups)])
    if not windows:
        return {}
    off = 0
    half = len(windows) // 2
    for part, wanted in ((windows[:half], (0.375, 0.175, 0.35, 0.1, 0)), (windows[half:], (0.3, 0.1, 0.2, 0.1, 0.3))):
        has = [sum(c) / len(part) for c in zip(*part)]
        off = max(off, *(100 * abs(h - w) for h, w in zip(has, wanted)))
    return {'slack_off_percent': off}


# --- deadlines
def percentile(counts, part):
    need, seen = part * sum(counts.values()), 0
    for late in sorted(counts):
        seen += counts[late]
        if seen >= need:
            return late
    return None


RESERVED = 'period = 1ms\nbudget = 300us'


def deadlines(machine):
    sections = [('periods', RESERVED, f'periods shift={machine.shift} periods={machine.periods} work={machine.work}'),
                ('memory', 'memory = 64M', 'hog only=3'), ('exits', '', 'hog only=4')]
    text = machine.run('deadlines', conf(sections))
    counts = {}
    for row in said(text, 'late'):
        counts.update(zip(map(int, row[::2]), map(int, row[1::2])))
    keep('jitter', machine, sorted(counts.items()))
    if not counts or sum(counts.values()) != machine.periods:
        return {}
    return {'edf_missed': int(said(text, 'missed')[0][0]), 'edf_periods': machine.periods, 'jitter_min': min(counts), 'jitter_median': percentile(counts, 0.5),
            'jitter_p99': percentile(counts, 0.99), 'jitter_max': int(said(text, 'latest')[0][0])}


def floods(machine):
    sections = [('periods', RESERVED, f'periods shift={machine.shift} periods={machine.flood_periods} work={machine.work} phases=1'),
                ('hog', 'memory = 64M\nvcpus = 2\nmay-share = periods\nmay-signal = periods', 'hog')]
    rows = [(name, int(latest), int(missed)) for name, latest, missed in said(machine.run('floods', conf(sections)), 'beside')]
    keep('floods', machine, [(f'"{name}"'.replace('_', ' '), latest, missed) for name, latest, missed in rows])
    if not rows:
        return {}
    return {f'beside_{name}': latest for name, latest, _ in rows} | {'beside_missed': sum(missed for *_, missed in rows)}


# --- does it depend on how large others are?
def beside_big(machine, mib, far):
    """step -> latest, missed: of a reservation on core 0, which does the work, or on core 1."""
    sections = [('periods', RESERVED + ('\ncores = 1' if far else ''), f'periods shift={machine.shift} work={machine.work} steps=1'),
                ('manager', 'may-manage = big', f'manager rounds={machine.sizes[1] // mib}'), ('hog', '', 'hog only=1 asked=1'), ('big', f'memory = {mib}M\ncreate = on-request', 'idle')]
    text = machine.run(f'memory-{mib}{"-far" if far else ""}', conf(sections), args=['--memory', str(mib + 256), *(['--cpus', '2'] if far else [])])
    return {step: (int(latest), int(missed)) for step, latest, missed in said(text, 'during')}


def memory(machine):
    found, rows = {}, []
    for far in (False, True)[:1 if machine.qemu else 2]:    # QEMU, which counts with one core at a time, says nothing about two
        small, large = (beside_big(machine, mib, far) for mib in machine.sizes)
        if not small or not large:
            return {}
        rows += [(('far: ' if far else '') + step.replace('_', ', '), small[step][0], large[step][0]) for step in small]
        name = 'memory_far' if far else 'memory'
        found[f'{name}_latest_small'] = max(latest for latest, _ in small.values())
        found[f'{name}_latest_large'] = max(latest for latest, _ in large.values())
        found[f'{name}_grows'] = found[f'{name}_latest_large'] / found[f'{name}_latest_small']
        found[f'{name}_missed'] = sum(missed for _, missed in (*small.values(), *large.values()))
    keep('memory', machine, [(f'"{step}"', a, b) for step, a, b in rows])
    return found


# --- switches
def switches(machine):
    parts, vcpus = 16, 4
    sections = [(f'y{i}', f'vcpus = {vcpus}' + ('\nmay-signal = *' if i == 0 else ''), f'yields me={i} of={parts}') for i in range(parts)]
    rows = [(int(n), (int(best) >> machine.shift) / int(n), (int(mean) >> machine.shift) / int(n)) for n, best, mean in
            said(machine.run('switches', conf(sections)), 'switch')]
    keep('switch', machine, [(n, f'{best:.2f}', f'{mean:.2f}') for n, best, mean in rows])
    found = {f'switch_of_{n}': best for n, best, _ in rows}
    if 'switch_of_64' in found:
        found['switch_64_to_2'] = found['switch_of_64'] / found['switch_of_2']
    return found


def ipis(machine):
    found = {}
    for name, words in (('ipi', 'ipi'), ('ipi-xapic', 'ipi memory=1')):
        text = machine.run(name, conf([('ipi', 'vcpus = 2', words), ('other', '', 'idle')]))
        found.update({m[1]: int(m[2]) >> machine.shift for m in re.finditer(r'^\[ipi\] bench (ipi_round_trip\S*) (\d+)', text, re.M)})
    return found


PARTS = {f.__name__: f for f in (deadlines, memory, even, entitled, slack, floods, switches, ipis)}
PICTURES = {'even': even, 'entitled': entitled, 'slack': slack, 'jitter': deadlines, 'floods': floods, 'memory': memory, 'switch': switches}


def draw(machine, picture, found):
    """build/bench/PICTURE.svg of QEMU, PICTURE-MACHINE.svg of others."""
    out = OUT / f'{picture}{"" if machine.qemu else "-" + machine.name}.svg'
    told = f'{found["edf_periods"]} periods, {found["edf_missed"]} missed: {found["jitter_min"]} at least, median {found["jitter_median"]}, ' \
           f'p99 {found["jitter_p99"]}, {found["jitter_max"]} at most' if picture == 'jitter' else ''
    here = ROOT / 'tests/bench/sched'
    subprocess.run(['gnuplot', '-e', f"out = '{out}'; data = '{OUT}/sched-{machine.name}-{picture}.dat'; on = '{machine.name}'; sum = '{told}'; small = '{machine.sizes[0]} MiB'; large = '{machine.sizes[1]} MiB'",
                    here / 'style.gp', here / f'{picture}.gp'], check=True)


def budgets(machine):
    """name -> budget: none of a name is exceeded."""
    rows = [line.split('\t') for line in (ROOT / 'tests/bench/sched.tsv').read_text().splitlines() if not line.startswith('#')]
    column = 1 if machine.qemu else 2
    return {row[0]: float(row[column]) for row in rows if row[column] != '-'}


def shown(value):
    return '-' if value is None else f'{value:.2f}' if isinstance(value, float) and not value.is_integer() else f'{value:.0f}'


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument('--machine', choices=MACHINES, default=QEMU)
    p.add_argument('--jobs', type=int, default=2, help='machines at a time')
    p.add_argument('part', nargs='*', choices=[[], *PARTS], help='only these')
    o = p.parse_args()
    machine = Machine(o.machine)
    parts = {name: PARTS[name] for name in o.part or PARTS}
    OUT.mkdir(parents=True, exist_ok=True)
    with concurrent.futures.ThreadPoolExecutor(o.jobs) as pool:
        results = dict(zip(parts, pool.map(lambda f: f(machine), parts.values())))
    found = {name: value for result in results.values() for name, value in result.items()}
    for picture, part in PICTURES.items():
        if results.get(part.__name__):
            draw(machine, picture, found)
    most = budgets(machine)
    if o.part:
        most = {name: b for name, b in most.items() if name in found}
    bad = [name for name, b in most.items() if found.get(name) is None or found[name] > b]
    bad += [part for part, result in results.items() if not result]
    with open(OUT / ('sched.tsv' if machine.qemu else f'sched-{machine.name}.tsv'), 'w', encoding='utf-8') as out:
        print('name', 'value', 'budget', sep='\t', file=out)
        for name in dict.fromkeys([*most, *found]):
            line = (name, shown(found.get(name)), shown(most.get(name)))
            print(*line, sep='\t', file=out)
            print(f'{line[0]:28}{line[1]:>10}{line[2]:>10}{"   missed" if name in bad else ""}')
    for part in bad:
        if part in parts:
            print(f'{part} did not come to its end: {OUT}/sched-{machine.name}-{part}.log')
    print(f'{len(most)} budgets, {len(bad)} missed')
    return bool(bad)


sys.exit(main())
