/* SPDX-License-Identifier: MIT */
/*
 * The boot loader: a UEFI application that reads pith.conf and the guests' files, and hands the
 * machine to the hypervisor.
 */
#include "arch/x86/cpu/insn.h"
#include "boot/clock.h"
#include "boot/font.h"
#include "boot/loader.h"
#include "boot/measure.h"
#include "boot/pci.h"
#include "boot/plans.h"
#include "boot/serial.h"
#include "hv/abi/version.h"
#include "hv/lib/string.h"
#include "boot/manifest.h"

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *st);

static const char *config_name = CONFIG_NAME; /* or that of this machine's own one */

static void firmware_init(EFI_HANDLE image, EFI_SYSTEM_TABLE *st)
{
    fw.image = image;
    fw.st = st;
    fw.bs = st->BootServices;
    fw.bs->SetWatchdogTimer(0, 0, 0, NULL); /* first: else it resets the machine after 5 minutes */
    say_init();
    tpm_find();
}

static NORETURN void fail_machine(void)
{
    boot_fail("%s does not fit this machine - correct what is listed above", config_name);
}

/* Lies where the hypervisor can reach it: it finds the manifest in there. */
static struct config *config_load(void)
{
    struct config *cfg = block_take("the configuration", sizeof(*cfg), BELOW_4G, HANDOFF_HV_IMAGE);
    struct file file;
    const char *wrong = config_read(&config_name, &file);

    if (wrong)
        boot_fail("%s", wrong);
    measure_config(file.data, file.size);
    if (!config_parse(cfg, file.data, file.size)) {
        for (u32 i = 0; i < MIN(cfg->nr_errors, CONFIG_ERRORS); i++)
            say("%s:%u: %s", config_name, cfg->errors[i].line, cfg->errors[i].text);
        boot_fail("%s has %u mistake%s - correct what is listed above", config_name, cfg->nr_errors,
                  cfg->nr_errors == 1 ? "" : "s");
    }
    say_set_level(cfg->manifest.log_level);
    wrong = say_at(&cfg->manifest.serial);
    if (wrong)
        say("%s:%u: serial: %s - correct it, or write auto or none", config_name, cfg->serial_line, wrong);
    if (wrong)
        fail_machine();
    tpm_say();
    return cfg;
}

struct boot {
    struct config *cfg;
    struct memmap map;
    struct payload payload;
    struct handoff *handoff;
    struct handoff_range *ranges, *scratch;
    u32 nr_attributes;
};

static void files_load(const struct config *cfg, struct image_file *files)
{
    u32 bad = 0;

    for (u32 i = 0; i < cfg->nr_files; i++) {
        const struct config_file *f = &cfg->files[i];
        struct file file;
        const char *wrong = file_read(f->name, HANDOFF_MODULE, &file);
        char why[CONFIG_ERROR_TEXT];

        if (!wrong && file.size)
            measure_file(f->name, file.data, file.size);
        if (wrong) {
            say("%s:%u: file %s", config_name, f->line, wrong);
        } else if (file.size == 0) {
            say("%s:%u: file '%s' is empty - copy it to the boot volume again", config_name, f->line,
                f->name);
        } else if (!config_file_right(f, file.data, file.size, why, sizeof(why))) {
            say("%s:%u: %s", config_name, f->hash_line, why);
        } else {
            say_info("read %s, %lu KiB%s", f->name, (file.size + 1023) >> 10, f->hash_line ? ", its SHA-256 is right" : "");
            files[i] = (struct image_file){ file.data, file.size, f->name };
            continue;
        }
        bad++;
    }
    if (bad)
        boot_fail("%u of %u files cannot be used - correct what is listed above", bad, cfg->nr_files);
}

static void say_unloadable(const struct manifest_partition *part, const char *why)
{
    say("%s:%u: partition %s: %s", config_name, part->line, part->name, why);
}

static void say_mistake(void *ctx, const struct manifest_place *at, const char *text)
{
    struct config *cfg = ctx;

    say("%s:%u: %s", config_name, config_line(cfg, at), text);
    cfg->nr_errors++;
}

static void say_warning(void *ctx, const struct manifest_place *at, const char *text)
{
    say("%s:%u: warning: %s", config_name, config_line(ctx, at), text);
}

/* The rules that need this machine: checked here too, where the user can still read the answer. */
static void cores_fit(struct config *cfg, const struct handoff_array *cpus)
{
    const struct handoff_cpu *cpu = (const void *)cpus->base;
    u32 usable = 0;

    for (u32 i = 0; i < cpus->count; i++)
        usable += !(cpu[i].flags & HANDOFF_CPU_DISABLED);
    manifest_examine(&cfg->manifest, cfg->nr_files, usable, say_mistake, cfg);
    if (cfg->nr_errors)
        fail_machine();
    manifest_warn(&cfg->manifest, say_warning, cfg);
}

static u64 free_memory(struct boot *p)
{
    u64 free = 0;
    u32 n;

    if (EFI_ERROR(memmap_read(&p->map)))
        return ~0ull; /* read again, and reported, when it counts */
    n = memmap_ranges(&p->map, p->scratch, p->ranges);
    for (u32 i = 0; i < n; i++)
        free += p->ranges[i].kind == HANDOFF_FREE ? p->ranges[i].size : 0;
    return free;
}

/* What cannot fit in any case; the hypervisor, which needs some itself, has the last word. */
static void memory_fits(struct boot *p)
{
    const struct manifest *m = &p->cfg->manifest;
    u64 free = free_memory(p);

    for (u32 i = 0; i < m->nr_partitions; i++) {
        const struct manifest_partition *part = &m->partitions[i];
        u64 wanted = manifest_memory(m, i);

        if (wanted <= free)
            continue;
        say("%s:%u: with the memory of '%s' the partitions want %lu MiB, and %lu MiB are free - lower memory", config_name,
            config_line(p->cfg, &(struct manifest_place){ .part = part, .key = "memory" }), part->name, wanted >> 20, free >> 20);
        fail_machine();
    }
}

/* After memory_fits(), which has read the memory map. */
static void devices_fit(struct boot *p)
{
    u32 n = memmap_ranges(&p->map, p->scratch, p->ranges);

    machine_devices(&p->cfg->manifest, p->ranges, n, p->handoff, say_mistake, p->cfg);
    if (p->cfg->nr_errors)
        fail_machine();
}

/* One array of the hand-over, in memory of the hypervisor's kind. */
static struct handoff_array array_take(u32 count, u32 stride)
{
    struct handoff_array a = { 0, count, stride };

    if (count)
        a.base = (u64)block_take("the hand-over", (u64)count * stride, BELOW_4G, HANDOFF_HV_IMAGE);
    return a;
}

static void handoff_cpus(struct handoff *h)
{
    h->cpus = array_take(cpus_list(NULL, 0), sizeof(struct handoff_cpu));
    h->cpus.count = MIN(h->cpus.count, cpus_list((void *)h->cpus.base, h->cpus.count));
}

/* First counted, then made: so that what they need lies in one piece. */
static void plans_load(struct boot *p, const struct image_file *files)
{
    const struct manifest *m = &p->cfg->manifest;
    struct handoff *h = p->handoff;
    struct image_out out = { 0 };

    if (plans_make(m, files, &out, NULL, say_unloadable))
        boot_fail("an image cannot be loaded - correct what is listed above");
    h->plans = array_take(m->nr_partitions, sizeof(struct load_plan));
    h->copies = array_take(out.nr_copies, sizeof(struct plan_copy));
    out = (struct image_out){
        .copies = (void *)h->copies.base,
        .max_copies = out.nr_copies,
        .arena = block_take("the partitions' start tables", out.arena_used, ANYWHERE, HANDOFF_MODULE),
        .arena_size = out.arena_used,
    };
    if (plans_make(m, files, &out, (void *)h->plans.base, say_unloadable))
        boot_fail("the load plans do not come out as counted - this is a fault of Pith, report it");
}

static void handoff_tables(struct handoff *h)
{
    boot_stage(STAGE_TABLES);
    machine_find(&h->machine);
    h->serial = serial_handoff(h->machine.isa);
    h->efi_reset = (u64)fw.st->RuntimeServices->ResetSystem;
    boot_stage(STAGE_SCREEN);
    h->fb = screen_find();
    h->font = (u64)block_take("the font", sizeof(font_rows), BELOW_4G, HANDOFF_HV_IMAGE);
    memcpy((void *)h->font, font_rows, sizeof(font_rows));
    h->boot_seconds = clock_seconds();
}

/* All that allocates: afterwards only the memory map is still missing. */
static void prepare(struct boot *p)
{
    struct handoff *h = block_take("the hand-over", sizeof(*h), BELOW_4G, HANDOFF_HV_IMAGE);
    struct config *cfg = p->cfg;
    struct image_file *files;
    u32 nr_ranges;

    p->handoff = h;
    h->magic = HANDOFF_MAGIC;
    h->version = HANDOFF_VERSION;
    h->size = sizeof(*h);
    h->manifest_base = (u64)&cfg->manifest;
    h->manifest_size = sizeof(cfg->manifest);
    boot_stage(STAGE_CORES);
    handoff_cpus(h);
    cores_fit(cfg, &h->cpus);
    files = block_take("the list of files", cfg->nr_files * sizeof(*files), ANYWHERE, HANDOFF_FREE);
    boot_stage(STAGE_FILES);
    files_load(cfg, files);
    boot_stage(STAGE_IMAGES);
    plans_load(p, files);
    boot_stage(STAGE_PAYLOAD);
    p->payload = payload_load();
    h->hv_base = p->payload.base;
    h->hv_size = p->payload.size;
    handoff_tables(h);

    memmap_init(&p->map);
    nr_ranges = memmap_max_ranges(&p->map);
    h->ranges = array_take(nr_ranges, sizeof(struct handoff_range));
    p->nr_attributes = attributes_max();
    h->runtime = array_take((u32)(p->map.capacity / p->map.stride) + p->nr_attributes, sizeof(struct handoff_runtime));
    p->ranges = (void *)h->ranges.base;
    p->scratch = block_take("the memory map", nr_ranges * sizeof(struct handoff_range), ANYWHERE,
                            HANDOFF_FREE);
    boot_stage(STAGE_FIT);
    memory_fits(p);
    devices_fit(p);
}

static u64 start_page(const struct handoff_range *r, u32 n)
{
    u64 found = 0;

    for (u32 i = 0; i < n; i++) {
        u64 end = MIN(r[i].base + r[i].size, MIB(1));

        if (r[i].kind == HANDOFF_FREE && end > PAGE_SIZE && end - PAGE_SIZE >= r[i].base)
            found = end - PAGE_SIZE;
    }
    return found;
}

static void handoff_runtime(struct boot *p)
{
    struct handoff_runtime *r = (void *)p->handoff->runtime.base;
    u32 n = memmap_runtime(&p->map, r);

    p->handoff->runtime.count = n + attributes_runtime(r + n, p->nr_attributes);
}

static NORETURN void leave(struct boot *p)
{
    __attribute__((sysv_abi)) void (*hv_entry)(struct handoff *);

    boot_stage(STAGE_LEAVE);
    say_info("starting the hypervisor at 0x%lx, %lu KiB", p->payload.base, p->payload.size >> 10);
    measure_start(&p->cfg->manifest);
    memmap_exit(&p->map);
    cpu_cli();
    p->handoff->ranges.count = memmap_ranges(&p->map, p->scratch, p->ranges);
    p->handoff->start_page = start_page(p->ranges, p->handoff->ranges.count);
    handoff_runtime(p);
    pci_stop_bus_masters();
    boot_stage(STAGE_CLOCKS);
    if (!clock_measure(&p->handoff->machine))
        p->handoff->machine.tsc_khz = 0; /* the hypervisor has a screen to say it on */
    hv_entry = (void *)p->payload.entry;
    p->handoff->entry_tsc = rdtsc();
    hv_entry(p->handoff);
    __builtin_unreachable();
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *st)
{
    static struct boot boot;

    firmware_init(image, st);
    say("Pith " PITH_VERSION " boot loader, Secure Boot is %s", secure_boot_state());
    boot_stage(STAGE_PROCESSOR);
    cpu_check();
    boot_stage(STAGE_SOURCE);
    files_open();
    boot_stage(STAGE_CONFIG);
    boot.cfg = config_load();
    prepare(&boot);
    leave(&boot);
}
