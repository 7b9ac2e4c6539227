#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The differential test: one guest that provokes every kind of exit, on several machines. What it says of itself and what the
hypervisor's trace says of it, operands and the resulting RIP with it, must be the same but for table.py.

differ.py MACHINE...                 exit status 1 when two machines disagree
differ.py --logs FILE...             the same with logs that are there
"""
import argparse
import bisect
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import tempfile

from table import TABLE

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = ROOT / os.environ.get('BUILD', 'build')
CONFIG = '[pith]\ntrace = 128K rip\n' + ''.join(f'[partition {g}]\nimage = {g}.elf\nmemory = 8M\ncores = 0\n' for g in ('every', 'fault'))
ENDS = [r'\[pith\] every: exited with status 0$', r'\[pith\] fault: ended after a failure$']
DUMP = b'\x14\x14trace dump\n' # every has the keyboard, then fault, then the monitor
LINES_AROUND, LINES_SHOWN = 3, 12
LEAST = {'CPUID': 60, 'MSR': 60, 'PIO': 35, 'S2_FAULT': 60, 'HLT': 2, 'HYPERCALL': 30, 'INSN': 5, 'SHUTDOWN': 1}


def machine_log(machine, timeout):
    """Runs both guests, then has the monitor print the trace."""
    with tempfile.NamedTemporaryFile('w', suffix='.conf') as conf:
        conf.write(CONFIG)
        conf.flush()
        process = subprocess.Popen(
            [ROOT / 'tools/pith-run', '--machine', machine, '--cpus', '1', '--timeout', str(timeout), '--config', conf.name,
             '--until', r'^\[monitor\] trace end ', *(a for g in ('every', 'fault') for a in ('--file', f'{g}.elf={BUILD}/tests/{g}.elf'))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        lines, left = [], list(ENDS)
        for raw in process.stdout:
            line = raw.decode('utf-8', 'replace').rstrip('\r\n')
            lines.append(line)
            if left:
                left = [e for e in left if not re.match(e, line)]
                if not left:
                    process.stdin.write(DUMP)
                    process.stdin.flush()
        process.wait()
    return '\n'.join(lines) + '\n'


def places():
    """[(address, name)] of the code in the guests, sorted: a RIP reads better, and can stand in the table, as NAME+OFFSET."""
    found = []
    for guest in ('every', 'fault'):
        symbols = subprocess.run(['nm', BUILD / f'tests/{guest}.elf'], capture_output=True, text=True, check=True).stdout.splitlines()
        found.append(sorted((int(s.split()[0], 16), s.split()[2].removeprefix('code_')) for s in symbols if s.split()[1] in 'tTR'))
    return dict(zip(('every/0', 'fault/0'), found))


def named(symbols, rip):
    i = bisect.bisect(symbols, (rip, '\x7f')) - 1
    return f'{symbols[i][1]}+{rip - symbols[i][0]:x}' if i >= 0 else f'{rip:x}'


def records(log):
    """Kind and words of each record, by partition: without time, core and ticks, which are the machine's."""
    done = subprocess.run([BUILD / 'tools/pith-trace', '/dev/stdin'], input=log, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ValueError(done.stderr.strip())
    found, symbols = {}, places()
    for line in done.stdout.splitlines():
        _, _, _, source, text = line.split(None, 4)
        text = re.sub(r'rip=(\w+)', lambda m, s=symbols[source]: f'at={named(s, int(m[1], 16))}', text)
        found.setdefault(source, []).append(re.sub(r' ticks=\d+$', '', text))
    return found


def comparable(text):
    """None: it counts for nothing."""
    for row in TABLE:
        if re.match(row.record, text + ' '):
            if not row.mask:
                return None
            text = re.sub(row.mask, '', text)
    return text


def sequences(log):
    """Everything that is compared: what the guest printed, and the trace of each partition."""
    said = [line for line in log.splitlines() if line.startswith('[every] ')]
    found = {'what it printed': said}
    for source, texts in records(log).items():
        kept = [comparable(t) for t in texts]
        found[f'the trace of {source}'] = [t for t in kept if t is not None]
    return found


def lacking(found):
    """A comparison of nothing would always be passed."""
    kinds = [t.split()[0] for name, texts in found.items() if name != 'what it printed' for t in texts]
    return [f'only {kinds.count(k)} records of {k}, {n} are the least' for k, n in LEAST.items() if kinds.count(k) < n] + (
        [] if '[every] done' in found['what it printed'] else ['the guest did not come to its end'])


def first_difference(a, b):
    for i in range(max(len(a), len(b))):
        if a[i:i + 1] != b[i:i + 1]:
            return i
    return None


def compare(first, second, names):
    wrong = []
    for what in sorted({*first, *second}):
        a, b = first.get(what, []), second.get(what, [])
        at = first_difference(a, b)
        if at is None:
            continue
        wrong.append(f'{names[0]} and {names[1]} disagree on {what}, line {at + 1}:')
        wrong += [f'      {t}' for t in a[max(0, at - LINES_AROUND):at]]
        wrong += [f'    {name}: {t}' for name, texts in zip(names, (a, b)) for t in texts[at:at + LINES_SHOWN // 2] or ['(nothing more)']]
    return wrong


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--logs', action='store_true', help='files with logs in the place of machines')
    p.add_argument('--timeout', type=int, default=150, help='seconds for each machine')
    p.add_argument('what', nargs='+')
    o = p.parse_args()
    if o.logs:
        logs = [pathlib.Path(name).read_text(encoding='utf-8', errors='replace') for name in o.what]
    else:
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            logs = list(pool.map(lambda m: machine_log(m, o.timeout), o.what))
        (BUILD / 'trace').mkdir(exist_ok=True)
        for machine, log in zip(o.what, logs):
            (BUILD / 'trace' / f'{machine}.log').write_text(log, encoding='utf-8')
    wrong, found = [], []
    for name, log in zip(o.what, logs):
        try:
            found.append(sequences(log))
            wrong += [f'{name}: {w}' for w in lacking(found[-1])]
        except ValueError as e:
            wrong += [f'{name}: {e}', *('    ' + line for line in log.splitlines()[-LINES_SHOWN:])]
    for i in range(1, len(found)):
        wrong += compare(found[0], found[i], (o.what[0], o.what[i]))
    print('\n'.join(wrong) if wrong else f"{' and '.join(o.what)} agree on {sum(map(len, found[0].values()))} lines")
    return bool(wrong)


if __name__ == '__main__':
    sys.exit(main())
