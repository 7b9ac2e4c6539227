/* SPDX-License-Identifier: MIT */
/* Ports, and memory that is not RAM. */
#include "arch/x86/cpu/regs.h"
#include "hv/bus.h"
#include "hv/emulate.h"
#include "hv/gpr.h"
#include "hv/partition.h"

static __attribute__((noinline)) enum exit_action string_io(struct vcpu *v, struct vm_exit *exit)
{
    enum exit_action act = EXIT_SKIP;
    const struct insn *in = emulate_decode(v, &act);

    if (!in)
        return act;
    exit->insn_len = in->len;
    if (in->op == INSN_INS || in->op == INSN_OUTS)
        return emulate_string(v, in);
    v->why = "a string I/O exit on another instruction";
    return EXIT_FAIL;
}

/* 4 bytes clear the upper half of RAX, as everywhere in 64-bit mode. */
static u64 into_rax(u64 rax, u64 val, u8 size)
{
    if (size == 1)
        return (rax & ~0xffull) | (u8)val;
    return size == 2 ? (rax & ~0xffffull) | (u16)val : (u32)val;
}

enum exit_action on_pio(struct vcpu *v, struct vm_exit *exit)
{
    struct bus_access a = {
        .addr = exit->pio.port, .size = exit->pio.size, .write = !exit->pio.in,
    };

    if (exit->pio.string)
        return string_io(v, exit);
    if (a.write)
        a.val = into_rax(0, v->arch.gpr.rax, a.size);
    bus_pio(v, &a);
    if (!a.write)
        v->arch.gpr.rax = into_rax(v->arch.gpr.rax, a.val, a.size);
    return EXIT_SKIP;
}

/* Why an access to nothing ends the partition, or NULL. */
static const char *forbidden(const struct vcpu *v, const struct vm_exit *exit)
{
    if (v->arch.interrupted.valid)
        return "an event is delivered through memory that is not RAM";
    if (!(v->part->conf->flags & MANIFEST_STRICT))
        return NULL;
    if (exit->s2.walk)
        return "page tables outside of the partition's memory - a wild CR3, or memory = is too small (strict = yes)";
    if (exit->s2.fetch)
        return "execution outside of the partition's memory - a wild jump, or memory = is too small (strict = yes)";
    return NULL; /* the bus knows whether it is a device */
}

enum exit_action on_s2_fault(struct vcpu *v, struct vm_exit *exit)
{
    enum s2_prot need = exit->s2.write ? S2_W : exit->s2.fetch ? S2_X : S2_R;
    gpa_t page = exit->s2.gpa & ~PAGE_MASK;
    bool device = page == VLAPIC_BASE || page == VIOAPIC_BASE; /* never RAM */
    bool data = !exit->s2.walk && !exit->s2.fetch;
    hpa_t hpa;

    if (device && data && !v->arch.interrupted.valid)
        return emulate_mmio(v, exit);
    if (arch_vm_translate(&v->part->vm, exit->s2.gpa, need, &hpa))
        return EXIT_RESUME; /* the map was completed meanwhile */
    v->why = forbidden(v, exit);
    if (v->why)
        return EXIT_FAIL;
    if (!data) /* all ones: an entry with reserved bits, or no instruction */
        bus_nothing(v);
    return emulate_mmio(v, exit);
}
