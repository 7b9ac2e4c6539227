/* SPDX-License-Identifier: MIT */
/* From the manifest and the files in memory to load plans. */
#include "boot/plans.h"

static struct image_file file_of(const struct image_file *files, u32 index)
{
    return index == MANIFEST_NONE ? (struct image_file){ 0 } : files[index];
}

static enum pith_status make(const struct manifest_partition *c, const struct image_file *files, struct image_out *out,
                             struct load_plan *plan, const char **why)
{
    struct image_file modules[MANIFEST_MODULES];
    const struct image_request rq = {
        .partition = c->name,
        .image = file_of(files, c->image),
        .initrd = file_of(files, c->initrd),
        .modules = modules,
        .nr_modules = c->nr_modules,
        .nr_vcpus = c->vcpus,
        .cmdline = c->cmdline,
        .memory = c->memory,
    };

    for (u32 i = 0; i < c->nr_modules; i++)
        modules[i] = file_of(files, c->modules[i]);
    return image_load(&rq, out, plan, why);
}

static bool all_read(const struct manifest_partition *c, const struct image_file *files)
{
    bool read = files[c->image].data && (c->initrd == MANIFEST_NONE || files[c->initrd].data);

    for (u32 i = 0; i < c->nr_modules; i++)
        read &= files[c->modules[i]].data != NULL;
    return read;
}

u32 plans_make(const struct manifest *m, const struct image_file *files, struct image_out *out, struct load_plan *plans,
               plans_mistake_fn *mistake)
{
    u32 mistakes = 0;

    for (u32 i = 0; i < m->nr_partitions; i++) {
        const struct manifest_partition *c = &m->partitions[i];
        struct load_plan counted;
        const char *why = "";

        if (!all_read(c, files) || make(c, files, out, plans ? &plans[i] : &counted, &why) == PITH_OK)
            continue;
        mistake(c, why);
        mistakes++;
    }
    return mistakes;
}
