/* SPDX-License-Identifier: MIT */
/* Reading accounts, and whether they come to what they should. */
#include "hv/account.h"

#include "hv/lib/log.h"
#include "hv/partition.h"

#define LOOKS  3u  /* at another core's accounts */
#define VISITS 50u /* that found the same core's accounts wrong: nobody, not even under an emulator, is in a switch for a second */

/*
 * At @now, or, 0, at one that is read between two looks at the same word: an account that is as it was has not begun or ended meanwhile.
 * Clocks of two cores may differ by a little: what began there is not later than now.
 */
static u64 read_at(const u64 *account, u64 now)
{
    u64 word, at;

    do {
        word = __atomic_load_n(account, __ATOMIC_ACQUIRE);
        at = now ? now : arch_tsc();
    } while (__atomic_load_n(account, __ATOMIC_ACQUIRE) != word);
    if ((s64)word >= 0)
        return word;
    return (s64)(word + at) > 0 ? word + at : 0;
}

u64 account_read(const u64 *account)
{
    return read_at(account, 0);
}

/* What is spent is looked at before what it is a part of. Less than nothing for the guest: by how much. */
static s64 add_vcpu(const struct vcpu *v, u64 now, struct core_time *t)
{
    u64 exits = 0, scheduler = __atomic_load_n(&v->arch.spent[VM_EXIT_KINDS], __ATOMIC_ACQUIRE), guest;

    for (u32 i = 0; i < VM_EXIT_KINDS; i++)
        exits += __atomic_load_n(&v->arch.spent[i], __ATOMIC_ACQUIRE);
    guest = read_at(&v->run, now) - exits - scheduler;
    t->guest += guest;
    t->exits += exits;
    t->scheduler += scheduler;
    return MIN((s64)guest, 0);
}

/*
 * On the core itself nothing moves meanwhile. On another one each is read at a time of its own, and so their sum is that of some
 * time between the first and the last.
 */
static s64 add_up(const struct cpu *cpu, struct core_time *t)
{
    u64 from = arch_tsc(), now = cpu == this_cpu() ? from : 0, to, sum;
    s64 off = 0;

    *t = (struct core_time){ 0 };
    for (u32 i = 0; i < nr_partitions; i++) {
        const struct partition *p = partition_get(i);

        for (u32 k = 0; k < p->nr_vcpus; k++)
            if (p->vcpus[k]->home == cpu)
                off += add_vcpu(p->vcpus[k], now, t);
    }
    t->scheduler += read_at(&cpu->sched, now);
    t->idle = read_at(&cpu->idle, now);
    t->others = read_at(&cpu->others, now);
    to = now ? now : arch_tsc();
    sum = cpu->since + t->guest + t->exits + t->scheduler + t->idle + t->others;
    if (sum < from)
        return off + (s64)(sum - from);
    return off + (sum > to ? (s64)(sum - to) : 0);
}

static void complain(struct cpu *cpu, s64 off)
{
    if (off && __atomic_exchange_n(&cpu->off, off, __ATOMIC_RELAXED) != off)
        log_error("core %u: its accounts are %ld ticks off: a bug of Pith's, please report it", cpu->index, off);
}

s64 account_core(struct cpu *cpu, struct core_time *t)
{
    s64 off = 0;

    *t = (struct core_time){ 0 };
    if (!__atomic_load_n(&cpu->since, __ATOMIC_ACQUIRE)) /* pairs with cpu_main() */
        return 0;
    for (u32 i = 0; i < LOOKS && (off = add_up(cpu, t)); i++)
        ;
    if (cpu == this_cpu())
        complain(cpu, off);
    return off;
}

void account_check(struct cpu *cpu)
{
    struct core_time t;

    (void)account_core(cpu, &t);
}

void account_watch(void)
{
    static u32 core, bad;
    struct core_time t;
    s64 off;

    if (!bad)
        core = core + 1 < nr_cpus ? core + 1 : 0;
    off = account_core(cpu_get(core), &t);
    bad = off && bad < VISITS ? bad + 1 : 0;
    if (bad == VISITS)
        complain(cpu_get(core), off);
}
