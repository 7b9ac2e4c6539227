/* SPDX-License-Identifier: MIT */
/*
 * A virtual machine as hv/ sees it: an address space, a processor, one decoded exit.
 *
 * Nothing above this header knows VMX from SVM. Nothing below it knows about
 * partitions, scheduling or policy: arch_* functions take arch_* structures only.
 *
 * RESIDENCY. "resident": arch_vcpu_load(v) was called on this core and nothing else was loaded or unloaded since.
 * Everything marked [R] asserts (cpu->loaded == v) on both vendors: on VMX it is VMREAD/VMWRITE, which act on
 * whatever VMCS is current; on SVM it would work by accident. Other cores ask the home core.
 */
#pragma once

#include "arch/x86/decode.h"
#include "hv/abi/status.h"
#include "hv/lib/frames.h"
#include "hv/lib/types.h"

enum x86_reg {
    X86_RIP, X86_RSP, X86_RFLAGS, X86_CR0, X86_CR3, X86_CR4, X86_CR8 /* TPR >> 4 */, X86_EFER, X86_PAT,
    X86_DR6, X86_DR7, X86_XCR0, X86_TSC_OFFSET, X86_SYSENTER_CS, X86_SYSENTER_ESP, X86_SYSENTER_EIP,
    X86_CR2, X86_REGS
};
enum x86_seg { X86_ES, X86_CS, X86_SS, X86_DS, X86_FS, X86_GS, X86_LDTR, X86_TR, X86_GDTR, X86_IDTR, X86_SEGS };
enum s2_prot { S2_NONE = 0, S2_R = 1, S2_W = 2, S2_X = 4, S2_RW = 3, S2_RWX = 7 };
enum s2_type { S2_WB, S2_UC };

#define X86_SEG_UNUSABLE (1u << 16)
struct x86_segment {
    u64 base;
    u32 limit, attr; /* limit in bytes; attr: VMX access rights: type 3:0, S 4, DPL 6:5, P 7, AVL 12, L 13, D/B 14, G 15, unusable 16 */
    u16 selector;
};

enum x86_event_type {
    X86_EV_EXTINT = 0, X86_EV_NMI = 2, X86_EV_EXCEPTION = 3, X86_EV_SOFT_INT = 4, X86_EV_ICEBP = 5,
    X86_EV_SOFT_EXCEPTION = 6 /* INT3, INTO */
}; /* VMX numbering */
struct x86_event {
    u8 vector, type;
    bool valid, has_error;
    u8 insn_len; /* of the software interrupt */
    u32 error;
    u64 cr2;     /* #PF only */
};
struct x86_gprs { u64 rax, rcx, rdx, rbx, rsp_unused, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15; };

/* What of one partition can be left behind in a core for the next one to find. */
enum vm_leftover { VM_PREDICTORS = 1, VM_L1D = 2, VM_BUFFERS = 4 };

struct vm_caps {
    const char *name; /* "VT-x" or "AMD-V" */
    bool page_2m, page_1g;
    bool hypercall_vmcall; /* VMCALL, else VMMCALL */
    bool itlb_safe;   /* executable large pages cannot raise a machine check (iTLB multihit) */
    u8 cleared, leaks; /* sets of enum vm_leftover: where a core changes its partition; what should be and cannot */
    u32 nr_tags;      /* ASIDs or VPIDs, 0 included */
    const char *why;  /* after PITH_E_HW: what is missing, and the firmware setting to change */
};

#define CODE_PAGES 8u
struct arch_vcpu;
struct arch_cpu {              /* what one physical core needs to host guests */
    struct frame_pool *frames; /* set by arch_cpu_enable() */
    hpa_t area;                /* VMXON region or host save area */
    hpa_t host_vmcb;           /* SVM: where the host's own VMSAVE state lives */
    struct arch_vcpu *loaded;  /* resident here, or NULL */
    u64 tag_epoch;             /* starts at 1; +1 when the tags ran out and all were flushed */
    u32 next_tag;              /* tag 0 belongs to the host */
    bool msrs;                 /* those of arch_msr_kept() may hold something else than after reset */
    const struct arch_vm *last; /* whose vCPU was loaded last, where that matters: barrier.h */
    /* Where processors do not tell lengths: pages that guests' RIPs were in, each in a window of its own (vmem_recall_code()). */
    struct code_page { const struct arch_vcpu *v; u64 rip, cr3, epoch; const u8 *at; } code[CODE_PAGES];
};

struct vm_mode {               /* what decides how a guest's addresses and instructions are meant */
    u64 rip, cr0, cr3, cr4, efer, rflags;
    u32 cs_attr;
    u8 cpl;
};

struct arch_vm {               /* one guest-physical address space and its trap maps */
    struct frame_pool *frames; /* pays for page tables and bitmaps; tables stay for good */
    hpa_t s2_root;
    u64 s2_epoch;              /* +1 by every change that takes a right away */
    u8 *io_bitmap, *msr_bitmap;
};

enum vm_exit_kind {
    VM_EXIT_HOST_IRQ,          /* a physical interrupt is pending; hv opens a window and takes it */
    VM_EXIT_NMI,               /* already consumed below; look at pending work */
    VM_EXIT_PREEMPT,           /* backstop timer of the slice; no interrupt is pending */
    VM_EXIT_WINDOW,            /* what arch_vcpu_inject() refused may be tried again: IRQ, NMI or lower TPR */
    VM_EXIT_EXCEPTION, VM_EXIT_HLT, VM_EXIT_PAUSE, VM_EXIT_CPUID, VM_EXIT_MSR, VM_EXIT_CR, VM_EXIT_DR,
    VM_EXIT_XSETBV, VM_EXIT_PIO, VM_EXIT_S2_FAULT,
    VM_EXIT_HYPERCALL,         /* from protected mode at CPL 0; elsewhere the instruction is as where there is no hypervisor: INSN */
    VM_EXIT_INSN,              /* insn.which; policy is one table above */
    VM_EXIT_TASK_SWITCH,       /* not on AMD-V, whose processors do it */
    VM_EXIT_SHUTDOWN, VM_EXIT_ENTRY_FAILED, VM_EXIT_OTHER,
    VM_EXIT_KINDS
};

#define FETCH_NOWHERE BIT(63)  /* not canonical: RIP is never there */
struct arch_vcpu {             /* one virtual processor */
    struct x86_gprs gpr;       /* the only field hv/ touches directly; RSP: X86_RSP */
    union {                    /* the owner's: what it looks at between an exit and an entry */
        struct {
            u8 wait;           /* why it does not run although it could */
            bool irq_dirty;    /* something may have become deliverable */
            bool look;         /* anything else */
        };
        u32 come_out;          /* any of them: arch_vcpu_run() asks whose turn it is */
    };
    u64 cr2;                   /* VMX: while it is not resident */
    struct arch_vm *vm;
    struct arch_cpu *cpu;      /* resident there, or NULL */
    void *hw;                  /* VMCS or VMCB */
    hpa_t hw_hpa;
    u64 plain_epoch;           /* vm->s2_epoch while an entry needs nothing but the general registers; 0: prepare it */
    hpa_t host_vmcb;           /* SVM: of the core where it is resident */
    /* TLB tag: per vCPU and per core, never per VM. Two vCPUs of one VM on one core have different CR3s. */
    struct arch_cpu *tag_cpu;  /* where tag is valid; another core: new tag and second-stage flush there */
    u64 tag_epoch, seen_s2_epoch;
    u32 tag;
    struct x86_event interrupted; /* the event of the next entry: a delivery that the last exit cut short, or a new one */
    void *xsave;               /* all components of the hardware, CPUID.0DH.ECX bytes, not only those offered */
    u32 xcr0;
    u64 dr[4], tsc_aux;
    u64 dr6, dr7;              /* as the guest wrote them; SVM: DR6 is in the VMCB */
    /*
     * Where its time goes, in ticks: from the RDTSC behind an exit to the one before the next entry they are that exit's. The owner
     * writes the kind, and left_at, too, where something else than an entry ends an exit. 32 bits: no exit takes a second.
     */
    u64 spent[VM_EXIT_KINDS + 1];
    u32 left_at;
    u8 kind;                   /* enum vm_exit_kind; VM_EXIT_KINDS: there was no exit since it got its core */
    u64 star, lstar, cstar, fmask, kernel_gs_base; /* VMX: switched by software at load and unload */
    u64 cr0_shadow;            /* VMX: bits the guest believes it wrote */
    void *vapic;               /* VMX: virtual-APIC page, for TPR only */
    bool msrs;                 /* one of arch_msr_kept() was written since the reset */
    bool launched;             /* VMX: false after unload (VMCLEAR) */
    bool fresh;                /* never loaded: reset state is written by the first load */
    bool nmi_masked;           /* SVM without vNMI: from injection to the guest's IRET */
    bool shutdown;             /* a fault met #DF: the next run ends at once as VM_EXIT_SHUTDOWN */
    struct vm_fetch {          /* one-entry cache: the page that RIP was last seen in, in this core's window */
        u64 rip, cr3;          /* linear, page-aligned, FETCH_NOWHERE: none; all that arch_vcpu_skip() looks at */
        const u8 *at;
        u64 epoch, cr0, cr4, efer; /* these and the guest's entries on the way there: unchanged, the page is still the one */
        struct vm_step { const u8 *at; gpa_t gpa; u64 entry; } step[4]; /* in sight, wherever RIP is, while the epoch is the same */
        u8 steps, entry_size;  /* more steps than there is room for: not known */
    } fetch;
};

enum x86_insn {
    X86_INSN_WBINVD, X86_INSN_INVD, X86_INSN_MONITOR, X86_INSN_MWAIT, X86_INSN_RDPMC, X86_INSN_RSM,
    X86_INSN_VIRT /* any VMX, SVM or SMX instruction: #UD */, X86_INSN_KINDS
};

enum task_by { TASK_CALL, TASK_IRET, TASK_JMP, TASK_GATE };

struct vm_exit {
    u8 kind;                   /* enum vm_exit_kind */
    u8 insn_len;               /* 0: unknown; arch_vcpu_skip() finds it. Only kinds that can end in SKIP set it */
    u8 cpl;                    /* set for DR, INSN and XSETBV only */
    u32 hw_reason;             /* vendor code, for trace and reports only */
    union {
        struct { u8 vector; bool has_error; u32 error; u64 info; } exception;    /* info: #PF address, #DB DR6 bits */
        struct { u32 index; bool write; } msr;
        struct { u8 cr, gpr; bool write, known; } cr;            /* known false: operand must be decoded */
        struct { u8 dr, gpr; bool write, known; } dr;
        struct { u16 port; u8 size; bool in, string, rep; u8 addr_size, seg; } pio;   /* 0, 0xff: must be decoded */
        struct { gpa_t gpa; bool write, fetch, mapped, walk; } s2;   /* walk: on the guest's own page tables, never MMIO */
        struct { u8 which; } insn;
        struct { u16 selector; u8 by; } task;                    /* enum task_by; GATE: for v->interrupted */
        struct { const char *what; u64 detail; } failed;         /* ENTRY_FAILED: the manual's words */
    };
};

/* Of VMCALL and VMMCALL, whatever the processor says: hv/abi/ABI.md, "A call", forbids prefixes. */
#define VM_HYPERCALL_LEN 3
static inline void vm_exit_hypercall(struct vm_exit *exit, u32 hw_reason)
{
    exit->kind = VM_EXIT_HYPERCALL;
    exit->insn_len = VM_HYPERCALL_LEN;
    exit->hw_reason = hw_reason;
}

enum exit_action { /* what an exit's handler says */
    EXIT_RESUME, /* enter again, at the RIP that is there now */
    EXIT_SKIP,   /* the instruction was completed: past it, and enter again */
    EXIT_FAIL,   /* do not enter again */
};
typedef enum exit_action vm_exit_fn(struct arch_vcpu *v, struct vm_exit *exit);
/* v->come_out is set: who is entered next instead, resident by now (v itself or another); NULL: nobody, come back. */
typedef struct arch_vcpu *vm_turn_fn(struct arch_vcpu *v);

enum pith_status arch_vm_probe(struct vm_caps *caps) MUST_CHECK;             /* picks VMX or SVM, once */
const struct vm_caps *arch_vm_caps(void);                                    /* what the probe found */
/* Behind work for others that a resident vCPU must find no trace of. Nothing, where the processor has no barrier (caps->cleared). */
void arch_vm_barrier(void);
/* On the core itself: turns VMX or SVM on. */
enum pith_status arch_cpu_enable(struct arch_cpu *cpu, struct frame_pool *frames) MUST_CHECK;
void           arch_cpu_disable(struct arch_cpu *cpu);

enum pith_status arch_vm_init(struct arch_vm *vm, struct frame_pool *frames) MUST_CHECK; /* everything traps */
enum pith_status arch_vm_map(struct arch_vm *vm, gpa_t gpa, hpa_t hpa, u64 size,
                             enum s2_prot prot, enum s2_type type) MUST_CHECK; /* on failure nothing has changed */
void           arch_vm_unmap(struct arch_vm *vm, gpa_t gpa, u64 size);       /* what was there is free when arch_vcpu_flushed() */
bool           arch_vm_translate(const struct arch_vm *vm, gpa_t gpa, enum s2_prot need, hpa_t *hpa);
/* Of [gpa, gpa + max), page-aligned, so many bytes from the beginning lie in frames that follow one another, with these rights; 0: none. */
u64            arch_vm_extent(const struct arch_vm *vm, gpa_t gpa, u64 max, enum s2_prot need, hpa_t *hpa);
enum pith_status arch_vm_read(const struct arch_vm *vm, gpa_t gpa, void *buf, size_t len) MUST_CHECK;
enum pith_status arch_vm_write(const struct arch_vm *vm, gpa_t gpa, const void *buf, size_t len) MUST_CHECK;
void           arch_vm_trap_pio(struct arch_vm *vm, u16 port, u32 count, bool trap);
void           arch_vm_trap_msr(struct arch_vm *vm, u32 msr, bool on_read, bool on_write);
/* Switched when a vCPU gives way to another, and rarely written: writes exit, for arch_vcpu_set_msr(), and need not be read back. */
bool           arch_msr_kept(u32 msr);

/* init touches memory only, on any core; the VMCS is written by the first load, on the home core. */
enum pith_status arch_vcpu_init(struct arch_vcpu *v, struct arch_vm *vm) MUST_CHECK;
/* In place of cpu->loaded; nothing if it is resident. Returns @v. */
__attribute__((returns_nonnull)) struct arch_vcpu *arch_vcpu_load(struct arch_vcpu *v, struct arch_cpu *cpu);
/* The same in place of another one, and @v was loaded here before. */
__attribute__((returns_nonnull)) struct arch_vcpu *arch_vcpu_switch(struct arch_vcpu *v, struct arch_cpu *cpu);
/* On the core of the load: before move or stop. One that only had to give way to another is loaded once more before. */
void           arch_vcpu_unload(struct arch_vcpu *v, struct arch_cpu *cpu);
/* Any core. Since the last unmap it was entered, or is about to be, with nothing of before in any cache. */
bool           arch_vcpu_flushed(const struct arch_vcpu *v);
void           arch_vcpu_reset(struct arch_vcpu *v, bool init_only);         /* [R] power-on state; INIT keeps FPU, MSRs, TSC */
/*
 * [R] Enters, leaves, decodes and calls @handle, again and again until that says EXIT_FAIL, or @turn NULL, or the way past an
 * instruction is not short: cpu->loaded is then the one that left last. Only in that case it returns EXIT_SKIP, and leaves it to the
 * caller to arch_vcpu_skip() the instruction.
 * An exception that awaits its delivery sets v->look; interrupts and NMIs are injected where an entry is next.
 */
enum exit_action arch_vcpu_run(struct arch_vcpu *v, struct vm_exit *exit, vm_exit_fn *handle, vm_turn_fn *turn);
u64            arch_vcpu_reg(const struct arch_vcpu *v, enum x86_reg reg);   /* [R] and so on to the end */
/* How the hypervisor's own registers came to be its; NULL: they are not. */
const char    *arch_vcpu_spoilt(const struct arch_vcpu *v);
/* The value as the guest shall see it: bits the processor or the hypervisor needs (CR4.VMXE, EFER.SVME, ...) are kept below. */
void           arch_vcpu_set_reg(struct arch_vcpu *v, enum x86_reg reg, u64 val);
void           arch_vcpu_seg(const struct arch_vcpu *v, enum x86_seg seg, struct x86_segment *out);
void           arch_vcpu_set_seg(struct arch_vcpu *v, enum x86_seg seg, const struct x86_segment *in);
/*
 * Exceptions always succeed: one that meets v->interrupted becomes #DF or SHUTDOWN by the manual's table.
 * An NMI is refused (false) while v->interrupted is valid, or a shadow or the mask forbid it; then a window is armed.
 */
bool           arch_vcpu_inject(struct arch_vcpu *v, const struct x86_event *ev);
/* An external interrupt, whatever CR8 says: refused as an NMI is, or with IF clear. Who asks acknowledges it after true only. */
bool           arch_vcpu_interrupt(struct arch_vcpu *v, u8 vector);
/* The same, and nothing else comes before the next entry; false, without a window, where CR8 or anything else is in its way. */
bool           arch_vcpu_accept(struct arch_vcpu *v, u8 vector);
u8             arch_vcpu_cr8(const struct arch_vcpu *v);                     /* X86_CR8, by a shorter way */
/* Have an exit (WINDOW, or CR with cr.cr 8) when the guest lowers CR8 below @threshold; 0: never. Until called again. */
void           arch_vcpu_tpr_window(struct arch_vcpu *v, u8 threshold);
/* Have a PREEMPT exit after so many ticks in the guest at the latest, where the processor can (VMX preemption timer). */
void           arch_vcpu_backstop(struct arch_vcpu *v, u64 ticks);
/* Its debug registers go into the processor, where reads need no exit, until one is written (VMX: nor writes, until the unload). */
void           arch_vcpu_show_dr(struct arch_vcpu *v);
bool           arch_vcpu_set_msr(struct arch_vcpu *v, u32 msr, u64 val);     /* checked by the caller; false: there is no such MSR */
bool           arch_xcr0_valid(u64 val);                                     /* may a guest's XCR0 hold it on this hardware? */
/* Past the instruction: RIP wrapped to the mode, STI/MOV SS shadow dropped, #DB raised when RFLAGS.TF was set. */
enum pith_status arch_vcpu_skip(struct arch_vcpu *v, const struct vm_exit *exit) MUST_CHECK;
/* Guest-linear to guest-physical under the guest's paging (none, 32-bit, PAE, 4 and 5 levels), CPL, WP, SMAP; *fault is what to inject. */
bool           arch_vcpu_translate(struct arch_vcpu *v, u64 linear, bool write, gpa_t *gpa, struct x86_event *fault);
/* The same for what the processor itself looks at, its descriptor tables for one: as at CPL 0. */
bool           arch_vcpu_translate_table(struct arch_vcpu *v, u64 linear, bool write, gpa_t *gpa, struct x86_event *fault);
/* What RIP points to, all ones where nothing is. *len below 15: the rest cannot be fetched, for *fault. */
bool           arch_vcpu_fetch(struct arch_vcpu *v, u8 insn[15], u8 *len, enum insn_mode *mode, struct x86_event *fault);
enum insn_mode arch_vcpu_code_mode(const struct arch_vcpu *v);
/* YMM @n, XMM in its lower half. Writes as VEX-encoded instructions (all the rest becomes 0), or as SSE's (the rest is kept). */
void           arch_vcpu_vector(struct arch_vcpu *v, u8 n, u64 val[4]);
void           arch_vcpu_set_vector(struct arch_vcpu *v, u8 n, const u64 val[4], bool vex);
