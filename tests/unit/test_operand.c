/* SPDX-License-Identifier: MIT */
/*
 * Memory operands: what is checked before an access, and how it is cut for RAM and bus.
 * LINK: hv/operand.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "arch/x86/cpu/regs.h"
#include "hv/bus.h"
#include "hv/operand.h"
#include "hv/partition.h"

#define RAM_PAGES 2 /* linear and guest-physical addresses below are RAM, the rest is the bus */
#define MISSING   0x7000ull

static u64 regs[X86_REGS];
static struct x86_segment segs[X86_SEGS];
static u8 ram[RAM_PAGES * PAGE_SIZE];
static struct { u64 addr, val; u8 size; bool write; } seen[32];
static u32 nr_seen;
static u64 translated[4];
static u32 nr_translated;
static struct partition part;
static struct vcpu v;
static struct insn in;
static struct operand op;
static struct x86_event fault;

u64 arch_vcpu_reg(const struct arch_vcpu *a, enum x86_reg reg) { (void)a; return regs[reg]; }
void arch_vcpu_seg(const struct arch_vcpu *a, enum x86_seg seg, struct x86_segment *out) { (void)a; *out = segs[seg]; }

bool arch_vcpu_translate(struct arch_vcpu *a, u64 linear, bool write, gpa_t *gpa, struct x86_event *f)
{
    u8 vector = (s64)(linear << 16) >> 16 != (s64)linear ? X86_GP : (linear & ~PAGE_MASK) == MISSING ? X86_PF : 0;

    (void)a, (void)write;
    translated[nr_translated++ % 4] = linear;
    *gpa = linear;
    *f = (struct x86_event){ .vector = vector, .valid = true, .has_error = true, .cr2 = linear };
    return !vector;
}

enum pith_status arch_vm_read(const struct arch_vm *vm, gpa_t gpa, void *buf, size_t len)
{
    (void)vm;
    if (gpa + len > sizeof(ram))
        return PITH_E_ARG;
    memcpy(buf, ram + gpa, len);
    return PITH_OK;
}

enum pith_status arch_vm_write(const struct arch_vm *vm, gpa_t gpa, const void *buf, size_t len)
{
    (void)vm;
    if (gpa + len > sizeof(ram))
        return PITH_E_ARG;
    memcpy(ram + gpa, buf, len);
    return PITH_OK;
}

void bus_mmio(struct vcpu *vcpu, struct bus_access *a)
{
    (void)vcpu;
    seen[nr_seen].addr = a->addr;
    seen[nr_seen].size = a->size;
    seen[nr_seen].write = a->write;
    seen[nr_seen++].val = a->val;
    if (!a->write)
        a->val = 0x0807060504030201 & (a->size == 8 ? ~0ull : BIT(8 * a->size) - 1);
}

static int setup(void **state)
{
    (void)state;
    memset(regs, 0, sizeof(regs));
    memset(ram, 0, sizeof(ram));
    nr_seen = nr_translated = 0;
    regs[X86_CR0] = CR0_PE | CR0_PG;
    for (u32 i = 0; i < X86_SEGS; i++)
        segs[i] = (struct x86_segment){ .limit = 0xffffffff, .attr = 0xc093 };
    v.part = &part;
    in = (struct insn){ .mode = INSN_32 };
    return 0;
}

/* The vector that an access raises, 0: none. */
static int raises(u8 seg, u64 offset, u8 size, bool write)
{
    if (operand_map(&v, &in, seg, offset, size, write, &op, &fault))
        return 0;
    assert_true(fault.valid && fault.has_error && (fault.vector == X86_PF || fault.error == 0));
    return fault.vector;
}

static void limits(void **state)
{
    (void)state;
    segs[X86_DS].limit = segs[X86_SS].limit = 0xfff;
    assert_int_equal(raises(X86_DS, 0xffc, 4, true), 0);
    assert_int_equal(raises(X86_DS, 0xffd, 4, true), X86_GP);
    assert_int_equal(raises(X86_SS, 0xffd, 4, false), X86_SS_FAULT);
    assert_int_equal(raises(X86_DS, 0xffffffff, 2, false), X86_GP);
    segs[X86_DS].attr = 0x97; /* expand-down, 16-bit */
    assert_int_equal(raises(X86_DS, 0xfff, 1, true), X86_GP);
    assert_int_equal(raises(X86_DS, 0x1000, 1, true), 0);
    assert_int_equal(raises(X86_DS, 0xfffe, 2, true), 0);
    assert_int_equal(raises(X86_DS, 0xffff, 2, true), X86_GP);
    segs[X86_DS].attr = 0x4097; /* 32-bit */
    assert_int_equal(raises(X86_DS, 0xffff, 2, true), 0);
    assert_int_equal(raises(X86_DS, 0xffffffff, 2, true), X86_GP);
    in.mode = INSN_64;
    assert_int_equal(raises(X86_DS, 0x10, 4, true), 0);
}

static void types(void **state)
{
    static const struct { u32 attr; bool read, write; } kinds[] = {
        { 0x93, true, true }, { 0x91, true, false }, { 0x9b, true, false }, { 0x99, false, false },
        { 0x13, false, false }, { 0x93 | X86_SEG_UNUSABLE, false, false }, { 0x10000, false, false },
    };

    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(kinds); i++) {
        segs[X86_ES].attr = kinds[i].attr;
        assert_int_equal(raises(X86_ES, 0, 4, false), kinds[i].read ? 0 : X86_GP);
        assert_int_equal(raises(X86_ES, 0, 4, true), kinds[i].write ? 0 : X86_GP);
        regs[X86_RFLAGS] = RFLAGS_VM; /* limits only */
        assert_int_equal(raises(X86_ES, 0, 4, true), 0);
        regs[X86_RFLAGS] = 0;
        regs[X86_CR0] &= ~CR0_PE;
        assert_int_equal(raises(X86_ES, 0, 4, true), 0);
        regs[X86_CR0] |= CR0_PE;
    }
}

static void addresses(void **state)
{
    (void)state;
    segs[X86_DS].base = 0xfffff000;
    segs[X86_FS].base = 0x4000;
    assert_int_equal(raises(X86_DS, 0xffe, 4, false), 0); /* linear addresses wrap */
    assert_true(nr_translated == 2 && translated[0] == 0xfffffffe && translated[1] == 0);
    assert_true(op.first == 2 && op.size == 4);
    in.mode = INSN_64;
    assert_true(operand_linear(&v, &in, X86_DS, 0x10) == 0x10);
    assert_true(operand_linear(&v, &in, X86_FS, 0x10) == 0x4010);
    assert_int_equal(raises(X86_DS, 0xfffffffe, 4, false), 0);
    assert_true(translated[3] == 0x100000000);
    assert_int_equal(raises(X86_DS, BIT(47), 1, false), X86_GP);
    assert_int_equal(raises(X86_SS, BIT(47), 1, false), X86_SS_FAULT);
    assert_int_equal(raises(X86_DS, MISSING - 1, 2, false), X86_PF);
    assert_true(fault.cr2 == MISSING);
    assert_int_equal(raises(X86_DS, MISSING - 2, 2, false), 0);
}

static void alignment(void **state)
{
    (void)state;
    regs[X86_CR0] |= CR0_AM;
    regs[X86_RFLAGS] = RFLAGS_AC;
    assert_int_equal(raises(X86_DS, 2, 4, false), 0);
    segs[X86_SS].attr |= 3 << 5;
    assert_int_equal(raises(X86_DS, 2, 4, false), X86_AC);
    assert_int_equal(raises(X86_DS, 4, 4, false), 0);
    assert_int_equal(raises(X86_DS, 8, 16, false), 0);
    assert_int_equal(raises(X86_DS, MISSING + 1, 2, false), X86_PF); /* which comes first */
    regs[X86_RFLAGS] = 0;
    assert_int_equal(raises(X86_DS, 2, 4, false), 0);
}

static void check_seen(u32 i, u64 addr, u8 size, bool write, u64 val)
{
    assert_true(i < nr_seen && seen[i].addr == addr && seen[i].size == size && seen[i].write == write);
    if (write)
        assert_true(seen[i].val == val);
}

static void pieces(void **state)
{
    u64 val[4] = { 0x1122334455667788, 0x99aabbccddeeff00, 1, 2 };

    (void)state;
    assert_int_equal(raises(X86_DS, 0x3001, 8, true), 0);
    operand_write(&v, &op, val);
    assert_int_equal(nr_seen, 4);
    check_seen(0, 0x3001, 1, true, 0x88);
    check_seen(1, 0x3002, 2, true, 0x6677);
    check_seen(2, 0x3004, 4, true, 0x22334455);
    check_seen(3, 0x3008, 1, true, 0x11);
    nr_seen = 0;
    assert_int_equal(raises(X86_DS, 0x1ffd, 8, true), 0); /* three bytes of RAM, then none */
    operand_write(&v, &op, val);
    assert_int_equal(nr_seen, 2);
    check_seen(0, 0x2000, 4, true, 0x22334455);
    check_seen(1, 0x2004, 1, true, 0x11);
    assert_memory_equal(ram + 0x1ffc, "\x00\x88\x77\x66", 4);
    operand_read(&v, &op, val);
    assert_true(val[0] == 0x0104030201667788);
    nr_seen = 0;
    assert_int_equal(raises(X86_DS, 0x3000, 32, false), 0);
    operand_read(&v, &op, val);
    assert_int_equal(nr_seen, 4);
    check_seen(3, 0x3018, 8, false, 0);
    assert_true(val[3] == 0x0807060504030201);
    nr_seen = 0;
    op = (struct operand){ .gpa = { 0xfee00080 }, .size = 4, .first = 4, .device = true };
    operand_write(&v, &op, val);
    operand_read(&v, &op, val);
    check_seen(0, 0xfee00080, 4, true, 0x04030201);
    assert_true(nr_seen == 2 && val[0] == 0x04030201);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(limits, setup),    cmocka_unit_test_setup(types, setup),  cmocka_unit_test_setup(addresses, setup),
        cmocka_unit_test_setup(alignment, setup), cmocka_unit_test_setup(pieces, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
