# SPDX-License-Identifier: MIT
"""One kernel, one initramfs, one command line: as Pith's guest and on a bare machine with the same devices; one divided by the other."""
import os
import pathlib
import re
import struct
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = ROOT / os.environ.get('BUILD', 'build')
KERNEL, INITRD = ROOT / 'build/linux/vmlinuz', BUILD / 'bench/initrd.img'
CMDLINE, MEMORY = 'console=ttyS0,115200 quiet tsc_early_khz=1000000', 256
TIMEOUT = 900
# local APIC, I/O APIC, UART, RTC and nothing else; of the processor's features those that Pith shows too
BARE = ['qemu-system-x86_64', '-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot',
        '-machine', 'microvm,pit=off,pic=off,rtc=on,isa-serial=on,auto-kernel-cmdline=off',
        '-cpu', 'max,-svm,-la57,-pku,-mpx,-monitor,xlevel=0x80000008', '-m', f'{MEMORY}M', '-accel', 'tcg,thread=single', '-icount', 'shift=0,sleep=off',
        '-device', 'isa-debug-exit,iobase=0xf4,iosize=4', '-initrd', INITRD, '-append', CMDLINE]
# What Linux waits on the bare machine to measure a local APIC timer without deadline mode (calibrate_APIC_clock(): a tenth of a
# second): a guest does not wait, and would pass for faster than the machine.
CALIBRATION = 100_000_000
# rdtsc; mov $0x3f8,%dx; mov $4,%cx; 1: out %al,%dx; shr $8,%eax; loop 1b; out %al,$0xf4; 2: hlt; jmp 2b
TELL_TSC = bytes.fromhex('0f31 baf803 b90400 ee 66c1e808 e2f9 e6f4 f4 ebfd')


def ticks(serial):
    return {m[1]: int(m[2]) for m in re.finditer(rb'\bwork (\w+) (\d+)'.decode(), serial)}


def bare(kernel, serial):
    subprocess.run([*BARE, '-kernel', kernel, '-serial', f'file:{serial}'], timeout=TIMEOUT, stdin=subprocess.DEVNULL, check=False)
    return serial.read_bytes()


def firmware_ticks(tmp):
    """The bare machine's TSC at the kernel's first instruction (Linux/x86 boot protocol: a jump at 0x200): the same file, but there
    it says what time it is, and ends."""
    image = bytearray(KERNEL.read_bytes())
    entry = 0x202 + image[0x201]
    image[entry:entry + len(TELL_TSC)] = TELL_TSC
    kernel = tmp / 'tell-tsc'
    kernel.write_bytes(image)
    return struct.unpack('<I', bare(kernel, tmp / 'tsc')[-4:])[0]


def measure_bare():
    with tempfile.TemporaryDirectory(prefix='pith-bench.') as name:
        tmp = pathlib.Path(name)
        serial = BUILD / 'bench/linux-bare.log'
        found = ticks(bare(KERNEL, serial).decode('latin-1'))
        if 'linux_boot' in found:
            found['linux_boot'] -= firmware_ticks(tmp) + CALIBRATION
        return found


def measure_guest():
    """A guest's TSC is zero when its partition starts. What the guest exited for comes after its results, in the same log."""
    serial = BUILD / 'bench/linux-guest.log'
    with tempfile.TemporaryDirectory(prefix='pith-bench.') as name:
        tmp = pathlib.Path(name)
        conf = (ROOT / 'tests/bench/linux.conf').read_text().replace('@CMDLINE@', CMDLINE).replace('@MEMORY@', str(MEMORY))
        (tmp / 'pith.conf').write_text(conf)
        (tmp / 'typed').write_text('\x14exits linux\npoweroff\n')
        subprocess.run([ROOT / 'tools/pith-run', '--machine', 'qemu-amd', '--icount', '--timeout', str(TIMEOUT), '--serial', serial,
                        '--config', tmp / 'pith.conf', '--file', f'vmlinuz={KERNEL}', '--file', f'work.img={INITRD}',
                        '--input', tmp / 'typed', '--input-after', r'^\[linux\] work done'],
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return ticks(serial.read_text('latin-1'))


def ratios(guest, alone):
    return {name: guest[name] / alone[name] for name in guest if alone.get(name)}
