#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the boot tests of cases.py, two machines at a time:  run.py [--with-check] [--list] test|all|NAME..."""
import argparse
import concurrent.futures
import hashlib
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

import cases
import ocr
from measured import measured  # a case's look

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = ROOT / os.environ.get('BUILD', 'build')
NEVER = [r'^\[pith\] \*\*\* ', r'^\[pith\] core \d+: its accounts are ']
TAIL = 40           # lines shown of a failing machine
IMAGE_VA = 0xffff870000000000


def screen(case, tmp, _):
    """What Pith says is on the screen too, as its own last lines."""
    shown = ocr.read(tmp / 'screen.png')
    missing = [e for e in case.on_screen if not any(re.search(e, line) for line in shown)]
    return [f'not on the screen: {e}' for e in missing] + (['the screen:', *('  ' + line for line in shown if line)] if missing else [])


def mappings(_case, _tmp, lines):
    """QEMU's list of what the page tables map: nothing both writable and executable, and the hypervisor's image is in it."""
    found = [re.match(r'([0-9a-f]{16}): [0-9a-f]{16} (\S{9})$', line) for line in lines]
    maps = [(int(m[1], 16), m[2]) for m in found if m]
    wrong = [f'writable and executable: {va:#x} {flags}' for va, flags in maps if flags[0] != 'X' and flags[8] == 'W']
    return wrong if any(va == IMAGE_VA for va, _ in maps) else wrong + [f'the image is not among the {len(maps)} mappings']


def trace(case, _tmp, lines):
    """pith-trace reads the dump: hello's life, and what clock did until its trace was turned off."""
    done = subprocess.run([BUILD / 'tools/pith-trace', '/dev/stdin'], input='\n'.join(lines), capture_output=True, text=True)
    want = [r' hello/0 START$', r' hello/0 CPUID leaf=40000001 sub=0 rip=\w+ len=2 ', r' hello/0 SCHED_OUT stop ', r' hello/0 STOP exit status=0$',
            r' hello/0 END exit status=0$', r' clock/0 HYPERCALL call=5 ']
    said = done.stdout.splitlines()
    return ([done.stderr] if done.returncode else []) + [f'no record {w}' for w in want if not any(re.search(w, line) for line in said)]


def panic(case, tmp, lines):
    """pith-decode finds who failed: in the report on the serial line, and in the code on the screen, as a phone reads that."""
    code = ['zbarimg', '-q', '--nodbus', '--raw', '-Sdisable', '-Sqrcode.enable', tmp / 'screen.png']
    texts = {'the serial line': '\n'.join(lines)}
    if '--screenshot' in case.args:
        texts['the code on the screen'] = subprocess.run(code, stdout=subprocess.PIPE, text=True).stdout
    wrong = screen(case, tmp, lines) if case.on_screen else []
    for where, text in texts.items():
        done = subprocess.run([ROOT / 'tools/pith-decode', '--elf', BUILD / 'pith.elf'], input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        named = re.search(r'^\[pith\]   at \+0x[0-9a-f]+\n +cmd_crash at monitor\.c:\d+$', done.stdout, re.M)
        wrong += [] if named and not done.returncode else [f'pith-decode does not name cmd_crash in {where}:', done.stdout]
    return wrong


def same_twice(_case, _tmp, lines):
    """The guest that ran twice, beside attackers and without them, said the same."""
    said = [line for line in lines if line.startswith('[probes] ')]
    half = len(said) // 2
    wrong = [f'beside attackers: {a}   without: {b}' for a, b in zip(said[:half], said[half:]) if a != b]
    return wrong if half and len(said) == 2 * half else wrong + [f'{len(said)} lines of probes, not twice as many as once']


def quiet(config, lines):
    """Partitions quiet-N have said their transcript, exactly: with attackers beside them as without."""
    wrong = []
    for name, rounds in re.findall(r'^\[partition (quiet-\d)\]$[^[]*rounds=(\d+)', config, re.M):
        said = [line.removeprefix(f'[{name}] ') for line in lines if line.startswith(f'[{name}] ')]
        want = cases.transcript(int(rounds))
        if said != want:
            wrong.append(f'{name} said something else: {next((s for s in said if s not in want), "less, or in another order")}')
    return wrong


def with_symbols(config):
    """@NAME@ in a configuration is where the hypervisor has NAME, in decimal; @sha256 FILE@ what that guest's file has."""
    config = re.sub(r'@sha256 ([\w.]+)@', lambda m: hashlib.sha256((BUILD / 'guests' / m[1]).read_bytes()).hexdigest(), config)
    if not (wanted := set(re.findall(r'@(\w+)@', config))):
        return config
    out = subprocess.run(['nm', BUILD / 'pith.elf'], stdout=subprocess.PIPE, text=True, check=True).stdout
    at = {name: int(value, 16) for value, _, name in (line.split() for line in out.splitlines() if line[0] != ' ')}
    return re.sub(r'@(\w+)@', lambda m: str(at[m[1]]), config)


def command(case, tmp):
    fill = {'@TMP@': str(tmp), '@BUILD@': str(BUILD), '@ROOT@': str(ROOT)}
    argv = [str(ROOT / 'tools/pith-run'), '--machine', case.machine, '--timeout', str(case.timeout)]
    for arg in case.args:
        for mark, value in fill.items():
            arg = arg.replace(mark, value)
        argv.append(arg)
    if case.config is not None:
        (tmp / 'pith.conf').write_text(with_symbols(case.config).lstrip('\n'))
        argv += ['--config', str(tmp / 'pith.conf')]
    for name, contents in case.files.items():
        (kept := tmp / name.replace('/', '-')).write_bytes(contents(BUILD) if callable(contents) else contents)
        argv += ['--file', f'{name}={kept}']
    if case.typed:
        (tmp / 'typed').write_text(case.typed)
        argv += ['--input', str(tmp / 'typed')] + (['--input-after', case.typed_after] if case.typed_after else [])
    return argv + (['--until', case.until] if case.until else [])


def run_command(case):
    started = time.monotonic()
    try:
        done = subprocess.run(['bash', '-e', '-c', case.shell], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              stdin=subprocess.DEVNULL, timeout=case.timeout)
        wrong, said = [f'exit status {done.returncode}'] if done.returncode else [], done.stdout
    except subprocess.TimeoutExpired as e:
        wrong, said = [f'timeout after {case.timeout} s'], e.stdout or b''
    return time.monotonic() - started, wrong, said.decode('utf-8', 'replace').splitlines()


def run(case):
    """(seconds, what is wrong, what was said) of one case."""
    if isinstance(case, cases.Command):
        return run_command(case)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix='pith-test.') as name:
        tmp = pathlib.Path(name)
        done = subprocess.run(command(case, tmp), stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
        lines = done.stdout.decode('utf-8', 'replace').splitlines()
        wrong = [] if done.returncode == case.status else [f'exit status {done.returncode}, not {case.status}']
        wrong += [f'no line matches {e}' for e in case.expect if not any(re.search(e, line) for line in lines)]
        wrong += [f'unwanted: {line}' for line in lines if any(re.search(e, line) for e in [*([] if case.may_stop else NEVER), *case.forbid])]
        wrong += quiet(case.config or '', lines)
        if case.look and not wrong:
            wrong += globals()[case.look](case, tmp, lines)
    return time.monotonic() - started, wrong, lines + done.stderr.decode('utf-8', 'replace').splitlines()


def report(case, seconds, wrong, said):
    log = BUILD / 'boot-tests' / f'{case.name}.log'
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text('\n'.join(said) + '\n', encoding='utf-8')
    print('FAIL' if wrong else 'ok  ', f'{case.name} ({seconds:.0f} s)', flush=True)
    if wrong:
        tail = [f'... all of it is in {os.path.relpath(log, ROOT)}', *said[-TAIL:]] if len(said) > TAIL else said
        print('\n'.join(['    ' + w for w in wrong] + ['      | ' + line for line in tail]), flush=True)


def checks():
    """Runs tools/check; its closing counts."""
    process = subprocess.Popen([ROOT / 'tools/check'], stdout=subprocess.PIPE, text=True)
    counts = (0, 1)
    for line in process.stdout:
        closing = re.match(r'(\d+) passed, (\d+) failed', line)
        if closing:
            counts = int(closing[1]), int(closing[2])
        else:
            print(line, end='', flush=True)
    process.wait()
    return counts


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument('--with-check', action='store_true', help='tools/check first; its results count too')
    p.add_argument('--list', action='store_true')
    p.add_argument('what', nargs='+', help='test, all, or names of cases')
    o = p.parse_args()
    every = {c.name: c for c in cases.CASES}
    sets = {'all': list(every.values()), 'test': [c for c in every.values() if c.daily]}
    unknown = [n for n in o.what if n not in sets and n not in every]
    if unknown:
        p.error(f"no such case: {', '.join(unknown)}; --list all names them")
    chosen = list({c.name: c for n in o.what for c in sets.get(n, [every.get(n)])}.values())
    if o.list:
        print('\n'.join(c.name for c in chosen))
        return 0
    passed, failed = checks() if o.with_check else (0, 0)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        # the slow machines first: so the two that run side by side end together
        running = {pool.submit(run, c): c for c in sorted(chosen, key=lambda c: -c.timeout)}
        for future in concurrent.futures.as_completed(running):
            seconds, wrong, said = future.result()
            report(running[future], seconds, wrong, said)
            passed, failed = passed + (not wrong), failed + bool(wrong)
    print(f'{passed} passed, {failed} failed')
    return bool(failed)


if __name__ == '__main__':
    sys.exit(main())
