/* SPDX-License-Identifier: MIT */
/*
 * The 8259s, the 8254, port 61h and the PM timer, programmed as kernels did before there were APICs. Times are compared with
 * each other, never with a wall: what came late came late on all of them.
 */
#include "guests/lib/test.h"
#include "guests/lib/trap.h"

#define PIC1          0x20u
#define PIC2          0xa0u
#define BASE          0x20u /* vectors of IRQ 0-15 */
#define EOI           0x20u
#define PIT           0x40u
#define PIT_HZ        1193182ull
#define TICK          2386u /* 2 ms */
#define PM_TIMER      0x608u
#define PM_HZ         3579545ull
#define UART          0x3f8u
#define MSR_APIC_BASE 0x1bu
#define APIC_ENABLE   0x800u
#define APIC_X2APIC   0xc00u
#define X2APIC_SVR    0x80fu
#define X2APIC_LINT0  0x835u
#define LVT_EXTINT    0x700u
#define LVT_MASKED    0x10000u
#define IOAPIC        0xfec00000ull
#define KVM_LEAF      0x40000100u
#define MSR_KVM_CLOCK 0x4b564d01u

struct frame;
struct __attribute__((packed)) table { uint16_t limit; uint64_t base; };
struct gate { uint16_t low, selector, attr, mid; uint32_t high, zero; };

static struct gate idt[256] __attribute__((aligned(16)));
static volatile uint32_t count[16], order[16], nr_order;
static volatile uint32_t repeats; /* interrupts until the handler ends them */
static volatile bool send_eoi = true;

static void out8(uint16_t port, uint8_t val)
{
    __asm__ volatile("outb %0, %1" : : "a"(val), "Nd"(port));
}

static uint8_t in8(uint16_t port)
{
    uint8_t val;

    __asm__ volatile("inb %1, %0" : "=a"(val) : "Nd"(port));
    return val;
}

static uint32_t in32(uint16_t port)
{
    uint32_t val;

    __asm__ volatile("inl %1, %0" : "=a"(val) : "Nd"(port));
    return val;
}

static void wrmsr(uint32_t msr, uint64_t val)
{
    __asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)val), "d"((uint32_t)(val >> 32)) : "memory");
}

static uint64_t rdmsr(uint32_t msr)
{
    uint32_t lo, hi;

    __asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
    return lo | (uint64_t)hi << 32;
}

/* The serial port's transmitter is always ready to interrupt. */
static void uart_irq(bool on)
{
    out8(UART + 4, on ? 8 : 0);
    out8(UART + 1, on ? 2 : 0);
}

static __attribute__((no_caller_saved_registers)) void on_irq(uint32_t irq)
{
    count[irq]++;
    if (repeats && --repeats == 0) {
        uart_irq(false);
        out8(PIC1 + 1, 0xff);
    }
    order[nr_order++ % 16] = irq;
    if (!send_eoi)
        return;
    if (irq >= 8)
        out8(PIC2, EOI);
    out8(PIC1, EOI);
}

#define HANDLER(n)                                                                    \
    static __attribute__((interrupt)) void irq_##n(struct frame *f)                   \
    {                                                                                 \
        (void)f;                                                                      \
        on_irq(n);                                                                    \
    }
HANDLER(0) HANDLER(1) HANDLER(2) HANDLER(3) HANDLER(4) HANDLER(5) HANDLER(6) HANDLER(7)
HANDLER(8) HANDLER(9) HANDLER(10) HANDLER(11) HANDLER(12) HANDLER(13) HANDLER(14) HANDLER(15)

static void (*const handlers[16])(struct frame *) = {
    irq_0, irq_1, irq_2, irq_3, irq_4, irq_5, irq_6, irq_7, irq_8, irq_9, irq_10, irq_11, irq_12, irq_13, irq_14, irq_15,
};

/* Behind the exceptions and the one interrupt of guests/lib/trap.c. */
static void load_idt(void)
{
    struct table idtr;

    __asm__ volatile("sidt %0" : "=m"(idtr));
    memcpy(idt, (const void *)(uintptr_t)idtr.base, (size_t)idtr.limit + 1);
    for (uint32_t i = 0; i < 16; i++) {
        uint64_t at = (uintptr_t)handlers[i];

        idt[BASE + i] = (struct gate){ (uint16_t)at, 8, 0x8e00, (uint16_t)(at >> 16), (uint32_t)(at >> 32), 0 };
    }
    idtr = (struct table){ sizeof(idt) - 1, (uintptr_t)idt };
    __asm__ volatile("lidt %0" : : "m"(idtr));
}

static void init_pics(uint8_t mask, uint8_t icw4)
{
    static const uint16_t ports[] = { PIC1, PIC2 };

    for (uint32_t i = 0; i < 2; i++) {
        out8(ports[i], 0x11);
        out8(ports[i] + 1, (uint8_t)(BASE + 8 * i));
        out8(ports[i] + 1, i ? 2 : 4);
        out8(ports[i] + 1, icw4);
    }
    out8(PIC1 + 1, mask);
    out8(PIC2 + 1, 0xff);
}

static void program(uint32_t channel, uint32_t mode, uint32_t n)
{
    out8(PIT + 3, (uint8_t)(channel << 6 | 0x30 | mode << 1));
    out8((uint16_t)(PIT + channel), (uint8_t)n);
    out8((uint16_t)(PIT + channel), (uint8_t)(n >> 8));
}

static uint32_t counter(uint32_t channel)
{
    uint32_t low;

    out8(PIT + 3, (uint8_t)(channel << 6));
    low = in8((uint16_t)(PIT + channel));
    return low | (uint32_t)in8((uint16_t)(PIT + channel)) << 8;
}

static uint8_t status(uint32_t channel)
{
    out8(PIT + 3, (uint8_t)(0xe0 | 2u << channel));
    return in8((uint16_t)(PIT + channel));
}

static uint8_t requests(void)
{
    out8(PIC1, 0x0a);
    return in8(PIC1);
}

static uint8_t in_service(void)
{
    out8(PIC1, 0x0b);
    return in8(PIC1);
}

static void irqs_on(void)
{
    __asm__ volatile("sti; nop; nop" : : : "memory");
}

static void irqs_off(void)
{
    __asm__ volatile("cli" : : : "memory");
}

/* Until @n more interrupts have come at @irq, with interrupts on; false after five seconds. */
static bool wait_irq(uint32_t irq, uint32_t n)
{
    uint32_t from = count[irq], pm = in32(PM_TIMER);

    irqs_on();
    while (count[irq] - from < n && in32(PM_TIMER) - pm < 5 * PM_HZ)
        continue;
    irqs_off();
    return count[irq] - from >= n;
}

/* How many come while the PM timer passes three periods. */
static uint32_t irqs_of_three_periods(void)
{
    uint32_t from = count[0], pm = in32(PM_TIMER);

    irqs_on();
    while (in32(PM_TIMER) - pm < 3 * 3 * TICK)
        continue;
    irqs_off();
    return count[0] - from;
}

static void wait_request(uint8_t bit)
{
    while (!(requests() & bit))
        continue;
}

/* --- clocks against each other: a stretch on one, inside and outside of it on the TSC */

static bool agree(uint64_t ticks, uint64_t hz, uint64_t inside, uint64_t outside, uint64_t tsc_khz)
{
    uint64_t per_tick = tsc_khz * 1000 / hz;

    /* Either end of a count is known to a tick. */
    return (ticks + 1) * (tsc_khz * 1000) / hz + 2 * per_tick >= inside && (ticks - 1) * (tsc_khz * 1000) / hz <= outside + 2 * per_tick;
}

static void pit_against_tsc(uint64_t tsc_khz)
{
    uint64_t a, b, c, d;
    uint32_t from, to;

    out8(0x61, 1);
    program(2, 2, 0);
    do {
        a = pith_tsc();
        from = counter(2);
        b = pith_tsc();
        do {
            c = pith_tsc();
            to = counter(2);
        } while (((from - to) & 0xffff) < 10000);
        d = pith_tsc();
    } while (d - a > tsc_khz * 50); /* it may have gone round */
    test_ok(agree((from - to) & 0xffff, PIT_HZ, c - b, d - a, tsc_khz), "pit-rate");
}

static void pm_against_tsc(uint64_t tsc_khz)
{
    uint64_t a, b, c, d;
    uint32_t from, to, last;
    bool forward = true;

    a = pith_tsc();
    last = from = in32(PM_TIMER);
    b = pith_tsc();
    do {
        c = pith_tsc();
        to = in32(PM_TIMER);
        forward &= to - last < 1u << 31;
        last = to;
    } while (to - from < 30000);
    d = pith_tsc();
    test_ok(agree(to - from, PM_HZ, c - b, d - a, tsc_khz), "pm-timer-rate");
    test_ok(forward, "pm-timer-forward");
}

/* Linux's loop: counter 2 counts out, port 61h shows it: never early. Late it may be, where the machine is busy. */
static void speaker_calibration(uint64_t tsc_khz)
{
    uint64_t from;
    uint32_t seen = 0;

    out8(0x61, (in8(0x61) & 0xfd) | 1);
    out8(PIT + 3, 0xb0); /* mode 0, and no count yet: the output is low */
    test_equal(in8(0x61) & 0x20, 0, "speaker-output-falls");
    from = pith_tsc();
    program(2, 0, 11932); /* 10 ms */
    while (!(in8(0x61) & 0x20))
        ;
    test_ok(pith_tsc() - from >= tsc_khz * 99 / 10, "speaker-calibration");
    for (uint32_t i = 0; i < 100000 && seen != 3; i++)
        seen |= 1u << (in8(0x61) >> 4 & 1);
    test_equal(seen, 3, "refresh-toggles");
    out8(0x61, 0);
    program(2, 3, 1000);
    seen = counter(2);
    test_ok(seen == 1000 && counter(2) == 1000, "speaker-gate-stops");
    out8(0x61, 1);
    for (seen = 0; seen != 3;)
        seen |= 1u << (in8(0x61) >> 5 & 1);
    test_equal(seen, 3, "square-wave");
    out8(0x61, 0);
}

/* --- interrupts */

static void masks(void)
{
    test_ok(in8(PIC1 + 1) == 0xff && in8(PIC2 + 1) == 0xff, "pic-masked-at-start");
    init_pics(0xff, 1);
    out8(PIC2 + 1, 0xa5);
    test_ok(in8(PIC1 + 1) == 0xff && in8(PIC2 + 1) == 0xa5, "pic-mask-is-kept");
    out8(PIC2 + 1, 0xff);
    test_equal(in8(0x64), 0xff, "no-keyboard-controller");
}

static void ticks(uint64_t tsc_khz)
{
    uint64_t from;
    uint32_t before;

    init_pics(0xfe, 1);
    from = pith_tsc(); /* from before the first: one that is seen late would make the others seem early */
    program(0, 2, TICK);
    test_equal(status(0) & 0x3f, 0x34, "pit-status");
    test_ok(wait_irq(0, 1), "pit-ticks");
    test_ok(wait_irq(0, 5) && pith_tsc() - from >= tsc_khz * 2 * 11 / 2, "pit-period"); /* six of 2 ms */
    before = count[0];
    __asm__ volatile("sti; hlt; cli" : : : "memory");
    test_ok(count[0] > before, "halt-ends-by-tick");
}

static void masked(void)
{
    out8(PIC1 + 1, 0xff);
    test_equal(irqs_of_three_periods(), 0, "masked-waits");
    test_equal(requests() & 1, 1, "masked-is-requested");
    out8(PIC1 + 1, 0xfe);
    test_ok(wait_irq(0, 1), "unmasked-comes");
}

static void without_eoi(void)
{
    send_eoi = false;
    test_ok(wait_irq(0, 1), "tick-before-eoi");
    test_equal(in_service() & 1, 1, "in-service");
    test_equal(irqs_of_three_periods(), 0, "none-without-eoi");
    send_eoi = true;
    out8(PIC1, EOI);
    test_ok(wait_irq(0, 1), "tick-after-eoi");
}

/* A request that ends before it was taken: nothing comes, or an IRQ 7 that is not in service. */
static void withdrawn(void)
{
    program(0, 0, 100);
    wait_request(1);
    out8(PIT + 3, 0x30);
    test_equal(requests() & 1, 0, "request-goes-with-its-line");
    count[0] = 0;
    out8(PIC1 + 1, 0x7e);
    irqs_on();
    irqs_off();
    test_equal(count[0], 0, "withdrawn-never-comes");
    test_ok(count[7] <= 1 && !(in_service() & 0x80), "spurious-is-not-in-service");
}

/* How many interrupts came, and which two were first: a digit each. */
static uint64_t taken(void)
{
    return (uint64_t)nr_order << 8 | order[0] << 4 | order[1];
}

static void two_lines(void)
{
    init_pics(0xee, 1);
    program(0, 0, 100);
    wait_request(1);
    uart_irq(true);
    test_equal(requests() & 0x11, 0x11, "two-requests");
    nr_order = 0;
    irqs_on();
    irqs_off();
    test_equal(taken(), 0x204, "fixed-priority");
    uart_irq(false);

    program(0, 0, 100);
    wait_request(1);
    uart_irq(true);
    out8(PIC1, 0xc3); /* 3 is the lowest: 4 comes first */
    nr_order = 0;
    irqs_on();
    irqs_off();
    test_equal(taken(), 0x240, "rotated-priority");
    uart_irq(false);

    program(0, 0, 100);
    wait_request(1);
    out8(PIC1, 0x0c);
    test_equal(in8(PIC1), 0x80, "poll");
    out8(PIC1, EOI);
    out8(PIC1, 0x0c);
    test_equal(in8(PIC1), 0, "poll-nothing");
}

/* Nothing exits between two interrupts when no EOI is needed. */
static void automatic_eoi(void)
{
    init_pics(0xee, 3);
    send_eoi = false;
    program(0, 0, 100);
    wait_request(1);
    uart_irq(true);
    nr_order = 0;
    irqs_on();
    for (uint32_t i = 0; i < 100 && nr_order < 2; i++)
        __asm__ volatile("pause");
    irqs_off();
    test_equal(taken(), 0x204, "automatic-eoi");
    uart_irq(false);
    send_eoi = true;
}

static void level_triggered(void)
{
    init_pics(0xef, 1);
    uart_irq(true);
    out8(0x4d0, 0x10);
    repeats = 3; /* without a pause between them: nothing else would ever run */
    test_ok(wait_irq(4, 3), "level-triggered-repeats");
    test_equal(in8(0x4d0), 0x10, "elcr");
    out8(0x4d0, 0);
}

/* --- the local APIC between 8259 and processor */

static void set_cr8(uint64_t val)
{
    __asm__ volatile("mov %0, %%cr8" : : "r"(val));
}

static void local_apic(void)
{
    init_pics(0xfe, 1);
    program(0, 2, TICK);
    set_cr8(15);
    test_ok(wait_irq(0, 1), "task-priority-is-no-matter");
    set_cr8(0);
    wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | APIC_X2APIC);
    wrmsr(X2APIC_SVR, 0x1ff);
    wrmsr(X2APIC_LINT0, LVT_EXTINT | LVT_MASKED);
    test_equal(irqs_of_three_periods(), 0, "lint0-masked");
    wrmsr(X2APIC_LINT0, LVT_EXTINT);
    test_ok(wait_irq(0, 1), "lint0-extint");
    wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) & ~(uint64_t)APIC_X2APIC);
    test_ok(wait_irq(0, 2), "local-apic-disabled");
    wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | APIC_ENABLE);
    test_equal(irqs_of_three_periods(), 0, "local-apic-enabled-is-masked");
    wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | APIC_X2APIC);
    wrmsr(X2APIC_SVR, 0x1ff);
}

static uint64_t high_pages[512] __attribute__((aligned(4096)));

static void map_devices(void)
{
    uint64_t cr3, *pml4, *pdpt;

    __asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
    pml4 = (uint64_t *)(uintptr_t)(cr3 & ~0xfffull);
    pdpt = (uint64_t *)(uintptr_t)(pml4[0] & 0x000ffffffffff000ull);
    high_pages[IOAPIC >> 21 & 511] = IOAPIC | 0x9b;
    pdpt[3] = (uintptr_t)high_pages | 3;
    __asm__ volatile("mov %0, %%cr3" : : "r"(cr3) : "memory");
}

static void ioapic_entry(uint32_t pin, uint32_t low)
{
    volatile uint32_t *regs = (volatile uint32_t *)(uintptr_t)IOAPIC;

    regs[0] = 0x11 + 2 * pin;
    regs[4] = 0;
    regs[0] = 0x10 + 2 * pin;
    regs[4] = low;
}

static void io_apic(void)
{
    uint32_t pm = in32(PM_TIMER);

    map_devices();
    out8(PIC1 + 1, 0xff);
    ioapic_entry(2, TRAP_IRQ);
    irqs_on();
    while (trap_irqs < 3 && in32(PM_TIMER) - pm < 5 * PM_HZ)
        continue;
    irqs_off();
    ioapic_entry(2, LVT_MASKED);
    test_ok(trap_irqs >= 3, "ioapic-pin-2");
}

/* More interrupts than anybody can take. */
static void shortest_period(void)
{
    wrmsr(X2APIC_LINT0, LVT_EXTINT);
    init_pics(0xfe, 1);
    repeats = 100;
    program(0, 2, 2);
    test_ok(wait_irq(0, 100), "shortest-period");
}

/* --- kvm = no in pith.conf */

static void read_msr(uint64_t msr)
{
    (void)rdmsr((uint32_t)msr);
}

static void write_msr(uint64_t msr)
{
    wrmsr((uint32_t)msr, 0);
}

static void no_kvm(void)
{
    struct pith_cpuid r = pith_cpuid(KVM_LEAF, 0), f = pith_cpuid(KVM_LEAF + 1, 0);

    test_ok(!(r.eax | r.ebx | r.ecx | r.edx | f.eax), "no-kvm-leaf");
    for (uint32_t i = 0; i < 2; i++) {
        static const uint32_t msrs[] = { 0x11, MSR_KVM_CLOCK - 1 };

        test_ok(trap_try(read_msr, msrs[i]) == TRAP_GP && trap_try(write_msr, msrs[i]) == TRAP_GP &&
                    trap_try(read_msr, msrs[i] + 1) == TRAP_GP && trap_try(write_msr, msrs[i] + 1) == TRAP_GP,
                "no-kvm-msrs");
    }
}

int guest_main(const struct pith_start *start)
{
    trap_init();
    load_idt();
    no_kvm();
    masks();
    pit_against_tsc(start->tsc_khz);
    pm_against_tsc(start->tsc_khz);
    speaker_calibration(start->tsc_khz);
    ticks(start->tsc_khz);
    masked();
    without_eoi();
    withdrawn();
    two_lines();
    automatic_eoi();
    level_triggered();
    local_apic();
    io_apic();
    shortest_period();
    return test_end();
}
