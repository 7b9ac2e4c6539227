# SPDX-License-Identifier: MIT
"""Pith's serial line elsewhere than at COM1, and named by firmware's tables; the monitor is typed into there."""
import struct

from case import AMD, CLOCK, HELLO, INTEL, QEMU, SAID_CLOCK, SAID_HELLO, STAY, Case

COM2, PCI = ['--serial-at', 'com2'], ['--serial-at', 'pci']
TYPED = '\x14list\npoweroff\n'    # Ctrl-T for each partition: then the monitor listens
SAID_TYPED = [r'^\[monitor\] hello +exited ', r'^\[pith\] power off']
# COM1 belongs to a partition, which drives it by its interrupt, while the monitor goes on at COM2
GUEST = '''
[partition com1]
image = com2.elf
memory = 8M
ports = 0x3f8-0x3ff
irqs = 4
cmdline = first=1
'''


def at(config, line):
    return config.replace('[pith]', f'[pith]\nserial = {line}')


def spcr(port, interface=0):
    """Of revision 2: a 16550 at @port, its ISA interrupt 3, 57600 baud, no PCI device."""
    body = struct.pack('<B3xBBBBQBBIBBBBBxHH', interface, 1, 8, 0, 1, port, 1, 3, 0, 6, 0, 1, 0, 0, 0xffff, 0xffff).ljust(80 - 36, b'\0')
    head = struct.pack('<4sIBB6s8sI4sI', b'SPCR', 80, 2, 0, b'PITH  ', b'TEST    ', 1, b'PITH', 1)
    table = bytearray(head + body)
    table[9] = -sum(table) & 0xff
    return bytes(table)


def table(name, data):
    return {'args': ['--cpus', '1', '--qemu-arg=-acpitable', f'--qemu-arg=file=@TMP@/{name}'], 'files': {name: data}}


def typed(name, machine, config, said, args, daily=False, **more):
    return Case(f'serial-{name}-{machine}', machine, config, [*said, SAID_HELLO[0], *SAID_TYPED], [r'not ok'], args=args, typed='\x14' * (config.count('[partition') - 1) + TYPED, daily=daily, **more)


def second(machine, daily):
    guest = [r'^\[com1\] 3 passed, 0 failed$', r'^\[com1\] 4 passed, 0 failed$', r'^\[pith\] serial line: COM2 at port 0x2f8, 115200 baud, interrupt 3$']
    return typed('com2', machine, at(STAY, 'com2') + GUEST, guest, [*COM2, '--cpus', '1', '--com2', '@TMP@/com1', '--file', 'com2.elf=@BUILD@/tests/com2.elf'],
                 daily, typed_after=r'^\[com1\] 4 passed')


def deaf(name, after):
    """Nobody reads any more: the screen goes on, and so does all else."""
    return Case(f'serial-deaf-{name}', QEMU, CLOCK, args=['--cpus', '1', '--deaf-after', after, '--screenshot', '@TMP@/screen.png'], look='screen', daily=False,
                on_screen=[SAID_HELLO[0], *SAID_CLOCK, r'^\[pith\] power off'], forbid=[SAID_CLOCK[1]])


SPCR = table('spcr', spcr(0x2f8))
CASES = [
    *(second(m, m == QEMU) for m in (QEMU, INTEL, AMD)),
    typed('pci', QEMU, at(STAY, 'pci 00:11.0'), [r'^\[pith\] serial line: port 0x[0-9a-f]+ of PCI device 00:11\.0, 115200 baud, polled$',
                                                 r'^\[pith\] what comes in at the serial line is polled'],
          [*PCI, '--cpus', '1'], typed_after=r'^\[pith\] hello: exited'),
    typed('spcr', QEMU, STAY, [r'^\[pith\] serial line: COM2 at port 0x2f8 \(SPCR\), 57600 baud, interrupt 3$'], [*COM2, *SPCR['args']], files=SPCR['files'],
          typed_after=r'^\[pith\] hello: exited'),
    # The table names a line that a partition was given
    Case('serial-spcr-kept', QEMU, HELLO + 'ports = 0x2f8-0x2ff\n', [r'^\[pith\] pith\.conf:6: ports 0x2f8-0x2ff of .hello. reaches into 0x2f8-0x2ff, Pith.s console, which serial'],
         [SAID_HELLO[0]], [*COM2, *SPCR['args']], files=SPCR['files'], until='reaches into', daily=False),
    Case('serial-spcr-useless', QEMU, HELLO, [*SAID_HELLO, r'^\[pith\] ACPI: table SPCR is of no use for the serial line: it names another UART than a 16550',
                                              r'^\[pith\] serial line: COM1 at port 0x3f8, 115200 baud, interrupt 4$'], daily=False, **table('spcr', spcr(0x2f8, 3))),
    Case('serial-spcr-silent', QEMU, HELLO, [*SAID_HELLO, r'^\[pith\] ACPI: table SPCR is of no use for the serial line: it names port 0x2f8: no 16550 answers there$'],
         daily=False, **SPCR),
    deaf('loader', r'^\[pith\] Pith .* boot loader'),
    deaf('hypervisor', r'^\[pith\] +18/'),
    Case('serial-missing', QEMU, at(HELLO, 'com3'), [r'^\[pith\] pith\.conf:2: serial: no 16550 answers there - correct it, or write auto or none$'], [SAID_HELLO[0]],
         ['--cpus', '1'], until='does not fit this machine', timeout=60, daily=False),
]
