/* SPDX-License-Identifier: MIT */
/* hv/abi/ABI.md as a list of checks: detection, start, every call's results and every complaint. */
#include "guests/lib/test.h"
#include "guests/lib/trap.h"

#define RAX(nr)       (PITH_CALL_BASE + (uint64_t)(nr))
#define MARK          0x1122334455667788ul
#define NS_PER_MS     UINT64_C(1000000)
#define MSR_APIC_BASE 0x1bu
#define APIC_X2APIC   0xc00u  /* enabled, in x2APIC mode */
#define X2APIC_SVR    0x80fu
#define X2APIC_TIMER  0x832u
#define X2APIC_COUNT  0x838u

static char buffer[2 * 4096] __attribute__((aligned(4096)));

static void wrmsr(uint32_t msr, uint64_t value)
{
    __asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}

static uint64_t rdmsr(uint32_t msr)
{
    uint32_t lo, hi;

    __asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
    return lo | (uint64_t)hi << 32;
}

static void detection(const struct pith_start *start)
{
    struct pith_cpuid id = pith_cpuid(PITH_CPUID_BASE, 0), abi = pith_cpuid(PITH_CPUID_ABI, 0);
    struct pith_result r = pith_version(), f = pith_features();

    test_ok(memcmp(&id.ebx, "PithPithPith", 12) == 0, "cpuid-signature");
    test_ok(id.eax >= PITH_CPUID_ABI, "cpuid-leaves");
    test_equal(start->cpuid_base, PITH_CPUID_BASE, "cpuid-base");
    test_ok(abi.ecx == PITH_HC_VMCALL || abi.ecx == PITH_HC_VMMCALL, "cpuid-instruction");
    test_equal((uint64_t)r.status, PITH_OK, "version-status");
    test_equal(r.rbx, PITH_ABI_MAJOR << 16 | PITH_ABI_MINOR, "version");
    test_equal(abi.eax, r.rbx, "version-as-cpuid");
    test_equal((uint64_t)f.status, PITH_OK, "features-status");
    test_equal(f.rbx, abi.ebx, "features-as-cpuid");
    test_equal(f.rbx & 7, PITH_FEATURE_CONSOLE | PITH_FEATURE_TIME | PITH_FEATURE_WAIT, "features");
}

static bool map_is_sane(const struct pith_start *start)
{
    const struct pith_mem *mem = (const struct pith_mem *)(uintptr_t)start->mem;
    uint64_t end = 0;

    for (uint32_t i = 0; i < start->nr_mem; i++) {
        if (mem[i].base < end || mem[i].size == 0 || mem[i].type < PITH_MEM_RAM || mem[i].type > PITH_MEM_ACPI)
            return false;
        end = mem[i].base + mem[i].size;
    }
    return start->nr_mem > 0 && mem[0].base == 0 && mem[0].type == PITH_MEM_RAM;
}

static void start_structure(const struct pith_start *start)
{
    test_ok(start->magic == PITH_START_MAGIC && start->version == 1, "start-magic");
    test_ok(start->size >= sizeof(*start), "start-size");
    test_ok(start->nr_vcpus >= 1 && start->name[0] != '\0', "start-vcpus-and-name");
    test_ok(start->cmdline != 0 && start->tsc_khz != 0, "start-cmdline-and-tsc");
    test_ok(map_is_sane(start), "start-memory-map");
}

static void unknown_calls(void)
{
    static const uint64_t others[] = {
        0, 1, 5, PITH_CALL_BASE - 1, PITH_CALL_BASE + 0x10000, PITH_CALL_BASE | 1ull << 32, ~0ull,
    };
    bool all = true;

    test_equal((uint64_t)pith_hypercall(RAX(PITH_CALLS), 0, 0, 0, 0, 0).status, PITH_E_CALL, "call-after-last");
    test_equal((uint64_t)pith_hypercall(RAX(0xffff), 0, 0, 0, 0, 0).status, PITH_E_CALL, "call-ffff");
    for (unsigned i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        all &= pith_hypercall(others[i], MARK, 2, 3, 4, 5).status == PITH_CALL_UNKNOWN;
    test_ok(all, "call-of-others");
}

/* Each register that is no argument of each call, alone: EXIT with one must not end the guest. */
static void unused_arguments(void)
{
#define HC(nr, NAME, handler, nargs, cap, arguments, results, errors) { nr, nargs },
    static const struct { uint8_t nr, nargs; } calls[] = {
#include "hv/abi/hypercalls.def"
    };
#undef HC
    bool all = true;

    for (unsigned k = 0; k < sizeof(calls) / sizeof(calls[0]); k++) {
        for (unsigned i = calls[k].nargs; i < 5; i++) {
            uint64_t in[5] = { 0 };
            struct pith_result r;

            in[i] = 1ull << 63;
            r = pith_hypercall(RAX(calls[k].nr), in[0], in[1], in[2], in[3], in[4]);
            all &= r.status == PITH_E_ARG;
        }
    }
    test_ok(all, "unused-argument-not-zero");
}

/* VERSION by the @n bytes at @at, which end in RET. */
static bool calls_at(uint8_t *at, const uint8_t *code, size_t n)
{
    uint64_t rax = RAX(PITH_CALL_VERSION), rbx = 0;

    memcpy(at, code, n);
    __asm__ volatile("call *%[at]" : "+a"(rax), "+b"(rbx) : [at] "r"(at), "c"(0ul), "d"(0ul), "S"(0ul), "D"(0ul) : "memory", "cc");
    return rax == PITH_OK && rbx == (PITH_ABI_MAJOR << 16 | PITH_ABI_MINOR);
}

/* Three bytes further, across any boundary; into the instruction of who adds a prefix. */
static void goes_on(void)
{
    static uint8_t around[2 * 65536] __attribute__((aligned(65536)));
    uint8_t third = pith_hypercall_insn == PITH_HC_VMMCALL ? 0xd9 : 0xc1;
    const uint8_t plain[] = { 0x0f, 0x01, third, 0xc3 };
    /* From its last byte on: FNOP; REX NOP. Or RCL $0x40, which is by 0, of EAX; NOP. */
    const uint8_t prefixed[] = { 0x2e, 0x0f, 0x01, third, 0xd0, 0x40, 0x90, 0xc3 };
    bool all = true;

    for (unsigned i = 0; i <= sizeof(plain); i++)
        all &= calls_at(around + 65536 - i, plain, sizeof(plain));
    test_ok(all, "call-across-64-kib");
    test_ok(calls_at(around, prefixed, sizeof(prefixed)), "call-is-three-bytes");
}

static void console(const struct pith_start *start)
{
    const struct pith_mem *mem = (const struct pith_mem *)(uintptr_t)start->mem;
    uint64_t ram_end = mem[0].size + mem[1].size, at = (uintptr_t)buffer;

    memcpy(buffer + 4096 - 5, "across two pages\n", 17);
    test_equal(pith_console_write(at + 4096 - 5, 17).rbx, 17, "console-across-pages");
    memset(buffer, '\r', sizeof(buffer)); /* shown as nothing */
    memcpy(buffer + PITH_CONSOLE_MAX - 8, "longest\n", 8);
    test_equal(pith_console_write(at, PITH_CONSOLE_MAX).rbx, PITH_CONSOLE_MAX, "console-longest");
    test_equal((uint64_t)pith_console_write(at, PITH_CONSOLE_MAX + 1).status, PITH_E_ARG, "console-too-long");
    test_equal((uint64_t)pith_console_write(at, 1ull << 32).status, PITH_E_ARG, "console-much-too-long");
    test_equal((uint64_t)pith_console_write(at, 8ull << 32 | 9).status, PITH_E_ARG, "console-more-left-than-there-was");
    test_equal((uint64_t)pith_console_write(at, (PITH_CONSOLE_MAX + 1ull) << 32 | 9).status, PITH_E_ARG, "console-too-long-at-first");
    test_equal((uint64_t)pith_console_write(at, 0).status, PITH_OK, "console-nothing");
    test_equal(pith_console_write(at, 0).rbx, 0, "console-nothing-written");
    memcpy((char *)(uintptr_t)ram_end - 8, "the end\n", 8); /* the start's stack, which nobody uses */
    test_equal((uint64_t)pith_console_write(ram_end, 1).status, PITH_E_ARG, "console-outside");
    test_equal((uint64_t)pith_console_write(ram_end - 8, 9).status, PITH_E_ARG, "console-one-byte-outside");
    test_equal((uint64_t)pith_console_write(ram_end - 8, 8).status, PITH_OK, "console-last-bytes");
    test_equal((uint64_t)pith_console_write(~0ull, 2).status, PITH_E_ARG, "console-wraps");
    test_equal((uint64_t)pith_console_write(1ull << 52, 1).status, PITH_E_ARG, "console-far-outside");
    test_equal((uint64_t)pith_console_write(0xfee00000, 4).status, PITH_E_ARG, "console-from-a-device");
}

static void time(const struct pith_start *start)
{
    struct pith_result me = pith_self();
    uint64_t ns = pith_now(), tsc = pith_tsc(), before, ms;
    bool forward = true;

    test_equal(pith_time().rcx, start->tsc_khz, "time-khz");
    for (unsigned i = 0; i < 50; i++) {
        uint64_t next = pith_now();

        forward &= next >= ns;
        ns = next;
    }
    test_ok(forward, "time-forward");

    before = pith_tsc(); /* an emulator may pause between any two looks at a clock: one stretch lies around the other */
    ns = pith_now();
    tsc = pith_tsc();
    test_ok(pith_wait(ns + 50 * NS_PER_MS).rbx >= ns + 50 * NS_PER_MS, "wait-until");
    ms = (pith_tsc() - tsc) / start->tsc_khz;
    ns = pith_now() - ns;
    test_ok((pith_tsc() - before) / start->tsc_khz >= 49 && ms <= ns / NS_PER_MS + 1, "wait-as-tsc");
    test_ok(pith_wait(1).status == PITH_OK && pith_wait(pith_now()).status == PITH_OK, "wait-for-the-past");
    test_equal((uint64_t)pith_yield().status, PITH_OK, "yield");
    test_equal((uint64_t)me.status, PITH_OK, "self");
    test_ok(me.rbx == 1 && me.rcx == 0 && me.rdx == start->nr_vcpus, "self-results");
}

/* A timer interrupt ends WAIT although RFLAGS.IF is clear, and is there when it is set. */
static void wait_for_interrupt(void)
{
    wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | APIC_X2APIC);
    wrmsr(X2APIC_SVR, 0x1ff);
    wrmsr(X2APIC_TIMER, TRAP_IRQ);
    wrmsr(X2APIC_COUNT, 1000);
    test_equal((uint64_t)pith_wait(0).status, PITH_OK, "wait-without-deadline");
    while (pith_wait(0).status == PITH_OK && rdmsr(0x820 + TRAP_IRQ / 32) == 0)
        continue;
    test_equal(trap_irqs, 0, "wait-keeps-interrupt");
    test_equal((uint64_t)pith_wait(0).status, PITH_OK, "wait-while-pending");
    __asm__ volatile("sti; nop; nop; cli" : : : "memory");
    test_equal(trap_irqs, 1, "wait-then-interrupt");
}

int guest_main(const struct pith_start *start)
{
    trap_init();
    detection(start);
    start_structure(start);
    unknown_calls();
    unused_arguments();
    goes_on();
    console(start);
    time(start);
    wait_for_interrupt();
    return test_end();
}
