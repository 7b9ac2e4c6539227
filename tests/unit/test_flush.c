/* SPDX-License-Identifier: MIT */
/*
 * Memory that is taken away from partitions while their vCPUs run elsewhere: cores are coroutines, which may come between any two
 * steps of each other, with model TLBs that keep all they may. A page that goes elsewhere is used by nobody who had it, and cores
 * that take memory from each other's partitions do not wait for ever. They lend each other pages, too: one that was taken back is
 * used by nobody but its owner, and one that is lent is not given away.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/coroutines.h"

static void point(void);
static void spin(void);
#define __atomic_load_n(p, o) (point(), __atomic_load_n(p, o))
#define __atomic_store_n(p, v, o) (point(), __atomic_store_n(p, v, o))
#define __atomic_exchange_n(p, v, o) (point(), __atomic_exchange_n(p, v, o))
#define __builtin_ia32_pause() spin()

#include "hv/cpu.h"
static struct cpu *here; /* the core that runs now */
#define this_cpu() here

#include "hv/flush.c"
#include "hv/grant.c"
#include "arch/x86/tags.c"

enum {
    CORES = 3, PARTS = 2, VCPUS = 4, PAGES = 3, WINDOW = 2, ALL = PAGES + WINDOW, LOANS = 8, FRAMES = 4096,
    STACK = 32 << 10, TAGS = 8, ENOUGH = 20000
};

struct core { struct cpu cpu; void *sp; bool ipi, nmi, in_guest; u32 waits_since; };

static struct core cores[CORES];
static char stacks[CORES][STACK] __attribute__((aligned(64)));
static struct partition parts[PARTS];
static struct vcpu vcpus[VCPUS];       /* 0 and 1 of the first partition, 2 and 3 of the second */
static const u32 homes[VCPUS] = { 0, 1, 1, 2 };
static u32 map[PARTS][ALL];            /* frame + 1, 0: none; behind its own pages those of its window for grants */
static u32 cached[CORES][PARTS][VCPUS][ALL]; /* the same, per core and tag's owner */
static u32 lent[FRAMES];               /* grants of that frame, from before the other side knows the number */
static struct loan { u64 number; u32 frame; } loans[PARTS][LOANS]; /* of each partition to the other */
static u32 owner[FRAMES];              /* partition + 1; 0: nobody's */
static u32 next_frame, me, points, taken, entries, busy, mapped, revoked, odds;
static u64 seed;
static const char *wrong;
static void *main_sp;

static u32 pick(u32 n)
{
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    return (u32)(seed >> 33) % n;
}

static void go(u32 to)
{
    u32 from = me;

    if (to == from)
        return;
    me = to;
    here = &cores[to].cpu;
    switch_stacks(&cores[from].sp, cores[to].sp);
}

static void done(const char *why)
{
    static void (*volatile never)(void) = abort;
    void *unused;

    wrong = why;
    switch_stacks(&unused, main_sp);
    never();
}

static void end(void)
{
    for (u32 i = 0; i < CORES; i++)
        if (cores[i].waits_since && points - cores[i].waits_since > ENOUGH / 4)
            done("a core waits for ever");
    done(NULL);
}

static void point(void)
{
    if (!points)
        return;
    if (++points > ENOUGH)
        end();
    if (pick(odds) == 0)
        go(pick(CORES));
}

static void spin(void)
{
    point();
    go((me + 1) % CORES);
}

void arch_ipi(u32 apic_id, u8 vector) { (void)vector; point(); cores[apic_id].ipi = true; }
void arch_nmi(u32 apic_id) { point(); cores[apic_id].nmi = cores[apic_id].in_guest; } /* else the hypervisor's handler has it */
void cpu_ring(struct cpu *cpu) { arch_ipi(cpu->apic_id, 0); }
u64 arch_tsc(void) { return points; }
u64 arch_tsc_khz(void) { return 100; }

static void use(u32 part, u32 frame)
{
    if (owner[frame - 1] != part + 1 && !(owner[frame - 1] && lent[frame - 1]))
        done("a partition uses memory that it has no more");
}

/* The guest in its memory: a line that was kept is as good as the map. */
static void access_memory(struct vcpu *v)
{
    u32 part = (u32)(v->part - parts), page = pick(ALL);
    u32 *line = &cached[me][part][v->index][page];

    if (!*line)
        *line = map[part][page];
    point();
    if (*line)
        use(part, *line);
}

/* The hypervisor on its behalf: between the look at the map and the use, others may come. */
static void access_by_call(struct vcpu *v)
{
    u32 part = (u32)(v->part - parts), frame = map[part][pick(ALL)];

    point();
    if (frame)
        use(part, frame);
}

/* --- what grant.c needs: maps of whole pages, frame N at (N + 1) pages */

u32 nr_partitions = PARTS;
struct partition *partitions[MANIFEST_PARTITIONS] = { &parts[0], &parts[1] };
struct partition *partition_get(u32 index) { return index < PARTS ? &parts[index] : NULL; }
enum pith_status rights_denied(struct vcpu *v, u64 number, enum right right) { (void)v, (void)number, (void)right; return PITH_E_PERM; }
void arch_irq_window(void) { point(); }

static u32 *entry_of(const struct arch_vm *vm, gpa_t gpa)
{
    const struct partition *p = (const void *)((const u8 *)vm - offsetof(struct partition, vm));

    return &map[p - parts][gpa < PITH_GRANTS_AT ? gpa / PAGE_SIZE : PAGES + (gpa - PITH_GRANTS_AT) / PAGE_SIZE];
}

bool arch_vm_translate(const struct arch_vm *vm, gpa_t gpa, enum s2_prot need, hpa_t *hpa)
{
    (void)need;
    point();
    *hpa = *entry_of(vm, gpa) * PAGE_SIZE;
    return *hpa;
}

u64 arch_vm_extent(const struct arch_vm *vm, gpa_t gpa, u64 max, enum s2_prot need, hpa_t *hpa)
{
    return arch_vm_translate(vm, gpa, need, hpa) ? MIN(max, PAGE_SIZE) : 0;
}

enum pith_status arch_vm_map(struct arch_vm *vm, gpa_t gpa, hpa_t hpa, u64 size, enum s2_prot prot, enum s2_type type)
{
    (void)prot, (void)type;
    if (!size || *entry_of(vm, gpa))
        return PITH_E_ARG;
    point();
    *entry_of(vm, gpa) = (u32)(hpa / PAGE_SIZE);
    return PITH_OK;
}

void arch_vm_unmap(struct arch_vm *vm, gpa_t gpa, u64 size)
{
    for (; size; gpa += PAGE_SIZE, size -= PAGE_SIZE) {
        *entry_of(vm, gpa) = 0;
        point();
    }
    vm->s2_epoch++;
}

static enum pith_status call(struct vcpu *v, hc_fn *fn, struct x86_gprs *g)
{
    enum pith_status st;

    cores[me].waits_since = points;
    st = fn(v, g);
    cores[me].waits_since = 0;
    return st;
}

static void lend(struct vcpu *v)
{
    u32 part = (u32)(v->part - parts), page = pick(PAGES);
    struct x86_gprs g = { .rbx = 2 - part, .rcx = page * PAGE_SIZE, .rdx = PAGE_SIZE, .rsi = S2_RW };
    struct loan *l = &loans[part][pick(LOANS)];

    if (l->number || call(v, hc_grant, &g) != PITH_OK)
        return;
    if (l->number) { /* another core was faster */
        call(v, hc_grant_revoke, &g);
        return;
    }
    l->frame = map[part][page];
    lent[l->frame - 1]++;
    l->number = g.rbx;
}

static void take_back(struct vcpu *v)
{
    struct loan *l = &loans[v->part - parts][pick(LOANS)], was = *l;
    struct x86_gprs g = { .rbx = was.number };

    if (!was.number || call(v, hc_grant_revoke, &g) != PITH_OK)
        return;
    lent[was.frame - 1]--;
    l->number = 0;
    revoked++;
}

static void borrow(struct vcpu *v)
{
    const struct loan *l = &loans[1 - (v->part - parts)][pick(LOANS)];
    struct x86_gprs g = { .rbx = l->number, .rcx = PITH_GRANTS_AT + pick(WINDOW) * PAGE_SIZE };

    if (pick(3))
        mapped += call(v, hc_grant_map, &g) == PITH_OK;
    else
        call(v, hc_grant_unmap, &g);
}

static void take_page(struct partition *p)
{
    u32 part = (u32)(p - parts), page = pick(PAGES), frame = map[part][page];

    cores[me].waits_since = points;
    if (pick(2)) {
        partition_map_wait(p);
    } else if (partition_map_begin(p) != PITH_OK) {
        cores[me].waits_since = 0;
        busy++;
        return;
    }
    if (grant_overlaps(p, page * PAGE_SIZE, PAGE_SIZE)) {
        cores[me].waits_since = 0;
        partition_map_end(p);
        return;
    }
    frame = map[part][page];
    map[part][page] = 0;
    point();
    if (frame)
        p->vm.s2_epoch++;
    cores[me].waits_since = points;
    partition_flush(p);
    cores[me].waits_since = 0;
    if (frame) {
        owner[frame - 1] = 0;
        taken++;
    }
    point();
    if (next_frame < FRAMES) {
        owner[next_frame++] = part + 1;
        map[part][page] = next_frame;
    }
    partition_map_end(p);
}

static void enter(struct vcpu *v)
{
    struct arch_cpu *cpu = &cores[me].cpu.arch;

    (void)__atomic_exchange_n(&v->arch.look, false, __ATOMIC_SEQ_CST);
    if (!tags_current(cpu, &v->arch)) {
        switch (tags_prepare(cpu, &v->arch, TAGS)) {
        case TAGS_FLUSH_ALL: memset(cached[me], 0, sizeof(cached[me])); break;
        case TAGS_FLUSH_VM: memset(cached[me][v->part - parts], 0, sizeof(cached[me][0])); break;
        }
    }
    entries++;
    cores[me].in_guest = true;
    /* It leaves for an interrupt, but where processors hold those back; or by itself, some never. */
    for (bool stays = pick(8) == 0, deaf = pick(4) == 0; !cores[me].nmi && !(cores[me].ipi && !deaf) && (stays || pick(6));)
        access_memory(v);
    cores[me].ipi = cores[me].nmi = cores[me].in_guest = false;
    point();
}

static void core_main(void)
{
    for (;;) {
        struct vcpu *v = &vcpus[pick(VCPUS)];

        point();
        if (v->home != here)
            continue;
        here->current = v;
        for (u32 n = pick(5) + 1; n; n--) {
            enter(v);
            access_by_call(v);
            switch (pick(9)) {
            case 0: case 1: case 2: take_page(&parts[pick(PARTS)]); break;
            case 3: lend(v); break;
            case 4: take_back(v); break;
            case 5: case 6: borrow(v); break;
            }
        }
        __atomic_store_n(&here->current, NULL, __ATOMIC_RELEASE);
    }
}

static void set_up(void)
{
    static const struct manifest_partition conf = { .memory = PAGES * PAGE_SIZE };

    memset(cores, 0, sizeof(cores));
    memset(parts, 0, sizeof(parts));
    memset(vcpus, 0, sizeof(vcpus));
    memset(cached, 0, sizeof(cached));
    memset(owner, 0, sizeof(owner));
    memset(map, 0, sizeof(map));
    memset(lent, 0, sizeof(lent));
    memset(loans, 0, sizeof(loans));
    next_frame = me = 0;
    for (u32 i = 0; i < CORES; i++) {
        cores[i].cpu = (struct cpu){ .index = i, .apic_id = i, .arch = { .tag_epoch = 1, .next_tag = 1 } };
        cores[i].sp = stack_for(stacks[i], STACK, core_main);
    }
    for (u32 i = 0; i < VCPUS; i++) {
        struct partition *p = &parts[i / 2];

        p->vm.s2_epoch = 1;
        p->conf = &conf;
        p->index = (u32)(p - parts);
        p->may[RIGHT_SHARE] = BIT(1 - p->index);
        p->vcpus[p->nr_vcpus] = &vcpus[i];
        vcpus[i] = (struct vcpu){ .part = p, .index = p->nr_vcpus++, .home = &cores[homes[i]].cpu, .arch = { .vm = &p->vm } };
    }
    for (u32 part = 0; part < PARTS; part++)
        for (u32 page = 0; page < PAGES; page++) {
            owner[next_frame++] = part + 1;
            map[part][page] = next_frame;
        }
    here = &cores[0].cpu;
}

static void random_schedules(void **state)
{
    (void)state;
    for (u32 i = 0; i < 2000; i++) {
        seed = i;
        odds = 2 + i % 9;
        set_up();
        points = 1;
        switch_stacks(&main_sp, cores[0].sp);
        points = 0;
        if (wrong)
            printf("schedule %u: %s\n", i, wrong);
        assert_null(wrong);
    }
    printf("%u pages taken, %u entries, %u times busy, %u grants mapped, %u revoked\n", taken, entries, busy, mapped, revoked);
    assert_true(taken > 1000 && entries > 1000 && busy > 100 && mapped > 1000 && revoked > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(random_schedules) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
