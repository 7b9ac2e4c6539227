/* SPDX-License-Identifier: MIT */
/*
 * pith.conf: keys about time, read exactly; and that what is promised on a core is there.
 * LINK: boot/config.c boot/config_check.c boot/config_files.c boot/config_serial.c boot/config_share.c boot/config_slice.c
 * LINK: boot/config_time.c boot/config_value.c boot/sha256.c boot/manifest.c boot/manifest_share.c boot/manifest_time.c hv/lib/fmt.c
 */
#include "tests/unit/config_text.h"

static char text[8192];

/* A good partition on core 1 with one line more. */
static const char *on_core_1(const char *line)
{
    snprintf(text, sizeof(text), "[partition a]\nimage=x\ncores=1\n%s\n", line);
    return text;
}

static const struct manifest_partition *with(const char *line)
{
    expect_good(on_core_1(line));
    return part(0);
}

static void bad(const char *line, const char *words)
{
    expect_bad(on_core_1(line), 4, words);
}

static void defaults(void **state)
{
    const struct manifest_partition *p = with("");

    (void)state;
    assert_int_equal(p->weight, 100);
    assert_int_equal(p->period | p->budget, 0);
    assert_int_equal(p->flags & (MANIFEST_CAPPED | MANIFEST_ENTITLED | MANIFEST_SLOTTED), 0);
}

static void weights(void **state)
{
    (void)state;
    assert_int_equal(with("weight = 10")->weight, 10);
    assert_int_equal(with("weight = 1000")->weight, 1000);
    bad("weight = 9", "write 10 to 1000");
    bad("weight = 1001", "write 10 to 1000");
    bad("weight = 1.5", "is no weight");
    bad("weight = heavy", "is no weight");
}

static void entitlements(void **state)
{
    static const struct { const char *line; u32 budget; } good[] = {
        { "entitlement = 0.05", 500 }, { "entitlement = 1", 10000 }, { "entitlement = 1.0", 10000 },
        { "entitlement = 0.3333", 3333 },
        { "entitlement = 0.2500", 2500 }, { "entitlement = 0.9999", 9999 }, { "entitlement = 1.0000", 10000 },
        { "entitlement = 0.1", 1000 },
    };

    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(good); i++) {
        const struct manifest_partition *p = with(good[i].line);

        assert_int_equal(p->budget, good[i].budget);
        assert_int_equal(p->period, 10000);
        assert_true(p->flags & MANIFEST_ENTITLED);
    }
    bad("entitlement = 0.0499", "0.05 to 1");
    bad("entitlement = 0", "0.05 to 1");
    bad("entitlement = 1.0001", "0.05 to 1");
    bad("entitlement = 2", "0.05 to 1");
    bad("entitlement = 18446744073709551615", "0.05 to 1");
    bad("entitlement = 0.", "is not a part of a core");
    bad("entitlement = .5", "is not a part of a core");
    bad("entitlement = 0.00001", "is not a part of a core");
    bad("entitlement = 0.12345", "is not a part of a core");
    bad("entitlement = 0.-1", "is not a part of a core");
    bad("entitlement = 0.1.1", "is not a part of a core");
    bad("entitlement = 50%", "is not a part of a core");
    bad("entitlement = 0,5", "is not a part of a core");
}

static void periods(void **state)
{
    const struct manifest_partition *p = with("period = 1ms\nbudget = 200us");

    (void)state;
    assert_int_equal(p->period, 1000);
    assert_int_equal(p->budget, 200);
    assert_int_equal(with("period = 1s\nbudget = 1s")->budget, 1000000);
    assert_int_equal(with("period = 200 us\nbudget = 50us")->period, 200);
    expect_bad(on_core_1("period = 199us\nbudget = 50us"), 4, "write 200us to 1000ms");
    expect_bad(on_core_1("period = 1ms\nbudget = 49us"), 5, "write 50us");
    expect_bad(on_core_1("period = 2s\nbudget = 50us"), 4, "write 200us to 1000ms");
    expect_bad(on_core_1("period = 18446744073709551615s\nbudget = 50us"), 4, "is not a time");
    expect_bad(on_core_1("period = 5\nbudget = 50us"), 4, "write a number and us, ms or s");
    expect_bad(on_core_1("period = 1.5ms\nbudget = 50us"), 4, "is not a time");
    expect_bad(on_core_1("period = ms\nbudget = 50us"), 4, "is not a time");
    expect_bad(on_core_1("period = 1ms\nbudget = 2ms"), 5, "budget of 50us up to the period");
    expect_bad(on_core_1("period = 1ms"), 1, "has a period and no budget");
    expect_bad(on_core_1("budget = 1ms"), 1, "has a budget and no period");
    expect_bad(on_core_1("entitlement = 0.5\nbudget = 1ms"), 5, "keep it, or period and budget");
    expect_bad(on_core_1("period = 1ms\nbudget = 1ms\nentitlement = 0.5"), 6, "keep it, or period and budget");
}

static void what_does_not_go_together(void **state)
{
    (void)state;
    assert_true(with("entitlement = 0.5\ncap = yes")->flags & MANIFEST_CAPPED);
    bad("cap = yes", "is promised nothing - add entitlement");
    bad("cap = maybe", "yes or no");
    expect_bad("[partition a]\nimage=x\nentitlement=0.5\n", 3, "add a line as cores = 1");
    expect_bad(on_core_1("dedicated = yes\nentitlement = 0.5"), 5, "has its cores to itself");
}

/* Two partitions and more on core 1. */
static const char *three(const char *a, const char *b, const char *c)
{
    snprintf(text, sizeof(text),
             "[partition a]\nimage=x\ncores=1\n%s\n"
             "[partition b]\nimage=x\ncores=0-1\n%s\n"
             "[partition c]\nimage=x\ncores=1\n%s\n",
             a, b, c);
    return text;
}

static void sums(void **state)
{
    (void)state; /* b has core 0, too, and its first vCPU there */
    expect_good(three("entitlement=0.2", "vcpus=2\nentitlement=0.3", "entitlement=0.5"));
    expect_bad(three("entitlement=0.2", "vcpus=2\nentitlement=0.3", "entitlement=0.5001"), 13,
               "'c' wants 0.501 of core 1, of which 0.500 is promised to others: 1.001 in all, and there is 1 - lower an entitlement");
    expect_good(three("period=3ms\nbudget=1ms", "vcpus=2\nperiod=9ms\nbudget=3ms", "period=300us\nbudget=100us"));
    expect_good(three("entitlement=0.5", "vcpus=1\nentitlement=0.6", "entitlement=0.5"));
    expect_bad(three("entitlement=0.5", "vcpus=4\nentitlement=0.3", "weight=10"), 9, "'b' wants 0.600 of core 1, of which 0.500");
    expect_bad(three("period=1ms\nbudget=999us", "vcpus=2\nperiod=1s\nbudget=1001us", ""), 11, "lower a budget");
    expect_good(three("period=1ms\nbudget=999us", "vcpus=2\nperiod=1s\nbudget=1000us", ""));
}

static const char *frame(const char *a, const char *b, const char *cyclic)
{
    snprintf(text, sizeof(text), "[partition a]\nimage=x\n%s\n[partition b]\nimage=x\n%s\n[cyclic f]\n%s\n", a, b, cyclic);
    return text;
}

static void frames(void **state)
{
    const struct manifest_cyclic *c = &cfg.manifest.cyclics[0];

    (void)state;
    expect_good(frame("cores=1", "cores=1\ncap=yes", "cores=1\nframe=20ms\nslots = a 5ms , b 10ms,* 1ms,a 4ms"));
    assert_int_equal(cfg.manifest.nr_cyclics, 1);
    assert_int_equal(c->nr_slots, 4);
    assert_int_equal(c->frame, 20000);
    assert_true(c->cores[0] == 2);
    assert_int_equal(c->slots[0].partition, 0);
    assert_int_equal(c->slots[0].length, 5000);
    assert_int_equal(c->slots[1].partition, 1);
    assert_int_equal(c->slots[2].partition, MANIFEST_NONE);
    assert_int_equal(c->slots[3].length, 4000);
    assert_true(part(1)->flags & MANIFEST_SLOTTED);
    expect_good(frame("cores=1-2\nvcpus=2", "", "cores=1-2\nframe=1ms\nslots = a 100us"));
    expect_bad(frame("cores=1", "cores=1", "cores=1\nframe=20ms\nslots = a 11ms, b 10ms"), 10, "take 21000us and its frame has 20000us");
    expect_bad(frame("cores=1", "cores=1", "cores=1\nframe=20ms\nslots = a 5ms, x 10ms"), 10, "there is no partition 'x'");
    expect_bad(frame("cores=1", "cores=1", "cores=1\nframe=20ms\nslots = a, b 10ms"), 10, "'a' is not a slot");
    expect_bad(frame("cores=1", "cores=1", "cores=1\nframe=20ms\nslots = a 5, b 10ms"), 10, "'5' is not a time");
    expect_bad(frame("cores=1", "cores=1", "cores=1\nframe=20ms\nslots = a 5ms,"), 10, "'' is not a slot");
    expect_bad(frame("cores=1", "cores=1", "cores=1\nframe=20ms\nslots = a 99us"), 10, "write 100us");
    expect_bad(frame("cores=1", "cores=1", "cores=1\nslots = a 5ms"), 7, "add a line as frame = 20ms");
    expect_bad(frame("cores=1", "cores=1", "cores=1\nframe=20ms"), 7, "has no slots");
    expect_bad(frame("cores=1", "cores=1", "frame=20ms\nslots=*5ms"), 9, "is not a slot");
    expect_bad(frame("cores=1", "cores=1", "frame=20ms\nslots=* 5ms"), 7, "is for no core");
    expect_bad(frame("cores=2", "cores=1", "cores=1\nframe=20ms\nslots=a 5ms"), 3, "core 2 is none of its cores");
    expect_bad(frame("", "cores=1", "cores=1\nframe=20ms\nslots=a 5ms"), 1, "names no cores");
    expect_bad(frame("cores=1\nvcpus=2", "cores=1", "cores=1\nframe=20ms\nslots=a 5ms"), 3, "2 vCPUs on core 1");
    expect_bad(frame("cores=1", "cores=1\nentitlement=0.5", "cores=1\nframe=20ms\nslots=a 5ms"), 9, "'b' has entitlement there");
    expect_bad(frame("", "cores=1\ndedicated=yes", "cores=1\nframe=20ms\nslots=* 5ms"), 9, "'b' has dedicated there");
    expect_bad(frame("cores=1", "", "cores=1\nframe=20ms\nslots=a 5ms\n[cyclic g]\ncores=0-1\nframe=1ms\nslots=* 1ms"), 12,
               "core 1 is listed by 'f' and 'g'");
    expect_bad(frame("cores=1", "", "cores=1\nframe=20ms\nslots=a 5ms\n[cyclic f]\ncores=0\nframe=1ms\nslots=* 1ms"), 11,
               "cyclic 'f' is on line 7 already");
    expect_bad(frame("cores=1", "", "cores=1\nframe=20ms\nslots=a 5ms\nsize=4K"), 11, "'size' belongs to a channel");
    expect_bad("[partition a]\nimage=x\nframe=1ms\n", 3, "'frame' belongs to a cyclic frame");
    expect_bad("[cyclic]\n[partition a]\nimage=x\n", 1, "this cyclic has no name");
}

static void many_slots(void **state)
{
    size_t n = (size_t)snprintf(text, sizeof(text), "[partition a]\nimage=x\ncores=1\n[cyclic f]\ncores=1\nframe=1s\nslots=a 1ms");

    (void)state;
    for (u32 i = 1; i < MANIFEST_SLOTS; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, ", a 1ms");
    expect_good(text);
    snprintf(text + n, sizeof(text) - n, ", a 1ms");
    expect_bad(text, 7, "more than 16 slots");
    n = (size_t)snprintf(text, sizeof(text), "[partition a]\nimage=x\n");
    for (u32 i = 0; i <= MANIFEST_CYCLICS; i++) /* and what stands in the one too many is read all the same */
        n += (size_t)snprintf(text + n, sizeof(text) - n, "[cyclic f%u]\ncores=%u\nframe=1ms\nslots=* 1ms\n", i, i);
    expect_bad(text, 3 + 4 * MANIFEST_CYCLICS, "more than 8 cyclics");
}

static u32 warnings;
static char warned[300];

static void count_warning(void *ctx, const struct manifest_place *at, const char *what)
{
    (void)ctx;
    warnings++;
    assert_non_null(strstr(what, " - "));
    snprintf(warned, sizeof(warned), "%u: %s", config_line(&cfg, at), what);
}

static void warns(const char *conf, u32 n, const char *words)
{
    expect_good(conf);
    warnings = 0;
    manifest_warn(&cfg.manifest, count_warning, NULL);
    if (warnings != n || (n && !strstr(warned, words)))
        fail_msg("%u warnings, the last is %s; wanted %u, %s", warnings, warned, n, words);
}

/* Who is promised nothing is told of when a twentieth of its core or more is not left: 0.95 is not too much yet. */
static void starvation(void **state)
{
    (void)state;
    warns(three("entitlement=0.5", "vcpus=2\nentitlement=0.45", ""), 0, "");
    warns(three("entitlement=0.5", "vcpus=2\nentitlement=0.4501", ""), 1, "12: 'c' is promised nothing, and others 0.951 of core 1: it");
    warns(three("entitlement=0.5", "vcpus=1\nentitlement=0.5", ""), 0, "");  /* on core 0 */
    warns(three("entitlement=1", "", "weight=1000"), 1, "11: 'c'");          /* b has its one vCPU on core 0 */
    warns(three("entitlement=1", "vcpus=2", "weight=1000"), 2, "11: 'c'");
    warns(frame("cores=1", "cores=1", "cores=1\nframe=20ms\nslots=a 10ms, * 1ms, a 9ms"), 0, "");
    warns(frame("cores=1", "cores=1", "cores=1\nframe=20ms\nslots=a 10ms, * 900us, a 9ms"), 0, "");
    warns(frame("cores=1", "cores=1", "cores=1\nframe=20ms\nslots=a 10ms, * 900us, a 9100us"), 1, "6: 'b' is promised nothing, and");
    warns(frame("cores=1", "cores=0-1", "cores=1\nframe=20ms\nslots=a 20ms"), 0, "");
    warns(frame("cores=1", "", "cores=1\nframe=20ms\nslots=a 20ms"), 0, "");
}

/* One mistake is enough: what is said of a line is not said again of what it left behind. */
static void told_once(void **state)
{
    (void)state;
    expect_bad(on_core_1("cap = yes\nentitlement = much"), 5, "is not a part");
    expect_bad(frame("cores=1", "cores=1", "cores=1\nframe=20\nslots=a 5ms"), 9, "is not a time");
    expect_bad(frame("cores=1", "cores=1", "cores=a\nframe=20ms\nslots=a 5ms"), 8, "is not a number");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults), cmocka_unit_test(weights), cmocka_unit_test(entitlements), cmocka_unit_test(periods),
        cmocka_unit_test(what_does_not_go_together), cmocka_unit_test(sums), cmocka_unit_test(frames), cmocka_unit_test(many_slots),
        cmocka_unit_test(told_once), cmocka_unit_test(starvation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
