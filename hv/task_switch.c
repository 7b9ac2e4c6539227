/* SPDX-License-Identifier: MIT */
/*
 * Hardware task switches, where the processor leaves them to us (VT-x; on AMD-V none exits). SDM 3, "Task Management". The processor has
 * checked the way to the new task: gate, privileges, descriptor. What faults before all is read is the old task's, then the new one's.
 */
#include "arch/x86/cpu/regs.h"
#include "hv/exit.h"
#include "hv/gpr.h"
#include "hv/lib/string.h"
#include "hv/partition.h"

#define RFLAGS_NT  BIT(14)
#define DR7_LOCAL  0x155ull /* L0-L3, LE */
#define TSS_32     BIT(3)   /* of a TSS' type; clear: the 16-bit kind */
#define BUSY       BIT(1)
#define ATTR_BYTE  5u       /* of a descriptor: type, S, DPL, P */
#define TSS_CR3    28u
#define LINK       2u       /* bytes: the selector of the task that was left */

/* Of a segment's attr: hv/operand.c has the others. */
#define SEG_ACCESSED BIT(0)
#define SEG_RW       BIT(1)
#define SEG_CONFORMS BIT(2)
#define SEG_CODE     BIT(3)
#define SEG_S        BIT(4)
#define SEG_P        BIT(7)
#define SEG_B        BIT(14)
#define SEG_G        BIT(15)
#define SEG_DPL(attr) ((attr) >> 5 & 3)
#define TYPE(attr)    ((attr) & 0x1f) /* S included */
#define TYPE_LDT      2u

/* Both kinds have these in a row, 4 or 2 bytes each, but that the 16-bit kind has neither FS nor GS. */
enum { EIP, EFLAGS, GPR, SEG = GPR + 8, FIELDS = SEG + 7 };
struct tss { u32 field[FIELDS]; }; /* the last one, LDT, is never written */

static u32 width(u32 attr) { return attr & TSS_32 ? 4 : 2; }
static u32 row(u32 attr) { return attr & TSS_32 ? 32 : 14; }
static u32 nr_segs(u32 attr) { return attr & TSS_32 ? 6 : 4; }

/* As the processor itself reads and writes its tables: whatever the CPL. */
static bool table(struct vcpu *v, u64 linear, void *buf, size_t len, bool write, struct x86_event *fault)
{
    u8 *at = buf;

    for (size_t n; len; linear += n, at += n, len -= n) {
        gpa_t gpa;

        linear = (u32)linear;
        n = MIN(len, (size_t)(PAGE_SIZE - (linear & PAGE_MASK)));
        if (!arch_vcpu_translate_table(&v->arch, linear, write, &gpa, fault))
            return false;
        if (write ? arch_vm_write(&v->part->vm, gpa, at, n) != PITH_OK : arch_vm_read(&v->part->vm, gpa, at, n) != PITH_OK)
            memset(at, 0xff, write ? 0 : n); /* a bus that nobody answers on */
    }
    return true;
}

static bool refuse(u8 vector, u32 error, struct x86_event *fault)
{
    *fault = (struct x86_event){
        .vector = vector, .type = X86_EV_EXCEPTION, .valid = true, .has_error = true, .error = error & 0xfffc
    };
    return false;
}

/* @at: where the descriptor is. */
static bool descriptor(struct vcpu *v, u16 selector, u64 *at, struct x86_segment *s, struct x86_event *fault)
{
    struct x86_segment in;
    u64 d;

    arch_vcpu_seg(&v->arch, selector & 4 ? X86_LDTR : X86_GDTR, &in);
    if ((selector & 4 && in.attr & X86_SEG_UNUSABLE) || (selector | 7u) > in.limit)
        return refuse(X86_TS, selector, fault);
    *at = in.base + (selector & 0xfff8u);
    if (!table(v, *at, &d, sizeof(d), false, fault))
        return false;
    s->selector = selector;
    s->base = (d >> 16 & 0xffffff) | (d >> 32 & 0xff000000);
    s->limit = (u32)((d & 0xffff) | (d >> 32 & 0xf0000));
    s->attr = (u32)((d >> 40 & 0xff) | (d >> 40 & 0xf000));
    if (s->attr & SEG_G)
        s->limit = s->limit << 12 | 0xfff;
    return true;
}

static bool mark_descriptor(struct vcpu *v, u64 at, u32 set, u32 clear, struct x86_event *fault)
{
    u8 type;

    if (!table(v, at + ATTR_BYTE, &type, 1, false, fault))
        return false;
    type = (u8)((type & ~clear) | set);
    return table(v, at + ATTR_BYTE, &type, 1, true, fault);
}

static bool suits(enum x86_seg seg, const struct x86_segment *s, u32 cpl)
{
    u32 rpl = s->selector & 3, dpl = SEG_DPL(s->attr);
    bool code = s->attr & SEG_CODE;

    if (!(s->attr & SEG_S))
        return false;
    if (seg == X86_CS)
        return code && (s->attr & SEG_CONFORMS ? dpl <= rpl : dpl == rpl);
    if (seg == X86_SS)
        return !code && (s->attr & SEG_RW) && rpl == cpl && dpl == cpl;
    if (code && !(s->attr & SEG_RW))
        return false;
    return (code && (s->attr & SEG_CONFORMS)) || dpl >= MAX(rpl, cpl);
}

static bool load_segment(struct vcpu *v, enum x86_seg seg, u16 selector, u32 cpl, struct x86_event *fault)
{
    struct x86_segment s;
    u64 at;

    if (!(selector & 0xfffc))
        return seg != X86_CS && seg != X86_SS ? true : refuse(X86_TS, selector, fault);
    if (!descriptor(v, selector, &at, &s, fault))
        return false;
    if (!suits(seg, &s, cpl))
        return refuse(X86_TS, selector, fault);
    if (!(s.attr & SEG_P))
        return refuse(seg == X86_SS ? X86_SS_FAULT : X86_NP, selector, fault);
    if (!(s.attr & SEG_ACCESSED) && !mark_descriptor(v, at, SEG_ACCESSED, 0, fault))
        return false;
    s.attr |= SEG_ACCESSED;
    arch_vcpu_set_seg(&v->arch, seg, &s);
    return true;
}

static bool load_ldt(struct vcpu *v, u16 selector, struct x86_event *fault)
{
    struct x86_segment s = { .selector = selector, .attr = X86_SEG_UNUSABLE };
    u64 at;

    arch_vcpu_set_seg(&v->arch, X86_LDTR, &s);
    if (!(selector & 0xfffc))
        return true;
    if ((selector & 4) || !descriptor(v, selector, &at, &s, fault) || TYPE(s.attr) != TYPE_LDT || !(s.attr & SEG_P))
        return fault->valid ? false : refuse(X86_TS, selector, fault);
    arch_vcpu_set_seg(&v->arch, X86_LDTR, &s);
    return true;
}

/* What faults finds all selectors there, and nothing usable in them but a flat CS. */
static bool load_segments(struct vcpu *v, const struct tss *t, bool v86, struct x86_event *fault)
{
    u32 cpl = v86 ? 3 : t->field[SEG + X86_CS] & 3;

    for (enum x86_seg seg = X86_ES; seg <= X86_GS; seg++) {
        u16 selector = (u16)t->field[SEG + seg];
        struct x86_segment s = { .selector = selector, .attr = X86_SEG_UNUSABLE | cpl << 5 };

        if (v86)
            s = (struct x86_segment){ .selector = selector, .base = (u32)selector << 4, .limit = 0xffff, .attr = 0xf3 };
        else if (seg == X86_CS)
            s = (struct x86_segment){ .selector = selector, .limit = ~0u, .attr = 0xc09b | cpl << 5 };
        arch_vcpu_set_seg(&v->arch, seg, &s);
    }
    if (!load_ldt(v, (u16)t->field[FIELDS - 1], fault))
        return false;
    for (enum x86_seg seg = X86_ES; !v86 && seg <= X86_GS; seg++)
        if (!load_segment(v, seg, (u16)t->field[SEG + seg], cpl, fault))
            return false;
    return true;
}

static void take_registers(const struct vcpu *v, u64 rip, struct tss *t)
{
    struct x86_segment s;

    t->field[EIP] = (u32)rip;
    t->field[EFLAGS] = (u32)arch_vcpu_reg(&v->arch, X86_RFLAGS);
    for (u8 i = 0; i < 8; i++)
        t->field[GPR + i] = (u32)gpr_read(v, i);
    for (enum x86_seg seg = X86_ES; seg <= X86_GS; seg++) {
        arch_vcpu_seg(&v->arch, seg, &s);
        t->field[SEG + seg] = s.selector;
    }
}

/* Between memory and struct tss: @nr fields. */
static bool fields(struct vcpu *v, const struct x86_segment *tr, struct tss *t, u32 nr, bool write, struct x86_event *fault)
{
    u32 w = width(tr->attr);
    u8 raw[sizeof(*t)];

    for (u32 i = 0; write && i < nr; i++)
        memcpy(raw + i * w, &t->field[i], w);
    if (!table(v, tr->base + row(tr->attr), raw, (size_t)nr * w, write, fault))
        return false;
    for (u32 i = 0; !write && i < nr; i++) {
        t->field[i] = 0;
        memcpy(&t->field[i], raw + i * w, w);
    }
    return true;
}

/* All that is in the new TSS, as the 32-bit kind has it. */
static bool read_task(struct vcpu *v, const struct x86_segment *tr, struct tss *t, u32 *cr3, struct x86_event *fault)
{
    u32 segs = nr_segs(tr->attr);

    *cr3 = 0;
    memset(t, 0, sizeof(*t));
    if (!fields(v, tr, t, SEG + segs + 1, false, fault))
        return false;
    t->field[FIELDS - 1] = t->field[SEG + segs];
    if (tr->attr & TSS_32)
        return table(v, tr->base + TSS_CR3, cr3, sizeof(*cr3), false, fault);
    t->field[SEG + X86_FS] = t->field[SEG + X86_GS] = 0; /* what was read there is LDT */
    return true;
}

static bool push_error(struct vcpu *v, u32 size, u32 error, struct x86_event *fault)
{
    struct x86_segment ss;
    u64 esp = arch_vcpu_reg(&v->arch, X86_RSP) - size, mask;

    arch_vcpu_seg(&v->arch, X86_SS, &ss);
    mask = ss.attr & SEG_B ? 0xffffffff : 0xffff;
    if (!table(v, ss.base + (esp & mask), &error, size, true, fault))
        return false;
    arch_vcpu_set_reg(&v->arch, X86_RSP, (arch_vcpu_reg(&v->arch, X86_RSP) & ~mask) | (esp & mask));
    return true;
}

/* Into the new task: no way back from here. */
static bool enter(struct vcpu *v, const struct x86_segment *tr, const struct tss *t, u32 cr3, struct x86_event *fault)
{
    bool v86 = t->field[EFLAGS] & RFLAGS_VM;
    struct x86_segment cs;
    u64 cr0 = arch_vcpu_reg(&v->arch, X86_CR0);

    arch_vcpu_set_seg(&v->arch, X86_TR, tr);
    if ((tr->attr & TSS_32) && (cr0 & CR0_PG))
        arch_vcpu_set_reg(&v->arch, X86_CR3, cr3);
    arch_vcpu_set_reg(&v->arch, X86_CR0, cr0 | CR0_TS);
    arch_vcpu_set_reg(&v->arch, X86_DR7, arch_vcpu_reg(&v->arch, X86_DR7) & ~DR7_LOCAL);
    arch_vcpu_set_reg(&v->arch, X86_RIP, t->field[EIP]);
    arch_vcpu_set_reg(&v->arch, X86_RFLAGS, (t->field[EFLAGS] & 0x3f7fd5) | RFLAGS_FIXED);
    for (u8 i = 0; i < 8; i++)
        gpr_write(v, i, t->field[GPR + i]);
    if (!load_segments(v, t, v86, fault))
        return false;
    arch_vcpu_seg(&v->arch, X86_CS, &cs);
    return t->field[EIP] <= cs.limit ? true : refuse(X86_GP, 0, fault);
}

/* Everything that can fault in the old task is looked at before anything of the new one is there. */
static bool leave(struct vcpu *v, u16 selector, u8 by, u64 rip, struct x86_segment *to, struct tss *t, u32 *cr3, struct x86_event *fault)
{
    bool nested = by == TASK_CALL || by == TASK_GATE;
    struct x86_segment old, in;
    struct tss was;
    u64 at, old_at;

    arch_vcpu_seg(&v->arch, X86_TR, &old);
    arch_vcpu_seg(&v->arch, X86_GDTR, &in);
    old_at = in.base + (old.selector & 0xfff8u);
    take_registers(v, rip, &was);
    if (by == TASK_IRET)
        was.field[EFLAGS] &= ~(u32)RFLAGS_NT;
    if (!descriptor(v, selector, &at, to, fault) || !read_task(v, to, t, cr3, fault) ||
        !fields(v, &old, &was, SEG + nr_segs(old.attr), true, fault))
        return false;
    if (!nested && !mark_descriptor(v, old_at, 0, BUSY, fault))
        return false;
    if (by != TASK_IRET && !mark_descriptor(v, at, BUSY, 0, fault))
        return false;
    to->attr |= BUSY;
    if (!nested)
        return true;
    t->field[EFLAGS] |= RFLAGS_NT;
    return table(v, to->base, &old.selector, LINK, true, fault);
}

enum exit_action on_task_switch(struct vcpu *v, struct vm_exit *exit)
{
    struct x86_event event = v->arch.interrupted, fault = { .valid = false };
    bool by_insn = exit->task.by != TASK_GATE || event.type >= X86_EV_SOFT_INT;
    u64 rip = arch_vcpu_reg(&v->arch, X86_RIP) + (by_insn ? exit->insn_len : 0);
    struct x86_segment tr;
    struct tss t;
    u32 cr3;

    if (!leave(v, exit->task.selector, exit->task.by, rip, &tr, &t, &cr3, &fault)) {
        arch_vcpu_inject(&v->arch, &fault); /* with the event that the switch is for, it may be a double fault */
        return EXIT_RESUME;
    }
    v->arch.interrupted.valid = false;
    if (enter(v, &tr, &t, cr3, &fault) && exit->task.by == TASK_GATE && event.valid && event.has_error)
        (void)push_error(v, width(tr.attr), event.error, &fault);
    if (fault.valid)
        arch_vcpu_inject(&v->arch, &fault);
    return EXIT_RESUME;
}
