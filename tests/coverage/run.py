#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""run.py DIR: runs the unit tests and the hypervisor of the coverage build in DIR, and makes one report of it all, DIR/html."""
import os
import pathlib
import re
import subprocess
import sys

import split

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / 'tests/boot')) # whose run.py is meant, not this one
import cases                                # noqa: E402
import run as boot                          # noqa: E402

MACHINES = 'qemu-amd', 'bochs-intel'        # both vendors' code, each where it can run
ROOMS = 'hv', 'arch', 'drivers', 'boot'
BOOTS = 'guests', 'peers', 'control'        # boot tests that run on each of them too: what they say is not looked at here
# Linux answers; then Ctrl-T takes the keyboard from it, the last partition, to the monitor.
TYPED = 'uname -a\n\x14help\nlist\nstop spin\nstart hello\nstart nobody\nlog\nwhat\nlist\npoweroff\n'


def said(*argv):
    """What a command says when it fails, at most its last lines."""
    done = subprocess.run([str(a) for a in argv], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False)
    lines = done.stdout.decode('utf-8', 'replace').splitlines()[-40:]
    return '\n'.join(lines or [f'{argv[0]}: status {done.returncode}']) if done.returncode else ''


def machine(out, name, *args):
    """The hypervisor on this machine; leaves .gcda files."""
    stream = out / 'stream'
    elfs = [('--file', f'{elf.name}={elf}') for elf in sorted((out.parent / 'tests').glob('*.elf'))]
    return said('tools/pith-run', '--machine', name, '--efi', out / 'BOOTX64.EFI', '--debugcon', stream, '--timeout', 900, *args,
                *sum(elfs, ())) or split.split(stream)


def linux(out, name):
    typed = out / 'typed'
    typed.write_text(TYPED)
    return machine(out, name, '--config', 'tests/coverage/pith.conf', '--serial', out / f'{name}.serial', '--input', typed)


def boot_test(out, case):
    config = out / 'pith.conf'
    config.write_text(boot.with_symbols(case.config).lstrip('\n'))
    return machine(out, case.machine, '--config', config, '--serial', out / f'{case.name}.serial')


def lcov(*argv):
    return subprocess.run(['lcov', '--rc', 'lcov_branch_coverage=1', *map(str, argv)], check=True, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout


def capture(objects, info):
    lcov('--capture', '--no-external', '--base-directory', ROOT, '--directory', objects, '-o', info)
    return info


def report(out, infos):
    every, pith = out / 'all.info', out / 'pith.info'
    lcov(*(a for i in infos for a in ('-a', i)), '-o', every)
    lcov('--extract', every, *(f'{ROOT}/{room}/*' for room in ROOMS), '-o', pith)
    subprocess.run(['genhtml', '--quiet', '--branch-coverage', '--legend', '--prefix', ROOT, '--title', 'Pith', '-o', out / 'html', pith], check=True)
    rates = re.findall(r'(lines|functions|branches)\.*: (\S+%)', lcov('--summary', pith))
    print(f'coverage: {", ".join(" ".join(r) for r in rates)}: {os.path.relpath(out)}/html/index.html')


def main():
    os.chdir(ROOT)
    out, infos, failed, passed = pathlib.Path(sys.argv[1]).resolve(), [], 0, 0
    boot.BUILD = out                        # whose symbols they name
    for old in out.rglob('*.gcda'):
        old.unlink()
    runs = [(f'unit/{t.stem}', lambda t=t: said(out / 'unit' / t.stem)) for t in sorted(pathlib.Path('tests/unit').glob('test_*.c'))]
    in_machines = [(m, lambda m=m: linux(out, m)) for m in MACHINES]
    in_machines += [(c.name, lambda c=c: boot_test(out, c)) for c in cases.CASES if c.name in [f'{b}-{m}' for b in BOOTS for m in MACHINES]]
    for name, run in runs + in_machines:
        wrong = run()
        passed, failed = passed + (not wrong), failed + bool(wrong)
        print('FAIL' if wrong else 'ok  ', name, *(f'\n    {line}' for line in wrong.splitlines()), flush=True)
        if (name, run) in in_machines and not wrong:
            infos.append(capture(out / 'obj/hv', out / f'{name}.info'))
    report(out, [capture(out / 'obj/host', out / 'unit.info'), *infos])
    print(f'{passed} passed, {failed} failed')
    return bool(failed)


if __name__ == '__main__':
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as e:
        sys.exit(f'{" ".join(map(str, e.cmd))}\n{e.stdout or ""}')
