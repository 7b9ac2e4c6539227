/* SPDX-License-Identifier: MIT */
/*
 * VT-x exits decoded from raw fields, EPT entries and MSR bitmap.
 * LINK: arch/x86/vmx/vmx_decode.c arch/x86/vmx/vmx_encode.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "arch/x86/cpu/regs.h"
#include "arch/x86/vmx/vmcs.h"
#include "arch/x86/vmx/vmx.h"
#include "arch/x86/vmx/vmx_decode.h"

#define RING3 0x60f3u /* access rights of a DPL 3 stack segment */

static struct vm_exit decode(struct vmx_raw raw)
{
    struct vm_exit exit;

    memset(&exit, 0xaa, sizeof(exit)); /* nothing may be left from before */
    vmx_decode(vmx_reason_info(raw.reason), &raw, &exit);
    return exit;
}

static void pio(void **state)
{
    struct vm_exit x = decode((struct vmx_raw){ .reason = VMX_IO, .qual = 0x03f80008, .len = 1, .ss_rights = RING3 });

    (void)state;
    assert_int_equal(x.kind, VM_EXIT_PIO);
    assert_int_equal(x.pio.port, 0x3f8);
    assert_int_equal(x.pio.size, 1);
    assert_true(x.pio.in);
    assert_false(x.pio.string);
    assert_false(x.pio.rep);
    assert_int_equal(x.insn_len, 1);
    assert_int_equal(x.pio.addr_size, 0);
    assert_int_equal(x.pio.seg, 0xff);

    x = decode((struct vmx_raw){ .reason = VMX_IO, .qual = 0xffff0000 | 3 | BIT(6) });
    assert_int_equal(x.pio.port, 0xffff);
    assert_int_equal(x.pio.size, 4);
    assert_false(x.pio.in);
}

static void pio_string(void **state)
{
    u64 rep_outs = 0x00700000 | 1 | BIT(4) | BIT(5), ins = 0x00700000 | BIT(3) | BIT(4);
    struct vm_exit x;

    (void)state;
    x = decode((struct vmx_raw){ .reason = VMX_IO, .qual = rep_outs, .info = 1u << 7 | X86_GS << 15, .io_info = true });
    assert_true(x.pio.string && x.pio.rep && !x.pio.in);
    assert_int_equal(x.pio.size, 2);
    assert_int_equal(x.pio.addr_size, 4);
    assert_int_equal(x.pio.seg, X86_GS);

    x = decode((struct vmx_raw){ .reason = VMX_IO, .qual = ins, .info = 2u << 7 | X86_GS << 15, .io_info = true });
    assert_int_equal(x.pio.addr_size, 8);
    assert_int_equal(x.pio.seg, X86_ES);

    x = decode((struct vmx_raw){ .reason = VMX_IO, .qual = ins, .info = 2u << 7, .io_info = false });
    assert_int_equal(x.pio.addr_size, 0);
    assert_int_equal(x.pio.seg, 0xff);
}

static void cr_and_dr(void **state)
{
    struct vm_exit x = decode((struct vmx_raw){ .reason = VMX_CR_ACCESS, .qual = 0x0f00, .len = 4 });

    (void)state;
    assert_int_equal(x.kind, VM_EXIT_CR);
    assert_true(x.cr.write && x.cr.known);
    assert_int_equal(x.cr.cr, 0);
    assert_int_equal(x.cr.gpr, 15);
    assert_int_equal(x.insn_len, 4);
    x = decode((struct vmx_raw){ .reason = VMX_CR_ACCESS, .qual = 0x0018 | 3 << 8, .len = 4 });
    assert_false(x.cr.write);
    assert_int_equal(x.cr.cr, 8);
    assert_int_equal(x.cr.gpr, 3);

    x = decode((struct vmx_raw){ .reason = VMX_MOV_DR, .qual = 7 | 6 << 8, .len = 3 });
    assert_int_equal(x.kind, VM_EXIT_DR);
    assert_true(x.dr.write && x.dr.known);
    assert_int_equal(x.dr.dr, 7);
    assert_int_equal(x.dr.gpr, 6);
    assert_int_equal(decode((struct vmx_raw){ .reason = VMX_MOV_DR, .ss_rights = RING3 }).cpl, 3);
    assert_false(decode((struct vmx_raw){ .reason = VMX_MOV_DR, .qual = 6 | BIT(4) }).dr.write);
}

static void msr(void **state)
{
    struct vm_exit x = decode((struct vmx_raw){ .reason = VMX_RDMSR, .rcx = MSR_EFER, .len = 2 });

    (void)state;
    assert_int_equal(x.kind, VM_EXIT_MSR);
    assert_int_equal(x.msr.index, MSR_EFER);
    assert_false(x.msr.write);
    assert_true(decode((struct vmx_raw){ .reason = VMX_WRMSR }).msr.write);
}

static void ept_violation(void **state)
{
    u64 mmio = EPTQ_WRITE | EPTQ_LINEAR_VALID | EPTQ_TRANSLATED;
    struct vm_exit x = decode((struct vmx_raw){ .reason = VMX_EPT_VIOLATION, .qual = mmio, .gpa = 0xfee000b0, .len = 9 });

    (void)state;
    assert_int_equal(x.kind, VM_EXIT_S2_FAULT);
    assert_true(x.s2.gpa == 0xfee000b0);
    assert_true(x.s2.write && !x.s2.fetch && !x.s2.mapped && !x.s2.walk);
    assert_int_equal(x.insn_len, 0); /* not defined for EPT violations, whatever is in the field */

    x = decode((struct vmx_raw){ .reason = VMX_EPT_VIOLATION, .qual = EPTQ_FETCH | BIT(3) | EPTQ_LINEAR_VALID });
    assert_true(x.s2.fetch && !x.s2.write && x.s2.mapped && x.s2.walk);
    x = decode((struct vmx_raw){ .reason = VMX_EPT_VIOLATION, .qual = 1 });
    assert_true(x.s2.walk); /* PDPTEs have no linear address */
}

static void exceptions(void **state)
{
    struct vm_exit x = decode((struct vmx_raw){ .reason = 0, .intr = INTR_VALID | 3 << 8 | X86_DB, .qual = DR6_BS });

    (void)state;
    assert_int_equal(x.kind, VM_EXIT_EXCEPTION);
    assert_int_equal(x.exception.vector, X86_DB);
    assert_true(x.exception.info == DR6_BS);
    assert_false(x.exception.has_error);

    x = decode((struct vmx_raw){ .reason = 0, .intr = INTR_VALID | INTR_ERROR_CODE | 3 << 8 | X86_AC, .intr_error = 5 });
    assert_true(x.exception.has_error);
    assert_int_equal(x.exception.error, 5);

    assert_int_equal(decode((struct vmx_raw){ .intr = INTR_VALID | 2 << 8 | 2 }).kind, VM_EXIT_NMI);
    x = decode((struct vmx_raw){ .intr = INTR_VALID | 3 << 8 | X86_MC });
    assert_int_equal(x.kind, VM_EXIT_OTHER);
    assert_non_null(x.failed.what);
}

/* Anywhere else it is an instruction that there is not. */
static void hypercall_mode(void **state)
{
    static const struct { u64 cr0; u32 rights; u8 kind; } c[] = {
        { CR0_PE, 0, VM_EXIT_HYPERCALL }, { CR0_PE, RING3, VM_EXIT_INSN }, { 0, 0, VM_EXIT_INSN },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
        struct vm_exit x = decode((struct vmx_raw){ .reason = VMX_VMCALL, .len = 5, .cr0 = c[i].cr0, .ss_rights = c[i].rights });

        assert_int_equal(x.kind, c[i].kind);
        assert_int_equal(x.insn_len, 3); /* whatever the processor says */
        if (x.kind == VM_EXIT_INSN)
            assert_int_equal(x.insn.which, X86_INSN_VIRT);
    }
}

static void plain_kinds(void **state)
{
    static const struct { u32 reason; u8 kind, len, which; } cases[] = {
        { VMX_EXTINT, VM_EXIT_HOST_IRQ, 0, 0 },        { VMX_TRIPLE_FAULT, VM_EXIT_SHUTDOWN, 0, 0 },
        { VMX_INIT, VM_EXIT_NMI, 0, 0 },               { VMX_INTR_WINDOW, VM_EXIT_WINDOW, 0, 0 },
        { VMX_NMI_WINDOW, VM_EXIT_WINDOW, 0, 0 },      { VMX_TPR_BELOW, VM_EXIT_WINDOW, 0, 0 },
        { VMX_TASK_SWITCH, VM_EXIT_TASK_SWITCH, 5, 0 }, { VMX_CPUID, VM_EXIT_CPUID, 5, 0 },
        { VMX_HLT, VM_EXIT_HLT, 5, 0 },                { VMX_PAUSE, VM_EXIT_PAUSE, 5, 0 },
        { VMX_PREEMPTION, VM_EXIT_PREEMPT, 0, 0 },     { VMX_XSETBV, VM_EXIT_XSETBV, 5, 0 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct vm_exit x = decode((struct vmx_raw){ .reason = cases[i].reason, .len = 5 });

        assert_int_equal(x.kind, cases[i].kind);
        assert_int_equal(x.insn_len, cases[i].len);
        assert_int_equal(x.hw_reason, cases[i].reason);
    }
    assert_int_equal(decode((struct vmx_raw){ .reason = VMX_VMCALL, .ss_rights = RING3 }).cpl, 3);
    for (u32 by = TASK_CALL; by <= TASK_GATE; by++) { /* SDM 3, "Exit Qualification for Task Switches" */
        struct vm_exit x = decode((struct vmx_raw){ .reason = VMX_TASK_SWITCH, .qual = (u64)by << 30 | 0x1238 });

        assert_int_equal(x.task.selector, 0x1238);
        assert_int_equal(x.task.by, by);
    }
}

static void insns(void **state)
{
    static const struct { u32 reason; u8 which; } cases[] = {
        { VMX_INVD, X86_INSN_INVD },       { VMX_WBINVD, X86_INSN_WBINVD }, { VMX_RDPMC, X86_INSN_RDPMC },
        { VMX_MONITOR, X86_INSN_MONITOR }, { VMX_MWAIT, X86_INSN_MWAIT },   { VMX_RSM, X86_INSN_RSM },
    };
    static const u32 virt[] = { VMX_GETSEC, VMX_INVEPT, VMX_INVVPID, VMX_VMFUNC };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct vm_exit x = decode((struct vmx_raw){ .reason = cases[i].reason, .len = 2 });

        assert_int_equal(x.kind, VM_EXIT_INSN);
        assert_int_equal(x.insn.which, cases[i].which);
        assert_int_equal(x.insn_len, 2);
    }
    for (u32 r = VMX_VMCLEAR; r <= VMX_VMXON; r++)
        assert_int_equal(decode((struct vmx_raw){ .reason = r, .len = 3 }).insn.which, X86_INSN_VIRT);
    for (size_t i = 0; i < ARRAY_SIZE(virt); i++) {
        struct vm_exit x = decode((struct vmx_raw){ .reason = virt[i], .len = 3 });

        assert_int_equal(x.insn.which, X86_INSN_VIRT);
        assert_int_equal(x.insn_len, 0); /* never skipped */
    }
}

static void failures(void **state)
{
    struct vm_exit x = decode((struct vmx_raw){ .reason = VMX_INVALID_GUEST | 0x80000000u, .qual = 4 });

    (void)state;
    assert_int_equal(x.kind, VM_EXIT_ENTRY_FAILED);
    assert_string_equal(x.failed.what, "VM-entry failure due to invalid guest state");
    assert_true(x.failed.detail == 4);
    assert_int_equal(x.hw_reason, 0x80000021u);

    x = decode((struct vmx_raw){ .reason = VMX_CPUID | 0x80000000u });
    assert_int_equal(x.kind, VM_EXIT_ENTRY_FAILED);
    assert_non_null(x.failed.what);
    x = decode((struct vmx_raw){ .reason = VMX_EPT_MISCONFIG, .gpa = 0x1000 });
    assert_int_equal(x.kind, VM_EXIT_OTHER);
    assert_true(x.failed.detail == 0x1000);
    assert_int_equal(decode((struct vmx_raw){ .reason = 0xffff }).kind, VM_EXIT_OTHER);
    assert_int_equal(decode((struct vmx_raw){ .reason = 6 }).kind, VM_EXIT_OTHER);

    for (u32 r = 0; r < 0x10000; r++) {
        u8 kind = decode((struct vmx_raw){ .reason = r }).kind;

        assert_int_equal(kind == VM_EXIT_HOST_IRQ, r == VMX_EXTINT); /* no reason is forgotten and taken for kind 0 */
        assert_true(r < VMX_REASONS || kind == VM_EXIT_OTHER);
    }

    assert_string_equal(vmx_instruction_error(7), "VM entry with invalid control field(s)");
    assert_non_null(vmx_instruction_error(14));
    assert_non_null(vmx_instruction_error(~0ull));
}

static void vectoring(void **state)
{
    struct vmx_raw raw = { .reason = VMX_EPT_VIOLATION, .vectoring = 0x300, .len = 2 };
    struct x86_event ev = { .vector = 77 };

    (void)state;
    assert_false(vmx_decode_vectoring(&raw, &ev));
    assert_int_equal(ev.vector, 77);

    raw.vectoring = INTR_VALID | INTR_ERROR_CODE | X86_EV_EXCEPTION << 8 | X86_PF;
    raw.vectoring_error = 6;
    assert_true(vmx_decode_vectoring(&raw, &ev));
    assert_true(ev.valid && ev.has_error);
    assert_int_equal(ev.vector, X86_PF);
    assert_int_equal(ev.type, X86_EV_EXCEPTION);
    assert_int_equal(ev.error, 6);
    assert_int_equal(ev.insn_len, 0);

    raw.vectoring = (u32)INTR_VALID | X86_EV_SOFT_INT << 8 | 0x80;
    assert_true(vmx_decode_vectoring(&raw, &ev));
    assert_int_equal(ev.insn_len, 2);
    assert_false(ev.has_error);
    assert_int_equal(ev.error, 0);
}

static void nmi_unblocked(void **state)
{
    struct vmx_raw ept = { .reason = VMX_EPT_VIOLATION, .qual = EPTQ_NMI_UNBLOCKED };
    struct vmx_raw exc = { .reason = 0, .intr = INTR_VALID | INTR_NMI_UNBLOCKED | 3 << 8 | X86_AC };

    (void)state;
    assert_true(vmx_nmi_unblocked(&ept));
    assert_true(vmx_nmi_unblocked(&exc));
    ept.vectoring = INTR_VALID;
    assert_false(vmx_nmi_unblocked(&ept));
    exc.intr = INTR_VALID | INTR_NMI_UNBLOCKED | 3 << 8 | X86_DF;
    assert_false(vmx_nmi_unblocked(&exc));
    assert_false(vmx_nmi_unblocked(&(struct vmx_raw){ .reason = VMX_CPUID, .intr = INTR_NMI_UNBLOCKED }));
}

static void needs_are_few(void **state)
{
    (void)state;
    assert_int_equal(vmx_reason_info(VMX_CPUID)->needs, VMX_NEED_LEN);
    assert_int_equal(vmx_reason_info(VMX_EXTINT)->needs, 0);
    assert_true(vmx_reason_info(VMX_EPT_VIOLATION)->needs & VMX_NEED_VECTORING);
    assert_false(vmx_reason_info(VMX_EPT_VIOLATION)->needs & VMX_NEED_LEN);
    assert_int_equal(vmx_reason_info(0xffff)->needs, VMX_NEED_QUAL);
    assert_int_equal(vmx_reason_info(VMX_INVALID_GUEST | 0x80000000u)->needs, VMX_NEED_QUAL);
}

static void int1(void **state)
{
    (void)state;
    assert_true(vmx_is_int1(&(struct vmx_raw){ .intr = 0x80000501 }));
    assert_false(vmx_is_int1(&(struct vmx_raw){ .intr = 0x80000301 }));               /* a trap */
    assert_false(vmx_is_int1(&(struct vmx_raw){ .intr = 0x80000602 }));               /* INT3 */
    assert_false(vmx_is_int1(&(struct vmx_raw){ .intr = 0x80000501, .reason = VMX_CPUID })); /* stale */
}

static void cores_suit(void **state)
{
    const struct vmx_hw first = {
        .control = { 0x16, 0x12, 0x2, 0, 0x11 },
        .allowed = { 0xff00000016, 0xff00000010, 0xff00000000, 0xff00000000, 0xff00000011 },
        .revision = 4, .ept_vpid = EPT_CAP_WALK4 | EPT_CAP_1G, .cr0_must = 0x20, .cr4_must = 0x2000, .cr4_can = 0x3727ff,
        .timer_shift = 5, .timer = true, .io_info = true, .tsc_aux = true,
    };
    struct vmx_hw mine = first;

    (void)state;
    assert_true(vmx_suits(&first, &mine));
    mine.ept_vpid |= EPT_CAP_2M | BIT(22); /* having more is no harm */
    mine.cr4_can |= BIT(22);
    mine.allowed[VMX_SECONDARY] = 0xffff00000002;
    mine.control[VMX_SECONDARY] = 0xf2;
    assert_true(vmx_suits(&first, &mine));

#define LACKS(change) \
    do { \
        mine = first; \
        mine.change; \
        assert_false(vmx_suits(&first, &mine)); \
    } while (0)
    LACKS(allowed[VMX_PIN] = 0xf000000016);         /* 0x06 may not be 1 */
    LACKS(allowed[VMX_PROC] = 0xff00000014);        /* 0x04 must be 1 */
    LACKS(revision = 5);
    LACKS(ept_vpid = EPT_CAP_WALK4 | EPT_CAP_2M);
    LACKS(cr0_must = 0x21);
    LACKS(cr4_must = 0);
    LACKS(cr4_can = 0x3527ff);
    LACKS(timer = false);
    LACKS(timer_shift = 6);
    LACKS(io_info = false);
    LACKS(tsc_aux = false);
#undef LACKS
}

static void ept_entries(void **state)
{
    (void)state;
    assert_true(vmx_s2_leaf(0x1000, 1, S2_RWX, S2_WB) == 0x1037);
    assert_true(vmx_s2_leaf(0x200000, 2, S2_RW, S2_WB) == 0x2000b3);
    assert_true(vmx_s2_leaf(0x40000000, 3, S2_R, S2_UC) == 0x40000081);
    assert_true(vmx_s2_leaf(0x1000, 1, S2_W, S2_WB) == 0x1033);     /* write-only would be a misconfiguration */
    assert_true(vmx_s2_leaf(0x1000, 1, S2_X, S2_UC) == 0x1005);
    assert_true((vmx_s2_leaf(0x1000, 1, S2_NONE, S2_WB) & 7) == 0);
    assert_true(vmx_s2_table(0x5000) == 0x5007);
}

static void msr_bitmap(void **state)
{
    static u8 map[4096];
    static const struct { u32 msr; size_t byte; } cases[] = {
        { 0x10, 2 }, { 0x1fff, 0x3ff }, { 0xc0000080, 0x410 }, { 0xc0001fff, 0x7ff },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        u8 bit = (u8)(1u << (cases[i].msr & 7));

        memset(map, 0xff, sizeof(map));
        vmx_trap_msr(map, cases[i].msr, false, true);
        assert_int_equal(map[cases[i].byte], (u8)~bit);
        assert_int_equal(map[cases[i].byte + 2048], 0xff);
        vmx_trap_msr(map, cases[i].msr, true, false);
        assert_int_equal(map[cases[i].byte], 0xff);
        assert_int_equal(map[cases[i].byte + 2048], (u8)~bit);
    }
    memset(map, 0xff, sizeof(map));
    vmx_trap_msr(map, 0x2000, false, false);
    vmx_trap_msr(map, 0xbfffffff, false, false);
    vmx_trap_msr(map, 0xc0002000, false, false);
    for (size_t i = 0; i < sizeof(map); i++)
        assert_int_equal(map[i], 0xff);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pio),         cmocka_unit_test(pio_string),    cmocka_unit_test(cr_and_dr),
        cmocka_unit_test(msr),         cmocka_unit_test(ept_violation), cmocka_unit_test(exceptions),
        cmocka_unit_test(hypercall_mode),
        cmocka_unit_test(plain_kinds), cmocka_unit_test(insns),         cmocka_unit_test(failures),
        cmocka_unit_test(vectoring),   cmocka_unit_test(nmi_unblocked), cmocka_unit_test(needs_are_few),
        cmocka_unit_test(ept_entries), cmocka_unit_test(msr_bitmap),    cmocka_unit_test(int1),
        cmocka_unit_test(cores_suit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
