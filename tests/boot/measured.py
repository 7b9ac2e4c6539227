# SPDX-License-Identifier: MIT
"""Measured boot: what the TPM was given, as tpmshim/ tells it, against what hashlib makes of the files, and pith-check of a start."""
import hashlib
import itertools
import os
import pathlib
import re
import subprocess

from case import HELLO, QEMU, SAID_HELLO, Case

BUILD = pathlib.Path(__file__).resolve().parents[2] / os.environ.get('BUILD', 'build')
SHIM = ['--cpus', '1', '--efi', '@BUILD@/tpmshim.efi', '--file', 'EFI/BOOT/NEXT.EFI=@BUILD@/BOOTX64.EFI', '--tpm']
# Two partitions of one image, and one made on request, whose files are a second and the first once more
PARTS = HELLO + """may-manage = later
[partition again]
image = hello.elf
memory = 8M
[partition later]
image = clock.elf
modules = hello.elf
memory = 8M
create = on-request
"""
NO_TPM = r'^\[pith\] no TPM 2\.0: nothing is measured$'
SAID_PARTS = [r'^\[pith\] TPM 2\.0: ', *SAID_HELLO, r'^\[pith\] again: exited with status 0$']
FAILS = r"^\[pith\] warning: the TPM did not take 'pith\.conf' \(EFI error 7\), so PCR 12 is not what pith-check --pcrs says - "


def events(lines, config, files):
    """What must have been measured, as (PCR, name, what is hashed): of a start, or of a refusal as the lines tell it."""
    refused = [m[1] for line in lines if (m := re.match(r'\[pith\] cannot start: (.*)', line))]
    stage = [m[1] for line in lines if (m := re.match(r'\[pith\] this was stage (\d+) ', line))]
    last = f'refused at stage {stage[0]}: {refused[0]}' if refused else 'start: hello again'
    read = {} if stage == ['3'] else files               # a mistake in pith.conf is found before any file is read
    return [(12, 'pith.conf', config), *((11, f'file {name}', data) for name, data in read.items()), (12, last, last.encode())]


def measured(case, tmp, lines):
    """The TPM's event log and PCRs are those."""
    config, files = (tmp / 'pith.conf').read_bytes(), {}
    for name in re.findall(r'\w+\.elf', config.decode()):
        if not (tmp / name).exists():
            (tmp / name).write_bytes((BUILD / 'guests' / name).read_bytes())
        files[name] = (tmp / name).read_bytes()
    pcrs, want = {11: bytes(32), 12: bytes(32)}, []
    for pcr, name, data in events(lines, config, files):
        digest = hashlib.sha256(data).digest()
        pcrs[pcr] = hashlib.sha256(pcrs[pcr] + digest).digest()
        want.append(f'{pcr} sha256:{digest.hex()} {name}')
    want += [f'PCR {pcr} sha256:{value.hex()}' for pcr, value in pcrs.items()]
    said = [line.removeprefix('tpmshim: ') for line in lines if line.startswith('tpmshim: ')]
    wrong = [f'the TPM has {a!r}, not {b!r}' for a, b in itertools.zip_longest(said, want) if a != b]
    check = subprocess.run([BUILD / 'tools/pith-check', '--pcrs', tmp / 'pith.conf'], capture_output=True, text=True)
    if not case.typed and check.stdout.splitlines() != want:
        wrong += ['pith-check --pcrs says otherwise:', check.stdout, check.stderr]
    return wrong


def other_hello(build):
    """One bit of its last byte, which is in no segment, is another."""
    image = (build / 'guests/hello.elf').read_bytes()
    return image[:-1] + bytes([image[-1] ^ 1])


def starts(name, **more):
    return Case(f'measured-{name}', QEMU, PARTS, SAID_PARTS, args=[*SHIM, name[:3]], look='measured', **more)


def refused(name, config):
    """Back in the firmware at a key."""
    return Case(f'measured-{name}', QEMU, config, args=[*SHIM, name[:3]], typed='x' * 99, typed_after='press a key',
                until=r'^tpmshim: PCR 12 ', look='measured', daily=False)


CASES = [
    starts('tis'),
    starts('crb-other-image', files={'hello.elf': other_hello}, daily=False),
    refused('tis-refused', PARTS.replace('memory', 'memroy', 1)),
    refused('crb-not-the-file', HELLO.replace('hello.elf', 'hello.elf sha256:' + '0' * 64)),
    Case('tpm-fails', QEMU, HELLO, [FAILS, *SAID_HELLO], ['did not take .file'], [*SHIM, 'tis'], files={'tpm-fails': b'yes'}, daily=False),
]
