# SPDX-License-Identifier: MIT
"""Firmware of the field: one row for each medium, firmware, and missing or strange part of a machine, and what must be said there.

firmware.py prints the rows as the table in boot/README.md, firmware.py --check compares it with what stands there.
"""
import dataclasses
import difflib
import pathlib
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


def refused(name, what, args, line, *, machine=QEMU, timeout=60, **more):
    """Cannot start, and says why and what to do."""
    return Row(what + ': refused', Case(name, machine, HELLO, [line], SAID_HELLO, ['--cpus', '1', *args], until=line, timeout=timeout, **more))


def qemu(*args):
    return [f'--qemu-arg={arg}' for arg in args]


def started_by(name, what, manager, config_name, config):
    """The firmware starts a boot manager, that one the loader."""
    return boots(name, what, ['--efi', f'@ROOT@/build/linux/{manager}', '--file', 'EFI/pith/BOOTX64.EFI=@BUILD@/BOOTX64.EFI'],
                 files={config_name: config.encode()})


SHELL = [r'^FS0:.*PITH\.EFI']
NO_HPET = qemu('-machine', 'hpet=off')
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
