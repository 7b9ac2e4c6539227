/* SPDX-License-Identifier: MIT */
/*
 * One table: what each exit code is called, whether nRIP is the length of its instruction, and what
 * else it says.
 */
#include "arch/x86/svm/svm_decode.h"

#include "arch/x86/cpu/regs.h"

#define DR6_ACTIVE_LOW 0xffff0ff0ull
#define EXCEPTIONS_WITH_ERROR                                                                       \
    (BIT(X86_DF) | BIT(X86_TS) | BIT(X86_NP) | BIT(X86_SS_FAULT) | BIT(X86_GP) | BIT(X86_PF) | \
     BIT(X86_AC) | BIT(X86_CP))

typedef void detail_fn(const struct vmcb *vmcb, struct vm_exit *exit, u64 rcx, const struct svm_features *f);
static detail_fn insn_detail; /* looks itself up in the table */

static void cr_detail(const struct vmcb *vmcb, struct vm_exit *exit, u64 rcx, const struct svm_features *f)
{
    u32 code = (u32)vmcb->exit_code;
    u64 info = vmcb->exit_info1;

    (void)rcx;
    exit->cr.cr = code & 15;
    exit->cr.write = code >= SVM_EXIT_WRITE_CR0;
    exit->cr.gpr = info & 15;
    exit->cr.known = f->decode_assists && (info & MOV_CR_VALID); /* else LMSW, CLTS or no assists */
}

static void dr_detail(const struct vmcb *vmcb, struct vm_exit *exit, u64 rcx, const struct svm_features *f)
{
    u32 code = (u32)vmcb->exit_code;

    (void)rcx;
    exit->cpl = vmcb->cpl;
    exit->dr.dr = code & 15;
    exit->dr.write = code >= SVM_EXIT_WRITE_DR0;
    exit->dr.gpr = vmcb->exit_info1 & 15;
    exit->dr.known = f->decode_assists;
}

static void exception_detail(const struct vmcb *vmcb, struct vm_exit *exit, u64 rcx, const struct svm_features *f)
{
    u8 vector = (u8)(vmcb->exit_code - SVM_EXIT_EXCP_BASE);

    (void)rcx, (void)f;
    exit->exception.vector = vector;
    exit->exception.has_error = EXCEPTIONS_WITH_ERROR >> vector & 1;
    exit->exception.error = exit->exception.has_error ? (u32)vmcb->exit_info1 : 0;
    exit->exception.info = 0;
    if (vector == X86_PF)
        exit->exception.info = vmcb->exit_info2;
    else if (vector == X86_DB)
        exit->exception.info = (vmcb->dr6 ^ DR6_ACTIVE_LOW) & (DR6_ACTIVE_LOW | 0xe00f);
}

static void machine_check_detail(const struct vmcb *vmcb, struct vm_exit *exit, u64 rcx, const struct svm_features *f)
{
    (void)rcx, (void)f;
    exit->failed.what = "machine check while the guest ran";
    exit->failed.detail = vmcb->exit_info1;
}

static void pio_detail(const struct vmcb *vmcb, struct vm_exit *exit, u64 rcx, const struct svm_features *f)
{
    u64 info = vmcb->exit_info1;

    (void)rcx;
    /*
     * With or without nRIP: "EXITINFO2 holds the rIP of the instruction following the IN or OUT".
     */
    exit->insn_len = (u8)(vmcb->exit_info2 - vmcb->rip);
    exit->pio.port = IOIO_PORT(info);
    exit->pio.size = IOIO_SIZE(info);
    exit->pio.in = info & IOIO_IN;
    exit->pio.string = info & IOIO_STRING;
    exit->pio.rep = false;
    exit->pio.addr_size = 0;
    exit->pio.seg = 0xff;
    if (!exit->pio.string)
        return;

    exit->pio.rep = info & IOIO_REP;
    exit->pio.addr_size = IOIO_ADDR(info);
    exit->pio.seg = f->decode_assists ? IOIO_SEG(info) : 0xff;
}

static void msr_detail(const struct vmcb *vmcb, struct vm_exit *exit, u64 rcx, const struct svm_features *f)
{
    (void)f;
    exit->msr.index = (u32)rcx;
    exit->msr.write = vmcb->exit_info1 & 1;
}

static void hypercall_detail(const struct vmcb *vmcb, struct vm_exit *exit, u64 rcx, const struct svm_features *f)
{
    if (svm_may_call(vmcb))
        return;
    exit->kind = VM_EXIT_INSN;
    insn_detail(vmcb, exit, rcx, f);
}

static void npf_detail(const struct vmcb *vmcb, struct vm_exit *exit, u64 rcx, const struct svm_features *f)
{
    u64 info = vmcb->exit_info1;

    (void)rcx, (void)f;
    exit->s2.gpa = vmcb->exit_info2;
    exit->s2.mapped = info & NPF_P;
    exit->s2.write = info & NPF_RW;
    exit->s2.fetch = info & NPF_ID;
    exit->s2.walk = info & NPF_TABLE;
}

static void invalid_detail(const struct vmcb *vmcb, struct vm_exit *exit, u64 rcx, const struct svm_features *f)
{
    (void)rcx, (void)f;
    exit->failed.what = "VMEXIT_INVALID: illegal guest state in the VMCB";
    exit->failed.detail = vmcb->exit_info1;
}

#define INSN(w) { VM_EXIT_INSN, 0, X86_INSN_##w, true, insn_detail }
#define OTHER   { VM_EXIT_OTHER, 0, 0, false, NULL }

const struct svm_row svm_rows[SVM_ROWS] = {
    [0x00 ... 0x1f] = { VM_EXIT_CR, 0, 0, true, cr_detail },
    [0x20 ... 0x3f] = { VM_EXIT_DR, 0, 0, true, dr_detail },
    [0x40 ... 0x51] = { VM_EXIT_EXCEPTION, 0, 0, false, exception_detail },
    [SVM_EXIT_MC]   = { VM_EXIT_OTHER, 0, 0, false, machine_check_detail }, /* the machine's, not the guest's */
    [0x53 ... 0x5f] = { VM_EXIT_EXCEPTION, 0, 0, false, exception_detail },
    [SVM_EXIT_INTR] = { VM_EXIT_HOST_IRQ, 0, 0, false, NULL },
    [SVM_EXIT_NMI]  = { VM_EXIT_NMI, 0, 0, false, NULL },
    [SVM_EXIT_SMI ... SVM_EXIT_INIT] = OTHER,
    [SVM_EXIT_VINTR] = { VM_EXIT_WINDOW, 0, 0, false, NULL },
    [0x65 ... 0x6e] = OTHER, /* descriptor tables, RDTSC: not intercepted */
    [SVM_EXIT_RDPMC] = INSN(RDPMC),
    [0x70 ... 0x71] = OTHER, /* PUSHF, POPF */
    [SVM_EXIT_CPUID] = { VM_EXIT_CPUID, 0, 0, true, NULL },
    [SVM_EXIT_RSM]  = INSN(RSM),
    [SVM_EXIT_IRET] = { VM_EXIT_WINDOW, 0, 0, false, NULL }, /* intercepted only while it ends NMI masking */
    [0x75]          = OTHER, /* INTn */
    [SVM_EXIT_INVD] = INSN(INVD),
    [SVM_EXIT_PAUSE] = { VM_EXIT_PAUSE, 0, 0, true, NULL },
    [SVM_EXIT_HLT]  = { VM_EXIT_HLT, 0, 0, true, NULL },
    [0x79]          = OTHER, /* INVLPG */
    [SVM_EXIT_INVLPGA] = INSN(VIRT),
    [SVM_EXIT_IOIO] = { VM_EXIT_PIO, 0, 0, false, pio_detail },
    [SVM_EXIT_MSR]  = { VM_EXIT_MSR, 0, 0, true, msr_detail },
    [0x7d ... 0x7e] = OTHER, /* task switches: the processor's; FERR_FREEZE */
    [SVM_EXIT_SHUTDOWN] = { VM_EXIT_SHUTDOWN, 0, 0, false, NULL },
    [SVM_EXIT_VMRUN] = INSN(VIRT),
    [SVM_EXIT_VMMCALL] = { VM_EXIT_HYPERCALL, VM_HYPERCALL_LEN, X86_INSN_VIRT, false, hypercall_detail },
    [SVM_EXIT_VMLOAD ... SVM_EXIT_SKINIT] = INSN(VIRT),
    [0x87 ... 0x88] = OTHER, /* RDTSCP, ICEBP */
    [SVM_EXIT_WBINVD] = INSN(WBINVD),
    [SVM_EXIT_MONITOR] = INSN(MONITOR),
    [SVM_EXIT_MWAIT ... SVM_EXIT_MWAIT_ARMED] = INSN(MWAIT),
    [SVM_EXIT_XSETBV] = { VM_EXIT_XSETBV, 0, 0, true, insn_detail },
    [SVM_EXIT_RDPRU] = INSN(VIRT),
};
static const struct svm_row npf = { VM_EXIT_S2_FAULT, 0, 0, false, npf_detail };
static const struct svm_row invalid = { VM_EXIT_ENTRY_FAILED, 0, 0, false, invalid_detail };
static const struct svm_row other = OTHER;

static void insn_detail(const struct vmcb *vmcb, struct vm_exit *exit, u64 rcx, const struct svm_features *f)
{
    (void)rcx, (void)f;
    exit->cpl = vmcb->cpl;
    exit->insn.which = svm_rows[vmcb->exit_code].which;
}

static const struct svm_row *row_of(u32 code)
{
    if (code < SVM_ROWS)
        return &svm_rows[code];
    if (code == SVM_EXIT_NPF)
        return &npf;
    return code == SVM_EXIT_INVALID ? &invalid : &other;
}

void svm_decode(const struct vmcb *vmcb, struct vm_exit *exit, u64 rcx, const struct svm_features *f)
{
    u32 code = (u32)vmcb->exit_code;

    svm_decode_row(row_of(code), code, vmcb, exit, rcx, f);
}

u64 svm_event_encode(const struct x86_event *ev, bool real)
{
    bool error = ev->has_error && !real;

    return EVENT_V | (u64)ev->type << 8 | ev->vector | (error ? EVENT_EV | (u64)ev->error << 32 : 0);
}

bool svm_event_decode(u64 exit_int_info, u64 cr2, struct x86_event *ev)
{
    u8 vector = (u8)exit_int_info, type = EVENT_TYPE(exit_int_info);

    if (!(exit_int_info & EVENT_V))
        return false;
    if (type == X86_EV_EXCEPTION && (vector == X86_BP || vector == X86_OF)) /* raised by no other than INT3 and INTO */
        type = X86_EV_SOFT_EXCEPTION;
    *ev = (struct x86_event){
        .vector = vector,
        .type = type,
        .valid = true,
        .has_error = exit_int_info & EVENT_EV,
        .error = exit_int_info & EVENT_EV ? (u32)(exit_int_info >> 32) : 0,
        .cr2 = type == X86_EV_EXCEPTION && vector == X86_PF ? cr2 : 0, /* written by then */
    };
    return true;
}
