/* SPDX-License-Identifier: MIT */
/*
 * Hypercalls without sense, by the grammar of hypercalls.def and at random: calls=N of them, seed=N. Two of these beside each other
 * change one another's arguments in the memory they share. What would end the caller itself, or make it sleep for long, is left out.
 */
#include "guests/lib/trap.h"

#define COUNT(a)     (sizeof(a) / sizeof((a)[0]))
#define MIB(n)       ((uint64_t)(n) << 20)
#define SCRATCH      MIB(4)  /* two megabytes that hold nothing: these may be written, lent or given away */
#define SCRATCH_SIZE MIB(4)
#define SHARED       0xc0200000ull
#define STATUSES     16u

#define HC(nr, NAME, handler, nargs, cap, arguments, results, errors) { nr, nargs, #NAME, arguments, { 0 } },
static struct call { uint16_t nr, nargs; const char *name, *arguments; char types[5]; } calls[] = {
#include "hv/abi/hypercalls.def"
};
#undef HC

static uint64_t recent[8]; /* results, which are names of something to later calls */
static uint64_t state, unknown, faults, statuses[STATUSES];

static uint64_t next(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static uint64_t below(uint64_t n)
{
    return next() % n;
}

/* The first letter of each argument's type; 'n' and 's' for a number and a time. */
static void read_types(struct call *c)
{
    const char *at = c->arguments;

    for (unsigned i = 0; i < c->nargs; i++) {
        c->types[i] = at[0] == 'n' && at[1] == 's' ? 's' : *at;
        while (*at && *at++ != ',')
            ;
        at += *at == ' ';
    }
}

static bool same(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return *a == *b;
}

static uint64_t an_address(void)
{
    static const uint64_t edges[] = {
        MIB(16) - 1, MIB(16), 0xc0000000, 0xc0001000, 0xc0001ffc, SHARED, SHARED + 4092, SHARED + 4096, 0xd0000000, 0xd0fff000, 0xfec00000,
        0xfee00000, 1ull << 32, 1ull << 40, 1ull << 51, 1ull << 52, 1ull << 63, -4096ull, -1ull,
    };

    switch (below(6)) {
    case 0: return edges[below(COUNT(edges))];
    case 1: return 0xd0000000 + below(64) * 4096;
    case 2: return SCRATCH + below(SCRATCH_SIZE);
    case 3: return SCRATCH + MIB(2) * below(2);
    case 4: return SHARED + below(4096);
    default: return SCRATCH + below(SCRATCH_SIZE / 4096) * 4096;
    }
}

static uint64_t a_length(void)
{
    static const uint64_t lengths[] = { 0, 1, 8, 4095, 4096, 4097, 8192, 65536, MIB(1), MIB(2),
                                        MIB(2) + 4096, 1ull << 32, 1ull << 63, -4096ull, -1ull };

    return below(4) ? lengths[below(COUNT(lengths))] : below(5000);
}

static uint64_t a_number(void)
{
    switch (below(5)) {
    case 0: return below(4);
    case 1: return below(70);
    case 4: return recent[below(COUNT(recent))];
    case 2: return 1ull << below(64);
    default: return next();
    }
}

/* Mostly soon, and never none: the fuzzer has other things to do. */
static uint64_t a_time(void)
{
    return below(8) ? 1 : pith_now() + below(20000);
}

static uint64_t argument(char type)
{
    switch (type) {
    case 'g': return an_address();
    case 'b': return below(2) ? a_length() : next();
    case 's': return a_time();
    case 'p': return below(8) ? below(8) : a_number();
    default: return a_number();
    }
}

/* Calls of these, with these arguments, are no attack: they are meant to end or stop the caller. */
static bool ends_me(const struct call *c, const uint64_t a[5])
{
    uint64_t me = pith_self().rbx;
    bool mine = a[0] == 0 || a[0] == me;

    if (same(c->name, "EXIT"))
        return !(a[1] | a[2] | a[3] | a[4]);
    if (same(c->name, "VCPU_STOP"))
        return a[0] == 0;
    return mine && (same(c->name, "PART_STOP") || same(c->name, "PART_PAUSE") || same(c->name, "PART_RESTART"));
}

static void count(int64_t status)
{
    if (status >= 0 && status < (int64_t)STATUSES)
        statuses[status]++;
    else
        unknown++;
}

/* By the grammar, now and then with a register too many; arguments may come out of memory that another partition writes. */
static void one_by_grammar(void)
{
    struct call *c = &calls[below(COUNT(calls))];
    uint64_t a[5] = { 0 };
    struct pith_result r;

    for (unsigned i = 0; i < c->nargs; i++)
        a[i] = argument(c->types[i]);
    if (c->nargs < 5 && !below(16))
        a[c->nargs + below(5u - c->nargs)] = next();
    if (same(c->name, "CONSOLE_WRITE") && below(16))
        return; /* junk on the screen: less of it */
    if (ends_me(c, a))
        return;
    r = pith_hypercall(PITH_CALL_BASE + c->nr, a[0], a[1], a[2], a[3], a[4]);
    count(r.status);
    if (r.status == PITH_OK)
        recent[below(COUNT(recent))] = r.rbx;
}

/* Numbers that are not ours: KVM's, Xen's, none. Those of ours appear only beside garbage that every call refuses. */
static void one_at_random(void)
{
    static const uint64_t bases[] = { 0, PITH_CALL_BASE,
                                       PITH_CALL_BASE + 0x8000, PITH_CALL_BASE - 16, 1ull << 32 | PITH_CALL_BASE, ~0ull - 8 };
    uint64_t rax = bases[below(COUNT(bases))] + below(64);

    if (rax - PITH_CALL_BASE < 64)
        rax += 0x4000;
    count(pith_hypercall(below(8) ? rax : next() | 1ull << 63, next(), next(), next(), next(), next()).status);
}

static void call_at_user(uint64_t arg)
{
    uint64_t rax = PITH_CALL_BASE + arg % 64, rbx = arg >> 8, rcx = 0;

    if (pith_hypercall_insn == PITH_HC_VMMCALL)
        __asm__ volatile("vmmcall" : "+a"(rax), "+b"(rbx), "+c"(rcx) : "d"(0), "S"(0), "D"(0) : "memory");
    else
        __asm__ volatile("vmcall" : "+a"(rax), "+b"(rbx), "+c"(rcx) : "d"(0), "S"(0), "D"(0) : "memory");
    trap_user_done();
}

static void other_instruction(uint64_t arg)
{
    if (pith_hypercall_insn == PITH_HC_VMMCALL)
        __asm__ volatile("vmcall" : : "a"(PITH_CALL_BASE + arg % 64), "b"(0), "c"(0), "d"(0), "S"(0), "D"(0) : "memory");
    else
        __asm__ volatile("vmmcall" : : "a"(PITH_CALL_BASE + arg % 64), "b"(0), "c"(0), "d"(0), "S"(0), "D"(0) : "memory");
}

static void one_that_faults(void)
{
    int vector = below(2) ? trap_try_user(call_at_user, next()) : trap_try(other_instruction, next());

    if (vector == TRAP_UD)
        faults++;
    else
        unknown += 1ull << 32; /* an answer where there must be none: seen at the end */
}

/* Whoever was made to stand still would keep the machine from ending. */
static void release(void)
{
    for (unsigned i = 0; i < COUNT(calls); i++)
        for (uint64_t partition = 1; same(calls[i].name, "PART_RESUME") && partition <= 16; partition++)
            (void)pith_hypercall(PITH_CALL_BASE + calls[i].nr, partition, 0, 0, 0, 0);
}

/* Where the other one's pointers may lead. */
static void disturb(void)
{
    *(volatile uint64_t *)(uintptr_t)(SHARED + below(512) * 8) = below(2) ? an_address() : next();
}

int guest_main(const struct pith_start *start)
{
    uint64_t n = pith_option(start, "calls", 1000), no_answer = 0;
    bool shared = pith_option(start, "shared", 1);

    state = pith_option(start, "seed", 1) * 0x9e3779b97f4a7c15ull;
    trap_init();
    trap_open_user();
    for (unsigned i = 0; i < COUNT(calls); i++)
        read_types(&calls[i]);
    for (uint64_t i = 0; i < n; i++) {
        uint64_t how = below(64);

        if (how == 0)
            one_that_faults();
        else if (how < 8)
            one_at_random();
        else
            one_by_grammar();
        if (shared && how % 8 == 1)
            disturb();
    }
    release();
    (void)pith_wait(pith_now() + PITH_NS_PER_S / 2); /* the console is behind, and what it cannot take is lost */
    no_answer = unknown >> 32;
    pith_printf("\nfuzz: %lu calls, %lu faults, %lu not ours", n, faults, unknown & 0xffffffff);
    for (unsigned i = 0; i < STATUSES; i++)
        pith_printf(", %u: %lu", i, statuses[i]);
    pith_printf("\n%s\n", no_answer ? "not ok: a call that must fault was answered" : "survived");
    return no_answer != 0;
}
