/* SPDX-License-Identifier: MIT */
/* Host interrupts: from the local APIC to the one handler, and to other cores. */
#include "arch/x86/host.h"

#include "arch/x86/cpu/insn.h"
#include "arch/x86/slots.h"
#include "arch/x86/smp.h"
#include "arch/x86/timers.h"
#include "arch/x86/trap.h"
#include "drivers/lapic.h"

static void nobody(u8 vector)
{
    (void)vector;
}

static void (*irq_handler)(u8 vector) = nobody;

void arch_set_irq_handler(void (*fn)(u8 vector))
{
    __atomic_store_n(&irq_handler, fn, __ATOMIC_RELEASE);
}

void irq_dispatch(u8 vector)
{
    void (*fn)(u8 vector) = __atomic_load_n(&irq_handler, __ATOMIC_ACQUIRE);

    /* A spurious interrupt sets no in-service bit: acknowledging it would end another one. */
    if (vector == HOST_VEC_SPURIOUS)
        return;
    if (vector == HOST_VEC_TIMER)
        timers_fired();
    fn(vector);
    lapic_eoi(); /* last: a level-triggered pin that the handler masked would come again at once */
}

void arch_irq_window(void)
{
    __asm__ volatile("sti; nop; cli" : : : "memory");
}

void arch_ipi(u32 apic_id, u8 vector)
{
    lapic_send(apic_id, LAPIC_FIXED | vector);
}

void arch_nmi(u32 apic_id)
{
    lapic_send(apic_id, LAPIC_NMI);
}

/* One by one: the "all but self" shorthand would also reach cores that are not ours and have no NMI handler. */
void arch_nmi_others(void)
{
    u32 self = slot_index();
    u32 apic_id;

    for (u32 i = 0; i < HOST_MAX_CORES; i++)
        if (i != self && smp_running(i, &apic_id))
            arch_nmi(apic_id);
}

u32 arch_cpu_apic_id(void)
{
    return lapic_id();
}

void arch_halt(void)
{
    for (;;) {
        cpu_cli();
        cpu_hlt();
    }
}
