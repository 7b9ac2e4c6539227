/* SPDX-License-Identifier: MIT */
/* A software page walk: entries from the top, then rights, then Accessed and Dirty. */
#include "arch/x86/gwalk.h"

#include "arch/x86/cpu/regs.h"

/* SDM 3, Paging: "Formats of Paging-Structure Entries"; the same bits in all of them. */
#define PTE_P       BIT(0)
#define PTE_W       BIT(1)
#define PTE_U       BIT(2)
#define PTE_A       BIT(5)
#define PTE_D       BIT(6)
#define PTE_PS      BIT(7)
#define PTE_NX      BIT(63)
#define PTE_ADDRESS 0x000ffffffffff000ull

#define PF_P    1u
#define PF_W    2u
#define PF_U    4u
#define PF_RSVD 8u
#define PF_I    16u

#define MAX_LEVELS 5
#define MAX_TRIES  8 /* against guests that write the same entry all the time: then A and D stay as they are */

struct walk {
    const struct gwalk_env *env;
    u64 linear;
    enum gwalk_access access;
    unsigned levels, index_bits;
    size_t entry_size;
    u64 reserved; /* in every entry; see reserved_bits() for what depends on level and size */
    bool pae; /* PAE paging proper: 32-bit linear addresses, a first table of four entries without rights */
    struct {
        gpa_t gpa;
        u64 entry;
    } step[MAX_LEVELS + 1]; /* by level, 1 is the last */
    u64 all, any;           /* rights: what all entries have, what any of them has */
};

static unsigned shift_of(const struct walk *w, unsigned level)
{
    return PAGE_SHIFT + w->index_bits * (level - 1);
}

static bool nx_enabled(const struct gwalk_env *env)
{
    return env->nx && (env->mode.efer & EFER_NXE) && (env->mode.cr4 & CR4_PAE);
}

static bool page_fault(const struct walk *w, u32 why, struct x86_event *fault)
{
    const struct gwalk_env *env = w->env;
    bool tells_fetch = nx_enabled(env) || (env->mode.cr4 & CR4_SMEP);

    *fault = (struct x86_event){
        .vector = X86_PF, .type = X86_EV_EXCEPTION, .valid = true, .has_error = true, .cr2 = w->linear,
        .error = why | (w->access == GWALK_WRITE ? PF_W : 0) | (env->mode.cpl == 3 ? PF_U : 0) |
                 (w->access == GWALK_FETCH && tells_fetch ? PF_I : 0),
    };
    return false;
}

static void choose_paging(struct walk *w)
{
    const struct gwalk_env *env = w->env;

    w->pae = (env->mode.cr4 & CR4_PAE) && !(env->mode.efer & EFER_LMA);
    if (env->mode.cr4 & CR4_PAE) {
        w->levels = w->pae ? 3 : env->mode.cr4 & CR4_LA57 ? 5 : 4;
        w->index_bits = 9;
        w->entry_size = 8;
        w->reserved = ((BIT(52) - 1) & ~(BIT(env->maxphyaddr) - 1)) | (w->pae ? 0x7ff0000000000000ull : 0) |
                      (nx_enabled(env) ? 0 : PTE_NX);
    } else {
        w->levels = 2;
        w->index_bits = 10;
        w->entry_size = 4;
        w->reserved = 0;
    }
}

static bool is_pdpte(const struct walk *w, unsigned level)
{
    return w->pae && level == 3;
}

static bool is_large(const struct walk *w, unsigned level, u64 entry)
{
    if (!(entry & PTE_PS))
        return false;
    if (w->entry_size == 4)
        return level == 2 && (w->env->mode.cr4 & CR4_PSE);
    return level == 2 || (level == 3 && !w->pae);
}

/* Address bits 39:32 of a 4 MiB page are in bits 20:13, as many as the processor has (PSE-36). */
static u64 pse_reserved(const struct gwalk_env *env)
{
    unsigned high = env->maxphyaddr > 32 ? MIN(env->maxphyaddr, 40) - 32u : 0;

    return 0x3fe000 & ~((BIT(high) - 1) << 13);
}

static u64 reserved_bits(const struct walk *w, unsigned level, u64 entry)
{
    if (is_pdpte(w, level)) /* bit 5 is reserved too, but emulators set Accessed there */
        return w->reserved | 0xfff00000000001c6ull;
    if (!(entry & PTE_PS) || level == 1)
        return w->reserved;
    if (w->entry_size == 4)
        return is_large(w, level, entry) ? pse_reserved(w->env) : 0;
    if (level > 3 || (level == 3 && !w->env->page_1g))
        return w->reserved | PTE_PS;
    return w->reserved | ((BIT(shift_of(w, level)) - 1) & ~0x1fffull); /* bit 12 is PAT */
}

static u64 read_entry(const struct walk *w, gpa_t gpa)
{
    u64 entry = 0;

    if (!w->env->read(w->env->ctx, gpa, &entry, w->entry_size))
        return w->entry_size == 4 ? 0xffffffff : ~0ull; /* what a bus answers where nothing is */
    return entry;
}

static gpa_t root(const struct walk *w)
{
    if (w->pae)
        return w->env->mode.cr3 & 0xffffffe0;
    return w->env->mode.cr3 & (w->entry_size == 4 ? 0xfffff000 : PTE_ADDRESS);
}

/* Down to the leaf; returns its level, or 0 and *fault. */
static unsigned descend(struct walk *w, struct x86_event *fault)
{
    unsigned shift = shift_of(w, w->levels);
    gpa_t table = root(w);

    w->all = PTE_W | PTE_U;
    w->any = 0;
    for (unsigned level = w->levels; level; level--, shift -= w->index_bits) {
        u64 index = w->linear >> shift & (BIT(w->index_bits) - 1);
        gpa_t gpa = table + index * w->entry_size;
        u64 entry = read_entry(w, gpa);

        w->step[level].gpa = gpa;
        w->step[level].entry = entry;
        if (!(entry & PTE_P)) {
            page_fault(w, 0, fault);
            return 0;
        }
        if (entry & reserved_bits(w, level, entry)) {
            page_fault(w, PF_P | PF_RSVD, fault);
            return 0;
        }
        if (!is_pdpte(w, level)) {
            w->all &= entry;
            w->any |= entry;
        }
        if (level == 1 || is_large(w, level, entry))
            return level;
        table = entry & PTE_ADDRESS;
    }
    return 0;
}

/* SDM 3, "Determination of Access Rights". */
static bool allowed(const struct walk *w)
{
    const struct gwalk_env *env = w->env;

    if (w->access == GWALK_FETCH) {
        if (nx_enabled(env) && (w->any & PTE_NX))
            return false;
        return env->mode.cpl == 3 ? w->all & PTE_U : !((env->mode.cr4 & CR4_SMEP) && (w->all & PTE_U));
    }
    if (env->mode.cpl == 3)
        return (w->all & PTE_U) && (w->access == GWALK_READ || (w->all & PTE_W));
    if ((env->mode.cr4 & CR4_SMAP) && (w->all & PTE_U) && !(env->mode.rflags & RFLAGS_AC))
        return false;
    return w->access == GWALK_READ || (w->all & PTE_W) || !(env->mode.cr0 & CR0_WP);
}

/* False: an entry changed meanwhile. */
static bool set_accessed(const struct walk *w, unsigned leaf)
{
    if (!w->env->update)
        return true;
    for (unsigned level = w->levels; level >= leaf; level--) {
        u64 old = w->step[level].entry;
        u64 val = old | PTE_A | (level == leaf && w->access == GWALK_WRITE ? PTE_D : 0);

        if (val == old || is_pdpte(w, level))
            continue;
        if (!w->env->update(w->env->ctx, w->step[level].gpa, old, val, w->entry_size))
            return false;
    }
    return true;
}

static gpa_t leaf_address(const struct walk *w, unsigned leaf)
{
    u64 entry = w->step[leaf].entry, offset = BIT(shift_of(w, leaf)) - 1;
    u64 high = w->entry_size == 4 && leaf == 2 ? (entry >> 13 & 0xff) << 32 : 0;

    return (entry & PTE_ADDRESS & ~offset) | high | (w->linear & offset);
}

static bool canonical(const struct walk *w)
{
    unsigned unused = 64 - shift_of(w, w->levels + 1);

    return (u64)((s64)(w->linear << unused) >> unused) == w->linear;
}

bool gwalk(const struct gwalk_env *env, u64 linear, enum gwalk_access access, gpa_t *gpa, struct x86_event *fault)
{
    unsigned leaf;
    struct walk w; /* not cleared: most of it is for deeper tables than there are */

    w.env = env;
    w.linear = linear;
    w.access = access;

    if (!(env->mode.efer & EFER_LMA))
        w.linear = (u32)linear;
    if (!(env->mode.cr0 & CR0_PG)) {
        *gpa = w.linear;
        return true;
    }
    choose_paging(&w);
    if ((env->mode.efer & EFER_LMA) && !canonical(&w)) {
        *fault = (struct x86_event){ .vector = X86_GP, .type = X86_EV_EXCEPTION, .valid = true, .has_error = true };
        return false;
    }
    for (unsigned tries = 0; tries < MAX_TRIES; tries++) {
        leaf = descend(&w, fault);
        if (!leaf)
            return false;
        if (!allowed(&w))
            return page_fault(&w, PF_P, fault);
        if (set_accessed(&w, leaf))
            break;
    }
    *gpa = leaf_address(&w, leaf);
    return true;
}
