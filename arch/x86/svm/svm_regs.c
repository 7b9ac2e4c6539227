/* SPDX-License-Identifier: MIT */
/* Registers and segments of a VMCB, and their values after power-on. */
#include "arch/x86/breakpoints.h"
#include "arch/x86/cpu/insn.h"
#include "arch/x86/cpu/regs.h"
#include "arch/x86/skip.h"
#include "arch/x86/svm/svm.h"
#include "hv/lib/panic.h"

#define FIELD(name) offsetof(struct vmcb, name)
#define CR0_RESET   (CR0_CD | CR0_NW | CR0_ET)
#define SEG_P       BIT(7)

/*
 * CR8 is a part of int_ctl, EFER holds a bit of ours: 0 for those that need more than a load or a
 * store.
 */
static const u16 reg_field[X86_REGS] = {
    [X86_RIP] = FIELD(rip), [X86_RSP] = FIELD(rsp), [X86_RFLAGS] = FIELD(rflags),
    [X86_CR0] = FIELD(cr0), [X86_CR3] = FIELD(cr3), [X86_CR4] = FIELD(cr4),
    [X86_PAT] = FIELD(g_pat), [X86_DR6] = FIELD(dr6),
    [X86_TSC_OFFSET] = FIELD(tsc_offset), [X86_SYSENTER_CS] = FIELD(sysenter_cs), [X86_SYSENTER_ESP] = FIELD(sysenter_esp),
    [X86_SYSENTER_EIP] = FIELD(sysenter_eip), [X86_CR2] = FIELD(cr2),
};

static const u16 seg_field[X86_SEGS] = {
    [X86_ES] = FIELD(es), [X86_CS] = FIELD(cs), [X86_SS] = FIELD(ss), [X86_DS] = FIELD(ds),
    [X86_FS] = FIELD(fs), [X86_GS] = FIELD(gs), [X86_LDTR] = FIELD(ldtr), [X86_TR] = FIELD(tr), [X86_GDTR] = FIELD(gdtr),
    [X86_IDTR] = FIELD(idtr),
};

static struct vmcb_seg *seg_at(const struct arch_vcpu *v, enum x86_seg seg)
{
    return (struct vmcb_seg *)(void *)((u8 *)v->hw + seg_field[seg]);
}

/*
 * Ours are VMX access rights: AVL, L, D/B, G at 15:12. A VMCB has them packed at 11:8 and says
 * "unusable" by P=0.
 */
static u32 attr_of(const struct vmcb_seg *s)
{
    return (s->attrib & 0xffu) | (s->attrib & 0xf00u) << 4;
}

u64 svm_reg(const struct arch_vcpu *v, enum x86_reg reg)
{
    const struct vmcb *vmcb = v->hw;

    if (reg_field[reg])
        return *(const u64 *)(const void *)((const u8 *)vmcb + reg_field[reg]);
    if (reg == X86_EFER)
        return vmcb->efer & ~EFER_SVME;
    if (reg == X86_DR7)
        return v->dr7;
    ASSERT(reg == X86_CR8);
    return svm_cr8(v);
}

/* A #VMEXIT ends V_INTR_MASKING inside the processor: one that is carried out twice saves 0, with the state that was loaded before. */
const char *svm_spoilt(const struct arch_vcpu *v)
{
    const struct vmcb *vmcb = v->hw;

    if (vmcb->int_ctl & V_INTR_MASKING)
        return "the hypervisor's registers are in its VMCB: a mistake of the processor (known of QEMU), not the guest's - restart it";
    return "left twice by one #VMEXIT, as the hypervisor: a mistake of the processor (known of QEMU), not the guest's - restart it";
}

u8 svm_cr8(const struct arch_vcpu *v)
{
    return (u8)(((const struct vmcb *)v->hw)->int_ctl & V_TPR_MASK);
}

void svm_mode(const struct arch_vcpu *v, struct vm_mode *mode)
{
    const struct vmcb *vmcb = v->hw;

    mode->rip = vmcb->rip;
    mode->cr0 = vmcb->cr0;
    mode->cr3 = vmcb->cr3;
    mode->cr4 = vmcb->cr4;
    mode->efer = vmcb->efer & ~EFER_SVME;
    mode->rflags = vmcb->rflags;
    mode->cs_attr = attr_of(&vmcb->cs);
    mode->cpl = vmcb->cpl;
}

/*
 * The tag's translations were made under other paging rules: the next entry takes a new tag. VMRUN
 * itself flushes nothing.
 */
static void drop_translations(struct arch_vcpu *v)
{
    v->tag_cpu = NULL;
    v->plain_epoch = 0;
}

void svm_set_reg(struct arch_vcpu *v, enum x86_reg reg, u64 val)
{
    struct vmcb *vmcb = v->hw;

    switch (reg) {
    case X86_CR8:
        vmcb->int_ctl = (vmcb->int_ctl & ~V_TPR_MASK) | (val & V_TPR_MASK);
        return;
    case X86_EFER:
        vmcb->efer = val | EFER_SVME; /* VMRUN refuses a guest without it */
        drop_translations(v);
        return;
    case X86_DR7: /* what it arms gets to the hardware at entry: that depends on the addresses */
        v->dr7 = val;
        v->plain_epoch = 0;
        vmcb->dr7 = val & ~DR7_ENABLES;
        vmcb->intercept_dr = INTERCEPT_DR_ALL;
        return;
    case X86_CR2:
        write_cr2(val); /* see svm_vcpu_load() */
        break;
    case X86_CR0:
    case X86_CR3:
    case X86_CR4:
    case X86_PAT:
        drop_translations(v);
        break;
    default:
        break;
    }
    ASSERT(reg_field[reg]);
    *(u64 *)(void *)((u8 *)vmcb + reg_field[reg]) = val;
}

void svm_seg(const struct arch_vcpu *v, enum x86_seg seg, struct x86_segment *out)
{
    const struct vmcb_seg *s = seg_at(v, seg);

    out->selector = s->selector;
    out->base = s->base;
    out->limit = s->limit;
    out->attr = attr_of(s);
    if (!(s->attrib & SEG_P) && seg < X86_GDTR)
        out->attr |= X86_SEG_UNUSABLE;
    /* A null SS keeps no attributes, but SS.DPL is the CPL to our readers. */
    if (seg == X86_SS)
        out->attr = (out->attr & ~0x60u) | (u32)((const struct vmcb *)v->hw)->cpl << 5;
}

void svm_set_seg(struct arch_vcpu *v, enum x86_seg seg, const struct x86_segment *in)
{
    struct vmcb_seg *s = seg_at(v, seg);

    s->selector = in->selector;
    s->base = in->base;
    s->limit = in->limit;
    s->attrib = (u16)((in->attr & 0xff) | (in->attr >> 4 & 0xf00));
    if (in->attr & X86_SEG_UNUSABLE)
        s->attrib = 0;
    if (seg == X86_SS)
        ((struct vmcb *)v->hw)->cpl = (u8)(in->attr >> 5 & 3);
}

/* Without nRIP most exits leave it to the bytes at RIP how long the instruction is. */
bool svm_skip_short(struct arch_vcpu *v, const struct vm_exit *exit)
{
    struct vmcb *vmcb = v->hw;
    u64 rip = vmcb->rip;
    const struct skip_encoding *e = skip_cached(v, exit, rip, vmcb->cr3);

    if (!e || (vmcb->rflags & SKIP_RFLAGS))
        return false;
    vmcb->rip = rip + e->len;
    vmcb->int_state &= ~INTERRUPT_SHADOW;
    return true;
}

enum pith_status svm_skip(struct arch_vcpu *v, const struct vm_exit *exit)
{
    struct vmcb *vmcb = v->hw;
    u64 rip = vmcb->rip;
    u8 len = exit->insn_len;

    if (!len)
        return svm_skip_short(v, exit) ? PITH_OK : skip_walked(v, exit, rip, vmcb->cr3);
    vmcb->int_state &= ~INTERRUPT_SHADOW;
    return skip_rest(v, rip, len, vmcb->rflags);
}

static void reset_segments(struct vmcb *vmcb)
{
    static const struct vmcb_seg data = { .attrib = 0x93, .limit = 0xffff };

    vmcb->cs = (struct vmcb_seg){ .selector = 0xf000, .attrib = 0x9b, .limit = 0xffff, .base = 0xffff0000 };
    vmcb->es = vmcb->ss = vmcb->ds = vmcb->fs = vmcb->gs = data;
    vmcb->gdtr = vmcb->idtr = (struct vmcb_seg){ .limit = 0xffff };
    vmcb->ldtr = (struct vmcb_seg){ .attrib = 0x82, .limit = 0xffff };
    vmcb->tr = (struct vmcb_seg){ .attrib = 0x8b, .limit = 0xffff };
    vmcb->cpl = 0;
}

static void reset_msrs(struct arch_vcpu *v, struct vmcb *vmcb)
{
    vmcb->star = vmcb->lstar = vmcb->cstar = vmcb->sfmask = vmcb->kernel_gs_base = 0;
    vmcb->sysenter_cs = vmcb->sysenter_esp = vmcb->sysenter_eip = 0;
    vmcb->g_pat = PAT_RESET;
    vmcb->tsc_offset = 0; /* where a machine's clock starts is for its owner to say */
    v->tsc_aux = 0;
    v->msrs = false;
    svm_load_tsc_aux(v);
}

/* APM 2, "Processor Initialization State". */
void svm_vcpu_reset(struct arch_vcpu *v, bool init_only)
{
    struct vmcb *vmcb = v->hw;

    vmcb->cr0 = init_only ? (vmcb->cr0 & (CR0_CD | CR0_NW)) | CR0_ET : CR0_RESET;
    vmcb->cr2 = vmcb->cr3 = vmcb->cr4 = 0;
    vmcb->efer = EFER_SVME;
    vmcb->rflags = RFLAGS_FIXED;
    vmcb->rip = 0xfff0;
    vmcb->rsp = 0;
    vmcb->dr6 = DR6_RESET;
    svm_set_reg(v, X86_DR7, DR7_RESET);
    vmcb->int_ctl = V_INTR_MASKING;
    vmcb->int_state = 0;
    vmcb->intercept_cr &= ~(u32)INTERCEPT_WRITE_CR8;
    vmcb->tpr_window = 0;
    vmcb->intercept_misc1 &= ~(u32)(INTERCEPT_VINTR | INTERCEPT_IRET);
    vmcb->iret_seen = 0;
    reset_segments(vmcb);
    if (!init_only)
        reset_msrs(v, vmcb);
    drop_translations(v);
}
