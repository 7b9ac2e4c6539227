/* SPDX-License-Identifier: MIT */
/* Ports, and memory that is not RAM. */
#include "arch/x86/cpu/regs.h"
#include "hv/bus.h"
#include "hv/emulate.h"
#include "hv/gpr.h"
#include "hv/partition.h"

#define STRING_CHUNK 32u /* elements of a string instruction an exit: the rest after looking for other work */

/* One element of INS or OUTS. False: *fault was raised before anything happened. */
static bool string_element(struct vcpu *v, const struct insn *in, const struct vm_exit *exit, struct x86_event *fault)
{
    struct bus_access a = { .addr = exit->pio.port, .size = exit->pio.size, .write = !exit->pio.in };
    struct x86_gprs *g = &v->arch.gpr;

    if (!exit->pio.in) {
        if (!arch_vcpu_read(&v->arch, emulate_linear(v, in, in->seg, g->rsi), &a.val, a.size, fault))
            return false;
        bus_pio(v, &a);
        return true;
    }
    bus_pio(v, &a);
    return arch_vcpu_write(&v->arch, emulate_linear(v, in, X86_ES, g->rdi), &a.val, a.size, fault);
}

static __attribute__((noinline)) enum exit_action string_io(struct vcpu *v, struct vm_exit *exit)
{
    enum exit_action act = EXIT_SKIP;
    struct x86_event fault;
    struct insn in;

    if (!emulate_decode(v, &in, &act))
        return act;
    exit->insn_len = in.len;
    if (in.op != INSN_INS && in.op != INSN_OUTS) {
        v->why = "a string I/O exit on another instruction";
        return EXIT_FAIL;
    }
    if (emulate_rep_done(v, &in))
        return EXIT_SKIP;
    for (u32 i = 0; i < STRING_CHUNK; i++) {
        if (!string_element(v, &in, exit, &fault)) {
            arch_vcpu_inject(&v->arch, &fault);
            return EXIT_RESUME;
        }
        if (!emulate_advance(v, &in, !exit->pio.in, exit->pio.in, exit->pio.size))
            return EXIT_SKIP;
    }
    arch_irq_window(); /* not every processor leaves for an interrupt a guest that was entered with IF clear */
    return EXIT_RESUME;
}

enum exit_action on_pio(struct vcpu *v, struct vm_exit *exit)
{
    struct bus_access a = { .addr = exit->pio.port, .size = exit->pio.size, .write = !exit->pio.in };

    u64 mask = size_mask(a.size);

    if (exit->pio.string)
        return string_io(v, exit);
    a.val = v->arch.gpr.rax & mask;
    bus_pio(v, &a);
    if (exit->pio.in) /* 4 bytes clear the upper half of RAX, as everywhere in 64-bit mode */
        v->arch.gpr.rax = (a.size == 4 ? 0 : v->arch.gpr.rax & ~mask) | (a.val & mask);
    return EXIT_SKIP;
}

enum exit_action on_s2_fault(struct vcpu *v, struct vm_exit *exit)
{
    enum s2_prot need = exit->s2.write ? S2_W : exit->s2.fetch ? S2_X : S2_R;
    gpa_t page = exit->s2.gpa & ~PAGE_MASK;
    bool device = page == VLAPIC_BASE || page == VIOAPIC_BASE; /* never RAM */
    hpa_t hpa;

    if (device && !exit->s2.walk && !exit->s2.fetch && !v->arch.interrupted.valid)
        return emulate_mmio(v, exit);
    if (arch_vm_translate(&v->part->vm, exit->s2.gpa, need, &hpa))
        return EXIT_RESUME; /* the map was completed meanwhile */
    if (v->arch.interrupted.valid) {
        v->why = "an event is delivered through memory that is not RAM";
        return EXIT_FAIL;
    }
    if (exit->s2.walk) {
        v->why = "page tables outside of the partition's memory - a wild CR3, or memory = is too small";
        return EXIT_FAIL;
    }
    if (exit->s2.fetch) {
        v->why = "execution outside of the partition's memory - a wild jump, or memory = is too small";
        return EXIT_FAIL;
    }
    if (v->part->conf->flags & MANIFEST_STRICT) {
        v->why = "access to memory that nobody gave it (strict = yes)";
        return EXIT_FAIL;
    }
    return emulate_mmio(v, exit);
}
