/* SPDX-License-Identifier: MIT */
/* Local APIC (SDM 3A, "Advanced Programmable Interrupt Controller"). */
#include "drivers/lapic.h"

#include "arch/x86/cpu/insn.h"
#include "arch/x86/cpu/regs.h"

enum lapic_reg { /* offset in xAPIC memory; shifted right by 4 it is the x2APIC register */
    LAPIC_ID = 0x20, LAPIC_TPR = 0x80, LAPIC_EOI = 0xb0, LAPIC_SVR = 0xf0, LAPIC_ISR = 0x100, LAPIC_IRR = 0x200,
    LAPIC_ESR = 0x280, LAPIC_LVT_CMCI = 0x2f0, LAPIC_ICR = 0x300, LAPIC_ICR_HIGH = 0x310, LAPIC_LVT_TIMER = 0x320,
    LAPIC_LVT_THERMAL = 0x330, LAPIC_LVT_PERF = 0x340, LAPIC_LVT_LINT0 = 0x350, LAPIC_LVT_LINT1 = 0x360,
    LAPIC_LVT_ERROR = 0x370, LAPIC_TIMER_INITIAL = 0x380, LAPIC_TIMER_CURRENT = 0x390, LAPIC_TIMER_DIVIDE = 0x3e0,
};

#define SVR_ENABLE    0x100u
#define LVT_NMI       0x400u
#define LVT_MASKED    0x10000u
#define LVT_DEADLINE  0x40000u
#define DIVIDE_BY_1   0x0bu
#define ICR_PENDING   0x1000u
#define ICR_TRIES     1000000u

static volatile u32 *xapic;

static u32 lapic_read(u32 reg)
{
    return xapic ? xapic[reg / 4] : (u32)rdmsr(MSR_X2APIC + (reg >> 4));
}

static void lapic_write(u32 reg, u32 val)
{
    if (xapic)
        xapic[reg / 4] = val;
    else
        wrmsr(MSR_X2APIC + (reg >> 4), val);
}

void lapic_use(volatile void *mmio)
{
    xapic = mmio;
}

static void lapic_switch_on(void)
{
    u64 want = rdmsr(MSR_APIC_BASE) | APIC_BASE_ENABLE;

    /* From off the way to x2APIC leads through xAPIC (SDM 3A, "x2APIC State Transitions"). */
    wrmsr(MSR_APIC_BASE, want);
    if (!xapic)
        wrmsr(MSR_APIC_BASE, want | APIC_BASE_X2APIC);
}

/* What the firmware left in service would block every lower priority for ever. */
static void lapic_drain(void)
{
    for (u32 word = 0; word < 8; word++)
        for (u32 bits = lapic_read(LAPIC_ISR + word * 0x10); bits; bits &= bits - 1)
            lapic_eoi();
}

void lapic_enable(u8 spurious_vector)
{
    static const u16 unused[] = { LAPIC_LVT_TIMER, LAPIC_LVT_LINT0, LAPIC_LVT_ERROR };

    lapic_switch_on();
    lapic_write(LAPIC_SVR, SVR_ENABLE | spurious_vector);
    for (u32 i = 0; i < ARRAY_SIZE(unused); i++)
        lapic_write(unused[i], LVT_MASKED);
    lapic_write(LAPIC_LVT_LINT1, LVT_NMI);
    lapic_write(LAPIC_TIMER_INITIAL, 0);
    lapic_write(LAPIC_TIMER_DIVIDE, DIVIDE_BY_1);
    lapic_write(LAPIC_TPR, 0);
    lapic_drain();
    lapic_write(LAPIC_ESR, 0);
}

u32 lapic_id(void)
{
    u32 id = lapic_read(LAPIC_ID);

    return xapic ? id >> 24 : id;
}

void lapic_eoi(void)
{
    lapic_write(LAPIC_EOI, 0);
}

/* Bounded: an APIC that never becomes idle is broken, but that is no reason to hang with it. */
static void lapic_wait_sent(void)
{
    for (u32 i = 0; i < ICR_TRIES && (lapic_read(LAPIC_ICR) & ICR_PENDING); i++)
        cpu_relax();
}

/* The highest name is everybody's. */
bool lapic_reaches(u32 apic_id)
{
    return apic_id < (xapic ? 0xffu : ~0u);
}

void lapic_send(u32 apic_id, u32 command)
{
    if (!xapic) {
        /* WRMSR to an x2APIC register does not order earlier stores (SDM 3A, "MSR Access in x2APIC Mode"). */
        __asm__ volatile("mfence; lfence" : : : "memory");
        wrmsr(MSR_X2APIC + (LAPIC_ICR >> 4), (u64)apic_id << 32 | command);
        return;
    }
    lapic_write(LAPIC_ICR_HIGH, apic_id << 24);
    lapic_write(LAPIC_ICR, command);
    lapic_wait_sent(); /* so that the next finds it free */
}

bool lapic_requested(u8 vector)
{
    return lapic_read(LAPIC_IRR + (vector / 32u) * 0x10) >> (vector % 32) & 1;
}

void lapic_timer_oneshot(u8 vector)
{
    lapic_write(LAPIC_LVT_TIMER, vector);
}

void lapic_timer_deadline(u8 vector)
{
    lapic_write(LAPIC_LVT_TIMER, LVT_DEADLINE | vector);
    /* Orders the LVT write before the first write of the deadline (SDM 3A, "TSC-Deadline Mode"). */
    __asm__ volatile("mfence" : : : "memory");
}

void lapic_timer_mask(void)
{
    lapic_write(LAPIC_LVT_TIMER, LVT_MASKED);
}

void lapic_timer_count(u32 count)
{
    lapic_write(LAPIC_TIMER_INITIAL, count);
}

u32 lapic_timer_left(void)
{
    return lapic_read(LAPIC_TIMER_CURRENT);
}
