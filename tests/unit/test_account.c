/* SPDX-License-Identifier: MIT */
/*
 * Accounts of time against a slow model: a core that does anything at random, whose accounts are read by itself, and by another
 * core at any moment.
 * LINK: hv/lib/fmt.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "hv/partition.h"

static struct cpu *here;
#define this_cpu() here

/* The other core goes on between any two of these. */
static void meanwhile(void);
#define __atomic_load_n(p, o) (meanwhile(), __atomic_load_n(p, o))
#include "hv/account.c"
#undef __atomic_load_n

#define VCPUS 3u

static struct cpu core, reader;
static struct partition parts[2];
static struct vcpu vcpus[VCPUS + 1]; /* the last one lives elsewhere */
static u64 now, seed, complaints;
static bool busy; /* the core works while it is being read */
u32 nr_partitions = 2, nr_cpus = 2;

struct partition *partition_get(u32 i) { return &parts[i]; }
struct cpu *cpu_get(u32 i) { return i ? &reader : &core; }
void log_line(enum log_level level, const char *fmt, ...) { (void)fmt, complaints += level == LOG_ERROR; }

static u32 below(u32 n)
{
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    return (u32)(seed >> 33) % n;
}

/* --- the model: a name for each moment */
enum { GUEST, EXIT, SCHED, IDLE, OTHERS };
static struct { u8 in; u32 vcpu, kind; u64 sum[5], exits[VCPUS][VM_EXIT_KINDS], run[VCPUS], exit; } m;

static void passes(u64 ticks)
{
    now += ticks;
    if (m.in == EXIT)
        m.exit += ticks; /* whose it is, is known when it ends */
    else
        m.sum[m.in] += ticks;
    if (m.in == GUEST || m.in == EXIT)
        m.run[m.vcpu] += ticks;
}

static void exit_ends(bool for_others)
{
    if (for_others) {
        m.sum[OTHERS] += m.exit;
        m.run[m.vcpu] -= m.exit;
    } else {
        m.sum[m.kind == VM_EXIT_KINDS ? SCHED : EXIT] += m.exit;
        if (m.kind < VM_EXIT_KINDS)
            m.exits[m.vcpu][m.kind] += m.exit;
    }
    m.exit = 0;
}

u64 arch_tsc(void)
{
    meanwhile();
    return now;
}

/* --- what a core does, by the hypervisor's own means */
static struct vcpu *current(void)
{
    return &vcpus[m.vcpu];
}

static void comes(u32 vcpu)
{
    m.vcpu = vcpu;
    m.in = EXIT;
    m.kind = VM_EXIT_KINDS;
    account_run_begins(current(), now);
}

static void enters(void)
{
    current()->arch.spent[current()->arch.kind] += (u32)now - current()->arch.left_at;
    exit_ends(false);
    m.in = GUEST;
}

static void exits(void)
{
    m.in = EXIT;
    m.kind = current()->arch.kind = (u8)below(VM_EXIT_KINDS);
    current()->arch.left_at = (u32)now;
}

static void exit_was_for_others(void)
{
    account_move(&current()->run, &core.others, (u32)now - current()->arch.left_at);
    current()->arch.left_at = (u32)now;
    exit_ends(true);
}

static void leaves(void)
{
    account_run_ends(current(), current()->arch.kind, now);
    exit_ends(false);
    core.sched -= now;
    m.in = SCHED;
}

static void step(void)
{
    u32 way = below(8);

    passes(below(50));
    switch (m.in) {
    case GUEST:
        exits();
        break;
    case EXIT:
        if (way == 0) {
            leaves();
        } else if (way == 1) {
            account_run_ends(current(), current()->arch.kind, now);
            exit_ends(false);
            comes(below(VCPUS));
        } else if (way == 2 && m.kind != VM_EXIT_KINDS) {
            exit_was_for_others();
        } else {
            enters();
        }
        break;
    case SCHED:
        if (way < 2) {
            account_switch(&core.sched, &core.idle, now);
            m.in = IDLE;
        } else if (way == 2) {
            u32 ticks = below(100);

            m.in = OTHERS;
            passes(ticks);
            account_move(&core.sched, &core.others, ticks);
            m.in = SCHED;
        } else {
            core.sched += now;
            comes(below(VCPUS));
        }
        break;
    default:
        account_switch(&core.idle, &core.sched, now);
        m.in = SCHED;
        break;
    }
}

static void meanwhile(void)
{
    for (u32 n = busy ? below(4) : 0; n; n--)
        step();
}

static int set_up(void **state)
{
    (void)state;
    memset(vcpus, 0, sizeof(vcpus));
    memset(&m, 0, sizeof(m));
    memset(parts, 0, sizeof(parts));
    now = 5000;
    seed = 4711;
    complaints = 0;
    busy = false;
    core = (struct cpu){ .self = &core, .since = now, .sched = -now };
    reader = (struct cpu){ .self = &reader, .index = 1, .since = now, .idle = -now };
    m.in = SCHED;
    here = &core;
    for (u32 i = 0; i <= VCPUS; i++) {
        vcpus[i].home = i < VCPUS ? &core : &reader;
        parts[i & 1].vcpus[parts[i & 1].nr_vcpus++] = &vcpus[i];
    }
    return 0;
}

static void is_as_the_model(void)
{
    u64 pending = m.in == EXIT ? m.exit : 0; /* the guest's until it ends */
    struct core_time t;

    assert_true(account_core(&core, &t) == 0);
    assert_true(t.guest == m.sum[GUEST] + pending && t.exits == m.sum[EXIT]);
    assert_true(t.scheduler == m.sum[SCHED] && t.idle == m.sum[IDLE] && t.others == m.sum[OTHERS]);
    assert_true(t.guest + t.exits + t.scheduler + t.idle + t.others == now - core.since);
    for (u32 i = 0; i < VCPUS; i++)
        for (u32 k = 0; k < VM_EXIT_KINDS; k++)
            assert_true(vcpus[i].arch.spent[k] == m.exits[i][k]);
}

static void whatever_a_core_does(void **state)
{
    (void)state;
    for (u32 i = 0; i < 200000; i++) {
        step();
        is_as_the_model();
        passes(below(20)); /* in the middle of something */
        is_as_the_model();
    }
    for (u32 i = 0; i < 5; i++)
        assert_true(m.sum[i] > 10000);
    assert_int_equal(complaints, 0);
}

/* A sum is that of some moment while it was read. */
static void from_another_core(void **state)
{
    u32 moved = 0;

    (void)state;
    here = &reader;
    busy = true;
    for (u32 i = 0; i < 100000; i++) {
        struct core_time t;
        u64 from = now, sum;

        assert_true(account_core(&core, &t) == 0);
        sum = core.since + t.guest + t.exits + t.scheduler + t.idle + t.others;
        assert_true(sum >= from && sum <= now);
        moved += now > from + 100;
        from = m.sum[IDLE];
        sum = account_read(&core.idle);
        assert_true(sum >= from && sum <= m.sum[IDLE]);
        for (u32 k = 0; k < VCPUS; k++) {
            u64 before = m.run[k], run = account_read(&vcpus[k].run);

            assert_true(run + 500 > before && run < m.run[k] + 500); /* an exit may turn out to be for others */
        }
    }
    assert_true(moved > 90000);
    assert_int_equal(complaints, 0);
}

static void a_mistake_is_found_and_said_once(void **state)
{
    static u64 *const spoilt[] = { &core.sched, &core.idle, &core.others, &vcpus[1].run };
    struct core_time t;

    (void)state;
    for (u32 i = 0; i < 1000; i++)
        step();
    for (u32 i = 0; i < ARRAY_SIZE(spoilt); i++) {
        complaints = 0;
        core.off = 0;
        *spoilt[i] += 3;
        assert_true(account_core(&core, &t) == 3);
        account_check(&core);
        assert_int_equal(complaints, 1);
        *spoilt[i] -= 3;
        account_check(&core);
    }
    vcpus[0].arch.spent[VM_EXIT_MSR] += 1ull << 40; /* more than it ever ran */
    assert_true(account_core(&core, &t) < 0);
    assert_int_equal(complaints, 2);
}

/* What looks wrong from another core may be the middle of a switch, unless it stays so. */
static void the_house_keeper_looks_for_a_second(void **state)
{
    (void)state;
    here = &reader;
    core.idle += 3;
    for (u32 i = 0; i < VISITS + 1; i++) {
        assert_int_equal(complaints, 0);
        account_watch();
    }
    assert_int_equal(complaints, 1);
    core.idle -= 3;
    reader.others += 5; /* one's own are never in the middle of anything */
    for (u32 i = 0; i < 3; i++)
        account_watch();
    assert_int_equal(complaints, 2);
    assert_true(reader.off == 5);
}

static void a_core_that_has_not_begun(void **state)
{
    struct core_time t;

    (void)state;
    core = (struct cpu){ .self = &core };
    assert_true(account_core(&core, &t) == 0);
    assert_true(t.guest + t.exits + t.scheduler + t.idle + t.others == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(whatever_a_core_does, set_up),
        cmocka_unit_test_setup(from_another_core, set_up),
        cmocka_unit_test_setup(a_mistake_is_found_and_said_once, set_up),
        cmocka_unit_test_setup(the_house_keeper_looks_for_a_second, set_up),
        cmocka_unit_test_setup(a_core_that_has_not_begun, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
