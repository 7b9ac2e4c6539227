#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Counts instructions on emulated machines, compares them with the budgets and with the peers, fails where a budget is missed."""
import argparse
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import linux

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = ROOT / os.environ.get('BUILD', 'build')
RESULT = BUILD / 'bench/bench.tsv'
QEMU, INTEL, AMD = 'qemu-amd', 'bochs-intel', 'bochs-amd'
MACHINES = (QEMU, INTEL, AMD)   # the last as information only
SHIFT = 6                       # QEMU's TSC counts 64 an instruction: the firmware, which waits by the clock, is through sooner
TIMEOUT = 600
TRACED = ('cpuid', 'hypercall_null', 'msr_read', 'pio_read') # what a record of theirs adds
BOOT = re.compile(r'^\[pith\] first guest after (\d+) ticks: (\d+) of them waiting, (\d+) clearing (\d+) KiB', re.M)
KEPT = re.compile(r'^\[pith\] (\d+) KiB kept', re.M)


def table(name):
    lines = (ROOT / 'tests/bench' / name).read_text().splitlines()
    rows = [line.split('\t') for line in lines if line and not line.startswith('#')]
    return {row[0]: row[1:] for row in rows}


def number(text):
    return None if text == '-' else float(text) if '.' in text else int(text)


def budgets():
    """machine -> name -> budget."""
    rows = table('budgets.tsv')
    return {QEMU: {n: number(r[0]) for n, r in rows.items()}, INTEL: {n: number(r[1]) for n, r in rows.items()}, AMD: {}}


def printed(machine, cpus, conf):
    """What Pith and guests/bench/ say."""
    count = [] if machine != QEMU else ['--icount', str(SHIFT)] if cpus == 1 else ['--qemu-arg=-icount', f'--qemu-arg=shift={SHIFT},sleep=off']
    with tempfile.NamedTemporaryFile('r') as serial, tempfile.NamedTemporaryFile('w') as config:
        config.write(conf)
        config.flush()
        subprocess.run([ROOT / 'tools/pith-run', '--machine', machine, '--cpus', str(cpus), '--timeout', str(TIMEOUT), '--serial', serial.name,
                        '--config', config.name, '--file', f'bench.elf={BUILD}/guests/bench.elf', '--file', f'screen.elf={BUILD}/tests/screen.elf', '--until', r'^\[bench\] bench done', *count],
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        return serial.read().replace('\r', '')


def figures(machine, text):
    """What guests/bench/ measured, in instructions."""
    ticks = 1 << SHIFT if machine == QEMU else 1
    return {m[1]: int(m[2]) // ticks for m in re.finditer(r'^\[bench\] bench (\S+) (\d+)', text, re.M)}


def operations(machine, traced=False):
    """One core: operations, start, memory."""
    conf = (ROOT / 'tests/bench/pith.conf').read_text()
    text = printed(machine, 1, conf.replace('[pith]', '[pith]\ntrace = yes') if traced else conf)
    found = figures(machine, text)
    if boot := BOOT.search(text):
        total, waiting, clearing, kib = (int(n) // (1 << SHIFT if machine == QEMU else 1) for n in boot.groups())
        found['entry_to_guest'] = total - waiting - clearing
        found['clearing_per_kib'] = clearing // int(boot[4])
    if (kept := KEPT.search(text)) and machine == QEMU:
        found['memory_kept_kib'] = int(kept[1])
    return found


def across(machine):
    """Two cores: events from one to the other. README.md says how that is counted."""
    raw, found = figures(machine, printed(machine, 2, (ROOT / 'tests/bench/across.conf').read_text())), {}
    if 'clock' not in raw:
        return {}
    for name in [n for n in raw if f'{n}_sender' in raw]:
        sender = raw[f'{name}_sender']
        if machine == QEMU:     # one core after the other, by one clock, which the sender has read once more
            found[name] = raw[name] - raw['clock']
        else:                   # both at once: what the sender does when the other one has begun comes on top
            found[name] = raw[name] + sender - raw['event_across_running_seen']
            found[f'{name}_ticks'] = raw[name]
        found[f'{name}_sender'] = sender
    return found


def drawing():
    """A screen of 1024 by 768 scrolls in which each letter differs from the one below: by the hypervisor's code, in a guest."""
    return figures(QEMU, printed(QEMU, 1, '[pith]\n[partition bench]\nimage = screen.elf\nmemory = 16M\n'))


def measure(machines, with_linux):
    """machine -> name -> value."""
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        guest, bare = (pool.submit(f) for f in (linux.measure_guest, linux.measure_bare)) if with_linux else (None, None)
        found = dict(zip(machines, pool.map(operations, machines)))
        for machine, more in zip(machines, pool.map(across, machines)):
            found[machine].update(more)
        for machine, with_trace in zip(machines, pool.map(lambda m: operations(m, True), machines)):
            found[machine].update({f"trace_{n}": with_trace[n] - found[machine][n] for n in TRACED if n in found[machine] and n in with_trace})
        if QEMU in machines:
            found[QEMU].update(drawing())
        if with_linux:
            found[QEMU].update(linux.ratios(guest.result(), bare.result()))
    return found


def shown(value):
    return '-' if value is None else f'{value:.4f}' if isinstance(value, float) else str(value)


def write(found, most):
    names = dict.fromkeys([*most[QEMU], *(n for f in found.values() for n in f)])
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    with open(RESULT, 'w', encoding='utf-8') as out:
        print('name', 'value', 'budget', 'machine', sep='\t', file=out)
        for name in names:
            for machine, values in found.items():
                if name in values:
                    print(name, shown(values[name]), shown(most[machine].get(name)), machine, sep='\t', file=out)


def read():
    rows = [line.split('\t') for line in RESULT.read_text().splitlines()[1:]]
    found = {}
    for name, value, _, machine in rows:
        found.setdefault(machine, {})[name] = number(value)
    return found


def beside_peers(found, most):
    """One line a name: what was measured, the budgets, the peers."""
    peers = table('peers.tsv')
    names = dict.fromkeys([*most[QEMU], *(n for f in found.values() for n in f)])
    yield ('', *found, 'budget', 'bare', 'KVM', 'Xen', 'Xen+')
    for name in names:
        yield (name, *(shown(f.get(name)) for f in found.values()), shown(most[QEMU].get(name)), *peers.get(name, ['-'] * 4))


def show_text(rows):
    rows = list(rows)
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print('  '.join(cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths))))


def show_markdown(rows):
    what = table('budgets.tsv')
    head, *rows = rows
    print('|', ' | '.join(head), '|')
    print('|---' + '|---:' * (len(head) - 1) + '|')
    for name, *cells in rows:
        print(f'| {what[name][2]} (`{name}`) |' if name in what else f'| `{name}` |', ' | '.join(cells), '|')


def missed(found, most):
    """(budgets, those that are missed, told)."""
    count = bad = 0
    for machine, values in found.items():
        for name, budget in most[machine].items():
            if budget is None:
                continue
            value = values.get(name)
            count += 1
            if value is None or value > budget:
                bad += 1
                print(f'missed: {name} on {machine}: {shown(value)}, budget {shown(budget)}')
    return count, bad


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument('--machine', action='append', choices=MACHINES, help='only this one, and no Linux')
    p.add_argument('--linux', action='store_true', help='with --machine: Linux too')
    p.add_argument('--short', action='store_true', help='a few seconds: on QEMU, no operation may cost more than ratchet.tsv says')
    p.add_argument('--markdown', action='store_true', help="measure nothing, print the last run's result as README.md shows it")
    o = p.parse_args()
    most = budgets()
    if o.markdown:
        show_markdown(beside_peers(read(), most))
        return 0
    if o.short:
        most = {QEMU: {n: number(r[0]) for n, r in table('ratchet.tsv').items()}}
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            one, two = (pool.submit(f, QEMU) for f in (operations, across))
            count, bad = missed({QEMU: one.result() | two.result()}, most)
    else:
        found = measure(o.machine or MACHINES, o.linux or not o.machine)
        if not found.get(QEMU) or 'linux_boot' not in found[QEMU]:      # what was not asked for is not missed
            most[QEMU] = {n: b for n, b in most[QEMU].items() if not isinstance(b, float) or o.linux or not o.machine}
        write(found, most)
        show_text(beside_peers(found, most))
        count, bad = missed(found, most)
    print(f'{count} budgets, {bad} missed')
    return bool(bad)


sys.exit(main())
