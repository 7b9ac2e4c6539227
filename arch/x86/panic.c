/* SPDX-License-Identifier: MIT */
/* The hypervisor's last words: registers, cause, backtrace. */
#include "hv/lib/panic.h"

#include "arch/x86/cpu/insn.h"
#include "arch/x86/cpu/regs.h"
#include "arch/x86/host.h"
#include "arch/x86/image.h"
#include "arch/x86/slots.h"
#include "arch/x86/trap.h"
#include "hv/abi/version.h"
#include "hv/lib/fmt.h"
#include "hv/lib/log.h"
#include "hv/lib/string.h"

#define TRACE_DEPTH 16u
#define BUILD_ID    16u /* where the identity begins in its note */
#define PF_PRESENT  BIT(0)
#define PF_WRITE    BIT(1)
#define PF_RESERVED BIT(3)
#define PF_FETCH    BIT(4)

static bool (*show)(void);
static void (*rest)(void);
static u32 panic_core = HOST_MAX_CORES; /* who panicked first */

static const char *const names[32] = {
    [X86_DE] = "#DE divide error", [X86_DB] = "#DB debug", [X86_NMI] = "NMI", [X86_BP] = "#BP breakpoint",
    [X86_OF] = "#OF overflow", [X86_BR] = "#BR bound range", [X86_UD] = "#UD invalid opcode",
    [X86_NM] = "#NM no FPU", [X86_DF] = "#DF double fault (stack overflow?)", [X86_TS] = "#TS invalid TSS",
    [X86_NP] = "#NP segment not present", [X86_SS_FAULT] = "#SS stack fault", [X86_GP] = "#GP general protection",
    [X86_PF] = "#PF page fault", [X86_MF] = "#MF x87 error", [X86_AC] = "#AC alignment check",
    [X86_MC] = "#MC machine check", [X86_XM] = "#XM SIMD error", [X86_VE] = "#VE virtualization exception",
    [X86_CP] = "#CP control protection",
};

static bool in_text(u64 a)
{
    return a >= (u64)image_text_start && a < (u64)image_text_end;
}

static void print_place(const char *what, u64 a)
{
    if (in_text(a))
        log_error("  %s +0x%lx", what, a - (u64)image_text_start); /* tools/pith-decode makes names of these */
    else
        log_error("  %s 0x%016lx, outside the hypervisor's code", what, a);
}

/* A damaged chain must not fault again. */
static bool frame_ok(u64 fp)
{
    return fp % 8 == 0 && slot_on_stack(fp) && slot_on_stack(fp + 8);
}

static u32 unwind(u64 rip, u64 fp, u64 trace[TRACE_DEPTH])
{
    u32 n = 0;

    if (in_text(rip))
        trace[n++] = rip;
    while (n < TRACE_DEPTH && frame_ok(fp)) {
        const u64 *frame = (const u64 *)fp;

        if (!in_text(frame[1]))
            break;
        trace[n++] = frame[1] - 1; /* inside the call, not behind it */
        fp = frame[0] > fp ? frame[0] : 0;
    }
    return n;
}

static void print_trace(u64 rip, u64 fp)
{
    u64 trace[TRACE_DEPTH];
    u32 n = unwind(rip, fp, trace);

    for (u32 i = 0; i < n; i++)
        print_place(i ? "called from" : "at", trace[i]);
}

static void print_control(void)
{
    log_error("CR0 %016lx CR2 %016lx", read_cr0(), read_cr2());
    log_error("CR3 %016lx CR4 %016lx", read_cr3(), read_cr4());
}

static void print_registers(const struct trap_frame *f)
{
    log_error("RAX %016lx RBX %016lx", f->rax, f->rbx);
    log_error("RCX %016lx RDX %016lx", f->rcx, f->rdx);
    log_error("RSI %016lx RDI %016lx", f->rsi, f->rdi);
    log_error("RBP %016lx RSP %016lx", f->rbp, f->rsp);
    log_error("R8  %016lx R9  %016lx", f->r8, f->r9);
    log_error("R10 %016lx R11 %016lx", f->r10, f->r11);
    log_error("R12 %016lx R13 %016lx", f->r12, f->r13);
    log_error("R14 %016lx R15 %016lx", f->r14, f->r15);
    log_error("RIP %016lx RFLAGS %08lx CS %lx SS %lx", f->rip, f->rflags, f->cs, f->ss);
}

static const char *pf_access(u64 error)
{
    if (error & PF_FETCH)
        return "executing";
    return error & PF_WRITE ? "writing" : "reading";
}

static const char *pf_reason(u64 error)
{
    if (error & PF_RESERVED)
        return "reserved bit set in a table";
    return error & PF_PRESENT ? "the page forbids it" : "no page there";
}

static void print_cause(const struct trap_frame *f)
{
    const char *name = names[f->vector] ? names[f->vector] : "reserved exception";

    log_error("*** exception in the hypervisor on core %u: %s, error code 0x%lx", slot_index(), name, f->error);
    if (f->vector == X86_PF)
        log_error("  %s 0x%016lx: %s", pf_access(f->error), read_cr2(), pf_reason(f->error));
}

/*
 * Returns on the first core that panics, once. Any other stops without a word, for that one's report goes on; a second
 * panic on that core means that its report failed.
 */
static void panic_begin(u64 where)
{
    static bool again;
    u32 who = HOST_MAX_CORES;

    cpu_cli();
    log_panic_begin();
    if (__atomic_compare_exchange_n(&panic_core, &who, slot_index(), false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        return;
    if (who == slot_index() && !again) {
        again = true;
        print_place("*** this report failed", where);
        arch_nmi_others();
    }
    arch_halt();
}

static NORETURN void panic_end(void)
{
    u64 id;
    bool shown;

    memcpy(&id, image_build_id + BUILD_ID, sizeof(id));
    log_error("Pith %s, build %016lx", PITH_VERSION, __builtin_bswap64(id));
    arch_nmi_others(); /* they would write on the screen, too */
    shown = show && show();
    /* Two rows of 48 letters at most: that is what is left on a screen with the code. */
    log_error("*** stopped; %seport the lines above%s", rest ? "Ctrl-T restarts. R" : "please r",
              shown ? ", or what a phone finds in the code" : "");
    if (rest)
        rest();
    arch_halt();
}

void panic_set_rest(void (*fn)(void))
{
    rest = fn;
}

void panic_set_screen(bool (*fn)(void))
{
    show = fn;
}

void panic_check(void)
{
    u32 who = __atomic_load_n(&panic_core, __ATOMIC_SEQ_CST);

    if (who != HOST_MAX_CORES && who != slot_index())
        arch_halt();
}

void trap_panic(const struct trap_frame *f)
{
    panic_begin(f->rip);
    print_cause(f);
    print_registers(f);
    print_control();
    print_trace(f->rip, f->rbp);
    panic_end();
}

void panic(const char *fmt, ...)
{
    char text[200];
    va_list ap;

    panic_begin((u64)__builtin_return_address(0));
    va_start(ap, fmt);
    fmt_vstr(text, sizeof(text), fmt, ap);
    va_end(ap);
    log_error("*** panic on core %u: %s", slot_index(), text);
    print_control();
    print_trace(0, (u64)__builtin_frame_address(0));
    panic_end();
}
