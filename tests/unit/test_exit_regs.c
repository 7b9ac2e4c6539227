/* SPDX-License-Identifier: MIT */
/*
 * Writes of CR0, CR4 and debug registers that exit, against a fake processor: what the manual makes a #GP, and what is done.
 * LINK: hv/exit_regs.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "arch/x86/cpu/regs.h"
#include "hv/exit.h"

#define PE_PG  (CR0_PE | CR0_PG | CR0_ET)
#define CODE64 0xa09bu
#define CODE32 0xc09bu

static u64 regs[X86_REGS];
static u32 cs_attr;
static u64 pdpte[4];
static gpa_t pdpte_gpa;
static bool no_memory;
static u8 fault;
static struct vcpu vcpu;

u64 arch_vcpu_reg(const struct arch_vcpu *v, enum x86_reg reg) { (void)v; return regs[reg]; }
void arch_vcpu_show_dr(struct arch_vcpu *v) { (void)v; }
void arch_vcpu_set_reg(struct arch_vcpu *v, enum x86_reg reg, u64 val) { (void)v; regs[reg] = val; }
void arch_vcpu_seg(const struct arch_vcpu *v, enum x86_seg seg, struct x86_segment *out)
{
    (void)v;
    assert_int_equal(seg, X86_CS);
    *out = (struct x86_segment){ .attr = cs_attr };
}
enum pith_status arch_vm_read(const struct arch_vm *vm, gpa_t gpa, void *buf, size_t len)
{
    (void)vm;
    assert_int_equal(len, sizeof(pdpte));
    pdpte_gpa = gpa;
    if (no_memory)
        return PITH_E_ARG;
    memcpy(buf, pdpte, len);
    return PITH_OK;
}
enum exit_action exit_fault(struct vcpu *v, u8 vector) { (void)v; fault = vector; return EXIT_RESUME; }
enum exit_action exit_fault_code(struct vcpu *v, u8 vector, u32 error)
{
    assert_int_equal(error, 0);
    return exit_fault(v, vector);
}

static int setup(void **state)
{
    (void)state;
    memset(regs, 0, sizeof(regs));
    memset(pdpte, 0, sizeof(pdpte));
    memset(&vcpu, 0, sizeof(vcpu));
    regs[X86_CR0] = PE_PG;
    cs_attr = CODE32;
    no_memory = false;
    fault = 0xff;
    return 0;
}

static void long_mode(u32 attr)
{
    regs[X86_EFER] = EFER_LME | EFER_LMA;
    regs[X86_CR4] = CR4_PAE;
    cs_attr = attr;
}

/* True: done; false: #GP and nothing has changed. */
static bool writes(u8 cr, u64 val)
{
    struct vm_exit exit = { .kind = VM_EXIT_CR, .cr = { .cr = cr, .gpr = 0, .write = true, .known = true } };
    enum x86_reg reg = cr == 0 ? X86_CR0 : X86_CR4;
    u64 before = regs[reg];

    fault = 0xff;
    vcpu.arch.gpr.rax = val;
    if (on_cr(&vcpu, &exit) == EXIT_SKIP) {
        assert_int_equal(regs[reg], val);
        return true;
    }
    assert_int_equal(fault, X86_GP);
    assert_int_equal(regs[reg], before);
    return false;
}

static void cr0_plain(void **state)
{
    (void)state;
    assert_true(writes(0, PE_PG | CR0_CD));
    assert_false(writes(0, CR0_PG | CR0_ET));
    assert_false(writes(0, PE_PG | CR0_NW));
    assert_false(writes(0, PE_PG | BIT(32)));
    assert_true(writes(0, CR0_ET));
    regs[X86_EFER] = EFER_LME;
    assert_false(writes(0, PE_PG)); /* into long mode without PAE */
}

static void cr0_stops_paging(void **state)
{
    (void)state;
    long_mode(CODE64);
    assert_true(writes(0, PE_PG | CR0_CD));
    assert_false(writes(0, CR0_PE | CR0_ET));
    long_mode(CODE32);
    assert_true(writes(0, CR0_PE | CR0_ET));
    regs[X86_CR0] = PE_PG;
    regs[X86_CR4] |= CR4_PCIDE;
    assert_false(writes(0, CR0_PE | CR0_ET));
}

static void cr4_plain(void **state)
{
    (void)state;
    assert_true(writes(4, CR4_PGE | CR4_MCE));
    assert_false(writes(4, CR4_VMXE));
    assert_false(writes(4, CR4_PKE)); /* not announced */
    assert_false(writes(4, CR4_LA57));
    long_mode(CODE64);
    assert_false(writes(4, CR4_PGE));
}

static void cr4_starts_pcids(void **state)
{
    (void)state;
    assert_false(writes(4, CR4_PAE | CR4_PCIDE));
    long_mode(CODE64);
    regs[X86_CR3] = 0x1018;
    assert_false(writes(4, CR4_PAE | CR4_PCIDE));
    regs[X86_CR3] = 0x1000;
    assert_true(writes(4, CR4_PAE | CR4_PCIDE));
    regs[X86_CR3] = 0x1001; /* a PCID in use: no harm any more */
    assert_true(writes(4, CR4_PAE | CR4_PCIDE | CR4_PGE));
}

static void pdptes(void **state)
{
    (void)state;
    regs[X86_CR3] = 0xffffffff12345678;
    pdpte[3] = 0x2001 | BIT(5);
    assert_false(writes(4, CR4_PAE));
    assert_int_equal(pdpte_gpa, 0x12345660);
    pdpte[3] &= ~1ull; /* not present */
    assert_true(writes(4, CR4_PAE));
    pdpte[3] = 0x2019; /* PWT and PCD are not reserved */
    assert_true(writes(4, CR4_PAE));
    assert_true(writes(0, PE_PG | CR0_CD));
    pdpte[0] = 3;
    assert_false(writes(0, PE_PG));
    pdpte[0] = 1 | BIT(63);
    assert_false(writes(0, PE_PG));
    no_memory = true;
    assert_true(writes(0, PE_PG));
    no_memory = false;
    assert_true(writes(0, CR0_PE | CR0_ET)); /* nothing is loaded */
    assert_true(writes(4, CR4_PAE | CR4_PGE));
    regs[X86_CR0] = PE_PG;
    long_mode(CODE64);
    assert_true(writes(4, CR4_PAE | CR4_PGE));
}

static void dr_general_detect(void **state)
{
    struct vm_exit exit = { .kind = VM_EXIT_DR, .dr = { .dr = 7, .gpr = 0, .write = true, .known = true } };

    (void)state;
    regs[X86_DR7] = DR7_RESET | DR7_GD;
    assert_int_equal(on_dr(&vcpu, &exit), EXIT_RESUME);
    assert_int_equal(fault, X86_DB);
    assert_int_equal(regs[X86_DR7], DR7_RESET);
    assert_true(regs[X86_DR6] & BIT(13));
    vcpu.arch.gpr.rax = BIT(32);
    assert_int_equal(on_dr(&vcpu, &exit), EXIT_RESUME);
    assert_int_equal(fault, X86_GP);
    vcpu.arch.gpr.rax = 0x401;
    assert_int_equal(on_dr(&vcpu, &exit), EXIT_SKIP);
    assert_int_equal(regs[X86_DR7], 0x401);
}

/* The exit of MOV DR comes before the processor's check of the privilege level; that no such register exists, still earlier. */
static void dr_of_user_code(void **state)
{
    struct vm_exit exit = { .kind = VM_EXIT_DR, .cpl = 3, .dr = { .dr = 0, .gpr = 0, .write = true, .known = true } };

    (void)state;
    vcpu.arch.gpr.rax = 0x1234;
    regs[X86_DR7] = DR7_RESET | DR7_GD;
    assert_int_equal(on_dr(&vcpu, &exit), EXIT_RESUME);
    assert_int_equal(fault, X86_GP);
    assert_int_equal(vcpu.arch.dr[0], 0);
    assert_int_equal(regs[X86_DR7], DR7_RESET | DR7_GD);
    regs[X86_CR4] = CR4_DE;
    exit.dr.dr = 4;
    assert_int_equal(on_dr(&vcpu, &exit), EXIT_RESUME);
    assert_int_equal(fault, X86_UD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(cr0_plain, setup), cmocka_unit_test_setup(cr0_stops_paging, setup),
        cmocka_unit_test_setup(cr4_plain, setup), cmocka_unit_test_setup(cr4_starts_pcids, setup),
        cmocka_unit_test_setup(pdptes, setup),    cmocka_unit_test_setup(dr_general_detect, setup),
        cmocka_unit_test_setup(dr_of_user_code, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
