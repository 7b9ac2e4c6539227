# SPDX-License-Identifier: MIT
"""Firmware of the field: one row for each medium, firmware, and missing or strange part of a machine, and what must be said there.

firmware.py prints the rows as the table in boot/README.md, firmware.py --check compares it with what stands there.
"""
import dataclasses
import difflib
import pathlib
import re
import sys

from case import AMD, CLOCK, HELLO, INTEL, QEMU, SAID_CLOCK, SAID_HELLO, Case

README = pathlib.Path(__file__).resolve().parents[2] / 'boot/README.md'
BEGIN, END = '<!-- tests/boot/firmware.py writes this table -->\n', '<!-- up to here -->\n'


@dataclasses.dataclass
class Row:
    what: str                                 # as the table says it
    case: Case


def boots(name, what, args=(), said=(), *, prefix='boots-', machine=QEMU, config=HELLO, cpus=1, daily=False, guests=SAID_HELLO, **more):
    """Comes up: the guests' lines, and those of @said."""
    return Row(what, Case(prefix + name, machine, config, [*said, *guests], args=['--cpus', str(cpus), *args], daily=daily, **more))


def refused(name, what, args, line, *, machine=QEMU, config=HELLO, timeout=60, **more):
    """Cannot start, and says why and what to do."""
    return Row(what + ': refused', Case(name, machine, config, [line], SAID_HELLO, ['--cpus', '1', *args], until=line, timeout=timeout, **more))


def qemu(*args):
    return [f'--qemu-arg={arg}' for arg in args]


def started_by(name, what, manager, config_name, config):
    """The firmware starts a boot manager, that one the loader."""
    return boots(name, what, ['--efi', f'@ROOT@/build/linux/{manager}', '--file', 'EFI/pith/BOOTX64.EFI=@BUILD@/BOOTX64.EFI'],
                 files={config_name: config.encode()})


def strange(name, what, words, said=(), args=(), **more):
    """Firmware that shim/ has made strange by these words."""
    return boots(name, what, [*SHIM, *args], [rf'^shim: {re.escape(words)}', *said], files={'shim.txt': words.encode()}, **more)


def strange_refused(name, what, words, line, args=(), **more):
    return refused('boots-' + name, what, [*SHIM, *args], line, files={'shim.txt': words.encode()}, daily=False, **more)


def piece(name, what, mib, kind, attribute=0):
    """RAM that is something else lies amid RAM: as much is gone, and what was in it still there after a guest that takes nearly all."""
    first, last = 0x10000000, 0x10000000 + (mib << 20) - 8
    return strange(name, what, f'piece={mib},{kind:#x},{attribute:#x}', [
        rf'^\[pith\] 1 core, {(1013 - mib) // 10}[0-9] MiB free, ', *(rf'^0*{at:x}: 0x5a5ac3c3f00d0bad$' for at in (first, last))],
        [*(arg for at in (first, last) for arg in ('--monitor-command', f'xp /1gx {at:#x}'))], config=HELLO.replace('8M', f'{960 - mib}M'))


SHIM = ['--efi', '@BUILD@/shim.efi', '--file', 'EFI/BOOT/NEXT.EFI=@BUILD@/BOOTX64.EFI']
SHELL = [r'^FS0:.*PITH\.EFI']
NO_HPET = qemu('-machine', 'hpet=off')
OWN_CONFIG = 'pith.conf-01-52-54-00-12-34-56'    # by the address of QEMU's network card
MEANT = HELLO.replace('hello.elf', 'hello.elf sha256:@sha256 hello.elf@')
ANOTHER = HELLO.replace('hello.elf', 'hello.elf sha256:' + '0' * 64)
NOT_SENT = r"'absent\.elf' is refused by TFTP server 10\.0\.2\.2 as 'absent\.elf' \(File not found\) - "
THIS_VM = r'^\[pith\] cannot start: this virtual machine \(TCGTCGTCGTCG\) offers '
GROUPS = {
    'started from': [
        *(boots(f'{disk}-{medium}', f'{text} on {where}', ['--disk', disk, *bare])
          for disk, where in (('virtio', 'virtio'), ('nvme', 'NVMe'), ('ahci', 'AHCI'), ('usb', 'a USB stick (xHCI)'))
          for medium, text, bare in (('gpt', 'GPT', []), ('fat', 'bare FAT', ['--bare-fat'])) if (disk, medium) != ('virtio', 'gpt')), # all others
        boots('shell-virtio', "UEFI's shell, with arguments", ['--from-shell'], SHELL),
        boots('shell-usb', 'the shell on a stick', ['--disk', 'usb', '--from-shell'], SHELL),
        started_by('systemd-boot', 'systemd-boot', 'systemd-bootx64.efi', 'loader/entries/pith.conf', 'title Pith\nefi /EFI/pith/BOOTX64.EFI\n'),
        started_by('grub', "GRUB's chainloader", 'grubx64.efi', 'EFI/debian/grub.cfg', 'chainloader /EFI/pith/BOOTX64.EFI\nboot\n'),
    ],
    'network': [
        boots('pxe', "PXE (TFTP), with this machine's own pith.conf", ['--net-boot', 'tftp'], config='not this one', files={OWN_CONFIG: HELLO.encode()}, daily=True),
        boots('pxe-hash', 'PXE, with SHA-256', ['--net-boot', 'tftp'], [r'^\[pith\] read hello\.elf, .* its SHA-256 is right$'], config=MEANT),
        refused('pxe-other', 'PXE, another file than was meant', ['--net-boot', 'tftp'], r'^\[pith\] pith\.conf:4: .* is not the file that was meant', config=ANOTHER),
        refused('pxe-absent', 'PXE, a file that is not there', ['--net-boot', 'tftp'], r'^\[pith\] pith\.conf:4: file ' + NOT_SENT,
                config=HELLO.replace('hello.elf', 'absent.elf')),
        boots('ipxe', 'iPXE, which fetches the files by TFTP', ['--net-boot', 'ipxe'], [r'^hello\.elf\.\.\. ok$']),
        boots('ipxe-http', 'iPXE, which fetches them from a web server', ['--net-boot', 'ipxe-http'], [r'^hello\.elf\.\.\. ok$']),
    ],
    'UEFI': [
        boots('2M', "OVMF's build of 2 MiB (all others: of 4 MiB)", ['--firmware', '2M']),
        boots('2M-usb', 'the same from a stick', ['--firmware', '2M', '--disk', 'usb']),
        boots('2M-shell', 'the same from its shell', ['--firmware', '2M', '--from-shell'], SHELL),
        boots('secure-boot', 'Secure Boot, signed', ['--secure-boot', '--efi', '@BUILD@/snakeoil/BOOTX64.EFI'],
              [r'^\[pith\] Pith .* boot loader, Secure Boot is on$'], prefix=''),
        Row('Secure Boot, not signed: refused by the firmware', Case('secure-boot-unsigned', QEMU, HELLO, forbid=[r'^\[pith\] '], args=['--secure-boot', '--cpus', '1'],
                                                        until='Access Denied', daily=False)),
    ],
    'machine': [
        boots('i440fx', 'i440fx (all others: q35)', qemu('-machine', 'pc')),
        boots('no-screen', 'no graphics card', qemu('-vga', 'none'), [r'^\[pith\] no screen for the hypervisor: the firmware offers none \(GOP\) - ']),
        boots('no-hpet', 'no HPET', NO_HPET),
        boots('no-hpet-no-acpi', 'no HPET, no ACPI', [*NO_HPET, '--no-acpi']),
        boots('16-cores', '16 cores', said=[r'^\[pith\] 16 cores,'], cpus=16),
        boots('6G', '6 GiB', ['--memory', '6G']),
        boots('128M', '128 MiB', ['--memory', '128M']),
    ],
    'ACPI': [
        boots('no-acpi', 'no MADT, FADT, HPET: all that is left with acpi=off', ['--no-acpi'], prefix='', daily=True, cpus=4),
        *(boots(f'acpi-{m}', f'tables for {m}, which has none', ['--efi', '@BUILD@/acpishim.efi', '--file', 'EFI/BOOT/NEXT.EFI=@BUILD@/BOOTX64.EFI'],
                [r'^acpishim: ACPI tables installed'], prefix='', machine=m, config=CLOCK, guests=SAID_HELLO + SAID_CLOCK, cpus=2) for m in (INTEL, AMD)),
    ],
    'memory map': [
        strange('map-pieces', 'thousands of entries of one page each', 'pieces=64'),
        strange('map-holes', 'a page that is reserved in every 2 MiB', 'pieces=512,1', [r'^\[pith\] 1 core, 10[01][0-9] MiB free, ']),
        strange('map-sieve', 'more than 1024 pieces', 'pieces=128,1', [r'^\[pith\] memory map has more than 1024 free pieces: [0-9]+ KiB stay unused$']),
        strange('map-runtime', 'runtime services amid RAM', 'pieces=512,2,200'),
        strange('map-reversed', 'from the highest address down', 'reversed'),
        strange('map-overlaps', 'regions that overlap', 'overlaps'),
        strange('map-empty', 'regions without pages, and one that leaves the address space', 'empty'),
        *(strange(f'map-stride-{n}', f'descriptors of {n} bytes', f'stride={n}') for n in (40, 56, 64, 256)),
        strange_refused('map-stride-0', 'descriptors of 0 bytes', 'stride=0', r'^\[pith\] cannot start: the firmware gives no memory map'),
        strange_refused('map-stride-32', 'descriptors that are too short', 'stride=32', r'^\[pith\] cannot start: the firmware gives no memory map'),
        strange_refused('map-none', 'no map', 'no-map', r'^\[pith\] cannot start: the firmware gives no memory map - update the firmware$'),
        *(piece(f'map-{name}', what, 256, kind, attribute) for name, what, kind, attribute in (
            ('oem', "types of the vendor's", 0x70000001, 0), ('os', 'types of a loader before', 0x80000001, 0), ('unknown', 'types that nobody knows', 0xfffffff0, 0),
            ('persistent', 'persistent memory', 14, 0), ('unaccepted', 'unaccepted memory', 15, 0), ('unusable', 'faulty memory', 8, 0),
            ('special', 'memory for a special purpose', 7, 0x40000), ('acpi', 'much for ACPI', 10, 0))),
        strange('map-low', 'nothing free below 1 MiB, so one core only', 'low', [
            r'^\[pith\] core with APIC ID 1 is left out: no page below 1 MiB to start it on, or none for its stack, is free', r'^\[pith\] 1 core, '], cpus=2),
        *(strange(f'hole-{gib}G', f'RAM above a hole up to {gib} GiB', f'range={gib << 30:#x},0x40000000,7', [r'^\[pith\] 1 core, 203[0-9] MiB free, '],
                  qemu('-m', '1G,slots=1,maxmem=768G', '-object', 'memory-backend-ram,id=far,size=1G', '-device', f'pc-dimm,memdev=far,addr={gib << 30:#x}'),
                  config=HELLO.replace('8M', '1900M')) for gib in (64, 128, 512)),
    ],
    'end of the boot services': [
        *(strange(f'exit-{n}', f'the map changes {n} times at the end', f'changes={n}') for n in (1, 3, 7)),
        strange('exit-grows', 'the map grows by 400 entries at the end', 'changes=2,200'),
        strange('map-grows', 'the map grows by 20 entries whenever it is read', 'grows=20 changes=7'),
        strange_refused('exit-never', 'the map changes for ever', 'changes=1000000',
                        r'^\[pith\] cannot start: the firmware does not end its boot services \(status 0x8000000000000002\) - update the firmware$'),
    ],
    'processor': [
        refused('no-svm', 'no AMD-V', ['--cpu', 'max,-svm'], THIS_VM + 'neither VT-x nor AMD-V - turn on nested virtualization in its hypervisor$'),
        refused('no-npt', 'no NPT', ['--cpu', 'max,+svm,-npt'], THIS_VM + r'no nested paging \(NPT of AMD-V\) - turn it on in its hypervisor$'),
        refused('no-ept', 'no EPT', ['--cpu', 'core2_penryn_t9600'], r'^\[pith\] cannot start: this processor has no EPT .* - use a newer one: ', machine=INTEL,
                timeout=90),
        refused('no-unrestricted-guest', 'no unrestricted guest', ['--cpu', 'corei5_lynnfield_750'],
                r'^\[pith\] cannot start: this processor has no unrestricted guest mode of VT-x - use a newer one: ', machine=INTEL, timeout=90),
    ],
}
CASES = [row.case for rows in GROUPS.values() for row in rows]


def table():
    lines = [f'| {group} | {len(rows)} | {"; ".join(row.what for row in rows)} |\n' for group, rows in GROUPS.items()]
    return f'| | {len(CASES)} cases | |\n|---|---|---|\n' + ''.join(lines)


def check():
    _, begin, rest = README.read_text().partition(BEGIN)
    there, end, _ = rest.partition(END)
    if not begin or not end:
        return f'{README}: the table is gone: no lines {BEGIN}{END}'
    return ''.join(difflib.unified_diff(there.splitlines(True), table().splitlines(True), 'boot/README.md', 'tests/boot/firmware.py'))


if __name__ == '__main__':
    said = check() if sys.argv[1:] == ['--check'] else table()
    print(said, end='')
    sys.exit(sys.argv[1:] == ['--check'] and bool(said))
