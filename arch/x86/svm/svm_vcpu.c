/* SPDX-License-Identifier: MIT */
/* A virtual processor under AMD-V: what is intercepted, and the way in and out. */
#include "arch/x86/breakpoints.h"
#include "arch/x86/cpu/insn.h"
#include "arch/x86/cpu/regs.h"
#include "arch/x86/fpu.h"
#include "arch/x86/gprs.h"
#include "arch/x86/host.h"
#include "arch/x86/svm/svm.h"
#include "arch/x86/svm/svm_decode.h"
#include "arch/x86/tags.h"
#include "hv/lib/string.h"

/* Nested page-table entry. APM 2, "Nested Paging": every access of a guest is a user access. */
#define NPT_P    BIT(0)
#define NPT_RW   BIT(1)
#define NPT_US   BIT(2)
#define NPT_PWT  BIT(3)
#define NPT_PCD  BIT(4)
#define NPT_A    BIT(5)
#define NPT_D    BIT(6)
#define NPT_PS   BIT(7)
#define NPT_NX   BIT(63)

static const u64 intercepts_misc1 =
    INTERCEPT_INTR | INTERCEPT_NMI | INTERCEPT_INIT | INTERCEPT_RDPMC | INTERCEPT_CPUID | INTERCEPT_RSM |
    INTERCEPT_INVD | INTERCEPT_HLT | INTERCEPT_INVLPGA | INTERCEPT_IOIO_PROT | INTERCEPT_MSR_PROT |
    INTERCEPT_SHUTDOWN;
/*
 * WBINVD also because QEMU tests its bit for INVD. VMLOAD and VMSAVE take host-physical addresses
 * when left alone. RDPRU would show how the hypervisor and other guests use the core; CPUID hides it.
 */
static const u64 intercepts_misc2 =
    INTERCEPT_VMRUN | INTERCEPT_VMMCALL | INTERCEPT_VMLOAD | INTERCEPT_VMSAVE | INTERCEPT_STGI |
    INTERCEPT_CLGI | INTERCEPT_SKINIT | INTERCEPT_WBINVD | INTERCEPT_MONITOR | INTERCEPT_MWAIT | INTERCEPT_XSETBV |
    INTERCEPT_RDPRU;
/* #DB and #AC: an endless stream of either would keep the core in microcode. */
static const u64 intercepts_excp = BIT(X86_DB) | BIT(X86_AC) | BIT(X86_MC);

static enum pith_status svm_vcpu_init(struct arch_vcpu *v)
{
    struct vmcb *vmcb;

    v->hw_hpa = frames_alloc(v->vm->frames, 1, 1);
    if (!v->hw_hpa)
        return PITH_E_MEM;
    v->hw = vmcb = phys_to_virt(v->hw_hpa);
    memset(vmcb, 0, sizeof(*vmcb));
    vmcb->intercept_excp = (u32)intercepts_excp;
    vmcb->intercept_misc1 = (u32)intercepts_misc1;
    vmcb->intercept_misc2 = (u32)intercepts_misc2;
    vmcb->iopm_base_pa = virt_to_phys(v->vm->io_bitmap);
    vmcb->msrpm_base_pa = virt_to_phys(v->vm->msr_bitmap);
    vmcb->np_control = NP_ENABLE;
    vmcb->n_cr3 = v->vm->s2_root;
    return PITH_OK;
}

/* RDTSCP runs natively, and TSC_AUX is in no VMCB. */
static bool svm_msr_kept(u32 msr)
{
    return msr == MSR_TSC_AUX;
}

void svm_load_tsc_aux(struct arch_vcpu *v)
{
    if (svm_features.rdtscp)
        wrmsr(MSR_TSC_AUX, v->tsc_aux);
    v->cpu->msrs = v->msrs;
}

static bool svm_set_msr(struct arch_vcpu *v, u32 msr, u64 val)
{
    if (msr != MSR_TSC_AUX || !svm_features.rdtscp)
        return false;
    v->tsc_aux = val;
    wrmsr(MSR_TSC_AUX, val);
    return true;
}

/* VMLOAD and VMSAVE carry everything else, at every entry, and VMRUN loads CR2; but Bochs's does not. */
static struct arch_vcpu *svm_vcpu_load(struct arch_vcpu *v, struct arch_cpu *cpu, struct arch_vcpu *before)
{
    struct vmcb *vmcb = v->hw;

    v->host_vmcb = cpu->host_vmcb;
    if (v->msrs || cpu->msrs)
        svm_load_tsc_aux(v);
    write_cr2(vmcb->cr2);
    vmcb->intercept_dr = INTERCEPT_DR_ALL; /* DR0-3 may be another vCPU's */
    return before ? fpu_switch(before, v) : v;
}

/* DR6 and DR7 are the VMCB's at every entry. */
static void svm_show_dr(struct arch_vcpu *v)
{
    ((struct vmcb *)v->hw)->intercept_dr = INTERCEPT_DR_WRITES;
}

/* All of it is in the VMCB already. */
static void svm_vcpu_save(struct arch_vcpu *v)
{
    (void)v;
}

static void svm_vcpu_release(struct arch_vcpu *v)
{
    (void)v;
}

/* There is no such timer. */
static void svm_backstop(struct arch_vcpu *v, u64 ticks)
{
    (void)v, (void)ticks;
}

static void renew_tag(struct arch_vcpu *v, struct vmcb *vmcb)
{
    unsigned flush = tags_prepare(v->cpu, v, svm_features.nr_asids);
    bool all = (flush & TAGS_FLUSH_ALL) || !svm_features.flush_by_asid;

    vmcb->asid = v->tag;
    vmcb->tlb_control = all ? TLB_CONTROL_FLUSH_ALL : TLB_CONTROL_FLUSH_GUEST;
}

/* Exits that leave something to be put right. */
static __attribute__((noinline)) void left_with_care(struct arch_vcpu *v, struct vm_exit *exit)
{
    const struct vmcb *vmcb = v->hw;

    if ((vmcb->exit_int_info & EVENT_V) && svm_event_decode(vmcb->exit_int_info, vmcb->cr2, &v->interrupted))
        v->look = true;
    v->plain_epoch = 0;
    svm_decode(vmcb, exit, v->gpr.rcx, &svm_features);
    if (exit->hw_reason == SVM_EXIT_MC)
        __asm__ volatile("int $18" : : : "memory"); /* the host's handler reports it and does not come back */
    else if (exit->kind == VM_EXIT_WINDOW)
        svm_window_seen(v);
    else if (exit->kind == VM_EXIT_CR || exit->kind == VM_EXIT_DR)
        vm_resolve_mov_cr(v, exit);
}

_Static_assert(offsetof(struct vmcb, rax) == 0x5f8 && offsetof(struct vmcb, rip) == 0x578, "svm_enter.S");
_Static_assert(offsetof(struct vmcb, rflags) == 0x570 && offsetof(struct vmcb, int_state) == 0x68, "svm_enter.S");

/*
 * Hypercalls first: their time is what two partitions talk at. MOV CR and DR, exceptions and windows come with work to do; so may
 * any exit that cut a delivery short.
 */
void svm_left(struct arch_vcpu *v, struct vm_exit *exit)
{
    struct vmcb *vmcb = v->hw;
    u32 code = (u32)vmcb->exit_code;

    v->gpr.rax = vmcb->rax;
    vmcb->event_inj = 0; /* once is enough */
    if (code == SVM_EXIT_VMMCALL && svm_may_call(vmcb))
        vm_exit_hypercall(exit, code);
    else if ((code <= SVM_EXIT_IRET && code != SVM_EXIT_CPUID) || (vmcb->exit_int_info & EVENT_V))
        left_with_care(v, exit);
    else if (code < SVM_ROWS)
        svm_decode_row(&svm_rows[code], code, vmcb, exit, v->gpr.rcx, &svm_features);
    else
        svm_decode(vmcb, exit, v->gpr.rcx, &svm_features);
}

static __attribute__((noinline)) bool prepare_with_care(struct arch_vcpu *v, struct vmcb *vmcb)
{
    bool plain = true;

    if (!tags_current(v->cpu, v)) {
        renew_tag(v, vmcb);
        plain = false;
    }
    if (v->interrupted.valid)
        svm_put_event(v);
    if (v->dr7 & DR7_ENABLES) {
        vmcb->dr7 = breakpoints_load(v);
        plain = false;
    }
    return plain;
}

/* What this entry writes into the VMCB for itself alone, the next one takes out again: only then it is a plain one. */
void svm_prepare(struct arch_vcpu *v)
{
    struct vmcb *vmcb = v->hw;
    bool plain = true;

    vmcb->tlb_control = TLB_CONTROL_NONE;
    if (!tags_current(v->cpu, v) || (v->dr7 & DR7_ENABLES) || v->interrupted.type != X86_EV_EXTINT) {
        plain = prepare_with_care(v, vmcb);
    } else if (v->interrupted.valid) { /* an interrupt, and nothing else: most of all */
        v->interrupted.valid = false;
        vmcb->event_inj = v->interrupted.vector | EVENT_V;
    }
    v->plain_epoch = plain ? v->seen_s2_epoch : 0;
}

/*
 * MSR permissions map: two bits an MSR, read then write, three ranges. APM 2, "MSR Intercepts";
 * others always exit.
 */
static void svm_trap_msr(u8 *bitmap, u32 msr, bool on_read, bool on_write)
{
    static const u32 range[] = { 0, 0xc0000000, 0xc0010000 };

    for (u32 i = 0; i < ARRAY_SIZE(range); i++) {
        u32 index = msr - range[i];

        if (index < 0x2000) {
            u8 *byte = bitmap + i * 0x800 + index / 4;
            unsigned shift = index % 4 * 2;

            *byte = (u8)((*byte & ~(3u << shift)) | ((unsigned)on_read | (unsigned)on_write << 1) << shift);
            return;
        }
    }
}

static u64 svm_s2_leaf(hpa_t hpa, unsigned level, enum s2_prot prot, enum s2_type type)
{
    u64 e = hpa | NPT_P | NPT_US | NPT_A | NPT_D;

    if (!prot)
        return 0;
    if (prot & S2_W)
        e |= NPT_RW;
    if (!(prot & S2_X))
        e |= NPT_NX;
    if (type == S2_UC)
        e |= NPT_PWT | NPT_PCD; /* entry 3 of the host's PAT, which nested tables use: UC */
    return level > 1 ? e | NPT_PS : e;
}

static u64 svm_s2_table(hpa_t next)
{
    return next | NPT_P | NPT_RW | NPT_US | NPT_A;
}

const struct vm_ops svm_ops = {
    .probe = svm_probe,
    .cpu_enable = svm_cpu_enable,
    .cpu_disable = svm_cpu_disable,
    .vcpu_init = svm_vcpu_init,
    .vcpu_load = svm_vcpu_load,
    .vcpu_save = svm_vcpu_save,
    .vcpu_release = svm_vcpu_release,
    .vcpu_reset = svm_vcpu_reset,
    .vcpu_run = svm_vcpu_run,
    .reg = svm_reg,
    .cr8 = svm_cr8,
    .mode = svm_mode,
    .msr_kept = svm_msr_kept,
    .set_msr = svm_set_msr,
    .set_reg = svm_set_reg,
    .seg = svm_seg,
    .set_seg = svm_set_seg,
    .ready = svm_ready,
    .accept = svm_accept,
    .window = svm_window,
    .tpr_window = svm_tpr_window,
    .backstop = svm_backstop,
    .show_dr = svm_show_dr,
    .spoilt = svm_spoilt,
    .skip = svm_skip,
    .trap_msr = svm_trap_msr,
    .s2_leaf = svm_s2_leaf,
    .s2_table = svm_s2_table,
};
