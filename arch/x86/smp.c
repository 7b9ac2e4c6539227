/* SPDX-License-Identifier: MIT */
/* Starts the other cores, one at a time (SDM 3A, "MP Initialization Protocol Algorithm for MP Systems"). */
#include "arch/x86/smp.h"

#include "arch/x86/cpu/insn.h"
#include "arch/x86/cpu/regs.h"
#include "arch/x86/paging.h"
#include "arch/x86/slots.h"
#include "arch/x86/trampoline.h"
#include "drivers/lapic.h"
#include "hv/lib/log.h"
#include "hv/lib/panic.h"

#define INIT_US   10000u
#define SIPI_US   200u
#define ANSWER_US 500000u
#define FINISH_US 10000000u /* a core that has a stack by now runs our code: only a busy emulator is that slow */
#define NO_ONE    (~0u)

struct trampoline_args {
    u32 apic_id, leaf, cr3, cr4;
    u64 entry;
};
_Static_assert(offsetof(struct trampoline_args, leaf) == ARGS_LEAF && offsetof(struct trampoline_args, cr3) == ARGS_CR3 &&
               offsetof(struct trampoline_args, cr4) == ARGS_CR4 && offsetof(struct trampoline_args, entry) == ARGS_ENTRY,
               "trampoline.S");

extern const char trampoline_start[], trampoline_end[], smp_enter[];

/* For trampoline.S: the stack, and whose it is: APIC ID + 1 while that core is awaited, else 0. */
u64 smp_stack;
u32 smp_claim;
void smp_arrive(void);

static hpa_t start_page;          /* 0: none */
static struct page_root start_root; /* the hypervisor's half, and the start page where it lies */
static struct {
    u32 index;
    void *self;
    void (*entry)(u32 index);
    u64 sent, arrived; /* TSC of the boot core before the start and of the new core on its arrival */
} starting;
static struct {
    u32 apic_id;
    bool running;
} cores[HOST_MAX_CORES];

enum pith_status smp_init(const struct handoff *h, struct frame_pool *pool)
{
    enum pith_status st = root_create(&start_root, pool);

    if (st != PITH_OK)
        return st;
    root_share_host(&start_root);
    start_page = h->start_page;
    cores[0].apic_id = lapic_id();
    cores[0].running = true;
    return PITH_OK;
}

bool smp_running(u32 index, u32 *apic_id)
{
    *apic_id = cores[index].apic_id;
    return __atomic_load_n(&cores[index].running, __ATOMIC_ACQUIRE);
}

/* Runs on the new core, on its own stack, still on start_root. */
void smp_arrive(void)
{
    u32 index = starting.index;
    void (*entry)(u32 index) = starting.entry;

    starting.arrived = arch_tsc();
    write_cr3(host_root.hpa);
    arch_cpu_init(index, starting.self);
    /* RELEASE: pairs with the ACQUIRE in smp_running(); from here on what `starting` says is read no more. */
    __atomic_store_n(&cores[index].running, true, __ATOMIC_RELEASE);
    entry(index);
    panic("core %u: its entry function returned", index);
}

static bool page_fill(u32 apic_id)
{
    struct trampoline_args args = {
        .apic_id = apic_id,
        .leaf = rdmsr(MSR_APIC_BASE) & APIC_BASE_X2APIC ? 0xb : 1,
        .cr3 = (u32)start_root.hpa,
        .cr4 = (u32)(CR4_PAE | (read_cr4() & CR4_LA57)),
        .entry = (u64)smp_enter,
    };

    host_write(start_page, trampoline_start, (size_t)(trampoline_end - trampoline_start));
    host_write(start_page + TRAMPOLINE_ARGS, &args, sizeof(args));
    return root_map(&start_root, host_frames, start_page, start_page, PAGE_SIZE, PTE_CODE);
}

/* From here on a late core halts in real mode; one that was past that check has had time to leave the page. */
static void page_clear(bool late)
{
    static const u32 no_one = NO_ONE;

    host_write(start_page + TRAMPOLINE_ARGS + ARGS_APIC_ID, &no_one, sizeof(no_one));
    if (late)
        arch_udelay(INIT_US);
    if (!root_map(&start_root, host_frames, start_page, start_page, PAGE_SIZE, 0))
        panic("page tables of the start page are gone");
}

static bool claimed(u64 us)
{
    u64 end = arch_tsc() + us * arch_tsc_khz() / 1000;

    while (__atomic_load_n(&smp_claim, __ATOMIC_ACQUIRE)) {
        if (arch_tsc() > end)
            return false;
        cpu_relax();
    }
    return true;
}

/* True: the core has taken its stack. False: it has not, and cannot any more. */
static bool wake(u32 apic_id)
{
    u32 awaited = apic_id + 1;

    __atomic_store_n(&smp_claim, awaited, __ATOMIC_RELEASE);
    lapic_send(apic_id, LAPIC_INIT);
    arch_udelay(INIT_US);
    lapic_send(apic_id, LAPIC_STARTUP | (u32)(start_page >> PAGE_SHIFT));
    if (claimed(SIPI_US))
        return true;
    lapic_send(apic_id, LAPIC_STARTUP | (u32)(start_page >> PAGE_SHIFT));
    if (claimed(ANSWER_US))
        return true;
    return !__atomic_compare_exchange_n(&smp_claim, &awaited, 0, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

static void wait_running(u32 index)
{
    u64 end = arch_tsc() + FINISH_US * arch_tsc_khz() / 1000;
    u32 apic_id;

    while (!smp_running(index, &apic_id)) {
        if (arch_tsc() > end)
            panic("core %u (APIC ID %u) started and did not finish", index, apic_id);
        cpu_relax();
    }
}

/* Timers move between cores with their vCPUs: they would fire early or late. */
static void check_tsc(u32 index)
{
    if (starting.arrived < starting.sent || starting.arrived > arch_tsc())
        log_warn("core %u: its TSC is not in step with the boot core's (%ld ms), timers of moving vCPUs will be off", index,
                 (long)((s64)(starting.arrived - arch_tsc()) / (s64)arch_tsc_khz()));
}

void arch_cpu_stop(u32 index)
{
    lapic_send(cores[index].apic_id, LAPIC_INIT);
    arch_udelay(INIT_US);
    __atomic_store_n(&cores[index].running, false, __ATOMIC_RELEASE);
}

enum pith_status arch_cpu_start(u32 index, u32 apic_id, void *self, void (*entry)(u32 index))
{
    enum pith_status st;
    bool here;

    if (index == 0 || index >= HOST_MAX_CORES || cores[index].running)
        return PITH_E_ARG;
    if (!lapic_reaches(apic_id))
        return PITH_E_ARG;
    if (!start_page)
        return PITH_E_MEM;
    st = slot_create(index, host_frames);
    if (st != PITH_OK)
        return st;
    if (!page_fill(apic_id))
        return PITH_E_MEM;

    cores[index].apic_id = apic_id;
    starting.index = index;
    starting.self = self;
    starting.entry = entry;
    starting.sent = arch_tsc();
    smp_stack = slot_va(index, SLOT_STACK + SLOT_STACK_PAGES);
    here = wake(apic_id);
    if (here) {
        wait_running(index);
        check_tsc(index);
    }
    page_clear(!here);
    return here ? PITH_OK : PITH_E_HW;
}
