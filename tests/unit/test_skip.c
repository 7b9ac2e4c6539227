/* SPDX-License-Identifier: MIT */
/*
 * Past an instruction: lengths told, cached, decoded; wrapping; shadow and trap flag. The processor
 * is a VMCB: AMD-V is where lengths are not always told.
 * LINK: arch/x86/skip.c arch/x86/svm/svm_regs.c arch/x86/breakpoints.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/x86/cpu/regs.h"
#include "arch/x86/skip.h"
#include "arch/x86/svm/svm.h"
#include "arch/x86/vmem.h"
#include "hv/lib/panic.h"

static struct vmcb vmcb;
static u8 frame[PAGE_SIZE];
static struct arch_cpu cpu;
static struct arch_vm vm;
static struct arch_vcpu v;
static struct x86_event injected;
static enum insn_mode mode;
static u64 cs_base;
static bool fetch_fails, recalls;
static int fetches, walks;
static u8 decoded_len;

void panic(const char *fmt, ...)
{
    fprintf(stderr, "panic: %s\n", fmt);
    abort();
}

static const struct vm_ops ops = { .reg = svm_reg, .set_reg = svm_set_reg, .skip = svm_skip };

struct svm_features svm_features;
void svm_load_tsc_aux(struct arch_vcpu *vcpu) { (void)vcpu; }
const struct vm_ops *vm_ops_get(void) { return &ops; }
enum insn_mode arch_vcpu_code_mode(const struct arch_vcpu *vcpu) { (void)vcpu; return mode; }

void vmem_cache_code(struct arch_vcpu *vcpu)
{
    walks += !cs_base;
    vcpu->fetch.rip = fetch_fails || cs_base ? FETCH_NOWHERE : vmcb.rip & ~PAGE_MASK;
    vcpu->fetch.cr3 = vmcb.cr3;
    vcpu->fetch.at = frame;
}

bool vmem_recall_code(struct arch_vcpu *vcpu, u64 rip, u64 cr3)
{
    if (!recalls)
        return false;
    vcpu->fetch.rip = rip & ~PAGE_MASK;
    vcpu->fetch.cr3 = cr3;
    vcpu->fetch.at = frame;
    return true;
}

bool arch_vcpu_fetch(struct arch_vcpu *vcpu, u8 insn[15], u8 *len, enum insn_mode *m, struct x86_event *fault)
{
    (void)vcpu;
    *m = mode;
    fetches++;
    memset(insn, 0x90, 15);
    *len = 15;
    *fault = (struct x86_event){ .valid = fetch_fails, .vector = X86_PF, .type = X86_EV_EXCEPTION };
    return !fetch_fails;
}

bool insn_decode(const u8 *bytes, u8 len, enum insn_mode m, struct insn *out)
{
    assert_int_equal(len, 15);
    assert_int_equal(bytes[0], 0x90);
    assert_int_equal(m, mode);
    out->len = decoded_len;
    return decoded_len != 0;
}

bool arch_vcpu_inject(struct arch_vcpu *vcpu, const struct x86_event *ev)
{
    (void)vcpu;
    injected = *ev;
    return true;
}

static int setup(void **state)
{
    (void)state;
    memset(&vmcb, 0, sizeof(vmcb));
    memset(frame, 0, sizeof(frame));
    memset(&injected, 0, sizeof(injected));
    vm = (struct arch_vm){ .s2_epoch = 1 };
    v = (struct arch_vcpu){ .vm = &vm, .cpu = &cpu, .hw = &vmcb, .fetch.rip = FETCH_NOWHERE };
    cpu.loaded = &v;
    vmcb.rip = 0x401000;
    vmcb.rflags = RFLAGS_FIXED;
    vmcb.cr3 = 0x1000;
    mode = INSN_64;
    cs_base = 0;
    vmcb.int_state = INTERRUPT_SHADOW;
    fetch_fails = recalls = false;
    fetches = walks = decoded_len = 0;
    return 0;
}

static u64 skipped(struct vm_exit exit)
{
    assert_int_equal(svm_skip(&v, &exit), PITH_OK);
    return vmcb.rip;
}

static u64 skip_bytes(struct vm_exit exit, u64 rip, u8 b0, u8 b1, u8 b2)
{
    vmcb.rip = rip;
    frame[rip & PAGE_MASK] = b0;
    frame[(rip + 1) & PAGE_MASK] = b1;
    frame[(rip + 2) & PAGE_MASK] = b2;
    return skipped(exit) - rip;
}

static void test_told(void **state)
{
    (void)state;
    assert_int_equal(skipped((struct vm_exit){ .kind = VM_EXIT_PIO, .insn_len = 2 }), 0x401002);
    assert_true(vmcb.int_state == 0);
    assert_int_equal(walks + fetches, 0);
    assert_false(injected.valid);
}

static void test_every_encoding(void **state)
{
    static const struct { u8 kind, b[3], len; } c[] = {
        { VM_EXIT_CPUID, { 0x0f, 0xa2 }, 2 },       { VM_EXIT_HLT, { 0xf4 }, 1 },
        { VM_EXIT_MSR, { 0x0f, 0x30 }, 2 },         { VM_EXIT_MSR, { 0x0f, 0x32 }, 2 },
        { VM_EXIT_HYPERCALL, { 0x0f, 1, 0xd9 }, 3 }, { VM_EXIT_HYPERCALL, { 0x0f, 1, 0xc1 }, 3 },
        { VM_EXIT_XSETBV, { 0x0f, 1, 0xd1 }, 3 },   { VM_EXIT_CR, { 0x0f, 0x22, 0xc0 }, 3 },
        { VM_EXIT_DR, { 0x0f, 0x23, 0xf8 }, 3 },    { VM_EXIT_DR, { 0x0f, 0x21, 0xf0 }, 3 },
        { VM_EXIT_PAUSE, { 0xf3, 0x90 }, 2 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
        struct vm_exit exit = { .kind = c[i].kind };

        assert_int_equal(skip_bytes(exit, 0x401000 + i * 8, c[i].b[0], c[i].b[1], c[i].b[2]), c[i].len);
    }
    assert_int_equal(walks, 1); /* one page: the cache has it from the first on */
    assert_int_equal(fetches, 0);
}

static void test_prefix_is_decoded(void **state)
{
    (void)state;
    decoded_len = 3;
    assert_int_equal(skip_bytes((struct vm_exit){ .kind = VM_EXIT_CPUID }, 0x401000, 0x66, 0x0f, 0xa2), 3);
    assert_int_equal(fetches, 1);
}

static void test_kinds_without_encoding_are_decoded(void **state)
{
    (void)state;
    decoded_len = 7; /* a page of zeros must match neither an S2_FAULT nor a string I/O */
    assert_int_equal(skipped((struct vm_exit){ .kind = VM_EXIT_S2_FAULT }), 0x401007);
    assert_int_equal(skipped((struct vm_exit){ .kind = VM_EXIT_PIO }), 0x40100e);
    assert_int_equal(skipped((struct vm_exit){ .kind = VM_EXIT_INSN, .insn.which = X86_INSN_VIRT }), 0x401015);
    assert_int_equal(fetches, 3);
}

static void test_cache_key(void **state)
{
    const struct vm_exit cpuid = { .kind = VM_EXIT_CPUID };

    (void)state;
    skip_bytes(cpuid, 0x401000, 0x0f, 0xa2, 0);
    skip_bytes(cpuid, 0x401ff0, 0x0f, 0xa2, 0);
    assert_int_equal(walks, 1);
    skip_bytes(cpuid, 0x402000, 0x0f, 0xa2, 0); /* another page */
    assert_int_equal(walks, 2);
    vmcb.cr3 = 0x2000;
    skip_bytes(cpuid, 0x402000, 0x0f, 0xa2, 0);
    assert_int_equal(walks, 3);
    v.fetch.rip = FETCH_NOWHERE; /* as tags_prepare() does when rights were taken away */
    skip_bytes(cpuid, 0x402000, 0x0f, 0xa2, 0);
    assert_int_equal(walks, 4);
    skip_bytes(cpuid, 0x402000, 0x0f, 0xa2, 0);
    assert_int_equal(walks, 4);
    assert_int_equal(fetches, 0);
}

/* A page that is remembered needs no walk as long as the instruction is seen in it. */
static void test_recalled(void **state)
{
    const struct vm_exit cpuid = { .kind = VM_EXIT_CPUID };

    (void)state;
    recalls = true;
    assert_int_equal(skip_bytes(cpuid, 0x401000, 0x0f, 0xa2, 0), 2);
    assert_int_equal(skip_bytes(cpuid, 0x402000, 0x0f, 0xa2, 0), 2);
    assert_int_equal(walks + fetches, 0);
    decoded_len = 3;
    assert_int_equal(skip_bytes(cpuid, 0x403000, 0x66, 0x0f, 0xa2), 3);
    assert_int_equal(walks, 1);
    assert_int_equal(fetches, 1);
}

static void test_end_of_page(void **state)
{
    (void)state;
    decoded_len = 2;
    vmcb.rip = 0x401ffe;
    assert_int_equal(skipped((struct vm_exit){ .kind = VM_EXIT_CPUID }), 0x402000);
    assert_int_equal(fetches, 1);
}

static void test_segment_base_is_not_cached(void **state)
{
    (void)state;
    cs_base = 0x10;
    decoded_len = 2;
    assert_int_equal(skip_bytes((struct vm_exit){ .kind = VM_EXIT_CPUID }, 0x1000, 0x0f, 0xa2, 0), 2);
    assert_int_equal(fetches, 1);
    assert_true(v.fetch.rip == FETCH_NOWHERE);
}

static void test_wrap(void **state)
{
    static const struct { enum insn_mode mode; u64 rip, next; } c[] = {
        { INSN_16, 0xfffe, 0x0000 },
        { INSN_16, 0xfffd, 0xffff },
        { INSN_32, 0xfffe, 0x10000 },
        { INSN_32, 0xfffffffe, 0 },
        { INSN_64, 0xfffffffe, 0x100000000 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
        mode = c[i].mode;
        vmcb.rip = c[i].rip;
        assert_int_equal(skipped((struct vm_exit){ .kind = VM_EXIT_PIO, .insn_len = 2 }), c[i].next);
    }
}

static void test_trap_flag(void **state)
{
    (void)state;
    vmcb.rflags |= RFLAGS_TF | RFLAGS_RF;
    vmcb.dr6 = DR6_RESET;
    skipped((struct vm_exit){ .kind = VM_EXIT_CPUID, .insn_len = 2 });
    assert_true(injected.valid);
    assert_int_equal(injected.vector, X86_DB);
    assert_int_equal(injected.type, X86_EV_EXCEPTION);
    assert_false(injected.has_error);
    assert_true(vmcb.dr6 == (DR6_RESET | DR6_BS));
    assert_true(vmcb.rflags == (RFLAGS_FIXED | RFLAGS_TF));
}

static void test_code_gone(void **state)
{
    (void)state;
    fetch_fails = true;
    assert_int_equal(skipped((struct vm_exit){ .kind = VM_EXIT_CPUID }), 0x401000);
    assert_true(injected.valid);
    assert_int_equal(injected.vector, X86_PF);
    assert_true(vmcb.int_state == INTERRUPT_SHADOW);
}

static void test_undecodable(void **state)
{
    struct vm_exit exit = { .kind = VM_EXIT_CPUID };

    (void)state;
    assert_int_equal(svm_skip(&v, &exit), PITH_E_STATE);
    assert_int_equal(vmcb.rip, 0x401000);
    assert_false(injected.valid);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_told, setup),
        cmocka_unit_test_setup(test_every_encoding, setup),
        cmocka_unit_test_setup(test_prefix_is_decoded, setup),
        cmocka_unit_test_setup(test_kinds_without_encoding_are_decoded, setup),
        cmocka_unit_test_setup(test_cache_key, setup),
        cmocka_unit_test_setup(test_recalled, setup),
        cmocka_unit_test_setup(test_end_of_page, setup),
        cmocka_unit_test_setup(test_segment_base_is_not_cached, setup),
        cmocka_unit_test_setup(test_wrap, setup),
        cmocka_unit_test_setup(test_trap_flag, setup),
        cmocka_unit_test_setup(test_code_gone, setup),
        cmocka_unit_test_setup(test_undecodable, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
