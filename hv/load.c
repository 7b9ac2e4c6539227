/* SPDX-License-Identifier: MIT */
/* Loading a partition. */
#include "hv/load.h"

#include "hv/abi/hypercall.h"
#include "hv/lib/log.h"
#include "hv/lib/panic.h"

static const struct handoff *handoff;

static const struct handoff_module *module_at(u32 index)
{
    return phys_to_virt(handoff->modules.base + (u64)index * handoff->modules.stride);
}

void load_init(const struct handoff *h)
{
    handoff = h;
    for (u32 i = 0; i < h->modules.count; i++)
        if (host_map(module_at(i)->base, module_at(i)->size, HOST_RO) != phys_to_virt(module_at(i)->base))
            panic("no memory to map module %s", module_at(i)->name);
}

static struct image_file file_of(u32 module)
{
    const struct handoff_module *m;

    if (module == MANIFEST_NONE)
        return (struct image_file){ 0 };
    m = module_at(module);
    return (struct image_file){ .data = phys_to_virt(m->base), .size = m->size, .name = m->name };
}

static bool in_ram(const struct partition *p, gpa_t gpa, u64 len)
{
    for (u32 i = 0; i < p->nr_ram && len; i++) {
        u64 offset = gpa - p->ram[i].gpa;
        u64 n = offset < p->ram[i].size ? MIN(len, p->ram[i].size - offset) : 0;

        gpa += n;
        len -= n;
    }
    return !len;
}

/* Large parts of files are noted and copied later, a chunk at a time: files stay where they are. */
static enum pith_status write_ram(void *ctx, gpa_t gpa, const void *buf, size_t len)
{
    struct partition *p = ctx;

    if (len <= LOAD_CHUNK || p->load.nr_copies == LOAD_COPIES)
        return arch_vm_write(&p->vm, gpa, buf, len);
    if (!in_ram(p, gpa, len))
        return PITH_E_ARG;

    p->load.copies[p->load.nr_copies++] = (struct load_copy){ gpa, buf, len };
    return PITH_OK;
}

/* PITH_E_BUSY: more is to come. */
static enum pith_status copy_some(struct partition *p)
{
    struct load_copy *c = &p->load.copies[p->load.nr_copies - 1];
    u64 n = MIN(c->len, LOAD_CHUNK);
    enum pith_status st = arch_vm_write(&p->vm, c->gpa, c->from, n);

    c->gpa += n;
    c->from += n;
    c->len -= n;
    if (!c->len)
        p->load.nr_copies--;
    return st == PITH_OK && p->load.nr_copies ? PITH_E_BUSY : st;
}

/* False: all of it is zero. */
static bool scrub_some(struct partition *p)
{
    u64 skip = p->load.scrubbed;

    for (u32 i = 0; i < p->nr_ram; i++) {
        u64 n;

        if (skip >= p->ram[i].size) {
            skip -= p->ram[i].size;
            continue;
        }
        n = MIN(LOAD_CHUNK, p->ram[i].size - skip);
        host_zero(p->ram[i].hpa + skip, n);
        p->load.scrubbed += n;
        return true;
    }
    return false;
}

static enum pith_status write_nothing(void *ctx, gpa_t gpa, const void *buf, size_t len)
{
    (void)ctx, (void)gpa, (void)buf, (void)len;
    return PITH_OK;
}

static enum pith_status load_image(struct partition *p, bool check_only, const char **why)
{
    const struct manifest_partition *c = p->conf;
    struct image_file modules[MANIFEST_MODULES];
    struct image_request rq = {
        .partition = p->name,
        .image = file_of(c->image),
        .initrd = file_of(c->initrd),
        .modules = modules,
        .nr_modules = c->nr_modules,
        .nr_vcpus = p->nr_vcpus,
        .cmdline = c->cmdline,
        .memory = c->memory,
        .tsc_khz = arch_tsc_khz(),
        .write = check_only ? write_nothing : write_ram,
        .ctx = p,
    };

    for (u32 i = 0; i < c->nr_modules; i++)
        modules[i] = file_of(c->modules[i]);
    return image_load(&rq, &p->start, why);
}

enum pith_status load_check(struct partition *p, const char **why)
{
    return load_image(p, true, why);
}

enum pith_status load_step(struct partition *p, const char **why)
{
    enum pith_status st;

    if (p->load.nr_copies)
        return copy_some(p);
    if (scrub_some(p))
        return PITH_E_BUSY;
    st = load_image(p, false, why);
    return st == PITH_OK && p->load.nr_copies ? PITH_E_BUSY : st;
}
