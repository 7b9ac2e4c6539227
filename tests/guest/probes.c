/* SPDX-License-Identifier: MIT */
/* Instructions, registers and CPUID bits that a guest must not have, and those that must work. */
#include "guests/lib/test.h"
#include "guests/lib/trap.h"

#define MSR_EFER   0xc0000080u
#define EFER_SVME  0x1000u
#define CR4_VMXE   (1ull << 13)
#define CR4_SMXE   (1ull << 14)
#define CR4_OSXSAVE (1ull << 18)
#define CR4_PKE     (1ull << 22)
#define DR7_GD      (1ull << 13)

static uint64_t operand[512] __attribute__((aligned(4096))); /* for what wants memory */

/* Every instruction gets the same registers: RAX and RDI the operand's address, RBX RCX RDX 0. */
#define INSN(name, text)                                                                                   \
    static void insn_##name(uint64_t arg)                                                                  \
    {                                                                                                      \
        uint64_t a = arg, c = 0, d = 0;                                                                    \
                                                                                                           \
        __asm__ volatile(text : "+a"(a), "+c"(c), "+d"(d) : "D"(arg), "b"(0) : "memory", "cc");            \
    }
INSN(vmxon, "vmxon (%%rdi)")
INSN(vmxoff, "vmxoff")
INSN(vmclear, "vmclear (%%rdi)")
INSN(vmptrld, "vmptrld (%%rdi)")
INSN(vmptrst, "vmptrst (%%rdi)")
INSN(vmread, "vmread %%rcx, (%%rdi)")
INSN(vmwrite, "vmwrite (%%rdi), %%rcx")
INSN(vmlaunch, "vmlaunch")
INSN(vmresume, "vmresume")
INSN(invept, "invept (%%rdi), %%rcx")
INSN(invvpid, "invvpid (%%rdi), %%rcx")
INSN(vmrun, "vmrun %%rax")
INSN(vmload, "vmload %%rax")
INSN(vmsave, "vmsave %%rax")
INSN(stgi, "stgi")
INSN(clgi, "clgi")
INSN(skinit, "skinit %%eax")
INSN(invlpga, "invlpga %%rax, %%ecx")
INSN(rsm, "rsm")
INSN(monitor, "monitor")
INSN(mwait, "mwait")
INSN(ud2, "ud2")
INSN(rdpmc, "rdpmc")
INSN(wbinvd, "wbinvd")
INSN(invd, "invd")
INSN(pause, "pause")
INSN(cpuid, "cpuid")
INSN(rdtsc, "rdtsc")
INSN(rdpru, ".byte 0x0f, 0x01, 0xfd")
INSN(int1, ".byte 0xf1; .globl int1_end; int1_end:")

static const struct { const char *name; void (*fn)(uint64_t); int want; } insns[] = {
    { "vmxon", insn_vmxon, TRAP_UD },     { "vmxoff", insn_vmxoff, TRAP_UD },
    { "vmclear", insn_vmclear, TRAP_UD }, { "vmptrld", insn_vmptrld, TRAP_UD },
    { "vmptrst", insn_vmptrst, TRAP_UD }, { "vmread", insn_vmread, TRAP_UD },
    { "vmwrite", insn_vmwrite, TRAP_UD }, { "vmlaunch", insn_vmlaunch, TRAP_UD },
    { "vmresume", insn_vmresume, TRAP_UD }, { "invept", insn_invept, TRAP_UD },
    { "invvpid", insn_invvpid, TRAP_UD }, { "vmrun", insn_vmrun, TRAP_UD },
    { "vmload", insn_vmload, TRAP_UD },   { "vmsave", insn_vmsave, TRAP_UD },
    { "stgi", insn_stgi, TRAP_UD },       { "clgi", insn_clgi, TRAP_UD },
    { "skinit", insn_skinit, TRAP_UD },   { "invlpga", insn_invlpga, TRAP_UD },
    { "rsm", insn_rsm, TRAP_UD },         { "monitor", insn_monitor, TRAP_UD },
    { "mwait", insn_mwait, TRAP_UD },     { "ud2", insn_ud2, TRAP_UD },
    { "rdpmc", insn_rdpmc, TRAP_GP },     { "wbinvd", insn_wbinvd, TRAP_NONE },
    { "invd", insn_invd, TRAP_NONE },     { "pause", insn_pause, TRAP_NONE },
    { "cpuid", insn_cpuid, TRAP_NONE },   { "rdtsc", insn_rdtsc, TRAP_NONE },
    { "rdpru", insn_rdpru, TRAP_UD },
};

static void read_msr(uint64_t msr)
{
    uint32_t lo, hi;

    __asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"((uint32_t)msr));
    operand[0] = lo | (uint64_t)hi << 32;
}

static void write_msr(uint64_t msr) /* operand[0] */
{
    __asm__ volatile("wrmsr" : : "c"((uint32_t)msr), "a"((uint32_t)operand[0]), "d"((uint32_t)(operand[0] >> 32)));
}

static void set_cr4(uint64_t bits)
{
    uint64_t cr4;

    __asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
    __asm__ volatile("mov %0, %%cr4" : : "r"(cr4 | bits) : "memory");
}

static void set_xcr0(uint64_t value)
{
    __asm__ volatile("xsetbv" : : "c"(0), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
}

static void instructions(void)
{
    for (unsigned i = 0; i < sizeof(insns) / sizeof(insns[0]); i++)
        test_equal((uint64_t)trap_try(insns[i].fn, (uintptr_t)operand), (uint64_t)insns[i].want, insns[i].name);
}

static void msrs(void)
{
    /* None of them exists: a gap, VMX_BASIC, VM_CR, VM_HSAVE_PA, MC0_CTL, and the ends of the bitmaps. */
    static const uint32_t absent[] = {
        0x12345, 0x480, 0xc0010114, 0xc0010117, 0x400, 0x1fff, 0x2000, 0xc0001fff, 0xc0011fff, 0xffffffff,
    };
    bool reads = true, writes = true;

    for (unsigned i = 0; i < sizeof(absent) / sizeof(absent[0]); i++) {
        reads &= trap_try(read_msr, absent[i]) == TRAP_GP;
        operand[0] = 0;
        writes &= trap_try(write_msr, absent[i]) == TRAP_GP;
    }
    test_ok(reads, "rdmsr-unknown");
    test_ok(writes, "wrmsr-unknown");
    test_equal((uint64_t)trap_try(read_msr, MSR_EFER), (uint64_t)TRAP_NONE, "rdmsr-efer");
    test_equal(operand[0] & ~1ull, 0x500, "efer-as-started");
    operand[0] |= EFER_SVME;
    test_equal((uint64_t)trap_try(write_msr, MSR_EFER), TRAP_GP, "wrmsr-efer-svme");
}

static void control_registers(void)
{
    /* AMD processors refuse these by themselves; QEMU's do not, and then refuse the guest's state: its end, not a #GP. */
    if (pith_hypercall_insn == PITH_HC_VMCALL) {
        test_equal((uint64_t)trap_try(set_cr4, CR4_VMXE), TRAP_GP, "cr4-vmxe");
        test_equal((uint64_t)trap_try(set_cr4, CR4_SMXE), TRAP_GP, "cr4-smxe");
        test_equal((uint64_t)trap_try(set_cr4, CR4_PKE), TRAP_GP, "cr4-pke");
        test_equal((uint64_t)trap_try(set_cr4, 1ull << 40), TRAP_GP, "cr4-reserved");
    }
    if (!(pith_cpuid(1, 0).ecx & 1u << 26))
        return;
    test_equal((uint64_t)trap_try(set_xcr0, 1), TRAP_UD, "xsetbv-before-osxsave");
    test_equal((uint64_t)trap_try(set_cr4, CR4_OSXSAVE), (uint64_t)TRAP_NONE, "cr4-osxsave");
    test_ok(pith_cpuid(1, 0).ecx & 1u << 27, "cpuid-osxsave");
    test_equal((uint64_t)trap_try(set_xcr0, 1), (uint64_t)TRAP_NONE, "xsetbv-x87");
    test_equal((uint64_t)trap_try(set_xcr0, 0), TRAP_GP, "xsetbv-nothing");
    test_equal((uint64_t)trap_try(set_xcr0, 1ull << 62 | 1), TRAP_GP, "xsetbv-reserved");
    test_equal((uint64_t)trap_try(set_xcr0, 5), TRAP_GP, "xsetbv-avx-without-sse");
}

static void guard_debug_registers(uint64_t dr7)
{
    uint64_t have;

    __asm__ volatile("mov %1, %%dr7; mov %%dr0, %0" : "=r"(have) : "r"(dr7));
}

/* QEMU takes INT1 for its own debugger and stops. */
static void int1(void)
{
    extern const char int1_end[];

    test_equal((uint64_t)trap_try(insn_int1, 0), TRAP_DB, "int1");
    test_equal(trap_last.rip, (uintptr_t)int1_end, "int1-returns-past-it");
}

static void debug_registers(void)
{
    uint64_t have;

    if (pith_hypercall_insn == PITH_HC_VMCALL)
        int1();
    __asm__ volatile("mov %0, %%dr0" : : "r"(0x1234ull));
    __asm__ volatile("mov %%dr0, %0" : "=r"(have));
    test_equal(have, 0x1234, "dr0");
    __asm__ volatile("mov %%dr7, %0" : "=r"(have));
    test_equal(have, 0x400, "dr7-as-started");
    __asm__ volatile("mov %%dr6, %0" : "=r"(have));
    test_equal(have & 0xf000, 0, "dr6-as-started");
    test_equal((uint64_t)trap_try(guard_debug_registers, DR7_GD | 0x400), TRAP_DB, "dr7-gd");
    __asm__ volatile("mov %%dr7, %0" : "=r"(have));
    test_equal(have, 0x400, "dr7-gd-is-gone");
}

static void cpuid_bits(void)
{
    uint32_t ecx = pith_cpuid(1, 0).ecx;

    test_ok(ecx & 1u << 31, "cpuid-hypervisor");
    test_equal(ecx & (1u << 3 | 1u << 5 | 1u << 6), 0, "cpuid-no-monitor-vmx-smx");
    test_equal(pith_cpuid(0x80000001, 0).ecx & (1u << 2 | 1u << 12), 0, "cpuid-no-svm-skinit");
    test_equal(pith_cpuid(0xa, 0).eax, 0, "cpuid-no-counters");
    test_equal(pith_cpuid(0x8000000a, 0).edx, 0, "cpuid-no-svm-features");
}

int guest_main(const struct pith_start *start)
{
    (void)start;
    trap_init();
    cpuid_bits();
    instructions();
    msrs();
    control_registers();
    debug_registers();
    return test_end();
}
