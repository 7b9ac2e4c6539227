/* SPDX-License-Identifier: MIT */
/* Second-stage tables. SDM 3, The Extended Page Table Mechanism; APM 2, Nested Paging. */
#include "arch/x86/s2.h"

#include "arch/x86/s2_mem.h"
#include "arch/x86/vm_ops.h"
#include "hv/lib/panic.h"

#define ENTRIES    512u
#define ROOT_LEVEL 4u
#define GPA_BITS   48
#define HPA_BITS   52

/* What EPT and NPT have in common, so that entries can be read without asking the vendor. */
#define S2_PRESENT  0x7ull              /* any of: R, W, X in EPT; P, RW, US in NPT */
#define S2_READ     BIT(0)              /* R; P */
#define S2_WRITE    BIT(1)              /* W; RW */
#define S2_EXEC     BIT(2)              /* X; US, which leaves of NPT always have */
#define S2_NX       BIT(63)             /* suppress #VE, unused, 0; NX */
#define S2_LARGE    BIT(7)              /* in levels 2 and 3 of both */
#define S2_ADDRESS  0x000ffffffffff000ull
#define S2_ACCESSED (BIT(5) | BIT(6) | BIT(8) | BIT(9)) /* A and D of NPT, of EPT; memory types differ in bit 4 too */

static u64 span(unsigned level)
{
    return 1ull << (PAGE_SHIFT + 9 * (level - 1));
}

static unsigned entry_index(gpa_t gpa, unsigned level)
{
    return (unsigned)(gpa / span(level)) % ENTRIES;
}

/* End of the part of [gpa, end) that one entry of this level covers. */
static gpa_t part_end(gpa_t gpa, gpa_t end, unsigned level)
{
    return MIN(end, ALIGN_DOWN(gpa, span(level)) + span(level));
}

/* Other cores' page walkers read entries while they change: each is read and written whole. */
static u64 entry_get(hpa_t table, unsigned index)
{
    return __atomic_load_n(&s2_table_at(table)[index], __ATOMIC_RELAXED);
}

static void entry_set(hpa_t table, unsigned index, u64 entry)
{
    /* RELEASE: a table is filled before the entry that leads to it; pairs with the walkers' dependent reads. */
    __atomic_store_n(&s2_table_at(table)[index], entry, __ATOMIC_RELEASE);
}

static bool is_leaf(u64 entry, unsigned level)
{
    return level == 1 || (entry & S2_LARGE);
}

static hpa_t leaf_address(u64 entry, unsigned level)
{
    return entry & S2_ADDRESS & ~(span(level) - 1); /* bit 12 of a large page in NPT is PAT */
}

static enum s2_prot leaf_prot(u64 entry)
{
    bool exec = (entry & S2_EXEC) && !(entry & S2_NX);

    return (entry & S2_READ ? S2_R : 0) | (entry & S2_WRITE ? S2_W : 0) | (exec ? S2_X : 0);
}

static enum s2_type leaf_type(u64 entry, unsigned level)
{
    u64 wb = vm_ops_get()->s2_leaf(leaf_address(entry, level), level, leaf_prot(entry), S2_WB);

    return (entry & ~S2_ACCESSED) == (wb & ~S2_ACCESSED) ? S2_WB : S2_UC;
}

static hpa_t table_alloc(struct arch_vm *vm)
{
    hpa_t table = frames_alloc(vm->frames, 1, 1);

    for (unsigned i = 0; table && i < ENTRIES; i++)
        entry_set(table, i, 0);
    return table;
}

enum pith_status s2_init(struct arch_vm *vm)
{
    vm->s2_root = table_alloc(vm);
    return vm->s2_root ? PITH_OK : PITH_E_MEM;
}

static void table_free(struct arch_vm *vm, hpa_t table, unsigned level)
{
    for (unsigned i = 0; level > 1 && i < ENTRIES; i++) {
        u64 entry = entry_get(table, i);

        if ((entry & S2_PRESENT) && !is_leaf(entry, level))
            table_free(vm, entry & S2_ADDRESS, level - 1);
    }
    frames_free(vm->frames, table, 1);
}

void s2_fini(struct arch_vm *vm)
{
    table_free(vm, vm->s2_root, ROOT_LEVEL);
    vm->s2_root = 0;
}

/* One arch_vm_map(), which walks twice: first only to check and to count, then to write. */
struct map_job {
    struct arch_vm *vm;
    u64 to_hpa; /* hpa = gpa + to_hpa */
    enum s2_prot prot;
    enum s2_type type;
    unsigned max_level;
    bool commit;
    u64 nr_tables; /* that are missing */
    hpa_t spare;   /* chain of zeroed tables, linked by their first entry */
};

static unsigned max_leaf_level(enum s2_prot prot)
{
    const struct vm_caps *caps = arch_vm_caps();

    if (!caps->page_2m || ((prot & S2_X) && !caps->itlb_safe))
        return 1;
    return caps->page_1g ? 3 : 2;
}

static bool fits_leaf(const struct map_job *job, gpa_t gpa, gpa_t end, unsigned level)
{
    return level <= job->max_level && end - gpa == span(level) && !((gpa + job->to_hpa) & (span(level) - 1));
}

static hpa_t spare_take(struct map_job *job)
{
    hpa_t table = job->spare;

    job->spare = entry_get(table, 0);
    entry_set(table, 0, 0);
    return table;
}

static void spare_drop(struct map_job *job)
{
    while (job->spare)
        frames_free(job->vm->frames, spare_take(job), 1);
}

static bool spare_fill(struct map_job *job)
{
    for (u64 i = 0; i < job->nr_tables; i++) {
        hpa_t table = table_alloc(job->vm);

        if (!table) {
            spare_drop(job);
            return false;
        }
        entry_set(table, 0, job->spare);
        job->spare = table;
    }
    return true;
}

/* Within one table of the last level. */
static enum pith_status map_leaves(const struct map_job *job, hpa_t table, gpa_t gpa, gpa_t end)
{
    const struct vm_ops *ops = vm_ops_get();

    for (unsigned i = entry_index(gpa, 1); table && gpa < end; i++, gpa += PAGE_SIZE) {
        if (job->commit)
            entry_set(table, i, ops->s2_leaf(gpa + job->to_hpa, 1, job->prot, job->type));
        else if (entry_get(table, i) & S2_PRESENT)
            return PITH_E_ARG;
    }
    return PITH_OK;
}

/* @table 0: not there yet, still counting. */
static enum pith_status map_range(struct map_job *job, hpa_t table, unsigned level, gpa_t gpa, gpa_t end)
{
    const struct vm_ops *ops = vm_ops_get();
    enum pith_status st;
    gpa_t next;

    if (level == 1)
        return map_leaves(job, table, gpa, end);
    for (; gpa < end; gpa = next) {
        unsigned index = entry_index(gpa, level);
        u64 entry = table ? entry_get(table, index) : 0;
        hpa_t below = entry & S2_ADDRESS;

        next = part_end(gpa, end, level);
        if ((entry & S2_PRESENT) && is_leaf(entry, level))
            return PITH_E_ARG;
        if (!(entry & S2_PRESENT) && fits_leaf(job, gpa, next, level)) {
            if (job->commit)
                entry_set(table, index, ops->s2_leaf(gpa + job->to_hpa, level, job->prot, job->type));
            continue;
        }
        if (!(entry & S2_PRESENT)) {
            job->nr_tables++;
            below = 0;
            if (job->commit) {
                below = spare_take(job);
                entry_set(table, index, ops->s2_table(below));
            }
        }
        st = map_range(job, below, level - 1, gpa, next);
        if (st != PITH_OK)
            return st;
    }
    return PITH_OK;
}

static bool in_range(u64 addr, u64 size, unsigned bits)
{
    return !((addr | size) & PAGE_MASK) && size && size <= 1ull << bits && addr <= (1ull << bits) - size;
}

enum pith_status arch_vm_map(struct arch_vm *vm, gpa_t gpa, hpa_t hpa, u64 size, enum s2_prot prot, enum s2_type type)
{
    struct map_job job = { .vm = vm, .to_hpa = hpa - gpa, .prot = prot, .type = type };
    enum pith_status st;

    /* Rights without reading are a misconfiguration in EPT and cannot be said in NPT. */
    if (!in_range(gpa, size, GPA_BITS) || !in_range(hpa, size, HPA_BITS) || !(prot & S2_R))
        return PITH_E_ARG;
    job.max_level = max_leaf_level(prot);
    st = map_range(&job, vm->s2_root, ROOT_LEVEL, gpa, gpa + size);
    if (st != PITH_OK)
        return st;
    if (!spare_fill(&job))
        return PITH_E_MEM;

    job.commit = true;
    return map_range(&job, vm->s2_root, ROOT_LEVEL, gpa, gpa + size);
}

/* Puts a table of smaller pages in the place of a large one; false: no frame for it. */
static bool split(struct arch_vm *vm, hpa_t table, unsigned index, unsigned level)
{
    const struct vm_ops *ops = vm_ops_get();
    u64 entry = entry_get(table, index);
    hpa_t below = table_alloc(vm), hpa = leaf_address(entry, level);
    enum s2_type type = leaf_type(entry, level);

    if (!below)
        return false;
    for (unsigned i = 0; i < ENTRIES; i++)
        entry_set(below, i, ops->s2_leaf(hpa + i * span(level - 1), level - 1, leaf_prot(entry), type));
    entry_set(table, index, ops->s2_table(below));
    return true;
}

/* True when a right was taken away. */
static bool unmap_range(struct arch_vm *vm, hpa_t table, unsigned level, gpa_t gpa, gpa_t end)
{
    bool changed = false;
    gpa_t next;

    for (; gpa < end; gpa = next) {
        unsigned index = entry_index(gpa, level);
        u64 entry = entry_get(table, index);

        next = part_end(gpa, end, level);
        if (!(entry & S2_PRESENT))
            continue;
        if (is_leaf(entry, level) && (next - gpa == span(level) || !split(vm, table, index, level))) {
            entry_set(table, index, 0);
            changed = true;
            continue;
        }
        changed |= unmap_range(vm, entry_get(table, index) & S2_ADDRESS, level - 1, gpa, next);
    }
    return changed;
}

void arch_vm_unmap(struct arch_vm *vm, gpa_t gpa, u64 size)
{
    ASSERT(in_range(gpa, size, GPA_BITS));
    /* SEQ_CST: after the entries are clear, which pairs with the ACQUIRE in tags_prepare(); before cores are looked at. */
    if (unmap_range(vm, vm->s2_root, ROOT_LEVEL, gpa, gpa + size))
        __atomic_fetch_add(&vm->s2_epoch, 1, __ATOMIC_SEQ_CST);
}

/* The entry that maps gpa, 0: none; *shift: how much it maps. */
static inline u64 leaf_find(const struct arch_vm *vm, gpa_t gpa, hpa_t *table, unsigned *shift)
{
    u64 entry;

    *table = vm->s2_root;
    for (*shift = PAGE_SHIFT + 9 * (ROOT_LEVEL - 1);; *shift -= 9) { /* on the way to every byte of a guest's: short */
        entry = entry_get(*table, (unsigned)(gpa >> *shift) % ENTRIES);
        if (!(entry & S2_PRESENT))
            return 0;
        if ((entry & S2_LARGE) || *shift == PAGE_SHIFT)
            return entry;
        *table = entry & S2_ADDRESS;
    }
}

bool arch_vm_translate(const struct arch_vm *vm, gpa_t gpa, enum s2_prot need, hpa_t *hpa)
{
    u64 entry, offset;
    unsigned shift;
    hpa_t table;

    entry = gpa >> GPA_BITS ? 0 : leaf_find(vm, gpa, &table, &shift);
    if (!entry)
        return false;
    offset = BIT(shift) - 1;
    *hpa = (entry & S2_ADDRESS & ~offset) | (gpa & offset);
    return !(need & ~leaf_prot(entry));
}

u64 arch_vm_extent(const struct arch_vm *vm, gpa_t gpa, u64 max, enum s2_prot need, hpa_t *hpa)
{
    u64 first, n = PAGE_SIZE;
    unsigned shift;
    hpa_t table;

    if (!arch_vm_translate(vm, gpa, need, hpa))
        return 0;
    first = leaf_find(vm, gpa, &table, &shift) & ~S2_ACCESSED;
    if (shift > PAGE_SHIFT)
        return MIN(max, BIT(shift) - (gpa & (BIT(shift) - 1)));
    for (unsigned i = entry_index(gpa, 1) + 1; i < ENTRIES && n < max; i++, n += PAGE_SIZE)
        if ((entry_get(table, i) & ~S2_ACCESSED) != first + n) /* the next frame, with the same rights */
            break;
    return MIN(max, n);
}
