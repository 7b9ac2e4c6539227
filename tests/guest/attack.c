/* SPDX-License-Identifier: MIT */
/* Attacks that an attacker survives: case=N tries everything of one kind, and says "survived" when the hypervisor let it. */
#include "guests/lib/trap.h"

#define COUNT(a)       (sizeof(a) / sizeof((a)[0]))
#define CR4_OSXSAVE    (1ull << 18)
#define CPUID_XSAVE    (1u << 26)
#define HV_BASE        0xffff870000000000ull /* where the hypervisor's image lies in its own address space */
#define HV_SIZE        0x28000ull
#define DR7_ALL        0xbbbb0455ull         /* four of 8 bytes each, on reads and writes, local */
#define DR7_OFF        0x400ull
#define ACPI_FIRST     0x604u                /* switch the partition off */
#define ACPI_LAST      0x60cu
#define LAPIC          0xfee00000ull
#define IOAPIC         0xfec00000ull

static uint64_t operand[512] __attribute__((aligned(4096)));
static bool at_user, monitor_devices;
static uint32_t port_step;

/* RAX and RDI: an address; RBX RCX RDX 0. At CPL 3 what goes on behind the instruction says so with INT3. */
#define INSN(name, text)                                                                                   \
    static void insn_##name(uint64_t arg)                                                                  \
    {                                                                                                      \
        uint64_t a = arg, b = 0, c = 0, d = 0, di = arg, si = arg;                                               \
                                                                                                           \
        __asm__ volatile(text : "+a"(a), "+c"(c), "+d"(d), "+D"(di), "+S"(si), "+b"(b) : : "memory", "cc"); \
        if (at_user)                                                                                       \
            trap_user_done();                                                                              \
    }
INSN(vmcall, "vmcall")
INSN(vmmcall, "vmmcall")
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
INSN(rdpmc, "rdpmc")
INSN(wbinvd, "wbinvd")
INSN(invd, "invd")
INSN(invlpg, "invlpg (%%rdi)")
INSN(rdmsr, "rdmsr")
INSN(wrmsr, "wrmsr")
INSN(xsetbv, "xsetbv")
INSN(inb, "inb $0x80, %%al")
INSN(outl, "outl %%eax, %%dx")
INSN(insb, "insb")
INSN(outsl, "outsl")
INSN(mov_from_cr0, "mov %%cr0, %%rax")
/* CR0 and CR4 as they are: QEMU takes any value, and the guest runs on as whatever that makes of it. */
INSN(mov_to_cr4, "mov $0x620, %%edx; mov %%rdx, %%cr4")
INSN(mov_to_cr0, "mov $0x80010033, %%edx; mov %%rdx, %%cr0")
INSN(mov_to_cr8, "mov %%rax, %%cr8")
INSN(mov_from_dr7, "mov %%dr7, %%rax")
INSN(mov_to_dr7, "mov %%rcx, %%dr7")
INSN(mov_to_dr6, "mov %%rax, %%dr6")
INSN(clts, "clts")
INSN(lmsw, "mov $0x31, %%eax; lmsw %%ax")
INSN(rdpru, ".byte 0x0f, 0x01, 0xfd")
INSN(prefixes, ".byte 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x0f, 0xa2")
INSN(too_long, ".byte 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x0f, 0xa2")

static void (*const insns[])(uint64_t) = {
    insn_vmcall, insn_vmmcall, insn_vmxon, insn_vmxoff, insn_vmclear, insn_vmptrld, insn_vmptrst, insn_vmread, insn_vmwrite,
    insn_vmlaunch, insn_vmresume, insn_invept, insn_invvpid, insn_vmrun, insn_vmload, insn_vmsave, insn_stgi, insn_clgi,
    insn_skinit, insn_invlpga, insn_rsm, insn_monitor, insn_mwait, insn_rdpmc, insn_wbinvd, insn_invd, insn_invlpg, insn_rdmsr,
    insn_wrmsr, insn_xsetbv, insn_inb, insn_outl, insn_insb, insn_outsl, insn_mov_from_cr0, insn_mov_to_cr4, insn_mov_to_cr0,
    insn_mov_to_cr8, insn_mov_from_dr7, insn_mov_to_dr7, insn_mov_to_dr6, insn_clts, insn_lmsw, insn_rdpru, insn_too_long,
    insn_prefixes, /* the last: CPUID, the only one that CPL 3 may have */
};

/* Where @insns take their operand from: RAM, devices, nothing, and addresses that fault. */
static const uint64_t places[] = {
    (1ull << 47) - 8, 1ull << 47, ~0ull, LAPIC, IOAPIC, 0xd0000000, HV_BASE, 0, 1,
};

/* Behind it interrupts are on: some emulators preempt no guest that was entered without (an exception's gate clears IF). */
static int try(void (*fn)(uint64_t), uint64_t arg)
{
    int got = trap_try(fn, arg);

    __asm__ volatile("cld; sti");
    return got;
}

static bool try_at_user(unsigned i, uint64_t arg)
{
    int got;

    at_user = true;
    got = trap_try_user(insns[i], arg);
    at_user = false;
    __asm__ volatile("cld; sti");
    if (got == TRAP_BP && i < COUNT(insns) - 1) {
        pith_printf("instruction %u ran at CPL 3\n", i);
        return false;
    }
    return true;
}

static bool instructions(void)
{
    bool ok = true;

    trap_open_user();
    for (unsigned i = 0; i < COUNT(insns); i++) {
        (void)try(insns[i], (uintptr_t)operand);
        ok &= try_at_user(i, (uintptr_t)operand);
        for (unsigned j = 0; j < COUNT(places); j++) {
            if (insns[i] == insn_monitor && !monitor_devices)
                continue;
            (void)try(insns[i], places[j]);
            ok &= try_at_user(i, places[j]);
        }
    }
    return ok;
}

/* All of them, and every port_step-th in every width, but for what would end the partition. */
static bool ports(void)
{
    for (uint32_t port = 0; port < 0x10000; port++) {
        __asm__ volatile("inl %w0, %%eax" : : "d"(port) : "eax");
        if (port < ACPI_FIRST || port > ACPI_LAST)
            __asm__ volatile("outb %b1, %w0" : : "d"(port), "a"(port & 3 ? 0xff : 0x5a));
        if (port % port_step)
            continue;
        __asm__ volatile("inb %w0, %%al; inw %w0, %%ax" : : "d"(port) : "eax");
        if (port + 3 < ACPI_FIRST || port > ACPI_LAST)
            __asm__ volatile("outw %w1, %w0; outl %1, %w0" : : "d"(port), "a"(0x20202020));
    }
    return true;
}

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

/* An address that is not canonical in what SYSCALL or a segment uses would make an entry fail. */
static void odd_values(uint32_t msr, uint64_t old)
{
    static const uint64_t odd[] = {
        0, ~0ull, 1, 1ull << 31, 1ull << 47, 1ull << 63, 0x0707070707070707, 0x0203, HV_BASE, 0xfee00d00, 0xfee00500, 0x1234567,
    };

    for (unsigned i = 0; i < COUNT(odd); i++) {
        operand[0] = odd[i];
        (void)try(write_msr, msr);
    }
    operand[0] = old;
    (void)try(write_msr, msr);
}

/* A value or #GP, whatever it is asked. */
static void one_msr(uint32_t msr)
{
    if (try(read_msr, msr) == TRAP_NONE) {
        odd_values(msr, operand[0]);
        return;
    }
    operand[0] = (uint64_t)msr * 0x9e3779b97f4a7c15ull;
    (void)try(write_msr, msr);
    operand[0] = msr % 2 ? 0 : ~0ull;
    (void)try(write_msr, msr);
}

static bool msrs(void)
{
    static const struct { uint32_t first, last; } ranges[] = {
        { 0, 0x1fff }, { 0x40000000, 0x400001ff }, { 0x4b564d00, 0x4b564dff }, { 0xc0000000, 0xc0001fff },
        { 0xc0010000, 0xc0011fff }, { 0xfffffff0, 0xfffffffe },
    };

    uint32_t any = 4711;

    for (unsigned i = 0; i < COUNT(ranges); i++)
        for (uint32_t msr = ranges[i].first; msr <= ranges[i].last; msr++)
            one_msr(msr);
    for (unsigned i = 0; i < 2000; i++)
        one_msr(any = any * 1664525 + 1013904223);
    return true;
}

static void set_xcr(uint64_t value) /* operand[1]: which */
{
    __asm__ volatile("xsetbv" : : "c"((uint32_t)operand[1]), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
}

static void set_cr4(uint64_t value)
{
    __asm__ volatile("mov %0, %%cr4" : : "r"(value) : "memory");
}

static void set_cr0(uint64_t value)
{
    __asm__ volatile("mov %0, %%cr0" : : "r"(value) : "memory");
}

static void xcr_values(void)
{
    for (uint64_t bit = 0; bit < 64; bit++) {
        for (operand[1] = 0; operand[1] < 3; operand[1]++) {
            (void)try(set_xcr, 1ull << bit);
            (void)try(set_xcr, 1ull << bit | 1);
            (void)try(set_xcr, (2ull << bit) - 1);
        }
        __asm__ volatile("cpuid" : : "a"(0xd), "c"(0) : "ebx", "edx");
    }
    operand[1] = 0;
    (void)try(set_xcr, 7);
    (void)try(set_xcr, 3);
}

/* What a processor may refuse only by failing the next entry is left out where there is no intercept: see probes.c. */
static bool registers(void)
{
    uint64_t cr0, cr4;

    __asm__ volatile("mov %%cr4, %0; mov %%cr0, %1" : "=r"(cr4), "=r"(cr0));
    if (pith_hypercall_insn == PITH_HC_VMCALL) {
        for (unsigned bit = 0; bit < 64; bit++) {
            (void)try(set_cr4, cr4 ^ 1ull << bit);
            (void)try(set_cr4, cr4);
            if (bit == 0 || bit == 31) /* ends in a triple fault, as it should */
                continue;
            (void)try(set_cr0, cr0 ^ 1ull << bit);
            (void)try(set_cr0, cr0);
        }
    }
    if (pith_cpuid(1, 0).ecx & CPUID_XSAVE) {
        set_cr4(cr4 | CR4_OSXSAVE);
        xcr_values();
        set_cr4(cr4);
    }
    return true;
}

static bool cpuids(void)
{
    static const uint32_t bases[] = { 0, 0x20000000, 0x40000000, 0x40000100, 0x80000000, 0x80860000, 0xc0000000, 0xffffffe0 };

    for (unsigned i = 0; i < COUNT(bases); i++) {
        for (uint32_t leaf = 0; leaf < 0x30; leaf++) {
            for (uint32_t sub = 0; sub < 10; sub++)
                (void)pith_cpuid(bases[i] + leaf, sub < 9 ? sub : ~0u);
        }
    }
    return true;
}

/* A breakpoint on the hypervisor's own code and data would stop it in the middle of an exit. */
static bool breakpoints(void)
{
    for (uint64_t at = HV_BASE; at < HV_BASE + HV_SIZE; at += 32) {
        __asm__ volatile("mov %0, %%dr0" : : "r"(at));
        __asm__ volatile("mov %0, %%dr1" : : "r"(at + 8));
        __asm__ volatile("mov %0, %%dr2" : : "r"(at + 16));
        __asm__ volatile("mov %0, %%dr3" : : "r"(at + 24));
        if (at == HV_BASE)
            __asm__ volatile("mov %0, %%dr7" : : "r"(DR7_ALL));
        (void)pith_cpuid(0, 0);
    }
    __asm__ volatile("mov %0, %%dr7" : : "r"(0x455ull)); /* the last four, on execution */
    (void)pith_version();
    __asm__ volatile("mov %0, %%dr7" : : "r"(DR7_OFF));
    return true;
}

int guest_main(const struct pith_start *start)
{
    static bool (*const cases[])(void) = { instructions, ports, msrs, registers, cpuids, breakpoints };
    uint64_t which = pith_option(start, "case", 0);
    bool ok;

    monitor_devices = pith_option(start, "monitor", 1);
    port_step = (uint32_t)pith_option(start, "step", 8);
    trap_init();
    __asm__ volatile("sti");
    ok = which < COUNT(cases) && cases[which]();
    pith_printf("\n%s\n", ok ? "survived" : "not ok");
    return ok ? 0 : 1;
}
