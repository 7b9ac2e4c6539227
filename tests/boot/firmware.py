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


def refused(name, what, args, line, *, machine=QEMU, config=HELLO, timeout=60, daily=False, **more):
    """Cannot start, and says why and what to do."""
    return Row(what + ': refused', Case(name, machine, config, [line], SAID_HELLO, ['--cpus', '1', *args], until=line, timeout=timeout, daily=daily, **more))


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
SPOILT = [
    ('lapic-dirty', 'interrupts in service, masked, and a timer that runs', 'cpu-lapic'),
    ('registers-odd', 'odd control registers and MSRs', 'cpu-registers'),
    ('breakpoints', 'armed breakpoints', 'cpu-breakpoints'),
    ('nmi-pending', 'a pending NMI', 'cpu-nmi'),
    ('devices-on', 'devices that interrupt', 'devices'),
]
CORE_2 = r"^\[pith\] pith\.conf:3: 'hello' wants core 2 and 2 run \(the first is 0\) - correct cores$"
LA57 = (r"^\[pith\] cannot go on at stage 17 of 22: the firmware left 5-level paging on, and nested tables would be walked with 5 levels too: "
        r"switch it off in the firmware's setup \(5-Level Paging, LA57\)$")
NO_PIECES = (r'^\[pith\] pith\.conf:3: not enough memory for partition hello \(900 MiB wanted, 10[0-9]{2} MiB free, [0-9]+ of them in whole pieces of 2 MiB, '
             r'up to 32 runs of such\) - lower memory =$')
NO_ACPI = r'^\[pith\] no ACPI tables: devices are taken where PCs have them$'
ACPI_OFF = r'^\[pith\] power off: ACPI S5$'
SHOT = ['--screenshot', '@TMP@/screen.png']
SHOWN = {'look': 'screen', 'on_screen': SAID_HELLO}


def damaged(table):
    return rf'^\[pith\] ACPI: table {table} at 0x[0-9a-f]+ is damaged \(length [0-9]+ or checksum\), ignored$'


def silent(apic_id):
    return rf'^\[pith\] core with APIC ID {apic_id} is left out: it did not answer INIT-SIPI-SIPI - look for a firmware setting that limits the number of cores'


def no_screen(why):
    return rf'^\[pith\] no screen for the hypervisor: {why}.* - what it says from here on goes to the serial line alone$'


def dimm(gib):
    return ['-m', '1G,slots=1,maxmem=768G', '-object', 'memory-backend-ram,id=far,size=1G', '-device', f'pc-dimm,memdev=far,addr={gib << 30:#x}']


GROUPS = {
    'started from': [
        *(boots(f'{disk}-{medium}', f'{text} on {where}', ['--disk', disk, *bare])
          for disk, where in (('virtio', 'virtio'), ('nvme', 'NVMe'), ('ahci', 'AHCI'), ('usb', 'a USB stick (xHCI)'))
          for medium, text, bare in (('gpt', 'GPT', []), ('fat', 'bare FAT', ['--bare-fat'])) if (disk, medium) != ('virtio', 'gpt')), # all others
        *(boots(disk, what, ['--disk', disk]) for disk, what in (('usb2', 'GPT on a USB stick (EHCI)'), ('scsi', 'GPT on virtio-scsi'))),
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
        boots('pxe-plain', 'PXE, from a server that does not tell sizes', ['--net-boot', 'tftp-plain'], [r'^\[pith\] read big, 1465 KiB$'],
              config=HELLO + 'modules = big\n', files={'big': bytes(1500000)}),
        refused('pxe-cut', 'PXE, a server that stops', ['--net-boot', 'tftp-plain', '--net-cut', 'hello.elf'],
                r"^\[pith\] pith\.conf:4: file 'hello\.elf' did not come from TFTP server 10\.0\.2\.2 as 'hello\.elf' \(no answer\) - ", timeout=120),
        boots('http', "HTTP boot, with this machine's own pith.conf", ['--net-boot', 'http'], config='not this one', files={OWN_CONFIG: HELLO.encode()}),
        boots('http-hash', 'HTTP, with SHA-256', ['--net-boot', 'http'], [r'^\[pith\] read hello\.elf, .* its SHA-256 is right$'], config=MEANT),
        refused('http-other', 'HTTP, another file than was meant', ['--net-boot', 'http'], r'^\[pith\] pith\.conf:4: .* is not the file that was meant', config=ANOTHER),
        refused('http-absent', 'HTTP, a file that is not there', ['--net-boot', 'http'],
                r"^\[pith\] pith\.conf:4: file 'absent\.elf' is refused as http://10\.0\.2\.2:[0-9]+/absent\.elf \(HTTP status 404\) - ",
                config=HELLO.replace('hello.elf', 'absent.elf')),
        refused('http-cut', 'HTTP, a file that ends early', ['--net-boot', 'http', '--net-cut', 'hello.elf'],
                r"^\[pith\] pith\.conf:4: file 'hello\.elf' came as http://10\.0\.2\.2:[0-9]+/hello\.elf only to [0-9]+ of [0-9]+ bytes \(.*\) - "),
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
        boots('no-hpet', 'no HPET', NO_HPET),
        boots('no-hpet-no-acpi', 'no HPET, no ACPI', [*NO_HPET, '--no-acpi']),
        boots('ram-split', '3 GiB, all but the first above 4 GiB', ['--memory', '3G', *qemu('-machine', 'max-ram-below-4g=1G')], [r'^\[pith\] 1 core, 30[0-9]{2} MiB free, '],
              config=HELLO.replace('8M', '2900M')),
        boots('numa', 'two NUMA nodes', qemu('-object', 'memory-backend-ram,id=a,size=512M', '-object', 'memory-backend-ram,id=b,size=512M', '-numa',
              'node,memdev=a,cpus=0-1', '-numa', 'node,memdev=b,cpus=2-3'), [r'^\[pith\] 4 cores,'], cpus=4),
        boots('nvdimm', 'an NVDIMM', qemu('-machine', 'nvdimm=on', '-m', '1G,slots=1,maxmem=4G', '-object', 'memory-backend-ram,id=nv,size=128M', '-device',
              'nvdimm,memdev=nv')),
        *(boots(iommu, f'an IOMMU ({iommu}), off', qemu('-device', iommu)) for iommu in ('amd-iommu', 'intel-iommu')),
        boots('bridges', 'devices behind bridges', qemu('-device', 'pcie-root-port,id=behind,chassis=1', '-device', 'e1000e,bus=behind', '-device',
              'pcie-pci-bridge,id=pci', '-device', 'e1000,bus=pci,addr=1')),
        *(boots(f'year-{year}', f'a clock that says {year}', qemu('-rtc', f'base={year}-01-01T00:00:00')) for year in (1980, 2099)),
        boots('6G', '6 GiB', ['--memory', '6G']),
        boots('128M', '128 MiB', ['--memory', '128M']),
    ],
    'ACPI': [
        boots('no-acpi', 'no MADT, FADT, HPET: all that is left with acpi=off', ['--no-acpi'], prefix='', daily=True, cpus=4),
        strange('acpi-none', 'none', 'acpi-none', [r'^\[pith\] no ACPI tables: devices are taken where PCs have them$']),
        strange('acpi-no-tables', 'the firmware lists no tables of any kind', 'no-tables', [r'^\[pith\] no ACPI tables: ']),
        strange('acpi-1.0', 'ACPI 1.0: RSDP without XSDT, FADT of 116 bytes', 'acpi-1.0', cpus=2),
        strange('acpi-1.0-guid', 'listed as ACPI 1.0', 'acpi-1.0-guid', cpus=2),
        strange('acpi-6', 'ACPI 6: only the 64-bit fields of the FADT', 'fadt-6', cpus=2),
        strange('acpi-reduced', 'hardware-reduced ACPI', 'fadt-reduced', cpus=2),
        strange('acpi-no-xsdt', 'RSDP of revision 2 without XSDT', 'acpi-no-xsdt', cpus=2),
        strange('acpi-nulls', 'lists with null and wild pointers', 'acpi-nulls', cpus=2),
        strange('acpi-bad-rsdp', 'damaged RSDP', 'acpi-bad-rsdp', [r'^\[pith\] ACPI: the root pointer at 0x[0-9a-f]+ is damaged, all tables are ignored$', NO_ACPI]),
        strange('acpi-bad-rsdp2', "damage in RSDP's second half", 'acpi-bad-rsdp2', cpus=2),
        strange('acpi-wild', 'RSDP that is nowhere', 'acpi-wild=0x8000000000000000', [NO_ACPI]),
        strange('acpi-bad-xsdt', 'damaged XSDT', 'acpi-bad-xsdt', [damaged('XSDT')], cpus=2),
        strange('acpi-bad-lists', 'damaged XSDT and RSDT', 'acpi-bad-xsdt acpi-bad-rsdt', [damaged('XSDT'), damaged('RSDT'), NO_ACPI]),
        *(strange(f'acpi-bad-{name}', f'damaged {text}', f'acpi-bad={name}', [damaged(name)]) for name, text in (('APIC', 'MADT'), ('FACP', 'FADT'), ('HPET', 'HPET table'))),
        strange('acpi-long', 'a table of 2 GiB', 'acpi-length=APIC,0x80000000', [damaged('APIC')]),
        strange('acpi-short', 'a table shorter than its header', 'acpi-length=FACP,20', [damaged('FACP')]),
        strange('acpi-twice', 'two MADTs', 'acpi-twice=APIC mp-none', [r'^\[pith\] 4 cores,'], cpus=4),
        strange('acpi-no-fadt', 'no FADT', 'acpi-drop=FACP'),
        strange('acpi-no-dsdt', 'no DSDT', 'acpi-put=FACP,40,0 acpi-put=FACP,140,0'),
        strange('acpi-wild-dsdt', 'a DSDT that is nowhere', 'acpi-put=FACP,40,0xdeadbeef acpi-put=FACP,140,0xdeadbeef'),
        strange('acpi-wild-hpet', 'an HPET that is nowhere', 'acpi-put=HPET,48,0x80000000', [r'^\[pith\] clock: TSC ']),
        strange('madt-empty-entry', 'MADT entry of no bytes', 'madt-entry=0,0 mp-none', [
            r'^\[pith\] ACPI: MADT has an entry of 0 bytes at offset [0-9]+, the rest is ignored$', r'^\[pith\] 2 cores,'], cpus=2),
        strange('madt-long-entry', 'MADT entry that leaves the table', 'madt-entry=1,255 mp-none', [
            r'^\[pith\] ACPI: MADT has an entry of 255 bytes at offset [0-9]+, the rest is ignored$', r'^\[pith\] 2 cores,'], cpus=2),
        strange('madt-no-ioapic', 'MADT without I/O APIC', 'madt-without=1'),
        *(boots(f'acpi-{m}', f'tables for {m}, which has none', ['--efi', '@BUILD@/acpishim.efi', '--file', 'EFI/BOOT/NEXT.EFI=@BUILD@/BOOTX64.EFI'],
                [r'^acpishim: ACPI tables installed'], prefix='', machine=m, config=CLOCK, guests=SAID_HELLO + SAID_CLOCK, cpus=2) for m in (INTEL, AMD)),
    ],
    'cores': [
        *(boots(f'{n}-cores', f'{n}', said=[rf'^\[pith\] {n} cores,'], cpus=n) for n in (2, 3, 5, 16, 32)),
        boots('threads', '2 cores of 2 threads', qemu('-smp', '4,cores=2,threads=2'), [r'^\[pith\] some cores are threads of one', r'^\[pith\] 4 cores,'], cpus=4),
        boots('packages', '2 packages of 3 cores: APIC IDs with a gap', qemu('-smp', '6,sockets=2,cores=3'), [r'^\[pith\] 6 cores,'], cpus=6),
        strange('mp-none', 'no MP services', 'mp-none', [r'^\[pith\] 4 cores,'], cpus=4),
        strange('mp-refuses', 'MP services that refuse', 'mp-refuses', [r'^\[pith\] 4 cores,'], cpus=4),
        strange('mp-neither', 'neither MP services nor MADT: one core', 'mp-none acpi-drop=APIC', [r'^\[pith\] 1 core,'], cpus=4),
        strange('mp-ghost', 'a core that never answers', 'mp-ghost=9', [silent(9), r'^\[pith\] 2 cores,'], cpus=2),
        strange('mp-ghost-asked', 'a partition that wants such a core: refused', 'mp-ghost=9', [silent(9), CORE_2], guests=[], forbid=SAID_HELLO, cpus=2,
                config=HELLO.replace('memory', 'cores = 2\nmemory'), until=CORE_2, timeout=100),
        strange('mp-disabled', 'a core that is switched off', 'mp-disabled=1', [r'^\[pith\] 2 cores,'], cpus=3),
        strange('mp-claims', 'MP services that claim 300 cores', 'mp-claims=300', [r'^\[pith\] 2 cores,'], cpus=2),
        strange('madt-ghost', 'a core of the MADT that never answers', 'mp-none lapic=9,1', [silent(9), r'^\[pith\] 2 cores,'], cpus=2),
        strange('madt-far-ghost', 'one whose ID no xAPIC can name', 'mp-none x2apic=300,1', [
            r'^\[pith\] core with APIC ID 300 is left out: that ID is beyond what an xAPIC can name', r'^\[pith\] 2 cores,'], cpus=2),
        strange('madt-twice', 'cores that are listed twice, also as x2APIC', 'mp-none lapic=0,1 lapic=1,1 x2apic=0,1 x2apic=1,1', [r'^\[pith\] 2 cores,'], cpus=2),
        strange('madt-disabled', 'cores of the MADT that are switched off or could be added', 'mp-none lapic=0xff,0 lapic=5,2 x2apic=6,0', [r'^\[pith\] 2 cores,'],
                cpus=2),
    ],
    'memory map': [
        strange('map-pieces', 'thousands of entries of one page each', 'pieces=64'),
        strange('map-holes', 'a page that is reserved in every 2 MiB', 'pieces=512,1', [r'^\[pith\] 1 core, 10[01][0-9] MiB free, ']),
        strange('map-no-pieces', 'the same, for a partition that wants it all: refused', 'pieces=512,1', [NO_PIECES], guests=[], forbid=SAID_HELLO, until=NO_PIECES,
                timeout=60, config=HELLO.replace('8M', '900M')),
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
                  qemu(*dimm(gib)),
                  config=HELLO.replace('8M', '1900M')) for gib in (64, 128, 512)),
    ],
    'end of the boot services': [
        *(strange(f'exit-{n}', f'the map changes {times} at the end', f'changes={n}') for n, times in ((1, 'once'), (3, 'three times'), (7, 'seven times'))),
        strange('exit-grows', 'the map grows by 400 entries at the end', 'changes=2,200'),
        strange('map-grows', 'the map grows by 20 entries whenever it is read', 'grows=20 changes=7'),
        strange_refused('exit-never', 'the map changes for ever', 'changes=1000000',
                        r'^\[pith\] cannot start: the firmware does not end its boot services \(status 0x8000000000000002\) - update the firmware$'),
    ],
    'services': [
        strange_refused('no-low-pages', 'no free pages below 4 GiB', 'no-low-pages',
                        r'^\[pith\] cannot start: there is no room for the configuration \([0-9]+ KiB\) in memory - make it smaller or add memory$'),
        strange('no-time', 'no clock', 'no-time'),
        strange('no-variables', 'no variables', 'no-variables', [r'^\[pith\] Pith .* boot loader, Secure Boot is off$']),
        strange('reset-returns', 'a ResetSystem() that returns', 'reset-returns no-attributes', [r'^\[pith\] UEFI ResetSystem\(\) returned$', ACPI_OFF]),
        strange('reset-faults', 'one that faults', 'reset-faults', [r'^\[pith\] the firmware faulted: exception 14, ', ACPI_OFF]),
        strange('reset-nowhere', 'one that is nowhere', 'reset-at=0x123456789000', [r'^\[pith\] the firmware faulted: exception 14, ', ACPI_OFF]),
        strange('reset-none', 'none', 'reset-at=0', [r'^\[pith\] there are no UEFI runtime services$', ACPI_OFF]),
        strange('no-attributes', 'no memory attributes table', 'no-attributes'),
        strange('attributes-many', 'a memory attributes table of 4 billion entries', 'attributes=0xffffffff,48'),
        strange('attributes-short', 'its entries too short', 'attributes=10,8'),
        strange('attributes-long', 'its entries too long', 'attributes=10,0x10000000'),
    ],
    'screen': [
        boots('no-screen', 'no graphics card', qemu('-vga', 'none'), [no_screen(r'the firmware offers none \(GOP\)')]),
        boots('virtio-gpu', 'a card without memory to draw in', qemu('-vga', 'none', '-device', 'virtio-gpu-pci'), [no_screen('it has no memory to draw in')]),
        boots('ramfb-6G', 'frame buffer above 4 GiB', ['--memory', '6G', *qemu('-vga', 'none', '-device', 'ramfb'), *SHOT], **SHOWN),
        boots('two-cards', 'two cards', [*qemu('-device', 'secondary-vga'), *SHOT], **SHOWN),
        *(boots(card, card, [*qemu('-vga', 'none', '-device', card), *SHOT], **SHOWN) for card in ('bochs-display', 'qxl-vga', 'vmware-svga', 'cirrus-vga')),
        *(strange(f'screen-{bits}', f'{bits} bits a pixel', f'screen-bits={bits}', args=SHOT, **SHOWN) for bits in (16, 15)),
        *(strange(f'screen-{bits}', f'{bits} bits a pixel: not drawn on', f'screen-bits={bits}', [no_screen(f'its pixels are {bits} bits wide')]) for bits in (24, 8)),
        strange('screen-wide', 'lines longer than what is shown', 'screen-bits=32,2048', args=SHOT, **SHOWN),
        strange('screen-rgb', 'red and blue swapped', 'screen-format=0', args=SHOT, **SHOWN),
        strange('screen-blt', 'no access to its memory', 'screen-format=3', [no_screen('it has no memory to draw in')]),
        strange('screen-format', 'a format that nobody knows', 'screen-format=7', [no_screen('its pixels have no known layout')]),
        strange('screen-masks', 'colours that share bits', 'screen-masks=0xff00,0xff80,0xff', [no_screen('its pixels have no known layout')]),
        strange('screen-size-0', 'a frame buffer of no bytes', 'screen-size=0', args=SHOT, **SHOWN),
        *(strange(f'screen-{name}', what, f'screen-{words}', [no_screen('its width, height and length of a line make no picture')]) for name, what, words in (
            ('tiny', 'a picture of no lines', 'at=0,0'), ('huge', 'a picture of 2^62 pixels', 'at=0x7fffffff,0x7fffffff'),
            ('pitch-1', 'lines shorter than what is shown', 'pitch=1'), ('pitch-max', 'lines of 4 billion pixels', 'pitch=0xffffffff'))),
        strange('screen-tall', 'a picture larger than its memory', 'screen-at=1280,30000', [no_screen('its picture is larger than its memory')]),
        strange('screen-nowhere', 'a frame buffer beyond what the processor addresses', 'screen-base=0xff00000000000',
                [no_screen('it lies beyond what this processor addresses')]),
        strange('screen-512G', 'a frame buffer at 512 GiB', 'screen-base=0x8000000000', [r'^0*8000000000: 0x00101828'],
                [*qemu(*dimm(512)), '--monitor-command', 'xp /1wx 0x8000000000']),
        strange('screen-no-mode', 'GOP without a mode', 'screen-no-mode', [no_screen(r'the firmware offers none \(GOP\)')]),
        strange('screen-no-info', 'a mode without a description', 'screen-no-info', [no_screen(r'the firmware offers none \(GOP\)')]),
        strange('no-console', 'no console', 'no-console'),
    ],
    'left on by firmware': [
        strange('x2apic', 'x2APIC on all cores (bochs-intel)', 'cpu-x2apic', [r'^\[pith\] local APICs: x2APIC$', r'^\[pith\] 2 cores,'], machine=INTEL, cpus=2),
        *(strange(name, what, words, [r'^\[pith\] 2 cores,'], cpus=2) for name, what, words in SPOILT),
        strange('flags-odd', 'alignment checks and nested tasks in RFLAGS', 'cpu-flags', ['^RIP=[0-9a-f]+ RFL=000002[0-9a-f]{2} |^RIP=[0-9a-f]+ RFL=000000[0-9a-f]{2} '],
                ['--monitor-command', 'info registers']),
        *(strange(f'all-odd-{m}', f'all of these at once ({m})', ' '.join(words for _, _, words in SPOILT), [r'^\[pith\] 2 cores,'], machine=m, cpus=2)
          for m in (INTEL, AMD)),
        strange('la57', '5-level paging, on AMD-V: refused', 'cpu-la57', [LA57], guests=[], forbid=SAID_HELLO, until=LA57, timeout=100),
        strange('lapic-off', 'local APIC off', 'cpu-lapic-off', [r'^\[pith\] 2 cores,'], cpus=2),
        strange('uart-odd', 'serial port in loopback', 'uart'),
        strange('vmx-locked-on', 'VT-x locked, on', 'cpu-msr=0x3a,5', machine=INTEL),
        strange_refused('vmx-locked-off', 'VT-x locked, off', 'cpu-msr=0x3a,1', r'^\[pith\] cannot start: VT-x is turned off and locked by the firmware - turn on ',
                        machine=INTEL, timeout=90),
    ],
    'all at once': [
        strange('strange', 'maps, tables, a silent core, RAM above a hole, and processor state', ' '.join((
            'pieces=4096,2 overlaps empty reversed stride=56 changes=2,40 acpi-nulls fadt-6 mp-ghost=9 range=0x2000000000,0x40000000,7 cpu-flags',
            *(words for _, _, words in SPOILT))), [silent(9), r'^\[pith\] 2 cores, 20[0-9]{2} MiB free, '], qemu(*dimm(128)), cpus=2, daily=True, timeout=60,
                config=HELLO.replace('8M', '500M')),
    ],
    'processor': [
        refused('no-svm', 'no AMD-V', ['--cpu', 'max,-svm'], THIS_VM + 'neither VT-x nor AMD-V - turn on nested virtualization in its hypervisor$', daily=True),
        refused('no-npt', 'no NPT', ['--cpu', 'max,+svm,-npt'], THIS_VM + r'no nested paging \(NPT of AMD-V\) - turn it on in its hypervisor$', daily=True),
        refused('no-ept', 'no EPT', ['--cpu', 'core2_penryn_t9600'], r'^\[pith\] cannot start: this processor has no EPT .* - use a newer one: ', machine=INTEL,
                timeout=90, daily=True),
        refused('no-unrestricted-guest', 'no unrestricted guest', ['--cpu', 'corei5_lynnfield_750'],
                r'^\[pith\] cannot start: this processor has no unrestricted guest mode of VT-x - use a newer one: ', machine=INTEL, timeout=90, daily=True),
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
