/* SPDX-License-Identifier: MIT */
/* From the loader's hand-over to the first guest. */
#include "hv/main.h"

#include "arch/x86/cpu/insn.h"
#include "hv/abi/manifest.h"
#include "hv/abi/stages.h"
#include "hv/abi/version.h"
#include "hv/audit.h"
#include "hv/console.h"
#include "hv/irq.h"
#include "hv/lib/fmt.h"
#include "hv/lib/frames.h"
#include "hv/lib/log.h"
#include "hv/lib/panic.h"
#include "hv/load.h"
#include "hv/monitor.h"
#include "hv/panic_screen.h"
#include "hv/partition.h"
#include "hv/power.h"
#include "hv/ram.h"
#include "hv/terminal.h"
#include "hv/trace.h"

#define HOST_PAGES_BASE     192u  /* the hypervisor's own tables, with room to spare */
#define READING_S           60u
#define HOST_PAGES_PER_CORE 32u   /* stacks, structures, VMXON region */

static struct frame_pool host_pool;
static struct vm_caps caps;

static u64 waited; /* ticks for measuring clocks, and for other cores */

static const struct handoff *up; /* set once clock and cores run: from then on the machine can be restarted */

static enum boot_stage reached;

/* It begins. */
static void stage(enum boot_stage next)
{
    static const char *const texts[] = { BOOT_STAGES(BOOT_STAGE_TEXT) };

    reached = next;
    log_info("%2u/%u %s", reached, BOOT_STAGES_ALL, texts[reached]);
}

/* The message stays on serial and screen until somebody has read it. */
static NORETURN void restart_when_read(void)
{
    u64 end = arch_tsc() + READING_S * 1000 * arch_tsc_khz();

    log_info("restarting at a key, or in %u s", READING_S);
    while (arch_tsc() < end && terminal_getc() < 0)
        cpu_relax();
    if (!cpus_park())
        log_warn("a core did not stop; restarting all the same");
    arch_reboot(up);
}

/* For what only a person can mend. */
static NORETURN void stop(const char *what)
{
    log_error("cannot go on at stage %u of %u: %s", reached, BOOT_STAGES_ALL, what);
    if (up)
        restart_when_read();
    log_info("switch the machine off and on again");
    arch_halt();
}

static const struct manifest *manifest_of(const struct handoff *h)
{
    const struct manifest *m = phys_to_virt(h->manifest_base);

    if (h->manifest_size < sizeof(*m) || m->magic != MANIFEST_MAGIC || m->version != MANIFEST_VERSION || m->size != sizeof(*m))
        stop("the loader's manifest is not of this version - loader and hypervisor do not belong together");
    return m;
}

/* Bytes of a kind, and in how many pieces. */
static u64 ranges_of(const struct handoff *h, u32 kind, u64 *pieces)
{
    const u8 *at = phys_to_virt(h->ranges.base);
    u64 bytes = 0;

    *pieces = 0;
    for (u32 i = 0; i < h->ranges.count; i++, at += h->ranges.stride) {
        const struct handoff_range *r = (const void *)at;

        bytes += r->kind == kind ? r->size : 0;
        *pieces += r->kind == kind;
    }
    return bytes;
}

/* Frames for tables: of a piece of memory that is mapped, both ends may lie within 2 MiB. */
static u64 table_pages(const struct handoff *h)
{
    u64 own, files;

    (void)ranges_of(h, HANDOFF_HV_IMAGE, &own);
    (void)ranges_of(h, HANDOFF_MODULE, &files);
    return 2 * (own + files + h->runtime.count);
}

/* The hypervisor's own memory: mapped for good, private frames of every partition included. */
static void host_pool_init(const struct handoff *h)
{
    const struct manifest *m = manifest_of(h);
    u64 wanted = HOST_PAGES_BASE + HOST_PAGES_PER_CORE * h->cpus.count + table_pages(h) + partitions_frames(m) +
                 trace_frames(m, h->cpus.count + 1);
    u64 size = ALIGN_UP(wanted * PAGE_SIZE, MIB(2));
    hpa_t base = ram_take(size, MIB(2), GIB(4));
    u64 bitmap_pages = size / PAGE_SIZE / (8 * PAGE_SIZE) + 1;

    if (!base)
        stop("no memory for the hypervisor below 4 GiB - lower memory = in pith.conf");
    audit_init(&host_pool, size);
    frames_init(&host_pool, base, size / PAGE_SIZE, phys_to_virt(base));
    ASSERT(frames_alloc(&host_pool, bitmap_pages, 1) == base); /* the bitmap itself, in the first frames */
}

static void must(enum pith_status st, const char *what)
{
    if (st != PITH_OK)
        panic("%s: status %d", what, st);
}

static void hello(const struct handoff *h)
{
    log_set_sink(console_line);
    log_info("Pith %s", PITH_VERSION);
    if (h->magic != HANDOFF_MAGIC || h->version != HANDOFF_VERSION || h->size != sizeof(*h))
        stop("the loader and the hypervisor do not belong together - copy the whole BOOTX64.EFI again");
}

static void clocks_known(const struct handoff *h)
{
    reached = STAGE_CLOCKS;
    if (!h->machine.tsc_khz)
        stop("HPET or PM timer, TSC or local APIC timer stands still - load the firmware's default settings, with the HPET on");
}

/* Which of enum vm_leftover; "" for none. */
static const char *leftovers(u8 set, char text[80])
{
    static const char *const names[] = { "branch predictors", "first-level cache", "buffers" };
    size_t n = 0;

    text[0] = '\0';
    for (u32 i = 0; i < ARRAY_SIZE(names); i++)
        if (set >> i & 1)
            n += fmt_str(text + n, 80 - n, "%s%s", n ? ", " : "", names[i]);
    return text;
}

/* Only where partitions share a core somebody can look for what is left. */
static void leftovers_told(void)
{
    bool shared = false;
    char text[80];

    for (u32 i = 0; i < nr_cpus; i++)
        shared |= cpu_get(i)->nr_vcpus && !cpu_get(i)->tenant;
    if (shared && caps.cleared)
        log_info("a core that changes its partition clears %s", leftovers(caps.cleared, text));
    if (shared && caps.leaks)
        log_warn("this processor's microcode cannot clear %s where partitions share a core: their programs may learn what others' did"
                 " - update the firmware, or give each partition cores of its own",
                 leftovers(caps.leaks, text));
}

static void virtualization_init(void)
{
    if (arch_vm_probe(&caps) != PITH_OK)
        stop(caps.why ? caps.why : "this processor has neither VT-x with EPT nor AMD-V with nested paging");
    log_info("%s, %u tags%s%s", caps.name, caps.nr_tags, caps.page_1g ? ", 1 GiB pages" : "",
             caps.itlb_safe ? "" : ", executable memory in 4 KiB pages (iTLB multihit)");
}

static void clock_init(const struct handoff *h)
{
    u64 from = arch_tsc();

    arch_timers_init(h);
    waited += arch_tsc() - from;
}

static void cores_start(const struct handoff *h)
{
    u64 from = arch_tsc();

    cpus_start(h);
    waited += arch_tsc() - from;
}

/* What is not left for partitions: image, hand-over, own frames. Files and partitions' pools are theirs. */
static u64 kept_bytes(const struct handoff *h, const struct manifest *m)
{
    u64 pieces;

    return ranges_of(h, HANDOFF_HV_IMAGE, &pieces) + (host_pool.nr_total - partitions_frames(m)) * PAGE_SIZE;
}

void main_first_start(const struct partition *p)
{
    log_debug("first guest after %lu ticks: %lu of them waiting, %lu clearing %lu KiB", arch_tsc() - up->entry_tsc, waited,
              p->load.scrub_tsc, p->load.scrubbed >> 10);
}

static void focus_first(const struct manifest *m)
{
    struct partition *p = NULL;

    if (m->focus != MANIFEST_NONE)
        p = partition_find(m->partitions[m->focus].name);
    monitor_focus(p);
}

void hv_main(const struct handoff *h)
{
    const struct manifest *m;

    terminal_early(h);                                      /* first: everything below may want to speak */
    panic_set_screen(panic_screen);
    hello(h);
    terminal_screen_early(h);
    clocks_known(h);
    stage(STAGE_RAM);
    ram_init(h);                                            /* who owns which RAM */
    host_pool_init(h);
    must(cpus_init(h, &host_pool), "core structures");
    stage(STAGE_HOST);
    must(arch_host_init(h, &host_pool, cpu_get(0)), "host page tables and traps");
    stage(STAGE_CONSOLE);
    terminal_late(h);
    stage(STAGE_TIMERS);
    clock_init(h);
    stage(STAGE_VIRTUALIZATION);
    virtualization_init();
    stage(STAGE_INPUT);
    irq_init();
    stage(STAGE_POWER);
    power_init(h);
    stage(STAGE_START);
    cores_start(h);                                         /* the others wait in cpu_main for work */
    up = h;
    log_info("%u core%s, %lu MiB free, TSC %lu MHz", nr_cpus, nr_cpus == 1 ? "" : "s", ram_free_bytes() >> 20,
             arch_tsc_khz() / 1000);
    m = manifest_of(h);
    log_set_level((enum log_level)m->log_level);
    stage(STAGE_PARTITIONS);
    load_init(h);
    partitions_set_clock(h->boot_seconds);
    if (partitions_create(m, &host_pool) != PITH_OK)        /* manifest -> partitions, all stopped */
        stop("a partition of pith.conf cannot be built");
    leftovers_told();
    trace_init(m, &host_pool);                              /* a ring a core, if pith.conf wants any */
    log_debug("%lu KiB kept, %lu KiB of them unused", kept_bytes(h, m) >> 10, host_pool.nr_free << 2);
    stage(STAGE_GUESTS);
    focus_first(m);
    partitions_begin();
    terminal_start();                                       /* nobody waits for the serial line any more */
    cpu_main();
}
