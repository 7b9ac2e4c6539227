/* SPDX-License-Identifier: MIT */
/*
 * Many vCPUs in one partition (vcpus = 2 to 16), on one core or several. Each is started by INIT and SIPI, and once more by VCPU_START;
 * tells the time by its own clock page; takes and sends interrupts of every kind. Then all change page tables at once and make the
 * others forget them by interrupts: nobody may see what was there before. With rounds=N, that many changes a vCPU.
 */
#include "guests/lib/smp.h"
#include "guests/lib/test.h"

#define MAX         16u
#define LINES       256u
#define GS_BASE     0xc0000101u
#define APIC_BASE   0x1bu
#define APIC_ENABLE 0x800u
#define APIC_X2     0x400u
#define KVM_CLOCK   0x4b564d01u
#define KVM_STEAL   0x4b564d03u
#define LAPIC       0xfee00000ull
#define WINDOW      0x40000000ull /* linear: a page for each vCPU */
#define PTE_KEPT    3ull
#define NS_PER_MS   1000000ull
#define PATIENCE    (60 * PITH_NS_PER_S) /* cores are shared by many */

enum reg { REG_EOI = 0xb, REG_LDR = 0xd, REG_DFR = 0xe, REG_SVR = 0xf, REG_ICR = 0x30, REG_ICR_HIGH = 0x31 };
enum icr { NMI = 0x400, LOWEST = 0x100, LOGICAL = 0x800, SELF = 1 << 18, ALL = 2 << 18, OTHERS = 3 << 18 };
enum mode { FLAT, CLUSTER, X2APIC };
enum vector { VECTOR_WORK = 0x40, VECTOR_FLUSH = 0x50 /* + who asks */, VECTOR_FIRST = 0x61 };
_Static_assert((VECTOR_FLUSH + MAX) <= VECTOR_FIRST, "apart");

struct clock { uint32_t version, pad; uint64_t tsc, ns; uint32_t mul; int8_t shift; uint8_t flags, end[2]; };
struct stolen { uint64_t ns; uint32_t version, rest[13]; };

/* One vCPU. Others write work only. */
static struct cpu {
    struct cpu *self;             /* %gs:0 */
    uint32_t index;
    volatile uint32_t nmis;
    volatile uint8_t came[LINES]; /* by vector */
    volatile uint32_t awake;      /* how often it was started */
    void (*volatile work)(struct cpu *me);
    volatile uint32_t flushed;    /* by how many others, of what it asks now */
    struct clock clock __attribute__((aligned(64)));
    struct stolen stolen __attribute__((aligned(64)));
    char stack[4096] __attribute__((aligned(16)));
} cpus[MAX];

struct gate { uint16_t low, selector; uint8_t ist, attr; uint16_t mid; uint32_t high, zero; };
static struct gate idt[LINES];
static uint32_t nr;
static volatile enum mode mode;
static volatile bool x2apic;
static uint64_t rounds;

void smp_interrupt(uint64_t vector);
extern const char smp_gates[];

/* A gate is 16 bytes. Of exceptions none comes back. */
__asm__(
    ".text\n.balign 16\nsmp_gates:\n.set vector, 0\n"
    ".rept 256\n.balign 16\npushq $vector\njmp smp_gate\n.set vector, vector + 1\n.endr\n"
    "smp_gate:\npushq %rax\npushq %rcx\npushq %rdx\npushq %rsi\npushq %rdi\n"
    "pushq %r8\npushq %r9\npushq %r10\npushq %r11\npushq %rbp\n"
    "cld\nmovq 80(%rsp), %rdi\nmovq %rsp, %rbp\nandq $-16, %rsp\ncall smp_interrupt\nmovq %rbp, %rsp\n"
    "popq %rbp\npopq %r11\npopq %r10\npopq %r9\npopq %r8\n"
    "popq %rdi\npopq %rsi\npopq %rdx\npopq %rcx\npopq %rax\naddq $8, %rsp\niretq\n");

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

static void apic(enum reg reg, uint64_t val)
{
    if (x2apic)
        wrmsr(0x800 + reg, val);
    else
        *(volatile uint32_t *)(uintptr_t)(LAPIC + reg * 16) = (uint32_t)val;
}

static void send(uint32_t to, uint32_t icr)
{
    if (x2apic) {
        apic(REG_ICR, icr | (uint64_t)to << 32);
        return;
    }
    apic(REG_ICR_HIGH, to << 24);
    apic(REG_ICR, icr);
}

static struct cpu *me(void)
{
    struct cpu *c;

    __asm__ volatile("mov %%gs:0, %0" : "=r"(c));
    return c;
}

static volatile uint64_t *window(uint32_t i)
{
    return (volatile uint64_t *)(uintptr_t)(WINDOW + i * 4096ull);
}

static void forget(uint32_t i)
{
    __asm__ volatile("invlpg (%0)" : : "r"(window(i)) : "memory");
}

void smp_interrupt(uint64_t vector)
{
    struct cpu *c = me();

    if (vector == 2) {
        c->nmis = c->nmis + 1;
        return;
    }
    if (vector < 32) {
        pith_printf("exception %lu on vCPU %u\n", vector, c->index);
        pith_quit(0x100 + vector);
    }
    c->came[vector] = (uint8_t)(c->came[vector] + 1);
    if (vector >= VECTOR_FLUSH && vector < VECTOR_FLUSH + MAX) {
        forget((uint32_t)vector - VECTOR_FLUSH);
        (void)__atomic_add_fetch(&cpus[vector - VECTOR_FLUSH].flushed, 1, __ATOMIC_SEQ_CST);
    }
    apic(REG_EOI, 0);
}

/* Until @what, or for a long time. */
#define UNTIL(what)                                            \
    ({                                                         \
        uint64_t end_ = pith_now() + PATIENCE;                 \
        bool met_;                                             \
        while (!(met_ = (what)) && pith_now() < end_)          \
            (void)pith_yield();                                \
        met_;                                                  \
    })

static void set_gates(void)
{
    for (uint32_t i = 0; i < LINES; i++) {
        uint64_t at = (uintptr_t)smp_gates + i * 16;

        idt[i] = (struct gate){ (uint16_t)at, 0x08, 0, 0x8e, (uint16_t)(at >> 16), (uint32_t)(at >> 32), 0 };
    }
}

static void set_up(struct cpu *c)
{
    struct __attribute__((packed)) {
        uint16_t limit;
        uint64_t base;
    } idtr = { sizeof(idt) - 1, (uintptr_t)idt };

    c->self = c;
    c->index = (uint32_t)(c - cpus);
    __asm__ volatile("lidt %0" : : "m"(idtr));
    wrmsr(GS_BASE, (uintptr_t)c);
    apic(REG_SVR, 0x1ff);
}

/* All of them change at once: nobody is between two modes while others send. */
static void as_wanted(struct cpu *c)
{
    if (mode == X2APIC) {
        wrmsr(APIC_BASE, rdmsr(APIC_BASE) | APIC_ENABLE | APIC_X2);
        wrmsr(0x800 + REG_SVR, 0x1ff);
        return;
    }
    apic(REG_DFR, mode == FLAT ? ~0u : 0x0fffffffu);
    apic(REG_LDR, (mode == FLAT ? 1u << c->index % 8 : c->index / 4 << 4 | 1u << c->index % 4) << 24);
}

/* Asleep but for interrupts; what it is to do comes with one, or is there already. */
static __attribute__((noreturn)) void serve(struct cpu *c)
{
    set_up(c);
    (void)__atomic_add_fetch(&c->awake, 1, __ATOMIC_SEQ_CST);
    __asm__ volatile("sti");
    for (;;) {
        void (*work)(struct cpu *) = c->work;

        if (work) {
            work(c);
            c->work = NULL;
        }
        (void)pith_wait(pith_now() + 2 * NS_PER_MS); /* what came between the look and this waits no longer */
    }
}

static uint32_t starting;
static void by_sipi(void) { serve(&cpus[starting]); }
static void by_call(uint64_t index) { serve(&cpus[index]); }

/* vCPU 0 does it, too. */
static bool all_do(void (*work)(struct cpu *))
{
    bool done = true;

    for (uint32_t i = 1; i < nr; i++)
        cpus[i].work = work;
    if (x2apic)
        send(0, OTHERS | VECTOR_WORK);
    work(&cpus[0]);
    for (uint32_t i = 1; i < nr; i++)
        done = UNTIL(!cpus[i].work) && done;
    return done;
}

/* --- interrupts: each of a vector of its own, so that none is taken for another */
static uint8_t wanted[MAX][LINES];
static uint32_t next_vector, wanted_nmis[MAX];

static struct { struct cpu *by; uint32_t to, icr; } order;
static void send_order(struct cpu *c) { if (c == order.by) send(order.to, order.icr); }

/* From @by; @set: whom it reaches. */
static void fire(uint32_t by, uint32_t to, uint32_t icr, uint32_t set)
{
    bool nmi = (icr & 0x700) == NMI;

    if (by >= nr)
        return;
    order.by = &cpus[by];
    order.to = to;
    order.icr = nmi ? icr : icr | next_vector;
    for (uint32_t i = 0; i < nr; i++) {
        wanted_nmis[i] += nmi && set >> i & 1;
        wanted[i][next_vector] = !nmi && set >> i & 1;
    }
    if (!nmi)
        next_vector++;
    if (by == 0) {
        send_order(&cpus[0]);
    } else {
        cpus[by].work = send_order;
        (void)UNTIL(!cpus[by].work);
    }
    if (nmi) /* two that wait are one */
        for (uint32_t i = 0; i < nr; i++)
            (void)UNTIL(cpus[i].nmis == wanted_nmis[i]);
}

static bool all_came(void)
{
    for (uint32_t i = 0; i < nr; i++)
        for (uint32_t v = VECTOR_FIRST; v < next_vector; v++)
            if (cpus[i].came[v] != wanted[i][v])
                return false;
    return true;
}

/* Those of a set, and of them the lowest only, as far as there are any. */
static uint32_t there(uint32_t set) { return set & ((1u << nr) - 1); }
static uint32_t one_of(uint32_t set) { return there(set) & (0 - there(set)); }

static void every_kind(void)
{
    uint32_t all = there(~0u);

    for (uint32_t by = 0; by < nr; by += nr - 1) {
        fire(by, nr - 1, 0, 1u << (nr - 1));
        fire(by, 0, 0, 1);
        fire(by, 0, SELF, 1u << by);
        fire(by, 0, ALL, all);
        fire(by, 0, OTHERS, all & ~(1u << by));
        fire(by, 1, NMI, 2);
        fire(by, 0, OTHERS | NMI, all & ~(1u << by));
        fire(by, x2apic ? ~0u : 0xff, 0, all);
    }
}

static void logical(void)
{
    uint32_t cluster1 = there(0xf0);

    if (mode == FLAT) {
        fire(0, 0x02, LOGICAL, there(0x0202));
        fire(nr - 1, 0x85, LOGICAL, there(0x8585));
        fire(1, 0x0c, LOGICAL | LOWEST, one_of(0x0c0c));
        fire(0, 0x02, LOGICAL | NMI, there(0x0202));
    } else if (mode == CLUSTER) {
        fire(0, 0x03, LOGICAL, there(0x0003));
        fire(1, 0x1a, LOGICAL, cluster1 & 0xa0);
        fire(nr - 1, 0x36, LOGICAL, there(0x6000));
        fire(1, 0x3f, LOGICAL | LOWEST, one_of(0xf000));
    } else {
        fire(0, 0x8003, LOGICAL, there(0x8003));
        fire(1, 0xffff, LOGICAL, there(0xffff));
        fire(nr - 1, 0x10001, LOGICAL, 0); /* nobody's cluster */
        fire(1, 0xfff0, LOGICAL | LOWEST, one_of(0xfff0));
        fire(0, 0x0006, LOGICAL | NMI, there(0x0006));
    }
}

static void messages(enum mode m, const char *name)
{
    uint64_t end;
    bool ok;

    mode = m;
    ok = all_do(as_wanted);
    x2apic = m == X2APIC;
    next_vector = VECTOR_FIRST;
    memset(wanted, 0, sizeof(wanted));
    for (uint32_t i = 0; i < nr; i++)
        memset((void *)(uintptr_t)cpus[i].came, 0, LINES);
    every_kind();
    logical();
    ok = UNTIL(all_came()) && ok;
    for (end = pith_now() + 20 * NS_PER_MS; pith_now() < end;)
        (void)pith_yield(); /* nothing more than that */
    for (uint32_t i = 0; i < nr; i++)
        ok = ok && cpus[i].nmis == wanted_nmis[i];
    test_ok(ok && all_came(), name);
}

/* --- the clock of each, and what it could not have of its core */
static volatile uint32_t wrong_clocks;

static void read_clock(struct cpu *c)
{
    uint64_t before, ns, after;
    uint32_t version;

    wrmsr(KVM_CLOCK, (uintptr_t)&c->clock | 1);
    version = c->clock.version;
    wrmsr(KVM_CLOCK, (uintptr_t)&c->clock | 1); /* who reads it meanwhile must notice */
    wrmsr(KVM_STEAL, (uintptr_t)&c->stolen | 1);
    before = pith_now();
    ns = pith_tsc() - c->clock.tsc;
    ns = c->clock.shift < 0 ? ns >> -c->clock.shift : ns << c->clock.shift;
    ns = (uint64_t)((unsigned __int128)ns * c->clock.mul >> 32) + c->clock.ns;
    after = pith_now();
    if (ns + 2000 < before || ns > after + 2000 || c->clock.version & 1 || c->clock.version == version) {
        pith_printf("vCPU %u: %lu is not in %lu to %lu\n", c->index, ns, before, after);
        (void)__atomic_add_fetch(&wrong_clocks, 1, __ATOMIC_SEQ_CST);
    }
}

/* --- page tables */
static uint64_t level3[512] __attribute__((aligned(4096))), level2[512] __attribute__((aligned(4096)));
static volatile uint64_t level1[512] __attribute__((aligned(4096)));
static volatile uint64_t page[MAX][2][512] __attribute__((aligned(4096)));
static volatile uint64_t valid[MAX];  /* what was there when all had forgotten what was before */
static volatile uint32_t stale, lost;
#define FREED (~0ull >> 1)            /* is in a page that nobody may see any more */

static void set_up_tables(void)
{
    volatile uint64_t *top;

    __asm__ volatile("mov %%cr3, %0" : "=r"(top));
    memcpy(level3, (void *)(uintptr_t)(top[0] & 0x000ffffffffff000ull), sizeof(level3));
    level3[WINDOW >> 30] = (uintptr_t)level2 | PTE_KEPT;
    level2[0] = (uintptr_t)level1 | PTE_KEPT;
    for (uint32_t i = 0; i < nr; i++)
        level1[i] = (uintptr_t)page[i][0] | PTE_KEPT;
    top[0] = (uintptr_t)level3 | PTE_KEPT;
}

static void reload(struct cpu *c)
{
    uint64_t cr3;

    (void)c;
    __asm__ volatile("mov %%cr3, %0\nmov %0, %%cr3" : "=&r"(cr3) : : "memory");
}

static void look_at(uint32_t i)
{
    uint64_t least = __atomic_load_n(&valid[i], __ATOMIC_SEQ_CST), seen = *window(i);

    if (seen < least || seen == FREED)
        (void)__atomic_add_fetch(&stale, 1, __ATOMIC_SEQ_CST);
}

/* One change of the own page: the others are interrupted, and what was there is given up once all have said so. */
static bool change(struct cpu *c, uint64_t n)
{
    volatile uint64_t *fresh = page[c->index][n % 2], *old = page[c->index][(n + 1) % 2];

    *fresh = n;
    c->flushed = 0;
    level1[c->index] = (uintptr_t)fresh | PTE_KEPT;
    forget(c->index);
    send(0, OTHERS | (VECTOR_FLUSH + c->index));
    if (!UNTIL(__atomic_load_n(&c->flushed, __ATOMIC_SEQ_CST) == nr - 1))
        return false;
    __atomic_store_n(&valid[c->index], n, __ATOMIC_SEQ_CST);
    *old = FREED;
    return true;
}

static void storm(struct cpu *c)
{
    for (uint64_t n = 1; n <= rounds; n++) {
        if (!change(c, n)) {
            (void)__atomic_add_fetch(&lost, 1, __ATOMIC_SEQ_CST);
            return;
        }
        for (uint32_t i = 0; i < nr; i++)
            look_at(i);
    }
}

static void shoot(void)
{
    bool ok;

    set_up_tables();
    test_ok(all_do(reload), "page-tables");
    ok = all_do(storm);
    test_ok(ok && !lost, "storm-ends");
    test_equal(stale, 0, "nothing-stale");
    for (uint32_t i = 0; i < nr; i++)
        ok = ok && *window(i) == rounds;
    test_ok(ok, "storm-was-done");
}

/* @ns: of less than this, nothing can be said. */
static void stolen_time(uint64_t ns)
{
    bool some = true, sane = true;

    for (uint32_t i = 1; i < nr; i++) {
        struct stolen *s = &cpus[i].stolen;

        some = some && s->ns > 0 && s->ns < ns;
        sane = sane && s->version && !(s->version & 1);
    }
    test_ok(sane, "stolen-time-versions");
    if (nr > 2) /* than there are cores */
        test_ok(some, "stolen-time");
}

static void start_by_sipi(void)
{
    bool ok = true;

    for (starting = 1; starting < nr; starting++)
        ok = ok && smp_start(starting, by_sipi, cpus[starting].stack + sizeof(cpus[0].stack)) && UNTIL(cpus[starting].awake == 1);
    test_ok(ok, "started-by-sipi");
    wrmsr(APIC_BASE, rdmsr(APIC_BASE) & ~(uint64_t)(APIC_ENABLE | APIC_X2)); /* smp_start() has made it an x2APIC */
    wrmsr(APIC_BASE, rdmsr(APIC_BASE) | APIC_ENABLE);
    set_up(&cpus[0]);
    __asm__ volatile("sti");
}

static int64_t started(uint32_t i)
{
    return pith_vcpu_start(i, (uintptr_t)by_call, (uintptr_t)cpus[i].stack + sizeof(cpus[0].stack) - 8, i).status;
}

static void start_by_call(void)
{
    bool ok = true;

    send(0, OTHERS | SMP_INIT);
    for (uint32_t i = 1; i < nr; i++)
        ok = ok && UNTIL(started(i) == PITH_OK);
    for (uint32_t i = 1; i < nr; i++)
        ok = ok && UNTIL(cpus[i].awake == 2);
    test_ok(ok, "started-by-call");
    ok = all_do(reload);
    test_ok(ok, "all-work-again");
}

int guest_main(const struct pith_start *start)
{
    nr = start->nr_vcpus;
    rounds = pith_option(start, "rounds", 20);
    set_gates();
    set_up(&cpus[0]);
    start_by_sipi();
    test_ok(all_do(read_clock), "clocks-read");
    test_equal(wrong_clocks, 0, "clocks");
    messages(FLAT, "flat");
    messages(CLUSTER, "cluster");
    messages(X2APIC, "x2apic");
    shoot();
    stolen_time(pith_now());
    start_by_call();
    return test_end();
}
