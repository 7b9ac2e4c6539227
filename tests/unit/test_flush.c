/* SPDX-License-Identifier: MIT */
/*
 * Memory that is taken away from partitions while their vCPUs run elsewhere: cores are coroutines, which may come between any two
 * steps of each other, with model TLBs that keep all they may. A page that goes elsewhere is used by nobody who had it, and cores
 * that take memory from each other's partitions do not wait for ever.
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
#include "arch/x86/tags.c"

enum { CORES = 3, PARTS = 2, VCPUS = 4, PAGES = 3, FRAMES = 4096, STACK = 32 << 10, TAGS = 8, ENOUGH = 20000 };

struct core { struct cpu cpu; void *sp; bool ipi; u32 waits_since; };

static struct core cores[CORES];
static char stacks[CORES][STACK] __attribute__((aligned(64)));
static struct partition parts[PARTS];
static struct vcpu vcpus[VCPUS];       /* 0 and 1 of the first partition, 2 and 3 of the second */
static const u32 homes[VCPUS] = { 0, 1, 1, 2 };
static u32 map[PARTS][PAGES];          /* frame + 1, 0: none */
static u32 cached[CORES][PARTS][VCPUS][PAGES]; /* the same, per core and tag's owner */
static u32 owner[FRAMES];              /* partition + 1; 0: nobody's */
static u32 next_frame, me, points, taken, entries, busy, odds;
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
void cpu_ring(struct cpu *cpu) { arch_ipi(cpu->apic_id, 0); }

static void use(u32 part, u32 frame)
{
    if (owner[frame - 1] != part + 1)
        done("a partition uses memory that it has no more");
}

/* The guest in its memory: a line that was kept is as good as the map. */
static void access_memory(struct vcpu *v)
{
    u32 part = (u32)(v->part - parts), page = pick(PAGES);
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
    u32 part = (u32)(v->part - parts), frame = map[part][pick(PAGES)];

    point();
    if (frame)
        use(part, frame);
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
    /* It leaves for an interrupt, or by itself, some never. */
    for (bool stays = pick(8) == 0; !cores[me].ipi && (stays || pick(6));)
        access_memory(v);
    cores[me].ipi = false;
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
            if (pick(3) == 0)
                take_page(&parts[pick(PARTS)]);
        }
        __atomic_store_n(&here->current, NULL, __ATOMIC_RELEASE);
    }
}

static void set_up(void)
{
    memset(cores, 0, sizeof(cores));
    memset(parts, 0, sizeof(parts));
    memset(vcpus, 0, sizeof(vcpus));
    memset(cached, 0, sizeof(cached));
    memset(owner, 0, sizeof(owner));
    next_frame = me = 0;
    for (u32 i = 0; i < CORES; i++) {
        cores[i].cpu = (struct cpu){ .index = i, .apic_id = i, .arch = { .tag_epoch = 1, .next_tag = 1 } };
        cores[i].sp = stack_for(stacks[i], STACK, core_main);
    }
    for (u32 i = 0; i < VCPUS; i++) {
        struct partition *p = &parts[i / 2];

        p->vm.s2_epoch = 1;
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
    for (u32 i = 0; i < 300; i++) {
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
    printf("%u pages taken, %u entries, %u times busy\n", taken, entries, busy);
    assert_true(taken > 1000 && entries > 1000 && busy > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(random_schedules) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
