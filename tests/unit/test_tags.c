/* SPDX-License-Identifier: MIT */
/*
 * TLB tags against a model of what processors may cache: random runs, moves, unmaps, and VMs that die and are born again.
 * LINK: arch/x86/tags.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/x86/tags.h"

enum { CPUS = 3, VMS = 3, VCPUS = 7, PAGES = 4, LINES = 4096 };

/* AMD: all is tagged by ASID. VT-x: linear and combined by VPID (and tables), guest-physical by tables alone; without VPID,
 * entries flush VPID 0 but keep the guest-physical ones. */
enum kind { AMD, VTX, VTX_NO_VPID };

struct line {
    bool linear;   /* made for one vCPU's linear addresses; else guest-physical */
    u32 tag;
    hpa_t root;    /* tables it was made from */
    int owner;     /* vCPU: whose CR3 it was made under */
    unsigned page;
    hpa_t hpa;
};

struct tlb {
    struct line lines[LINES];
    unsigned nr;
};

static struct tlb tlbs[CPUS];
static struct arch_cpu cpus[CPUS];
static struct arch_vm vms[VMS];
static struct arch_vcpu vcpus[VCPUS];
static hpa_t map[VMS][PAGES]; /* 0: not mapped */
static hpa_t next_frame;
static enum kind kind;
static unsigned seed, kept, flushed_vm, flushed_all;

static unsigned pick(unsigned n)
{
    return (unsigned)rand_r(&seed) % n;
}

static void flush_all(struct tlb *t)
{
    t->nr = 0;
}

/* AMD, TLB_CONTROL: flush this ASID. VT-x, INVEPT, single context: combined mappings of any VPID too. */
static bool dies_with_vm(const struct line *l, const struct arch_vcpu *v)
{
    if (kind == AMD)
        return l->tag == v->tag;
    return l->root == v->vm->s2_root;
}

static void flush_vm(struct tlb *t, const struct arch_vcpu *v)
{
    unsigned keep = 0;

    for (unsigned i = 0; i < t->nr; i++) {
        if (!dies_with_vm(&t->lines[i], v))
            t->lines[keep++] = t->lines[i];
    }
    t->nr = keep;
}

static void flush_linear(struct tlb *t)
{
    unsigned keep = 0;

    for (unsigned i = 0; i < t->nr; i++) {
        if (!t->lines[i].linear)
            t->lines[keep++] = t->lines[i];
    }
    t->nr = keep;
}

static bool hits(const struct line *l, const struct arch_vcpu *v, unsigned page)
{
    if (l->page != page)
        return false;
    if (kind == AMD)
        return l->tag == v->tag;
    return l->root == v->vm->s2_root && (!l->linear || l->tag == v->tag);
}

/* A processor may use any line that hits, so that all must be right. */
static bool access_page(struct tlb *t, int owner, unsigned page)
{
    const struct arch_vcpu *v = &vcpus[owner];
    hpa_t now = map[v->vm - vms][page];

    for (unsigned i = 0; i < t->nr; i++) {
        const struct line *l = &t->lines[i];

        if (hits(l, v, page) && (l->hpa != now || (l->linear && l->owner != owner)))
            return false;
    }
    if (!now)
        return true;
    if (t->nr + 2 > LINES)
        flush_all(t); /* caches may forget */
    t->lines[t->nr++] = (struct line){ true, v->tag, v->vm->s2_root, owner, page, now };
    if (kind != AMD)
        t->lines[t->nr++] = (struct line){ false, 0, v->vm->s2_root, -1, page, now };
    return true;
}

static bool run(unsigned c, int owner, u32 nr_tags)
{
    struct arch_vcpu *v = &vcpus[owner];
    unsigned flush;

    v->fetch.rip = 0;
    flush = tags_prepare(&cpus[c], v, nr_tags);
    assert_true(v->fetch.rip == FETCH_NOWHERE);
    bool ok = nr_tags > 1 ? v->tag >= 1 && v->tag < nr_tags : v->tag == 0;

    if (flush == TAGS_FLUSH_ALL)
        flush_all(&tlbs[c]);
    else if (flush == TAGS_FLUSH_VM)
        flush_vm(&tlbs[c], v);
    kept += flush == TAGS_KEEP;
    flushed_vm += flush == TAGS_FLUSH_VM;
    flushed_all += flush == TAGS_FLUSH_ALL;
    if (nr_tags <= 1)
        flush_linear(&tlbs[c]); /* VM entry without VPID */
    for (unsigned i = 0; i < 3; i++)
        ok = access_page(&tlbs[c], owner, pick(PAGES)) && ok;
    return ok;
}

static void unmap_and_map(unsigned vm)
{
    unsigned page = pick(PAGES);

    if (map[vm][page])
        vms[vm].s2_epoch++; /* arch_vm_unmap() */
    map[vm][page] = pick(4) ? next_frame++ : 0;
}

/* Destroyed, created again at the same addresses with the same root frame, as a first-fit pool will do. */
static void rebirth(unsigned vm)
{
    vms[vm].s2_epoch = 1;
    for (unsigned p = 0; p < PAGES; p++)
        map[vm][p] = next_frame++;
    for (unsigned i = 0; i < VCPUS; i++) {
        if (vcpus[i].vm == &vms[vm])
            vcpus[i] = (struct arch_vcpu){ .vm = &vms[vm] };
    }
}

static void start(enum kind k)
{
    kind = k;
    seed = 7;
    next_frame = 1;
    kept = flushed_vm = flushed_all = 0;
    memset(tlbs, 0, sizeof(tlbs));
    for (unsigned i = 0; i < CPUS; i++)
        cpus[i] = (struct arch_cpu){ .tag_epoch = 1, .next_tag = 1 };
    for (unsigned i = 0; i < VCPUS; i++)
        vcpus[i] = (struct arch_vcpu){ .vm = &vms[i % VMS] };
    for (unsigned i = 0; i < VMS; i++) {
        vms[i] = (struct arch_vm){ .s2_root = 0x1000 * (i + 1) };
        rebirth(i);
    }
}

static void storm(enum kind k, u32 nr_tags)
{
    unsigned home[VCPUS] = { 0 };

    start(k);
    for (unsigned step = 0; step < 60000; step++) {
        unsigned v = pick(VCPUS), dice = pick(64);

        if (dice == 0)
            rebirth(pick(VMS));
        else if (dice < 6)
            home[v] = pick(CPUS);
        else if (dice < 16)
            unmap_and_map(pick(VMS));
        else
            assert_true(run(home[v], (int)v, nr_tags));
    }
}

static void test_amd(void **state)
{
    (void)state;
    storm(AMD, 2);
    storm(AMD, 3);
    storm(AMD, 16);
    assert_true(flushed_all && flushed_vm && kept);
    storm(AMD, 32768);
}

static void test_vtx(void **state)
{
    (void)state;
    storm(VTX, 2);
    storm(VTX, 5);
    storm(VTX, 65536);
    assert_true(!flushed_all && flushed_vm && kept);
    storm(VTX_NO_VPID, 1);
    storm(VTX_NO_VPID, 0);
}

static void test_steady_state_flushes_nothing(void **state)
{
    (void)state;
    start(AMD);
    for (unsigned i = 0; i < 100; i++) {
        assert_true(run(0, 0, 4));
        assert_true(run(0, 1, 4));
        assert_true(run(0, 2, 4));
    }
    assert_int_equal(kept, 297);
    assert_int_equal(flushed_vm, 3);
    assert_int_equal(flushed_all, 0);
}

static void test_vcpus_of_one_vm_never_share(void **state)
{
    (void)state;
    start(VTX);
    tags_prepare(&cpus[0], &vcpus[0], 16);
    tags_prepare(&cpus[0], &vcpus[VMS], 16);
    assert_ptr_equal(vcpus[0].vm, vcpus[VMS].vm);
    assert_int_not_equal(vcpus[0].tag, vcpus[VMS].tag);
}

static void test_return_is_a_new_tag(void **state)
{
    u32 first;

    (void)state;
    start(AMD);
    tags_prepare(&cpus[0], &vcpus[0], 16);
    first = vcpus[0].tag;
    assert_int_equal(tags_prepare(&cpus[1], &vcpus[0], 16), TAGS_FLUSH_VM);
    assert_int_equal(tags_prepare(&cpus[0], &vcpus[0], 16), TAGS_FLUSH_VM);
    assert_int_not_equal(vcpus[0].tag, first);
}

/* The model itself must be able to say no. */
static void test_model_sees_mistakes(void **state)
{
    (void)state;
    start(AMD);
    for (unsigned i = 0; i < 20; i++)
        assert_true(run(0, 0, 16));
    map[0][0] = map[0][1] = map[0][2] = map[0][3] = next_frame; /* without an epoch */
    assert_false(run(0, 0, 16));

    start(AMD);
    for (unsigned i = 0; i < 20; i++)
        assert_true(run(0, 0, 16));
    vcpus[1].tag = vcpus[0].tag;
    assert_false(access_page(&tlbs[0], 1, 0) && access_page(&tlbs[0], 1, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_amd),
        cmocka_unit_test(test_vtx),
        cmocka_unit_test(test_steady_state_flushes_nothing),
        cmocka_unit_test(test_vcpus_of_one_vm_never_share),
        cmocka_unit_test(test_return_is_a_new_tag),
        cmocka_unit_test(test_model_sees_mistakes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
