/* SPDX-License-Identifier: MIT */
/* The VMCB and the words of AMD-V. APM 2, Appendix B, "Layout of VMCB". */
#pragma once

#include "arch/x86/vm_ops.h"

/* Exit codes. APM 2, Appendix C, "SVM Intercept Exit Codes". */
enum svm_exit {
    SVM_EXIT_READ_CR0 = 0x00, SVM_EXIT_WRITE_CR0 = 0x10, SVM_EXIT_WRITE_CR8 = 0x18,
    SVM_EXIT_READ_DR0 = 0x20, SVM_EXIT_WRITE_DR0 = 0x30, SVM_EXIT_EXCP_BASE = 0x40, SVM_EXIT_MC = 0x52,
    SVM_EXIT_INTR = 0x60, SVM_EXIT_NMI = 0x61, SVM_EXIT_SMI = 0x62, SVM_EXIT_INIT = 0x63,
    SVM_EXIT_VINTR = 0x64, SVM_EXIT_RDPMC = 0x6f, SVM_EXIT_CPUID = 0x72, SVM_EXIT_RSM = 0x73,
    SVM_EXIT_IRET = 0x74, SVM_EXIT_INVD = 0x76, SVM_EXIT_PAUSE = 0x77, SVM_EXIT_HLT = 0x78,
    SVM_EXIT_INVLPGA = 0x7a, SVM_EXIT_IOIO = 0x7b, SVM_EXIT_MSR = 0x7c,
    SVM_EXIT_SHUTDOWN = 0x7f, SVM_EXIT_VMRUN = 0x80, SVM_EXIT_VMMCALL = 0x81, SVM_EXIT_VMLOAD = 0x82,
    SVM_EXIT_VMSAVE = 0x83, SVM_EXIT_STGI = 0x84, SVM_EXIT_CLGI = 0x85, SVM_EXIT_SKINIT = 0x86,
    SVM_EXIT_WBINVD = 0x89, SVM_EXIT_MONITOR = 0x8a, SVM_EXIT_MWAIT = 0x8b,
    SVM_EXIT_MWAIT_ARMED = 0x8c, SVM_EXIT_XSETBV = 0x8d, SVM_EXIT_RDPRU = 0x8e, SVM_EXIT_NPF = 0x400,
};
#define SVM_EXIT_INVALID 0xffffffffu /* compared in 32 bits: QEMU leaves the upper half zero */

/* Intercept vector 1 (offset 04H): reads of DR0-15, then writes. */
#define INTERCEPT_DR_ALL    0xffffffffu
#define INTERCEPT_DR_WRITES 0xffff0000u
/* Intercept vector 3 (offset 0CH). */
#define INTERCEPT_INTR        BIT(0)
#define INTERCEPT_NMI         BIT(1)
#define INTERCEPT_INIT        BIT(3)
#define INTERCEPT_VINTR       BIT(4)
#define INTERCEPT_RDPMC       BIT(15)
#define INTERCEPT_CPUID       BIT(18)
#define INTERCEPT_RSM         BIT(19)
#define INTERCEPT_IRET        BIT(20)
#define INTERCEPT_INVD        BIT(22)
#define INTERCEPT_HLT         BIT(24)
#define INTERCEPT_INVLPGA     BIT(26)
#define INTERCEPT_IOIO_PROT   BIT(27)
#define INTERCEPT_MSR_PROT    BIT(28)
#define INTERCEPT_SHUTDOWN    BIT(31)
/* Intercept vector 4 (offset 10H). */
#define INTERCEPT_VMRUN       BIT(0)
#define INTERCEPT_VMMCALL     BIT(1)
#define INTERCEPT_VMLOAD      BIT(2)
#define INTERCEPT_VMSAVE      BIT(3)
#define INTERCEPT_STGI        BIT(4)
#define INTERCEPT_CLGI        BIT(5)
#define INTERCEPT_SKINIT      BIT(6)
#define INTERCEPT_WBINVD      BIT(9)
#define INTERCEPT_MONITOR     BIT(10)
#define INTERCEPT_MWAIT       BIT(11)
#define INTERCEPT_XSETBV      BIT(13)
#define INTERCEPT_RDPRU       BIT(14)
#define INTERCEPT_WRITE_CR8   BIT(24) /* of intercept_cr: writes are bits 31:16 */

#define TLB_CONTROL_NONE        0
#define TLB_CONTROL_FLUSH_ALL   1
#define TLB_CONTROL_FLUSH_GUEST 3     /* this ASID only; needs FlushByAsid */

/* Virtual interrupt control (offset 60H). */
#define V_TPR_MASK        0xfull
#define V_IRQ             BIT(8)
#define V_INTR_PRIO_MAX   (0xfull << 16)
#define V_IGN_TPR         BIT(20)
#define V_INTR_MASKING    BIT(24)
#define INTERRUPT_SHADOW  BIT(0)
#define NP_ENABLE         BIT(0)

/* EVENTINJ and EXITINTINFO. The types are those of enum x86_event_type up to 4. */
#define EVENT_TYPE(info)  ((u8)((info) >> 8 & 7))
#define EVENT_EV          BIT(11)
#define EVENT_V           BIT(31)

/* EXITINFO1. APM 2, "IOIO Intercept Information" and "Nested Paging, #NPF". */
#define IOIO_IN           BIT(0)
#define IOIO_STRING       BIT(2)
#define IOIO_REP          BIT(3)
#define IOIO_SIZE(info)   ((u8)((info) >> 4 & 7))       /* bytes: one bit for 1, 2, 4 */
#define IOIO_ADDR(info)   ((u8)(((info) >> 7 & 7) * 2)) /* bytes: one bit for 2, 4, 8 */
#define IOIO_SEG(info)    ((u8)((info) >> 10 & 7))
#define IOIO_PORT(info)   ((u16)((info) >> 16))
#define NPF_P             BIT(0)
#define NPF_RW            BIT(1)
#define NPF_ID            BIT(4)
#define NPF_TABLE         BIT(33)
#define MOV_CR_VALID      BIT(63)

struct vmcb_seg { u16 selector, attrib; u32 limit; u64 base; };

struct vmcb {
    u32 intercept_cr, intercept_dr, intercept_excp, intercept_misc1, intercept_misc2;
    u8 reserved_014[0x2c];
    u64 iopm_base_pa, msrpm_base_pa, tsc_offset;
    u32 asid;
    u8 tlb_control, reserved_05d[3];
    u64 int_ctl, int_state;
    u64 exit_code, exit_info1, exit_info2, exit_int_info;
    u64 np_control, avic_apic_bar, ghcb, event_inj, n_cr3, lbr_control;
    u64 clean, nrip;
    u8 reserved_0d0[0x310];
    u64 iret_rip, iret_seen; /* "for host usage": an IRET that ends NMI masking, yet to execute */
    u64 tpr_window;            /* also for host usage: an exit is wanted when CR8 is written */
    u8 reserved_3f8[8];

    struct vmcb_seg es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr;
    u8 reserved_4a0[0x2b], cpl, reserved_4cc[4];
    u64 efer;
    u8 reserved_4d8[0x70];
    u64 cr4, cr3, cr0, dr7, dr6, rflags, rip;
    u8 reserved_580[0x58];
    u64 rsp, s_cet, ssp, isst, rax, star, lstar, cstar, sfmask, kernel_gs_base;
    u64 sysenter_cs, sysenter_esp, sysenter_eip, cr2;
    u8 reserved_648[0x20];
    u64 g_pat;
    u8 reserved_670[0x990];
};
#define VMCB_AT(field, offset) _Static_assert(offsetof(struct vmcb, field) == (offset), "VMCB layout")
VMCB_AT(iopm_base_pa, 0x040);
VMCB_AT(asid, 0x058);
VMCB_AT(int_ctl, 0x060);
VMCB_AT(exit_code, 0x070);
VMCB_AT(np_control, 0x090);
VMCB_AT(event_inj, 0x0a8);
VMCB_AT(nrip, 0x0c8);
VMCB_AT(iret_rip, 0x3e0);
VMCB_AT(es, 0x400);
VMCB_AT(tr, 0x490);
VMCB_AT(cpl, 0x4cb);
VMCB_AT(efer, 0x4d0);
VMCB_AT(cr4, 0x548);
VMCB_AT(rip, 0x578);
VMCB_AT(rsp, 0x5d8);
VMCB_AT(rax, 0x5f8);
VMCB_AT(cr2, 0x640);
VMCB_AT(g_pat, 0x668);
_Static_assert(sizeof(struct vmcb) == PAGE_SIZE, "VMCB layout");

struct svm_features {
    bool nrips, flush_by_asid, decode_assists, rdtscp;
    u32 nr_asids;
};
extern struct svm_features svm_features; /* written once, by the probe */

enum pith_status svm_probe(struct vm_caps *caps);
enum pith_status svm_cpu_enable(struct arch_cpu *cpu);
void svm_cpu_disable(struct arch_cpu *cpu);

u64 svm_reg(const struct arch_vcpu *v, enum x86_reg reg);
const char *svm_spoilt(const struct arch_vcpu *v);
u8 svm_cr8(const struct arch_vcpu *v);
void svm_mode(const struct arch_vcpu *v, struct vm_mode *mode);
void svm_set_reg(struct arch_vcpu *v, enum x86_reg reg, u64 val);
void svm_seg(const struct arch_vcpu *v, enum x86_seg seg, struct x86_segment *out);
void svm_set_seg(struct arch_vcpu *v, enum x86_seg seg, const struct x86_segment *in);
enum pith_status svm_skip(struct arch_vcpu *v, const struct vm_exit *exit) MUST_CHECK;
void svm_vcpu_reset(struct arch_vcpu *v, bool init_only);
void svm_load_tsc_aux(struct arch_vcpu *v);

bool svm_ready(const struct arch_vcpu *v, enum x86_event_type type);
bool svm_accept(struct arch_vcpu *v, u8 vector);
void svm_window(struct arch_vcpu *v, enum x86_event_type type);
void svm_tpr_window(struct arch_vcpu *v, u8 threshold);
void svm_put_event(struct arch_vcpu *v);  /* v->interrupted becomes the event of this entry */
void svm_window_seen(struct arch_vcpu *v); /* after an exit that a window or the end of an NMI caused */

/* svm_enter.S, and what it calls: before an entry that is not plain, after an exit, past an instruction. */
enum exit_action svm_vcpu_run(struct arch_vcpu *v, struct vm_exit *exit, vm_exit_fn *handle, vm_turn_fn *turn);
void svm_prepare(struct arch_vcpu *v);
void svm_left(struct arch_vcpu *v, struct vm_exit *exit);
bool svm_skip_short(struct arch_vcpu *v, const struct vm_exit *exit); /* insn_len is 0; false: svm_skip() has more to do */
