/* SPDX-License-Identifier: MIT */
/*
 * pith.conf: whom a partition may reach, partitions made on request, channels.
 * LINK: boot/config.c boot/config_check.c boot/config_files.c boot/config_serial.c boot/config_share.c boot/config_slice.c
 * LINK: boot/config_time.c boot/config_value.c boot/sha256.c boot/manifest.c boot/manifest_share.c boot/manifest_time.c hv/lib/fmt.c
 */
#include "tests/unit/config_text.h"

/* Partitions a, b and c, of 2 lines each, with @line in a: it is the third. */
static const char *three(const char *line)
{
    static char text[4096];

    snprintf(text, sizeof(text), "[partition a]\nimage=x\n%s\n[partition b]\nimage=x\n[partition c]\nimage=x\n", line);
    return text;
}

/* The same three, and then, from line 7, a channel 'ch' with these lines. */
static const char *channel(const char *lines)
{
    static char text[4096];

    snprintf(text, sizeof(text), "[partition a]\nimage=x\n[partition b]\nimage=x\n[partition c]\nimage=x\n[channel ch]\n%s", lines);
    return text;
}

static void rights(void **state)
{
    (void)state;
    expect_good(three("may-manage = b\nmay-signal = c, b\nmay-call = *\nmay-share =\tc # later\n"));
    assert_int_equal(part(0)->may.manage, 2);
    assert_int_equal(part(0)->may.signal, 6);
    assert_int_equal(part(0)->may.call, 6);
    assert_int_equal(part(0)->may.share, 4);
    for (u32 i = 1; i < 3; i++) {
        assert_int_equal(part(i)->may.manage | part(i)->may.signal | part(i)->may.call | part(i)->may.share, 0);
    }
    expect_good("[partition a]\nimage=x\n[partition b]\nimage=x\nmay-signal=a\nmay-share=*\n[partition c]\nimage=x\n");
    assert_int_equal(part(1)->may.signal, 1);
    assert_int_equal(part(1)->may.share, 5);
    expect_good("[partition a]\nimage=x\nmay-call=*\n");
    assert_int_equal(part(0)->may.call, 0);
}

static void wrong_rights(void **state)
{
    static const char *const keys[] = { "may-manage", "may-signal", "may-call", "may-share" };
    static const struct { const char *value, *words; } wrong[] = {
        { "d", "no partition 'd' for" },
        { "net", "no partition 'net' for 'may-" },
        { "b, zzz", "no partition 'zzz'" },
        { "B", "did you mean 'b'?" },
        { "a", "take 'a' itself out" },
        { "c, a, b", "take 'a' itself out" },
        { "b, c, b", "'b' stands twice" },
        { "b,, c", "a name is missing" },
        { "b,", "a name is missing" },
        { ",", "a name is missing" },
        { "b c", "no partition 'b c'" },
        { "b, *", "write it alone" },
        { "*, b", "write it alone" },
        { "", "no value" },
        { "# b", "no value" },
    };
    char line[64];

    (void)state;
    for (u32 k = 0; k < ARRAY_SIZE(keys); k++) {
        for (u32 i = 0; i < ARRAY_SIZE(wrong); i++) {
            snprintf(line, sizeof(line), "%s = %s", keys[k], wrong[i].value);
            expect_bad(three(line), 3, wrong[i].words);
        }
        snprintf(line, sizeof(line), "%s = b\n%s = c", keys[k], keys[k]);
        expect_bad(three(line), 4, "on line 3 already");
    }
    expect_bad(three("may-mange = b"), 3, "did you mean 'may-manage'?");
    expect_bad("[partition disk]\nimage=x\n[partition net]\nimage=x\nmay-call=dissk\n", 5, "did you mean 'disk'?");
    expect_bad("[partition disk]\nimage=x\nmay-call=dissk\n[partition net]\nimage=x\n", 3, "no partition 'dissk' for");
    expect_bad("[pith]\nmay-call=a\n[partition a]\nimage=x\n", 2, "'may-call' belongs to a partition");
}

static void on_request(void **state)
{
    static const char chain[] = "[partition a]\nimage=x\ncreate=on-request\nmay-manage=b\n"
                                "[partition b]\nimage=x\ncreate=on-request\n[partition c]\nimage=x\nmay-manage=a\ncreate=at-boot\n";
    static const char circle[] = "[partition a]\nimage=x\ncreate=on-request\nmay-manage=b\n"
                                 "[partition b]\nimage=x\nmay-manage=a\n\ncreate=on-request\n[partition c]\nimage=x\nmay-call=*\n";

    (void)state;
    expect_good(chain);
    assert_int_equal(part(0)->flags, MANIFEST_ON_REQUEST);
    assert_int_equal(part(1)->flags, MANIFEST_ON_REQUEST);
    assert_int_equal(part(2)->flags, 0);
    assert_int_equal(cfg.manifest.focus, 2); /* the first that is there at the start */
    assert_false(parse(circle));
    assert_int_equal(cfg.nr_errors, 2);
    assert_int_equal(cfg.errors[0].line, 3);
    assert_int_equal(cfg.errors[1].line, 9);
    assert_non_null(strstr(cfg.errors[1].text, "write may-manage = b in a partition made at boot"));
    expect_bad(three("create = on-request"), 3, "'a' is made on request and nobody may ask");
    expect_bad(three("create = on-requst"), 3, "did you mean 'on-request'?");
    expect_bad(three("create = later"), 3, "at-boot or on-request");
    /* One mistake: that b is not named is its consequence. */
    expect_bad("[partition a]\nimage=x\nmay-manage=bb\n[partition b]\nimage=x\ncreate=on-request\n", 3, "did you mean 'b'?");
    expect_good("[pith]\nfocus=b\n[partition a]\nimage=x\nmay-manage=b\n[partition b]\nimage=x\ncreate=on-request\n");
    assert_int_equal(cfg.manifest.focus, 1);
}

static void channels(void **state)
{
    const struct manifest_channel *c = cfg.manifest.channels;

    (void)state;
    expect_good("[channel a]\nsize = 64K\nwriters = b, a\n[channel ring-2]\nreaders = b\nwriters=a\nsize=64M\n"
                "[partition a]\nimage=x\n[partition b]\nimage=x\n");
    assert_int_equal(cfg.manifest.nr_channels, 2);
    assert_string_equal(c[0].name, "a"); /* beside a partition of that name */
    assert_int_equal(c[0].line, 1);
    assert_int_equal(c[0].size, KIB(64));
    assert_int_equal(c[0].writers, 3);
    assert_int_equal(c[0].readers, 0);
    assert_string_equal(c[1].name, "ring-2");
    assert_int_equal(c[1].line, 4);
    assert_int_equal(c[1].size, MIB(64));
    assert_int_equal(c[1].writers, 1);
    assert_int_equal(c[1].readers, 2);
    expect_good("[partition a]\nimage=x\n");
    assert_int_equal(cfg.manifest.nr_channels, 0);
}

static void channel_names(void **state)
{
    static const char *const wrong[] = { "A", "a b", "a_b", "0123456789abcdef" };
    static const char rest[] = "]\nsize=4K\nwriters=a\nreaders=b\n[partition a]\nimage=x\n[partition b]\nimage=x\n";
    char text[512];

    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(wrong); i++) {
        snprintf(text, sizeof(text), "[channel %s%s", wrong[i], rest);
        expect_bad(text, 1, "is not 1 to 15 of");
    }
    snprintf(text, sizeof(text), "[channel%s", rest);
    expect_bad(text, 1, "write [channel NAME]");
    snprintf(text, sizeof(text), "[channel pith%s", rest);
    expect_bad(text, 1, "rename the channel");
    snprintf(text, sizeof(text), "[channel 0123456789-bcde%s", rest);
    expect_good(text);
    expect_bad(channel("size=4K\nwriters=a,b\n[channel ch]\nsize=4K\nwriters=b,c\n"), 10, "channel 'ch' is on line 7 already");
    expect_bad("[chanel a]\n[partition a]\nimage=x\n", 1, "[partition NAME], [channel NAME] or [cyclic NAME]");
}

static void channel_keys(void **state)
{
    (void)state;
    expect_bad(channel("size=4K\nwriters=a,b\nfocus=a\n"), 10, "'focus' belongs to [pith]");
    expect_bad(channel("size=4K\nwriters=a,b\nmemory=1M\n"), 10, "'memory' belongs to a partition");
    expect_bad(channel("size=4K\nwriters=a,b\nreader=c\n"), 10, "did you mean 'readers'?");
    expect_bad(channel("size=4K\nwriters=a,b\ncolour=c\n"), 10, "a channel has size, writers and readers");
    expect_bad(channel("size=4K\nwriters=a,b\nsize=8K\n"), 10, "on line 8 already");
    expect_bad(three("size = 4K"), 3, "'size' belongs to a channel - move it below a [channel NAME]");
}

static void channel_sizes(void **state)
{
    static const struct { const char *size, *words; } wrong[] = {
        { "64", "size = 64 has no unit" }, { "64KB", "is not a size" }, { "-4K", "is not a size" }, { "K", "is not a size" },
        { "0K", "the least is 4K" }, { "3K", "the least is 4K" }, { "6K", "not whole pages of 4K - write 8K" },
        { "65537K", "the most is 64M" }, { "65M", "the most is 64M" }, { "1G", "the most is 64M" },
        { "18446744073709551615G", "the most is 64M" }, { "18446744073709551616K", "is not a size" },
    };
    char lines[128];

    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(wrong); i++) {
        snprintf(lines, sizeof(lines), "writers=a,b\nsize = %s\n", wrong[i].size);
        expect_bad(channel(lines), 9, wrong[i].words);
    }
    expect_bad(channel("writers=a,b\n"), 7, "channel 'ch' has no size");
    expect_good(channel("writers=a,b\nsize=0x10K\n"));
    assert_int_equal(cfg.manifest.channels[0].size, KIB(16));
    expect_good(channel("writers=a,b\nsize=4k\n"));
    assert_int_equal(cfg.manifest.channels[0].size, KIB(4));
}

static void channel_members(void **state)
{
    (void)state;
    expect_bad(channel("size=4K\n"), 7, "nobody has channel 'ch'");
    expect_bad(channel("size=4K\nwriters=a\n"), 9, "one partition alone has channel 'ch'");
    expect_bad(channel("size=4K\nreaders=a\n"), 9, "one partition alone has channel 'ch'");
    expect_bad(channel("size=4K\nreaders=a,b\n"), 7, "nobody writes to channel 'ch'");
    expect_bad(channel("size=4K\nreaders=a\nwriters=b,a\n"), 9, "'a' is a writer of channel 'ch'");
    expect_bad(channel("size=4K\nwriters=a,b,a\n"), 9, "'a' stands twice in 'writers'");
    expect_bad(channel("size=4K\nwriters=a\nreaders=c,c\n"), 10, "'c' stands twice in 'readers'");
    expect_bad(channel("size=4K\nwriters=a\nreaders=d\n"), 10, "no partition 'd'");
    expect_bad(channel("size=4K\nwriters=ch\nreaders=b\n"), 9, "no partition 'ch'");
    expect_bad(channel("size=4K\nwriters=a\nreaders=*\n"), 10, "'readers' cannot be *");
    expect_bad(channel("size=4K\nwriters=a,\nreaders=b\n"), 9, "a name is missing in 'writers'");
    expect_good(channel("size=4K\nreaders=a,c\nwriters=b\n"));
}

/* Where it ends to fit, once. */
static void room_of_channels(void **state)
{
    char text[1024], *end = text;

    (void)state;
    for (u32 i = 0; i < 6; i++)
        end += sprintf(end, "[channel c%u]\nwriters=a,b\nsize=64M\n", i);
    strcpy(end, "[partition a]\nimage=x\n[partition b]\nimage=x\n");
    expect_bad(text, 12, "there is no room for channel 'c3': all take at most 254M");
}

/* As many lists as a configuration can have, and those of sections that are one too many. */
static void most_lists(void **state)
{
    char *text = calloc(1, 65536), *end = text;

    (void)state;
    for (u32 i = 0; i < 16; i++) {
        end += sprintf(end, "[partition p%u]\nimage=x\nmay-manage=*\nmay-signal=*\nmay-call=*\nmay-share=p%u\n", i, !i);
        end += sprintf(end, "[channel c%u]\nsize=4K\nwriters=p0\nreaders=p15\n", i);
    }
    expect_good(text);
    assert_int_equal(part(15)->may.call, 0x7fff);
    assert_int_equal(part(15)->may.share, 1);
    assert_int_equal(cfg.manifest.channels[15].readers, 0x8000);
    for (u32 i = 0; i < 40; i++)
        end += sprintf(end, "[partition r%u]\nimage=x\nmay-call=*\n[channel d%u]\nsize=4K\nwriters=p0\nreaders=p15\n", i, i);
    assert_false(parse(text));
    assert_int_equal(cfg.nr_errors, 80);
    assert_int_equal(cfg.manifest.nr_channels, MANIFEST_CHANNELS);
    assert_non_null(strstr(cfg.errors[0].text, "more than 16 partitions"));
    assert_non_null(strstr(cfg.errors[1].text, "more than 16 channels"));
    free(text);
}

static void devices_and_channels(void **state)
{
    static const char conf[] = "[channel one]\nsize=4K\nwriters=b,c\n[channel two]\nsize=64K\nwriters=a,b\n"
                               "[partition a]\nimage=x\nmmio=%s\n[partition b]\nimage=x\n[partition c]\nimage=x\n";
    char text[512];

    (void)state;
    snprintf(text, sizeof(text), conf, "0xc0410000-0xc0410fff");
    expect_good(text);
    snprintf(text, sizeof(text), conf, "0xc040f000-0xc040ffff");
    expect_bad(text, 9, "mmio 0xc040f000-0xc040ffff of 'a' reaches into 0xc0200000-0xc040ffff, its channels up to 'two'");
    snprintf(text, sizeof(text), conf, "0xc01ff000-0xc01fffff");
    expect_bad(text, 9, "pages that Pith shares with every guest");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rights),
        cmocka_unit_test(wrong_rights),
        cmocka_unit_test(on_request),
        cmocka_unit_test(channels),
        cmocka_unit_test(channel_names),
        cmocka_unit_test(channel_keys),
        cmocka_unit_test(channel_sizes),
        cmocka_unit_test(channel_members),
        cmocka_unit_test(room_of_channels),
        cmocka_unit_test(most_lists),
        cmocka_unit_test(devices_and_channels),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
