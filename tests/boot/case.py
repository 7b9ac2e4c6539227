# SPDX-License-Identifier: MIT
"""What a boot test is, and what most of them have in common: machines, the smallest configurations, what their guests say."""
import dataclasses

QEMU, INTEL, AMD = 'qemu-amd', 'bochs-intel', 'bochs-amd'
HELLO = '''
[pith]
poweroff = when-done
[partition hello]
image = hello.elf
memory = 8M
'''
STAY = HELLO.replace('when-done', 'never')
CLOCK = HELLO + '''
[partition clock]
image = clock.elf
memory = 8M
cmdline = ticks=3
'''

SAID_HELLO = [r'^\[hello\] hello from Pith', r'^\[pith\] hello: exited with status 0$']
SAID_CLOCK = [r'^\[clock\] tick 1 ', r'^\[clock\] tick 3 ', r'^\[pith\] clock: exited with status 0$']


@dataclasses.dataclass
class Case:
    name: str
    machine: str
    config: str | None                        # None: guests/demo/pith.conf
    expect: list = dataclasses.field(default_factory=list)      # each must match a line
    forbid: list = dataclasses.field(default_factory=list)      # none may match a line
    args: list = dataclasses.field(default_factory=list)        # of pith-run
    until: str | None = None                  # None: Pith powers off by itself
    typed: str | None = None
    typed_after: str | None = None
    files: dict = dataclasses.field(default_factory=dict)       # name on the volume: contents, or what makes them
    status: int = 0
    timeout: int = 240
    daily: bool = True                        # in `make test`; else only in `make test-all`
    may_stop: bool = False                    # the hypervisor may report a bug in itself
    look: str | None = None                   # a further check in run.py
    on_screen: list = dataclasses.field(default_factory=list)   # each must match a line of the screenshot


@dataclasses.dataclass
class Command:
    """Something else than one boot: passes when it ends with status 0."""

    name: str
    shell: str
    timeout: int = 1500
    daily: bool = False
