# SPDX-License-Identifier: MIT
"""What may differ between machines in the trace of one and the same guest. Everything else must not."""
import dataclasses


@dataclasses.dataclass(frozen=True)
class Row:
    record: str         # a regular expression for the record's kind and words
    reason: str
    mask: str = ''      # what of it is not compared: a regular expression; '': the record counts for nothing at all


TABLE = [
    Row(r'(HOST_IRQ|NMI|PREEMPT) ', 'of the machine around the guest, at its own time'),
    Row(r'SCHED_(IN|OUT)\b', 'follows from those, and from how long a machine takes'),
    Row(r'WINDOW ', 'how to hear that an interrupt can be taken is the vendor\'s: a window, a virtual interrupt, the next exit'),
    Row(r'INJECT ', 'raised by exits that have a row here too, and repeated when an exit cuts it short; the guest says what it got'),
    Row(r'(CR|DR) ', 'VT-x leaves to the guest what its masks say, AMD-V whole registers'),
    Row(r'XSETBV ', 'QEMU has no exit for it'),
    Row(r'PAUSE ', 'no exit is asked for; one that comes all the same does nothing'),
    Row(r'EXCEPTION ', 'only #DB and #AC are intercepted, and after a completed instruction they are raised without an exit'),
    Row(r'INSN which=6 ', 'an instruction that the processor does not have is #UD by itself, the other vendor\'s is an exit with #UD'),
    Row(r'INSN which=[235] ', 'without MONITOR in CPUID, and outside of system management, #UD comes before the intercept'),
    Row(r'HYPERCALL ', 'VMCALL and VMMCALL stand at different places', r'at=\S+ '),
    Row(r'HYPERCALL call=3 ', 'what time it is', r'first=\w+ '),
    Row(r'S2_FAULT .* at=(add_mi?|or_m|and_m|xor_m|inc_m|dec_m|not_m|neg_m|xchg_m|cmpxchg_m|bts_m|add_m_32)\+',
        'QEMU reads and then writes where processors ask for both at once', r'(read|write) '),
    Row(r'INSN .* at=invd\+', 'QEMU reports INVD as WBINVD', r'which=[01] '),
    Row(r'MSR read msr=10 ', 'the time stamp counter', r'value=\w+ '),
]
