# SPDX-License-Identifier: MIT
"""The boot tests: one table of machines, configurations, and the lines that Pith and its guests must print on them."""
import hashlib
import pathlib
import random

import firmware
import measured
import serial
from case import AMD, CLOCK, HELLO, INTEL, QEMU, SAID_CLOCK, SAID_HELLO, STAY, Case, Command

LINUX_CMDLINE = 'console=ttyS0,115200 quiet'

DEMO = CLOCK.replace('poweroff', 'focus = linux\npoweroff') + f'''
[partition linux]
image = vmlinuz
initrd = initrd.img
cmdline = {LINUX_CMDLINE}
memory = 192M
'''
LINUX = f'''
[pith]
poweroff = when-done
[partition linux]
image = vmlinuz
initrd = initrd.img
cmdline = {LINUX_CMDLINE}
memory = 192M
'''
NO_KVM = LINUX + 'kvm = no\n'
NO_ACPI = LINUX.replace(LINUX_CMDLINE, LINUX_CMDLINE + ' acpi=off')  # cannot power off: it halts
NEITHER = NO_ACPI + 'kvm = no\n'
GUEST_TESTS = ['abi', 'calls', 'probes', 'isolate', 'lib', 'mmio', 'modes', 'mmiofault', 'legacy', 'lapic', 'exitcode', 'fault']
LAPIC = 'vcpus = 2\ncores = 0\ncmdline = step=5' # every fifth offset: each of a register's bytes, in the time of every day
ALL_RIGHTS = ''.join(f'may-{right} = fault\n' for right in ('manage', 'signal', 'call', 'share')) # nobody is hurt by 'fault' being reached
GUESTS = '[pith]\npoweroff = when-done\n' + ''.join(f"""
[partition {name}]
image = {name}.elf
memory = 8M
{dict(isolate='modules = hello.elf sha256:@sha256 hello.elf@', legacy='kvm = no', lapic=LAPIC, abi=ALL_RIGHTS).get(name, '')}
""" for name in GUEST_TESTS)
# Where an emulator is known to be wrong: machine, what of tests/guest/events.c (enum without) or tasks.S stays out there, and why.
EXCEPTIONS = [
    (QEMU, 1, 'INT1 stops the emulator for its own debugger'),
    (QEMU, 2, 'error codes of a faulting IDT entry name 16 times the vector in 64-bit mode, and never EXT'),
    (QEMU, 4, 'a fault while an injected exception is delivered does not become a double fault'),
    (QEMU, 8, 'VMRUN loads DR7 but arms nothing: no breakpoint of a guest ever fires'),
    (QEMU, 16, 'no trap after PAUSE although RFLAGS.TF is set'),
    (QEMU, 128, "a task switch marks no segment accessed, and a fault in it names the old task's instruction"),
    (AMD, 32, 'an intercepted #DB leaves DR6 as it was'),
    (AMD, 64, 'a virtual interrupt stays masked after VMRUN with RFLAGS.IF set, until the guest changes IF'),
]


def excepted(machine):
    return sum(bit for m, bit, _ in EXCEPTIONS if m == machine)


# They share a core: two that fill every register again and again, one that looks (tests/guest/poison.c).
POISON = {'poison-1': 'cmdline = pattern=1', 'poison-2': 'cmdline = pattern=2', 'look': ''}
GUESTS += ''.join(f"""
[partition {name}]
image = poison.elf
memory = 8M
cores = 0
{line}
""" for name, line in POISON.items())
GUESTS += '''
[partition events]
image = events.elf
memory = 8M
cmdline = @WITHOUT@ code=@console_write@ data=@ops@
'''
# Partitions that deal with each other, in a boot of their own: who they are, of which image, and what their sections say beside it.
# @NAME@: its number.
PEER_TESTS = ['share', 'ipc', 'event', 'pair', 'control', 'balloon']
PEERS = {
    'share': 'cores = 0\nmay-share = share-reader', 'share-reader': 'cores = 1', 'share-stranger': '', 'share-strict': 'strict = yes',
    'ipc': 'may-call = ipc-near, ipc-far\ncores = 0-1\nvcpus = 2\ncmdline = near=@ipc-near@ far=@ipc-far@ stranger=@ipc-alone@',
    'ipc-near': 'cores = 1\nrestart = on-failure\ncmdline = role=1',
    'ipc-far': 'cores = 0\nvcpus = 2\nrestart = on-failure\ncmdline = role=1',
    'ipc-alone': 'cores = 0\nmay-call = ipc-far\ncmdline = role=2 stranger=@ipc@',
    'event': 'vcpus = 2\nmay-signal = fault\ncmdline = dead=@fault@',
    'pair-near-0': 'cores = 0\nmay-signal = pair-near-1\ncmdline = peer=@pair-near-1@ first=1',
    'pair-near-1': 'cores = 0\nmay-signal = pair-near-0\ncmdline = peer=@pair-near-0@',
    'pair-far-0': 'cores = 0\nmay-signal = pair-far-1\ncmdline = peer=@pair-far-1@ first=1',
    'pair-far-1': 'cores = 1\nmay-signal = pair-far-0\ncmdline = peer=@pair-far-0@',
}
# One lends to the other, and a hand at the monitor starts either afresh: the audit at each start and end, and what they find.
AGAIN = """
[partition share]
image = share.elf
memory = 4M
cores = 0
may-share = share-reader
cmdline = again=1
[partition share-reader]
image = share.elf
memory = 4M
cores = 1
cmdline = again=1
[channel mail]
size = 8K
writers = share
readers = share-reader
[channel board]
size = 2052K
writers = share, share-reader
"""
TYPED_AGAIN = '\x14\x14' + 'restart share\nlist\nlist\nrestart share-reader\nlist\n' * 8 + 'mem\nmem share\nstop share\nstop share-reader\nmem\n'
CHANNELS = '''
[channel mail]
size = 8K
writers = share
readers = share-reader, share-strict
[channel board]
size = 2052K
writers = share, share-reader
[channel secret]
size = 4K
writers = share-reader, share-strict
'''
PEERS_CONFIG = '[pith]\npoweroff = when-done\n' + ''.join(f"""
[partition {name}]
image = {name.split('-')[0]}.elf
memory = 4M
{line}
""" for name, line in [*PEERS.items(), ('fault', '')]) + CHANNELS
for number, name in enumerate([*PEERS, 'fault']):
    PEERS_CONFIG = PEERS_CONFIG.replace(f'@{name}@', str(number + 1))
# Who manages, and whom: tests/guest/control.c
CONTROL = {'control': 'may-manage = mate, fails, late', 'mate': 'cmdline = role=1', 'fails': 'restart = on-failure\ncmdline = role=2'}
CONTROL_CONFIG = '[pith]\npoweroff = when-done\n' + ''.join(
    f'[partition {name}]\nimage = control.elf\nmemory = 4M\n{line}\n' for name, line in {**CONTROL, 'stranger': 'cmdline = role=1', 'late': 'create = on-request\ncmdline = role=1'}.items())
# Numbers as in tests/guest/balloon.c; the others take what is free of 512 MiB, whatever that is, but for less than the smallest of them has.
HOGS = ''.join(f'[partition hog-{n}]\nimage = hello.elf\nmemory = {size}M\ncreate = on-request\n' for n, size in enumerate((128, 128, 64, 32, 16, 8, 4)))
BALLOON_CONFIG = """
[pith]
poweroff = when-done
[partition balloon]
image = balloon.elf
memory = 4M
may-manage = *
may-signal = giver
[partition giver]
image = balloon.elf
memory = 136M
vcpus = 2
cores = 0-1
may-share = balloon
may-signal = balloon
cmdline = role=1
[partition taker]
image = balloon.elf
memory = 8M
create = on-request
cmdline = role=2
""" + HOGS
# Partitions of different policies on one core (tests/guest/turns.c): what each section says, and what the command line does.
TURNS = {
    'slack': {
        'rt': ('period = 1ms\nbudget = 300us', 'role=1 late=600'), 'even-1': ('', 'judge=1 p1=250 p2=250 p3=500'), 'even-2': ('', ''),
        'heavy': ('weight = 200', 'role=2'), 'slow': ('', 'role=3'),
    },
    'entitled': {
        'e20': ('entitlement = 0.2', 'gap=17'), 'e30': ('entitlement = 0.3', 'gap=15'),
        'e50': ('entitlement = 0.5', 'gap=11 judge=1 p0=200 p1=300 p2=500'),
    },
    'cyclic': {'a': ('cap = yes', 'gap=16'), 'b': ('cap = yes', 'gap=18'), 'c': ('', 'judge=1 p0=250 p1=150 p2=600')},
}
FRAME = '[cyclic frame]\ncores = 0\nframe = 20ms\nslots = a 5ms, * 2ms, b 3ms\n'


# Beside those of 'slack', on the same core: who asks, and who works for them (tests/guest/lend.c)
LENDS = {
    'asks': ('period = 2ms\nbudget = 600us\nmay-call = answers', 'role=1 to=2'), 'answers': ('', 'role=2'),
    'asks-on': ('may-call = answers', 'role=5 to=2'),
    'asks-once': ('period = 10ms\nbudget = 2ms\ncap = yes\nmay-call = works', 'role=3 to=5'),
    'works': ('period = 10ms\nbudget = 50us\ncap = yes', 'role=4'),
}


def turns(which, machine):
    members = TURNS[which]
    lends = LENDS if which == 'slack' else {}
    config = '[pith]\npoweroff = when-done\n' + (FRAME if which == 'cyclic' else '')
    for name, (lines, options) in lends.items():
        config += f'[partition {name}]\nimage = lend.elf\nmemory = 4M\ncores = 0\n{lines}\ncmdline = {options} of={len(members)}\n'
    for number, (name, (lines, options)) in enumerate(members.items()):
        config += f'[partition {name}]\nimage = turns.elf\nmemory = 4M\ncores = 0\n{lines}\ncmdline = me={number} of={len(members)} {options}\n'
    config += f'[channel board]\nsize = 4K\nwriters = {", ".join(members)}\n' + (f'readers = {", ".join(lends)}\n' if lends else '')
    return Case(f'turns-{which}-{machine}', machine, config, [rf'^\[{name}\] [1-9][0-9]* passed, 0 failed$' for name in [*members, *lends]],
                [r'^\[[a-z0-9-]*\] not ok ', *([' rt/0 missed its deadline'] if which == 'slack' else [])],
                [*GUEST_FILES, *(['--icount', '3'] if machine == QEMU else ['--cpus', '1'])], timeout=180, daily=machine != AMD)


SPIN = CLOCK.replace('memory = 8M\n', 'memory = 8M\ncores = 0\n') + """
[partition spin]
image = spin.elf
memory = 8M
cores = 0
"""
SURVIVED = [('attack', range(6)), ('flood', range(1, 6)), ('race', [0])]  # what these guests do is in their list of cases
ENDED = [('storm', range(14))]
PORTS = [('attack', [1])]
EDGES = [('storm', [*range(14, 20), 30, 31, 32])]
ENDLESS = [('storm', [*range(20, 28), 33, 29])]
# What an emulator cannot do right, with the reason, as options for the attack guests.
QUIRKS = {AMD: 'monitor=0'}                # Bochs reads MONITOR's operand before it looks at the intercept: from a device that is no #UD
NOT_ON = {AMD: ['race']}                   # its second vCPU keeps interrupts off, and Bochs preempts no such guest under SVM
NO_AC = [QEMU]                             # checks no alignment: storm's case 33 runs its loop and raises nothing
TEXT = [('flood', [0])]                    # much of its own text is lost, and nothing of others'


def for_machine(which, machine):
    return [(g, r) for g, r in which if g not in NOT_ON.get(machine, [])]


def transcript(rounds):
    """All that tests/guest/quiet.c says, whoever is beside it."""
    said = []
    for n in range(1, rounds + 1):
        word, total = n, 0
        for _ in range(16384):
            word = (word * 1664525 + 1013904223) % 2**32
            total = ((total << 1 | total >> 31) ^ word) % 2**32
        said.append(f'round {n}: memory {total:08x}, registers kept, answers the same, interrupts {n}')
    return said


def attacks(which, ticks, machine=QEMU, more=()):
    """Two neighbours, and attackers that share a core with one or the other."""
    names = [(f'quiet-{c}', 'quiet', f'rounds={10 * ticks}') for c in range(2)] + [(g, g, '') for g in more] + [
        (f'{g}-{n}', g, f'case={n} {QUIRKS.get(machine, "")}') for g, r in for_machine(which, machine) for n in r]
    return '[pith]\npoweroff = when-done\n' + ''.join(
        f'[partition {name}]\nimage = {guest}.elf\nmemory = 8M\ncmdline = {line}\n' +
        ('cores = 0-1\nvcpus = 2\n' if guest == 'race' else f'cores = {i % 2}\n')
        for i, (name, guest, line) in enumerate(names))


def callfuzz(calls, rounds):
    """Two that call without sense, on two cores, with rights over everybody; whom they stop and start; and two neighbours beside them."""
    fuzzers = ''.join(f'[partition fuzz-{n}]\nimage = callfuzz.elf\nmemory = 16M\ncores = {n}\nmay-manage = prey, spare\nmay-signal = *\n'
                      f'may-call = *\nmay-share = *\ncmdline = calls={calls} seed={n + 1}\n' for n in range(2))
    return '[pith]\npoweroff = when-done\n' + ''.join(
        f'[partition quiet-{c}]\nimage = quiet.elf\nmemory = 8M\ncores = {c}\ncmdline = rounds={rounds}\n' for c in range(2)) + fuzzers + (
        '[partition prey]\nimage = clock.elf\nmemory = 8M\ncmdline = ticks=2\n[partition spare]\nimage = hello.elf\nmemory = 8M\ncreate = on-request\n'
        '[channel ring]\nsize = 4K\nwriters = fuzz-0, fuzz-1\n')


def callfuzz_case(machine, calls, rounds, timeout, daily):
    return Case(f'callfuzz-{machine}-{calls}', machine, callfuzz(calls, rounds),
                [*(rf'^\[pith\] fuzz-{n}: exited with status 0$' for n in range(2)), *(rf'^\[pith\] quiet-{c}: exited with status 0$' for c in range(2))],
                ['not ok', 'audit:', r'fuzz-\d: (vCPU|ended)'], ['--cpus', '2', *GUEST_FILES], daily=daily, timeout=timeout)


# Whom nobody attacks; what it says is looked at as in attacks()
QUIET = '''
[partition quiet-0]
image = quiet.elf
memory = 8M
cmdline = rounds=20
'''
# Once the attackers are gone, the same guest says the same once more: nothing they did changed its first answers.
# (The one that only sleeps is stopped last: the machine is switched off once all have ended.)
STOP_ATTACKS = '\x14' * 13 + 'exits storm-33\n' + ''.join(
    f'stop storm-{n}\n' for n in (29, 33, *range(27, 19, -1)) if n != 21) + 'restart probes\nstop storm-21\n'
# Its thousands of #AC, each raised by the delivery of the one before
SAID_AC = r'^\[monitor\] EXCEPTION +[0-9]{4,} '


def said_attacks(which, line):
    return [line.replace('NAME', f'{g}-{n}') for g, r in which for n in r] + [
        rf'^\[pith\] quiet-{c}: exited with status 0$' for c in range(2)]


GUEST_FILES = [arg for name in [*GUEST_TESTS, *PEER_TESTS, 'smp', 'spin', 'attack', 'flood', 'storm', 'fresh', 'race', 'poison', 'events', 'com2', 'nic',
                                        'quiet', 'callfuzz', 'tasks', 'turns', 'lend', 'shuffle', 'shuffled', 'button']
               for arg in ('--file', f'{name}.elf=@BUILD@/tests/{name}.elf')]
# Kernels of Debian's that are not Linux: make fetches them, tools/get-linux
def kernel(name, file, memory, cmdline=''):
    return f'[pith]\npoweroff = when-done\n[partition {name}]\nimage = {file}\nmemory = {memory}\ncmdline = {cmdline}\n'


def kernel_file(file):
    return ['--file', f'{file}=@ROOT@/build/linux/{file}', '--cpus', '1']


TYPED = 'echo pi$((1+1))th; poweroff\n' # one line: what is typed ahead would be echoed into the answer

LIVES = 'abcdefghijk'                      # each lives as how=N of tests/guest/fresh.c says


def lives(names, ticks):
    return '[pith]\npoweroff = when-done\n' + ''.join(
        f'[partition clock-{c}]\nimage = clock.elf\nmemory = 4M\ncores = {c}\ncmdline = ticks={ticks}\n' for c in range(2)) + ''.join(
        f'[partition {name}]\nimage = fresh.elf\nmemory = 4M\nvcpus = {1 + (name in "aejk")}\ncmdline = how={LIVES.index(name)}\n'
        f'restart = {("always", "on-failure", "never")[ord(name) % 3]}\n' for name in names)


def commands(names, count):
    """What a hand gone wild types into the monitor, the same every time; then everybody may go on, and all is counted and ended."""
    rng = random.Random(count)
    verbs = ['stop', 'start', 'restart', 'restart', 'pause', 'pause', 'resume', 'resume', 'regs']
    wild = [f'{rng.choice(verbs)} {rng.choice(names)}' for _ in range(count)]
    # Lists until the last ones have stopped, too: that takes a moment.
    end = ['cores', *(f'resume {n}' for n in names), 'mem', 'restart clock-0', 'restart clock-1', *(f'stop {n}' for n in names),
           *['list'] * 10, 'mem']
    return '\x14' * (len(names) + 2) + '\n'.join([*wild, *end]) + '\n'


def lives_case(machine, names, count, ticks, daily=True):
    """Every partition finds everything clean each time it starts, whatever was done to it before. The clocks tick on, and end last."""
    said = [*(rf'^\[{n}\] clean$' for n in names), *(rf'^\[monitor\] {n} +(stopped|exited|failed) ' for n in names),
            r'^\[monitor\] audit: every frame has its owner$', *said_clocks(ticks)]
    return Case(f'lives-{machine}-{count}', machine, lives(names, ticks), said, [r'not ok', r'audit: (?!every)', r'failed: (?!triple)'],
                ['--cpus', '4' if machine == QEMU else '2', *GUEST_FILES], typed=commands(names, count), typed_after=rf'^\[{names[-1]}\] clean', daily=daily,
                timeout=240 if daily else 600)


def said_clocks(ticks):
    return [rf'^\[clock-{c}\] tick {n} at ' for c in range(2) for n in range(1, ticks + 1)] + [
        rf'^\[pith\] clock-{c}: exited with status 0$' for c in range(2)]


MONITOR = CLOCK.replace('when-done', 'never').replace('ticks=3', 'ticks=0\ncores = 1\nperiod = 20ms\nbudget = 5ms\ncap = yes')
TYPED_MONITOR = ('\x14\x14help\nlist\ncores\ncores hello\ncores clock\nexits clock\nmem clock\npause clock\nregs clock\nlist\nregs clock 1\nresume clock\nrestart clock\n'
                 'mem\nstop clock\nstart hello\nlog\nnonsense\n')
# A guest that is asked to shut down when the machine is, by its power button
BUTTON = """
[partition button]
image = button.elf
memory = 8M
"""
DEAF = BUTTON.replace('button', 'deaf').replace('deaf.elf', 'button.elf') + 'cmdline = deaf=1\n'
SAID_BUTTON = [r'^\[button\] [1-9][0-9]* passed, 0 failed$', r'^\[pith\] button: exited with status 0$']
BY_HAND = ['--keyboard', '--power-button', r'^\[monitor\] nonsense: ']
# What only the hypervisor finds: memory that is there for the loader, but not for the hypervisor's structures too.
CROWD = ''.join(f'[partition p{n}]\nimage = hello.elf\nmemory = 62M\nvcpus = 16\n' for n in range(16))
TRACED = MONITOR.replace('[pith]', '[pith]\ntrace = 16K rip')
TYPED_TRACE = '\x14\x14trace off clock\ntrace show\ntrace dump nobody\ntrace nonsense\ntrace dump\n'
FAULT = HELLO.replace('hello', 'fault') + 'restart = on-failure\n'
STRICT = HELLO + ''.join(f"""
[partition strict-{n}]
image = mmiofault.elf
memory = 8M
strict = yes
cmdline = strict={n}
""" for n in range(7))
SAID_STRICT = [rf'^\[pith\] strict-{n}: vCPU 0 failed: {why}' for n, why in enumerate(
    [*['access to memory that nobody gave it'] * 3, 'execution outside of', *['page tables outside of'] * 2])]
# Ways to end of tests/guest/events.c, in its order, and what the report says.
NOT_RAM = 'an event is delivered through memory that is not RAM'
EVENT_ENDS = [(why, {1: 4}.get(n, 0)) for n, why in enumerate(['triple fault'] * 3 + [NOT_RAM] * 5)]


def events_end(machine):
    ends = {f'end-{n}': why for n, (why, bit) in enumerate(EVENT_ENDS) if not bit & excepted(machine)}
    config = '[pith]\npoweroff = when-done\n' + ''.join(
        f'[partition {name}]\nimage = events.elf\nmemory = 8M\ncmdline = case={name[4:]}\n' for name in ends)
    config += f'[partition tasks]\nimage = tasks.elf\nmemory = 8M\ncmdline = without={excepted(machine)}\n' # which ends well
    return config, [line for name, why in ends.items() for line in (
        rf'^\[pith\] {name}: vCPU 0 failed: {why}$', rf'^\[pith\] {name}: ended after a failure$')] + [
            r'^\[tasks\] [1-9][0-9]* passed, 0 failed$', r'^\[pith\] tasks: exited with status 0$']


# Fills everything, leaves interrupts pending and masked, and comes again: power-on state is what it must find.
REBORN = HELLO.replace('hello', 'reborn').replace('reborn.elf', 'poison.elf') + 'cmdline = reborn=1\nrestart = always\n'

COM2 = CLOCK + """
[partition com2]
image = com2.elf
memory = 8M
ports = 0x2f8-0x2ff
irqs = 3
[partition isolate]
image = isolate.elf
memory = 8M
modules = hello.elf
"""
TYPED_COM2 = ('stty -F /dev/ttyS1 raw -echo; exec 3<>/dev/ttyS1; echo by $((2-1)) line >&3; read -t 9 x <&3; echo "$x"; '
              'grep ttyS1 /proc/interrupts; poweroff\n')
# The card of pith-run --nic: where the firmware puts it, which pin of the I/O APIC its interrupt is, and where QEMU shows its command register
NIC_AT = {QEMU: (0xc1000000, 20), INTEL: (0x80000000, 18), AMD: (0x80000000, 18)}
NIC_COMMAND = ['--monitor-command', 'xp /1hx 0xb0080004']


def nic(machine, ticks, options=''):
    base, gsi = NIC_AT[machine]
    return CLOCK.replace('ticks=3', f'ticks={ticks}') + f"""
[partition nic]
image = nic.elf
memory = 8M
mmio = {base:#x}-{base + 0x1ffff:#x}
irqs = {gsi}
dma = trusted
cmdline = base={base} gsi={gsi} {options}
"""


KEPT = [ # ranges that nobody may have on that machine, and what is said
    ('mmio = 0x30000000-0x30000fff', 'RAM - take that out'), ('mmio = 0xb0080000-0xb0080fff', 'PCI configuration'),
    ('mmio = 0xc0200000-0xc0200fff', 'the screen'), ('mmio = 0xc1032000-0xc1032fff', "the screen's device"),
    ('mmio = 0x3f00000000000-0x3f00000000fff', 'addresses that this processor does not have'),
    ('mmio = 0xc1000000-0xc1000fff', '0xc1000000-0xc101ffff of PCI device 00:10.0, which could write to all memory - .*dma = trusted'),
    ('ports = 0x6100-0x6107', 'PCI device 00:1f.2, which could'), ('ports = 0x660', 'power management'),
    ('irqs = 19', None), ('ports = 0x2f8-0x2ff', None)]
KEPT_CONFIG = '[pith]\n' + ''.join(f'[partition p{i}]\nimage = hello.elf\nmemory = 8M\n{line}\n' for i, (line, _) in enumerate(KEPT))

SAID_NIC = r'^\[pith\] nic is NOT ISOLATED'
SAID_STOPPED = r'^\[pith\] cannot go on at stage 12 of 22: HPET or PM timer, TSC or local APIC timer stands still - '
SAID_EARLY = r'^\[pith\] \*\*\* panic on core 0: host page tables and traps'
SAID_BUILD = r'^\[pith\] Pith 0\.1, build [0-9a-f]{16}'
SAID_GUESTS = [
    *(line for name in ('abi', 'calls', 'probes', 'isolate', 'lib', 'mmio', 'modes', 'mmiofault', 'legacy', 'lapic', 'events', *POISON)
      for line in (rf'^\[{name}\] [1-9][0-9]* passed, 0 failed$', rf'^\[pith\] {name}: exited with status 0$')),
    r'^\[pith\] exitcode: exited with status 42$', r'^\[pith\] fault: vCPU 0 failed: triple fault$', r'^\[pith\] fault: ended after a failure$',
]
SAID_PEERS = [
    *(line for name, conf in PEERS.items() if 'strict' not in conf
      for line in (rf'^\[{name}\] [1-9][0-9]* passed, 0 failed$', rf'^\[pith\] {name}: exited with status 0$')),
    r'^\[pith\] share-strict: vCPU 0 failed: access to memory that nobody gave it',
]
SAID_MACH = r'^\[gnumach\] .*No bootstrap code loaded with the kernel'
# A real-mode kernel that tries the BIOS, and the same with an exception nobody expects
BIOS = ''.join(f'[partition {name}]\nimage = bios.bin\nmemory = 2M\ncmdline = {line}\n' for name, line in (('bios', 'h'), ('bios-ud', 'u')))
SAID_BIOS = [r'^\[bios\] [1-9][0-9]* passed, 0 failed$', r'^\[bios-ud\] Pith.s BIOS: unexpected exception at 1000:',
             r'^\[pith\] bios-ud: vCPU 0 failed: triple fault$']
SAID_IPXE = [r'^\[ipxe\] iPXE [0-9].* Open Source Network Boot Firmware', r'^\[ipxe\] pi2th$', r'^\[ipxe\] Pith.s BIOS: nothing else to boot$',
             r'^\[pith\] ipxe: exited with status 0$']
SAID_LINUX = [r'^\[linux\] ready$', r'^\[linux\] pi2th$']
STALLS = [r'rcu: INFO', r'\] watchdog: ', 'blocked for more than']
COMPLAINTS = ("dmesg | grep -E ' stall|lockup|hung_task|BUG:|WARNING: CPU' | grep -v init_system_xstate; "
              'echo complaints: $?; poweroff\n')
# Four vCPUs of Linux: what hogs steal from one another, processors that go and come under load, pipes between many. One line, as before.
# (init_system_xstate: on Bochs, CPUID's size of a compacted XSAVE area is that of the other format, with one vCPU too.)
# Processors that are off halt with interrupts off: it says something all the time, or that would pass for a hang.
TYPED_SMP = (
    "cd /sys/devices/system/cpu; (while sleep 1; do echo goes on; done &); m() { awk '/^cpu / {print $9}' /proc/stat; }; "
    "b() { for i in $1; do while :; do :; done & done; sleep 2; "
    "kill $(jobs -p); wait; } 2>/dev/null; x=$(m); b 1; y=$(m); b '1 2 3 4'; z=$(m); echo $((y-x)) and $((z-y)) stolen; "
    '[ $((z-y)) -gt $((y-x+99)) ] && echo by $((2+2)); k=0; yes >/dev/null & yes >/dev/null & for r in 1 2 3; do for n in 1 2 3; do '
    'echo 0 >cpu$n/online; [ $(nproc) = 3 ] && k=$((k+1)); echo 1 >cpu$n/online; done; done; kill $(jobs -p) 2>/dev/null; echo off $k, on $(nproc); '
    'for i in 1 2 3 4 5 6 7 8; do yes | head -n LINES | cat | cat | wc -l & done | sort | uniq -c; ' + COMPLAINTS)
SAID_SMP = [SAID_LINUX[0], r'^\[linux\] off 9, on 4$', r'^\[linux\] complaints: 1$', r'^\[pith\] linux: exited with status 0$']
# The same without timers of their own: the 8254 ticks for all of them, and vCPU 0 tells the others by interrupts. Each sleeps by that.
TYPED_BROADCAST = (
    'k=0; for r in 1 2 3; do for n in 0 1 2 3; do taskset -c $n sleep 0.2 && k=$((k+1)); done; done; echo slept $k; '
    "grep -E 'timer$|LOC:' /proc/interrupts; " + COMPLAINTS)
SAID_BROADCAST = [SAID_LINUX[0], r'^\[linux\] slept 12$', r'^\[linux\] +0: +[1-9][0-9]{2,} +0 +0 +0 +IO-APIC +2-edge +timer$',
                  r'^\[linux\] LOC: +0( +[1-9][0-9]{2,}){3} ', *SAID_SMP[2:]]


def refused(name, config, line, words, **more):
    """A configuration with a mistake: it is told with file and line, and nothing starts."""
    said = rf'pith\.conf:{line}: .*{words}'
    return Case(f'config-{name}', QEMU, config, [said], [r'^\[hello\] '], ['--cpus', '1'], until=r'^\[pith\] this was stage ([3-6]|10) of 22, ', timeout=60, **more)


ALMOST = b'one bit is wrong here'   # what the volume holds in place of MEANT
MEANT = ALMOST[:-1] + bytes([ALMOST[-1] ^ 1])


def linux_smp(name, machine, cores, stolen, daily):
    lines = 40000 if machine == QEMU else 4000
    return Case(f'linux-{name}-{machine}', machine, LINUX + f'vcpus = 4\ncores = 0-{cores - 1}\n', [*SAID_SMP, rf'^\[linux\] +8 {lines}$', stolen],
                STALLS, ['--cpus', str(cores)], typed=TYPED_SMP.replace('LINES', str(lines)), timeout=900, daily=daily)


def linux_broadcast(machine):
    config = LINUX.replace(LINUX_CMDLINE, LINUX_CMDLINE + ' nolapic_timer lapic=notscdeadline') + 'vcpus = 4\ncores = 0-1\n'
    return Case(f'linux-broadcast-{machine}', machine, config, SAID_BROADCAST, STALLS, ['--cpus', '2'], typed=TYPED_BROADCAST, timeout=600,
                daily=False)


def many_vcpus(machine, rounds):
    """Sixteen vCPUs of one partition on two cores, and of another on one of them; three beside these."""
    names = {'many': 'vcpus = 16\ncores = 0-1', 'packed': 'vcpus = 16\ncores = 1', 'few': 'vcpus = 3\ncores = 0'}
    config = '[pith]\npoweroff = when-done\n' + ''.join(
        f'[partition {name}]\nimage = smp.elf\nmemory = 4M\n{line}\ncmdline = rounds={rounds}\n' for name, line in names.items())
    return Case(f'smp-{machine}', machine, config, [rf'^\[{name}\] [1-9][0-9]* passed, 0 failed$' for name in names],
                [r'^\[[a-z]*\] not ok '], ['--cpus', '2', *GUEST_FILES], daily=machine != AMD, timeout=240)


# Who is shuffled (tests/guest/shuffled.c): what its section says, and its role.
SHUFFLED = {
    'cpus': ('vcpus = 4\ncores = 0-1', 1), 'more-cpus': ('vcpus = 3\ncores = 1', 1), 'near': ('cores = 0\nmay-call = serve', 2),
    'far': ('cores = 1\nmay-call = serve', 2), 'serve': ('cores = 0', 3), 'every-2-ms': ('cores = 1\nperiod = 2ms\nbudget = 300us', 4),
    'flood': ('cores = 1\nmay-signal = take', 5), 'take': ('cores = 0', 6), 'late': ('cores = 1\ncreate = on-request', 0),
}


def shuffle(machine, ops, timeout, daily):
    config = '[pith]\npoweroff = when-done\n' + ''.join(
        f'[partition {name}]\nimage = shuffled.elf\nmemory = 3M\n{lines}\ncmdline = role={role}\n' for name, (lines, role) in SHUFFLED.items())
    config += ('[partition shuffle]\nimage = shuffle.elf\nmemory = 3M\ncores = 0\nperiod = 1ms\nbudget = 200us\nmay-manage = *\n'
               f'cmdline = ops={ops} seed={ops}\n[channel board]\nsize = 4K\nwriters = shuffle, {", ".join(SHUFFLED)}\n')
    return Case(f'shuffle-{machine}-{ops}', machine, config, [r'^\[shuffle\] [1-9][0-9]* passed, 0 failed$', r'^\[pith\] shuffle: exited with status 0$'],
                [r'^\[[a-z0-9-]*\] not ok ', r'audit:', r'failed:', r'accounts are'], ['--cpus', '2', *GUEST_FILES], daily=daily, timeout=timeout)


def topology(smp):
    return ['--qemu-arg=-smp', f'--qemu-arg={smp}', *GUEST_FILES]


# Eight cores in packages of three, so that every fourth APIC ID is nobody's: a partition on each, and one on all of them.
EIGHT = '[pith]\npoweroff = when-done\n' + ''.join(
    f'[partition quiet-{n}]\nimage = quiet.elf\nmemory = 4M\ncores = {n}\ncmdline = rounds=3\n' for n in range(8)) + (
    '[partition eight]\nimage = smp.elf\nmemory = 4M\nvcpus = 8\ncores = 0-7\ncmdline = rounds=10\n[partition stays]\nimage = clock.elf\ncmdline = ticks=0\n')
# Two cores of two threads: who names none gets none that would put him beside others.
SMT = HELLO.replace('when-done', 'never') + ''.join(f'[partition {name}]\nimage = clock.elf\nmemory = 4M\ncmdline = ticks=1\n{line}\n' for name, line in {
    'friend-1': 'cores = 2\nsmt = share', 'friend-2': 'cores = 3\nsmt = share', 'wide': 'vcpus = 2', 'late': 'smt = share'}.items())
SMT_BAD = HELLO.replace('memory', 'cores = 2\nmemory') + '[partition beside]\nimage = hello.elf\nmemory = 8M\ncores = 3\nsmt = share\n'


# guests/demo/NAME.conf, as people start them, and what their guests say
EXAMPLES = {
    'ipc': [r'^\[ping\] 1000 calls, the fastest took [0-9]+ ticks; the server counts 1000$', r'^\[pong\] answered 1000 calls$'],
    'ring': [r'^\[producer\] 100000 messages, ', r'^\[consumer\] 100000 messages, their sum is right; '],
    'supervisor': [r'^\[worker\] job 3 of 3$', r'^\[supervisor\] the worker has failed 3 of 3 times$',
                   r'^\[supervisor\] because of: vCPU 0 failed: triple fault$', r'^\[pith\] supervisor: exited with status 0$'],
    'top': [r'^\[top\] --- 5 s$', r'^\[top\]  0    running +[0-9]+\.[0-9] % +[0-9]+ exits: +[0-9]+\.[0-9] % +4 MiB$', r'^\[top\] core 0, of 1000: guests [0-9]+, exits ', r'^\[ping\] 20000 calls, '],
}


def example(name, machine):
    config = (pathlib.Path(__file__).resolve().parents[2] / 'guests/demo' / f'{name}.conf').read_text()
    return Case(f'{name}-{machine}', machine, config, EXAMPLES[name] + [r'^\[pith\] power off'], [r'exited with status [^0]', r'denied'],
                ['--cpus', '2'], daily=machine != AMD)


CASES = [
    *firmware.CASES,
    *measured.CASES,
    *serial.CASES,
    *(example(name, m) for name in EXAMPLES for m in (QEMU, INTEL, AMD)),
    *(Case(f'hello-{m}-{n}', m, HELLO, [*SAID_HELLO, measured.NO_TPM, *(rf'^\[pith\] {stage:2}/22 [a-z]' for stage in range(1, 23))], args=['--cpus', str(n)],
           daily=m != AMD or n == 1) for m in (QEMU, INTEL, AMD) for n in (1, 4)),
    *(Case(f'clock-{m}', m, CLOCK + QUIET, SAID_HELLO + SAID_CLOCK, args=['--cpus', '2', *GUEST_FILES], daily=m != AMD) for m in (QEMU, INTEL, AMD)),
    *(Case(f'guests-{m}', m, GUESTS.replace('@WITHOUT@', f'without={excepted(m)}'), SAID_GUESTS, [r'^\[[a-z0-9-]*\] not ok '], GUEST_FILES) for m in (QEMU, INTEL, AMD)),
    *(Case(f'peers-{m}', m, PEERS_CONFIG, SAID_PEERS, [r'^\[[a-z0-9-]*\] not ok ', r'audit:'], ['--cpus', '2', *GUEST_FILES]) for m in (QEMU, INTEL, AMD)),
    *(Case(f'share-again-{m}', m, '[pith]\npoweroff = when-done\n' + AGAIN, [
        r'^\[share-reader\] ok borrowed$', r'^\[share\] ok lent$', r'^\[monitor\] board +2052 KiB RAM, channel$', r'^\[monitor\] audit: every frame has its owner$',
        r'^\[pith\] share: restart 1 in 0 ms$', r'^\[pith\] share-reader: stopped$'], [r'^\[[a-z0-9-]*\] not ok ', r'audit: (?!every)', r'failed:'],
        ['--cpus', '2', *GUEST_FILES], typed=TYPED_AGAIN, typed_after=r'^\[share-reader\] ok borrowed$', timeout=100) for m in (QEMU, INTEL)),
    Case('peers-without-rdrand', QEMU, PEERS_CONFIG, [*SAID_PEERS, r'^\[share\] ok random-without-source$'], [r'^\[[a-z0-9-]*\] not ok '],
         ['--cpus', '2', '--cpu', 'max,+svm,-rdrand', *GUEST_FILES]),
    *(Case(f'control-{m}', m, CONTROL_CONFIG, [r'^\[control\] [1-9][0-9]* passed, 0 failed$', r'^\[pith\] control: exited with status 0$'],
           [r'^\[control\] not ok ', r'audit:'], ['--cpus', '2', *GUEST_FILES], timeout=120, daily=m != AMD) for m in (QEMU, INTEL, AMD)),
    *(Case(f'balloon-{m}', m, BALLOON_CONFIG, [
        *(line for name in ('balloon', 'giver', 'taker') for line in (rf'^\[{name}\] [1-9][0-9]* passed, 0 failed$', rf'^\[pith\] {name}: exited with status 0$')),
        r'^\[pith\] pith\.conf:[0-9]+: partition giver cannot start: others have memory that it gave out \(136 MiB wanted, ', r'^\[giver\] ok whole-again$'],
        [r'^\[[a-z0-9-]*\] not ok ', r'audit:'], ['--cpus', '2', '--memory', '512', *GUEST_FILES], timeout=180, daily=m != AMD) for m in (QEMU, INTEL, AMD)),
    *(turns(which, m) for which in TURNS for m in (QEMU, INTEL, AMD)),
    *(Case(f'lapic-{m}', m, HELLO.replace('hello', 'lapic') + LAPIC.replace('5', '1') + '\n', [r'^\[lapic\] [1-9][0-9]* passed, 0 failed$'],
           [r'^\[lapic\] not ok '], GUEST_FILES, daily=False) for m in (QEMU, INTEL, AMD)),
    *(Case(f'spin-{m}', m, SPIN, SAID_HELLO + SAID_CLOCK, args=['--cpus', '1', *GUEST_FILES], until=SAID_CLOCK[2]) for m in (QEMU, INTEL)),
    Case(f'spin-strings-{INTEL}', INTEL, SPIN + 'cmdline = strings=1\n', [*SAID_CLOCK, r'^\[clock\] tick 3 at 3\.[01]'],
         args=['--cpus', '1', *GUEST_FILES], until=SAID_CLOCK[2]),
    *(Case(f'demo-{m}', m, DEMO, SAID_HELLO + SAID_CLOCK + SAID_LINUX, typed=TYPED, timeout=300,
           args=['--screenshot', '@TMP@/screen.png'] if m == QEMU else [], look='screen' if m == QEMU else None,
           on_screen=SAID_CLOCK + SAID_LINUX)
      for m in (QEMU, INTEL)),
    *(Case(f'attack-{m}', m, attacks(SURVIVED, 4, m), said_attacks(for_machine(SURVIVED, m), r'^\[pith\] NAME: exited with status 0$'),
           [r'^\[[a-z0-9-]*\] not ok'], ['--cpus', '2', *GUEST_FILES], daily=m != AMD, timeout=180) for m in (QEMU, INTEL, AMD)),
    *(Case(f'attack-ends-{m}', m, attacks(ENDED, 2), said_attacks(ENDED, r'^\[pith\] NAME: ended after a failure$'),
           [r'^\[[a-z0-9-]*\] not ok'], ['--cpus', '2', *GUEST_FILES], daily=m != AMD, timeout=180) for m in (QEMU, INTEL, AMD)),
    *(Case(f'attack-ports-{m}', m, attacks(PORTS, 2).replace('case=1', 'case=1 step=1'), said_attacks(PORTS, r'^\[pith\] NAME: exited with status 0$'),
           args=['--cpus', '2', *GUEST_FILES], daily=False, timeout=300) for m in (QEMU, INTEL, AMD)),
    *(Case(f'attack-edges-{m}', m, attacks(EDGES, 2), said_attacks(EDGES, r'^\[pith\] NAME: ended after a failure$'),
           [r'^\[[a-z0-9-]*\] not ok'], ['--cpus', '2', *GUEST_FILES], daily=m != AMD, timeout=180) for m in (QEMU, INTEL, AMD)),
    *(Case(f'attack-endless-{m}', m, attacks(ENDLESS, 2, m, ['probes']),
           [*said_attacks(ENDLESS, r'^\[NAME\] attacks$'), *said_attacks(ENDLESS, r'^\[pith\] NAME: stopped$'),
            r'^\[probes\] [1-9][0-9]* passed, 0 failed$', *([] if m in NO_AC else [SAID_AC])],
           [r'^\[[a-z0-9-]*\] not ok'], ['--cpus', '2', *GUEST_FILES], typed=STOP_ATTACKS, typed_after=r'^\[storm-29\] attacks$',
           look='same_twice', timeout=240) for m in (QEMU, INTEL)),
    Case('attack-ac-bochs-amd', AMD, attacks([('storm', [33])], 3), [r'^\[pith\] storm-33: stopped$', SAID_AC, *said_attacks([], '')],
         args=['--cpus', '2', *GUEST_FILES], typed='\x14' * 3 + 'exits storm-33\nstop storm-33\n', typed_after=r'^\[quiet-1\] round 10: ', daily=False),
    Case('attack-console', QEMU, attacks(TEXT, 2), said_attacks([], ''), args=['--cpus', '2', *GUEST_FILES], timeout=120),
    *(Case(f'com2-{m}', m, COM2, SAID_CLOCK + [rf'^\[com2\] {n} passed, 0 failed$' for n in (3, 4)] + [r'^\[isolate\] [1-9][0-9]* passed, 0 failed$'],
           [r'^\[[a-z0-9]*\] not ok', 'NOT ISOLATED'], ['--cpus', '2', '--com2', '@TMP@/com2', *GUEST_FILES], daily=m != AMD) for m in (QEMU, INTEL, AMD)),
    *(Case(f'linux-com2-{m}', m, LINUX + 'ports = 0x2f8-0x2ff\nirqs = 3\n', [r'^\[linux\] by 1 line$', r'^\[linux\] +3: +[1-9][0-9]* +IO-APIC +3-edge +ttyS1$'],
           args=['--cpus', '2', '--com2', '@TMP@/com2'], typed=TYPED_COM2, timeout=400, daily=m == QEMU) for m in (QEMU, INTEL)),
    *(Case(f'nic-{m}', m, nic(m, 3), [SAID_NIC, *SAID_CLOCK, r'^\[nic\] 4 passed, 0 failed$'], [r'^\[nic\] not ok'],
           ['--cpus', '2', '--nic', *GUEST_FILES], daily=m != AMD) for m in (QEMU, INTEL, AMD)),
    *(Case(f'nic-storm-{m}', m, nic(m, 0, 'storm=1'), [
        SAID_NIC, r'^\[nic\] storm$', r'^\[monitor\] nic +running .*  NOT ISOLATED$', r'^\[monitor\] NOT ISOLATED', *(['b0080004: 0x0403'] if m == QEMU else [])],
        ['NOT ISOLATED.*clock'], ['--cpus', '1', '--nic', *GUEST_FILES, *(NIC_COMMAND if m == QEMU else [])],
        typed='\x14' * 3 + 'list\nmem nic\nstop nic\n', typed_after=SAID_CLOCK[1], until=r'^\[pith\] nic: stopped$') for m in (QEMU, INTEL)),
    Case('demo-one-core', QEMU, DEMO, SAID_LINUX + SAID_CLOCK, args=['--cpus', '1'], typed=TYPED),
    *(Case(f'monitor-{m}', m, MONITOR + BUTTON, [*SAID_BUTTON,
        r'^\[monitor\] poweroff  ', r'^\[monitor\] hello +exited', r'^\[monitor\] clock +running', r'^\[monitor\] core 1: APIC ID [0-9]+, [0-9]+ % idle',
        r'^\[monitor\]   of 1000: guests [0-9]+, .*; in ticks all that have passed$', r'^\[monitor\] HYPERCALL +[1-9][0-9]* +[1-9][0-9]* us +[0-9]+ of 1000$',
        r'^\[monitor\] hello/0: core [01], weight 100 in the slack$',
        r'^\[monitor\] clock/0: core [01], 5000 us of every 20000 us promised, [0-9]{1,4} left, 0 deadlines missed, nothing of the slack$',
        r'^\[monitor\] clock +paused', r'^\[pith\] clock: vCPU 0: rip [0-9a-f]+ ', r'^\[pith\] clock:   waits for WAIT,.* paused$',
        r'^\[monitor\] clock has vCPUs 0 to 0', r'^\[pith\] clock: restart 1 in 0 ms$', r'^\[monitor\] audit: every frame has its owner$',
        r'^\[monitor\] guest-physical 0: 8192 KiB at ', r'^\[monitor\] \[pith\] Pith ', r'^\[monitor\] nonsense: no such command', r'^\[pith\] clock: stopped$',
        rf'^\[pith\] {"power button" if m == QEMU else "poweroff"}: guests are asked to shut down'], [r'^\[button\] not ok '],
        ['--cpus', '2', *GUEST_FILES, *(BY_HAND if m == QEMU else [])], typed='\x14' + TYPED_MONITOR + ('' if m == QEMU else 'poweroff\n'), typed_after=SAID_CLOCK[0]) for m in (QEMU, INTEL)),
    Case('trace', QEMU, TRACED, [r'^\[monitor\] core 1: [1-9][0-9]* records, 0 dropped', r'^\[monitor\] clock: off$', r'^\[monitor\] trace: no partition',
                           r'^\[monitor\] trace dump, on, off'],
         args=['--cpus', '2'], typed=TYPED_TRACE, typed_after=SAID_CLOCK[0], until=r'^\[monitor\] trace end ', look='trace'),
    lives_case(QEMU, LIVES, 80, 5),
    lives_case(INTEL, 'dhjk', 30, 2),
    lives_case(QEMU, LIVES, 1000, 10, daily=False),
    lives_case(INTEL, LIVES[::-1], 200, 3, daily=False), # those that end and come again are loaded last: each load takes a second there
    Case('fails-and-restarts', QEMU, FAULT, [r'^\[pith\] fault: restart 1 in 0 ms$', r'^\[pith\] fault: restart 2 in 100 ms$'], args=GUEST_FILES,
         until=r'^\[pith\] fault: restart 3 in 200 ms$'),
    *(Case(f'reborn-{m}', m, REBORN, [r'^\[reborn\] [1-9][0-9]* passed, 0 failed$', r'^\[pith\] reborn: restart 1 '], [r'^\[reborn\] not ok '],
           GUEST_FILES, until=r'^\[pith\] reborn: restart 2 ') for m in (QEMU, INTEL)),
    *(Case(f'events-end-{m}', m, *events_end(m), [r'^\[(end-[0-9]*|tasks)\] not ok'], ['--cpus', '2', *GUEST_FILES], daily=m != AMD) for m in (QEMU, INTEL, AMD)),
    Case('strict', QEMU, STRICT, [*SAID_STRICT, r'^\[pith\] strict-6: exited with status 0$'], args=GUEST_FILES),
    Case('linux-reboots', QEMU, LINUX, [SAID_LINUX[0], r'^\[pith\] linux: reboots$'], typed='reboot\n', until=r'^\[pith\] linux: restart 1 '),
    Case('linux-powers-off', QEMU, LINUX, [*SAID_LINUX, r'^\[pith\] power button: guests are asked', r'^\[pith\] linux: exited with status 0$'],
         ['did not shut down'], ['--power-button', SAID_LINUX[1]], typed='echo pi$((1+1))th\n'),
    Case('linux-is-asked', INTEL, CLOCK.replace('ticks=3', 'ticks=0') + LINUX.replace(' quiet', ' quiet noapic').partition('when-done\n')[2], # IRQ 9 of the 8259s
         [SAID_LINUX[0], r'^\[pith\] poweroff: guests are asked', r'^\[pith\] linux: exited with status 0$', r'^\[pith\] clock: stopped$'],
         ['did not shut down'], ['--cpus', '1'], typed='\x14' * 3 + 'poweroff\n', daily=False),
    Case('deaf', QEMU, CLOCK + DEAF + BUTTON + 'restart = always\n', [
        r'^\[pith\] poweroff: guests are asked', *SAID_BUTTON, r'^\[pith\] deaf did not shut down in 30 s$', r'^\[pith\] deaf: stopped$'],
        ['button did not', 'button: restart'], ['--cpus', '2', *GUEST_FILES], typed='\x14' * 4 + 'poweroff\n', typed_after=SAID_CLOCK[2], daily=False),
    *(Case(f'reboot-{m}', m, CLOCK + DEAF, [r'^\[pith\] reboot: guests are asked', r'^\[pith\] deaf: stopped$', r'^\[pith\] restart$'],
           ['did not shut down'], ['--cpus', '2', *GUEST_FILES], typed='\x14' * 3 + 'reboot\nreboot\n', typed_after=SAID_CLOCK[2],
           until=r'^\[pith\] reboot: UEFI$', daily=False) for m in (QEMU, INTEL, AMD)),

    *(Case(f'gnumach-{m}', m, kernel('gnumach', 'gnumach.elf', '32M', 'console=com0'), args=kernel_file('gnumach.elf'), until=SAID_MACH, timeout=120)
      for m in (QEMU, INTEL)),
    Case('memtest-qemu-amd', QEMU, kernel('memtest', 'memtest.bin', '32M', 'console=ttyS0,115200'), args=kernel_file('memtest.bin'),
         until=r'\| Pass: +1 +Errors: 0 ', timeout=1200, daily=False),
    Case('memtest-bochs-intel', INTEL, kernel('memtest', 'memtest.bin', '8M', 'console=ttyS0,115200'), args=kernel_file('memtest.bin'),
         until=r'\| Pass: +1 +Errors: 0 ', timeout=1500, daily=False),
    *(Case(f'linux-real-mode-{m}', m, LINUX.replace('vmlinuz', 'vmlinuz.real'), [r'^\[pith\] linux: bzImage, real mode,', *SAID_LINUX],
           args=kernel_file('vmlinuz.real'), typed=TYPED, timeout=400, daily=False) for m in (QEMU, INTEL)),
    *(Case(f'ipxe-{m}', m, kernel('ipxe', 'ipxe.lkrn', '32M') + BIOS, SAID_IPXE + SAID_BIOS, [r'^\[bios\] not ok '],
           args=[*kernel_file('ipxe.lkrn'), '--file', 'bios.bin=@BUILD@/tests/bios.bin'], timeout=120,
           typed='\x02set n 2\necho pi${n}th\nexit\n', typed_after=r'^\[ipxe\] Features') for m in (QEMU, INTEL)),

    Case('screen-bochs-intel', INTEL, STAY, SAID_HELLO, args=['--cpus', '1', '--screenshot', '@TMP@/screen.png'], until=SAID_HELLO[1],
         look='screen', on_screen=SAID_HELLO),
    Case('screen-only', QEMU, HELLO, args=['--no-serial', '--screenshot', '@TMP@/screen.png', '--qemu-arg=-machine', '--qemu-arg=i8042=off'], look='screen',
         on_screen=[*SAID_HELLO, r'^\[pith\] nothing can be typed: neither ']),
    Case('no-writable-code', QEMU, STAY, SAID_HELLO, args=['--monitor-command', 'cpu 0', '--monitor-command', 'info tlb'],
         until=SAID_HELLO[1], look='mappings'),
    *(Case(f'crash-{m}', m, STAY, [r'^\[pith\] \*\*\* exception in the hypervisor on core 0: #UD', r'^\[pith\]   called from \+0x', SAID_BUILD],
           args=['--cpus', '2', *shot], typed='\x14crash\n', typed_after=SAID_HELLO[1], status=1, may_stop=True, timeout=120, look='panic',
           on_screen=[r'^\[pith\] RIP ffff8700', SAID_BUILD] if shot else []) for m, shot in ((QEMU, ['--screenshot', '@TMP@/screen.png']), (INTEL, []))),
    # Between the firmware's screen and its own: tests/boot/early/early.c
    Case('stopped-clock', QEMU, STAY, [SAID_STOPPED], args=['--efi', '@BUILD@/stopped.efi', '--screenshot', '@TMP@/screen.png'],
         until='switch the machine off', look='screen', on_screen=[SAID_STOPPED], daily=False),
    Case('crash-restarts', QEMU, STAY, [r'^\[pith\] reboot: ACPI reset register$'], ['reboot: UEFI'], ['--cpus', '2', '--after-panic'],
         typed='\x14crash\nno\x14', typed_after=SAID_HELLO[1], status=1, may_stop=True, timeout=60, daily=False),
    Case('crash-restarts-bochs-intel', INTEL, STAY, args=['--cpus', '2', '--after-panic'], typed='\x14crash\nno\x14', typed_after=SAID_HELLO[1],
         until=r'^\[pith\] reboot: port 0xcf9$', may_stop=True, timeout=120, daily=False),
    Case('crash-powers-off', QEMU, STAY, [r'^\[pith\] power off: ACPI S5$'], args=['--cpus', '2', '--after-panic', '--power-button', r'\*\*\* stopped'],
         typed='\x14crash\n', typed_after=SAID_HELLO[1], may_stop=True, timeout=60, daily=False),
    Case('crash-early', QEMU, STAY, [SAID_EARLY, SAID_BUILD], args=['--efi', '@BUILD@/early/BOOTX64.EFI', '--screenshot', '@TMP@/screen.png'], status=1,
         may_stop=True, look='screen', on_screen=[SAID_EARLY, SAID_BUILD, r'^\[pith\] 14/22 own page tables'], daily=False),

    *(callfuzz_case(m, 40000, 20, 240, True) for m in (QEMU, INTEL)),
    callfuzz_case(AMD, 40000, 20, 240, False),
    *(callfuzz_case(m, 5000000, 20, 2400, False) for m in (QEMU, INTEL)), # two of them: ten million calls; make fuzz runs these

    refused('empty', '', 1, ''),
    refused('key', HELLO.replace('memory', 'memroy'), 5, 'memroy'),
    refused('section', HELLO + '[partitoin x]\n', 6, 'partitoin'),
    refused('no-file', HELLO.replace('hello.elf', 'absent.elf'), 4, r'absent\.elf'),
    refused('hash', HELLO + f'initrd = almost sha256:{hashlib.sha256(MEANT).hexdigest()}\n', 6,
            rf"initrd 'almost' is not the file that was meant: it has sha256:{hashlib.sha256(ALMOST).hexdigest()} - copy the right one", files={'almost': ALMOST}),
    refused('device-kept', HELLO + 'ports = 0x60-0x64\n', 6, 'keyboard'),
    refused('right', HELLO + 'may-call = helo\n', 6, "no partition 'helo' for 'may-call'"),
    refused('promise', HELLO + 'cores = 0\nentitlement = 0.6\n[partition two]\nimage = hello.elf\ncores = 0\nperiod = 2ms\nbudget = 1ms\n', 12,
            r"'two' wants 0\.500 of core 0, of which 0\.600 is promised to others: 1\.100 in all"),
    refused('core-0', HELLO + 'cores = 0-1\ndedicated = yes\n', 6, 'core 0 keeps house'),
    refused('channel', HELLO + '[channel ring]\nsize = 64K\nwriters = hello\n', 8, 'one partition alone has channel'),
    Case('config-channel-memory', QEMU, CLOCK + ''.join(f'[channel c{n}]\nsize = 64M\nwriters = hello, clock\n' for n in range(3)),
         [r'pith\.conf:17: not enough memory for channel c2 \(65536 KiB wanted, [0-9]+ MiB free\) - lower size ='], [r'^\[hello\] '],
         ['--cpus', '1', '--memory', '176M'], until='lower size', timeout=60),
    refused('device-twice', HELLO + 'irqs = 3, 3\n', 6, 'given to .* already'),
    Case('config-devices', QEMU, KEPT_CONFIG, [rf'^\[pith\] pith\.conf:{5 + 4 * i}: .*{said}' for i, (_, said) in enumerate(KEPT) if said],
         [rf'pith\.conf:{5 + 4 * i}:' for i, (_, said) in enumerate(KEPT) if not said] + [r'^\[p0\] '],
         ['--cpus', '1', '--nic'], until='does not fit this machine', timeout=60),
    refused('not-an-image', HELLO.replace('hello.elf', 'pith.conf'), 3, 'partition hello: the image is neither'),
    refused('one-bad-image', HELLO + '[partition bad]\nimage = pith.conf\nmemory = 8M\n', 6, 'partition bad: the image is neither'),
    Case('restarts-when-read', QEMU, CROWD, [r'^\[pith\] cannot go on at stage 21 of 22: ', r'^\[pith\] reboot: UEFI'],
         args=['--cpus', '2'], typed='x', typed_after=r'^\[pith\] restarting at a key', status=1, timeout=60),
    refused('too-big', HELLO.replace('8M', '100G'), 5, 'lower memory'),

    Case('demo-bochs-amd', AMD, DEMO, SAID_HELLO + SAID_CLOCK + SAID_LINUX, typed=TYPED, timeout=400, daily=False),
    *(Case(f'demo-{m}-2-cores', m, DEMO, SAID_LINUX, args=['--cpus', '2'], typed=TYPED, timeout=300, daily=False)
      for m in (QEMU, INTEL)),
    Case('demo-256M', QEMU, DEMO.replace('192M', '160M'), SAID_LINUX, args=['--memory', '256M'], typed=TYPED, daily=False),
    *(Case(f'clock-{m}-256M', m, CLOCK, SAID_HELLO + SAID_CLOCK, args=['--memory', '256M', '--cpus', '2'], daily=False)
      for m in (QEMU, INTEL, AMD)),
    Case('demo-4G', QEMU, DEMO.replace('192M', '3300M'), SAID_LINUX, args=['--memory', '4G'], typed=TYPED, daily=False),

    # a kernel that sees neither KVM's leaf nor ACPI has 8259s and an 8254, and nothing else that interrupts
    *(Case(f'linux-bare-{m}', m, NEITHER, SAID_LINUX, args=['--cpus', '1'], typed=TYPED, until=SAID_LINUX[1], timeout=400,
           daily=m != AMD) for m in (QEMU, INTEL, AMD)),
    *(Case(f'linux-amd64-{m}', m, LINUX.replace('vmlinuz', 'amd64.vmlinuz'), SAID_LINUX, args=kernel_file('amd64.vmlinuz'), typed=TYPED, timeout=600,
           daily=False) for m in (QEMU, INTEL)),
    # 32 bits: PAE paging on one vCPU, two-level paging on two
    *(Case(f'linux-i386{pae}-{m}', m, LINUX.replace('vmlinuz', 'i386.vmlinuz').replace('initrd.img', 'i386.img') + f'vcpus = {n}\n',
           [r'^\[pith\] linux: bzImage, real mode,', SAID_LINUX[0], rf'^\[linux\] i686 {n}$'],
           args=['--file', f'i386.vmlinuz=@ROOT@/build/linux/i386{pae}.vmlinuz', '--file', 'i386.img=@ROOT@/build/linux/i386-initrd.img', '--cpus', '1'],
           typed='echo $(uname -m) $(nproc); poweroff\n', timeout=900, daily=False) for m in (QEMU, INTEL) for pae, n in (('-pae', 1), ('', 2))),
    *(Case(f'linux-amd64-bare-{m}', m, NEITHER.replace('vmlinuz', 'amd64.vmlinuz'), SAID_LINUX, args=kernel_file('amd64.vmlinuz'), typed=TYPED,
           until=SAID_LINUX[1], timeout=600, daily=False) for m in (QEMU, INTEL)),
    *(Case(f'linux-no-acpi-{m}', m, NO_ACPI, SAID_LINUX, args=['--cpus', '1'], typed=TYPED, until=SAID_LINUX[1], timeout=400, daily=False) for m in (QEMU, INTEL)),
    *(Case(f'linux-no-kvm-{m}', m, NO_KVM, SAID_LINUX, args=['--cpus', '1'], typed=TYPED, timeout=400, daily=False) for m in (QEMU, INTEL)),
    *(Case(f'linux-{m}-2-vcpus', m, LINUX + 'vcpus = 2\n', [SAID_LINUX[0], r'^\[linux\] 2$'], typed='nproc\npoweroff\n', timeout=400, daily=False)
      for m in (QEMU, INTEL)),

    Case('eight-cores', QEMU, EIGHT, [*(rf'^\[pith\] quiet-{n}: exited with status 0$' for n in range(8)), r'^\[eight\] [1-9][0-9]* passed, 0 failed$',
                                     r'^\[pith\] 8 cores,', r'^\[monitor\] core 3: APIC ID 4,', r'^\[monitor\] core 7: APIC ID 9,'], [r'not ok'],
         ['--cpus', '8', *topology('8,maxcpus=12,sockets=4,cores=3')], typed='\x14' * 10 + 'cores\npoweroff\n',
         typed_after=r'^\[pith\] eight: exited', timeout=240),
    Case('barrier-bochs-intel', INTEL, CLOCK.replace('memory = 8M', 'memory = 8M\ncores = 0'),
         [r'^\[pith\] a core that changes its partition clears branch predictors, buffers$', *SAID_HELLO, *SAID_CLOCK], ['microcode cannot clear'],
         ['--cpus', '1', '--cpu', 'tigerlake'], daily=False),
    Case('barrier-is-missing', AMD, CLOCK.replace('memory = 8M', 'memory = 8M\ncores = 0'),
         [r"^\[pith\] this processor's microcode cannot clear branch predictors where partitions share a core", *SAID_HELLO, *SAID_CLOCK],
         args=['--cpus', '1'], daily=False),
    Case('smt', QEMU, SMT, [rf'^\[pith\] {name}: Pith PV, 4 MiB, {n} on core {core}$' for name, n, core in (
        ('friend-1', '1 vCPU', 2), ('friend-2', '1 vCPU', 3), ('wide', '2 vCPUs', 1), ('late', '1 vCPU', 2))] + [
        r'^\[pith\] some cores are threads of one'], args=['--cpus', '4', *topology('4,sockets=1,cores=2,threads=2')], until=r'^\[pith\] late: exited with status 0$'),
    Case('smt-refused', QEMU, SMT_BAD, [r'pith\.conf:7: no core is left for vCPU 0 of beside that has no threads of others'], [r'^\[hello\] '],
         ['--cpus', '4', *topology('4,sockets=1,cores=2,threads=2')], until=r'no core is left', timeout=60),
    *(many_vcpus(m, rounds) for m, rounds in ((QEMU, 20), (INTEL, 5), (AMD, 5))),
    shuffle(QEMU, 60, 120, True), shuffle(QEMU, 1000, 600, False), shuffle(INTEL, 1000, 1500, False),
    *(linux_smp('smp', m, 2, r'^\[linux\] by 4$', m == QEMU) for m in (QEMU, INTEL)),  # two vCPUs a core
    *(linux_smp('smp-own-cores', m, 4, r'^\[linux\] [0-9]{1,2} and [0-9]{1,2} stolen$', False) for m in (QEMU, INTEL)),
    *(linux_broadcast(m) for m in (QEMU, INTEL)),

    Command('bench-short', 'tests/bench/run.py --short', timeout=120, daily=True),
    Command('clang', 'make CC=clang BUILD=build/clang all guests unit fuzzers && '
            'BUILD=build/clang tests/boot/run.py hello-qemu-amd-4 hello-bochs-intel-1 guests-qemu-amd demo-qemu-amd', daily=True),
    Command('trace-agrees', 'tests/trace/differ.py qemu-amd bochs-intel', timeout=240, daily=True),
    Command('trace-agrees-on-all', 'tests/trace/differ.py qemu-amd bochs-intel bochs-amd', timeout=400),
    Command('trace-finds-a-wrong-length', 'make wrong-length; if BUILD=build/wrong tests/trace/differ.py qemu-amd bochs-intel >build/wrong/said; '
            'then exit 1; fi; cat build/wrong/said; grep -q "^qemu-amd and bochs-intel disagree on the trace of every/0" build/wrong/said; '
            'grep -q "bochs-intel: INSN which=0 at=wbinvd_prefix+0 len=5" build/wrong/said'),
    Command('no-trace', 'make DEBUG=0 BUILD=build/none all guests && ! nm build/none/pith.elf | grep trace_dump && '
            'BUILD=build/none tests/boot/run.py hello-qemu-amd-4 guests-bochs-intel'),
    Command('spoilt-registers', 'make DEBUG=2 BUILD=build/spoilt all guests && BUILD=build/spoilt tests/boot/run.py guests-qemu-amd callfuzz-qemu-amd-40000 && '
            'printf "[pith]\npoweroff = when-done\n[partition calls]\nimage = calls.elf\n" >build/spoilt/calls.conf && BUILD=build/spoilt tools/pith-run '
            '--config build/spoilt/calls.conf --file calls.elf=build/spoilt/tests/calls.elf | grep "^.calls. argument registers are spoilt"'),
    Command('same-bytes', 'make BUILD=build/again all guests && for f in BOOTX64.EFI pith.img pith.elf guests/hello.elf; do '
            'cmp build/$f build/again/$f; done && rm -r build/again'),
    Command('bare-debian', 'tests/boot/debootstrap.sh'),
]
