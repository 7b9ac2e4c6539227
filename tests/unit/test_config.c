/* SPDX-License-Identifier: MIT */
/*
 * pith.conf: what is understood, and that every mistake is told with its line.
 * LINK: boot/config.c boot/config_check.c boot/config_files.c boot/config_serial.c boot/config_share.c boot/config_slice.c
 * LINK: boot/config_time.c boot/config_value.c boot/sha256.c boot/manifest.c boot/manifest_share.c boot/manifest_time.c hv/lib/fmt.c
 */
#include "tests/unit/config_text.h"

static const struct manifest_partition *with_line(const char *line)
{
    char text[4096];

    snprintf(text, sizeof(text), "[partition a]\nimage = x\n%s\n", line);
    expect_good(text);
    return part(0);
}

static void defaults(void **state)
{
    (void)state;
    expect_good("[partition a]\nimage = kernel");
    assert_int_equal(cfg.manifest.magic, MANIFEST_MAGIC);
    assert_int_equal(cfg.manifest.version, MANIFEST_VERSION);
    assert_int_equal(cfg.manifest.size, sizeof(struct manifest));
    assert_int_equal(cfg.manifest.nr_partitions, 1);
    assert_int_equal(cfg.manifest.focus, 0);
    assert_int_equal(cfg.manifest.poweroff, MANIFEST_POWEROFF_NEVER);
    assert_int_equal(cfg.manifest.log_level, 2);
    assert_string_equal(part(0)->name, "a");
    assert_int_equal(part(0)->line, 1);
    assert_int_equal(part(0)->image, 0);
    assert_int_equal(part(0)->initrd, MANIFEST_NONE);
    assert_int_equal(part(0)->memory, MIB(64));
    assert_int_equal(part(0)->vcpus, 1);
    assert_int_equal(part(0)->flags, 0);
    assert_int_equal(part(0)->restart, MANIFEST_RESTART_NEVER);
    assert_string_equal(part(0)->cmdline, "");
    assert_int_equal(cfg.nr_files, 1);
    assert_string_equal(cfg.files[0].name, "kernel");
    assert_int_equal(cfg.files[0].line, 2);
}

static void every_key(void **state)
{
    static const char text[] =
        "[pith]\nfocus=b\npoweroff=when-done\nlog=debug\ntrace = 64K rip\n"
        "[partition a]\nimage=x\ninitrd=y\nmodules=m1  m2\tx\ncmdline= a=1  # b \n"
        "memory=2G\nvcpus=2\ncores=1-2,70\ndedicated=yes\nrestart=always\n"
        "strict=yes\nkvm=no\nports=0x2f8-0x2ff, 0x220\nmmio=0xfe000000-0xfe000fff\n"
        "irqs=3, 5\ndma=trusted\nsmt=share\n"
        "[partition b]\nimage=x\nrestart=on-failure\ndedicated=no\nstrict=no\nkvm=yes\ndma=no\nsmt=own\n";
    const struct manifest_partition *p = part(0);

    (void)state;
    expect_good(text);
    assert_int_equal(cfg.manifest.focus, 1);
    assert_int_equal(cfg.manifest.poweroff, MANIFEST_POWEROFF_WHEN_DONE);
    assert_int_equal(cfg.manifest.log_level, 3);
    assert_int_equal(cfg.manifest.trace, 65537);
    assert_int_equal(p->initrd, 1);
    assert_int_equal(p->nr_modules, 3);
    assert_int_equal(p->modules[0], 2);
    assert_int_equal(p->modules[2], 0); /* the image once more: one file */
    assert_int_equal(cfg.nr_files, 4);
    assert_string_equal(p->cmdline, "a=1  # b");
    assert_int_equal(p->memory, GIB(2));
    assert_int_equal(p->vcpus, 2);
    assert_int_equal(p->cores[0], 6);
    assert_int_equal(p->cores[1], 1 << 6);
    assert_int_equal(p->flags, MANIFEST_DEDICATED | MANIFEST_STRICT | MANIFEST_CORES_GIVEN | MANIFEST_NO_KVM |
                                   MANIFEST_DMA_TRUSTED | MANIFEST_SMT_SHARE);
    assert_int_equal(p->restart, MANIFEST_RESTART_ALWAYS);
    assert_int_equal(p->nr_ports, 2);
    assert_int_equal(p->ports[0].first, 0x2f8);
    assert_int_equal(p->ports[0].last, 0x2ff);
    assert_int_equal(p->ports[1].first, 0x220);
    assert_int_equal(p->ports[1].last, 0x220);
    assert_int_equal(p->nr_mmio, 1);
    assert_int_equal(p->mmio[0].last, 0xfe000fff);
    assert_int_equal(p->nr_irqs, 2);
    assert_int_equal(p->irqs[1], 5);
    assert_int_equal(part(1)->restart, MANIFEST_RESTART_ON_FAILURE);
    assert_int_equal(part(1)->image, 0);
    assert_int_equal(part(1)->flags, 0);
}

static void layout_is_free(void **state)
{
    static const char text[] = "\xef\xbb\xbf\r\n  # comment\r\n\t[ partition \t a ]  # first\r\n"
                               "\r\n   image   =\tx#1   # not #1\r\n memory = 1m";

    (void)state;
    expect_good(text);
    assert_string_equal(part(0)->name, "a");
    assert_int_equal(part(0)->line, 3);
    assert_string_equal(cfg.files[0].name, "x#1");
    assert_int_equal(part(0)->memory, MIB(1));
}

static void lines_that_do_not_end(void **state)
{
    (void)state;
    expect_good("[partition a]\nimage = x\r");
    expect_good("[partition a]\nimage = x\n\n\n");
    expect_good("[partition a]\nimage = x\n#");
    expect_bad("[partition a]\nimage = x\nmemory =", 3, "no value");
}

static void empty_texts(void **state)
{
    static const char *const empty[] = { "", "\n", "#", "\xef\xbb\xbf", "[pith]\nlog = info\n" };

    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(empty); i++)
        expect_bad(empty[i], 1, "there is no partition");
}

static void bytes_that_are_no_text(void **state)
{
    static const char zero[] = "[partition a]\nimage = x\0y\n";

    (void)state;
    assert_false(parse_bytes(zero, sizeof(zero) - 1));
    assert_int_equal(cfg.errors[1].line, 2);
    assert_non_null(strstr(cfg.errors[1].text, "byte 0x00 at column 10"));
    expect_bad_line("cmdline = a\x1b[1mb", "byte 0x1b");
    expect_bad_line("vcpus = 1\rvcpus = 2", "byte 0x0d");
    assert_false(parse_bytes("\xff\xfe[\0p\0", 6));
    assert_non_null(strstr(cfg.errors[0].text, "UTF-16"));
    assert_int_equal(cfg.nr_errors, 1);
    assert_false(parse_bytes("\xfe\xff\0[", 4));
    assert_false(parse_bytes("\xff", 1));
    expect_good("[partition a]\nimage = x\ncmdline = caf\xc3\xa9\n");
    expect_bad("[partition a]\nimage = caf\xc3\xa9\n", 2, "not a file name");
}

static void very_long_lines(void **state)
{
    enum { LONG = 200000 };
    char *text = malloc(LONG + 64);

    (void)state;
    memset(text, 'x', LONG);
    assert_false(parse_bytes(text, LONG));
    strcpy(text, "[partition a]\nimage = x\ncmdline = ");
    memset(text + strlen(text), 'y', 1023);
    text[34 + 1023] = '\0';
    expect_good(text);
    assert_int_equal(strlen(part(0)->cmdline), 1023);
    strcat(text, "y");
    expect_bad(text, 3, "1024 bytes");
    memset(text + 34, 'y', LONG);
    assert_false(parse_bytes(text, LONG));
    strcpy(text, "[partition a]\nimage = ");
    memset(text + 22, 'z', 64);
    text[22 + 64] = '\0';
    expect_bad(text, 2, "64 bytes");
    text[22 + 63] = '\0';
    expect_good(text);
    free(text);
}

static void sections(void **state)
{
    (void)state;
    expect_bad("image = x\nmemory = 3\n[partition a]\nimage = x\n", 1, "before any section");
    expect_bad("[partitoin b]\nfoo\nbar = 1\n[partition a]\nimage = x\n", 1,
               "no section '[partitoin b]'");
    expect_bad("[pith x]\n[partition a]\nimage = x\n", 1, "no section '[pith x]'");
    expect_bad("[partition a\nimage = x\n[partition b]\nimage = x", 1, "is not a section");
    expect_bad("[partition a] b\n[partition b]\nimage = x", 1, "is not a section");
    expect_bad("[]\n[partition b]\nimage = x", 1, "no section '[]'");
    expect_bad("[partition]\nimage = x\n[partition b]\nimage = x", 1, "no name");
    expect_bad("[pith]\nlog = info\n[partition b]\nimage = x\n[pith]\nlog = warn\n", 6,
               "on line 2 already");
    expect_good("[pith]\nlog = info\n[partition b]\nimage = x\n[pith]\npoweroff = never\n");
}

static void names(void **state)
{
    (void)state;
    expect_good("[partition abc-9012345-xyz]\nimage = x\n");
    expect_bad("[partition abc-9012345-xyz6]\nimage=x\n[partition b]\nimage=x", 1, "1 to 15 of");
    expect_bad("[partition A]\nimage=x\n[partition b]\nimage=x", 1, "1 to 15 of");
    expect_bad("[partition a b]\nimage=x\n[partition b]\nimage=x", 1, "1 to 15 of");
    expect_bad("[partition pith]\nimage=x\n[partition b]\nimage=x", 1, "Pith's own");
    expect_bad("[partition a]\nimage=x\n[partition a]\nimage=y\n", 3, "on line 1 already");
}

static void keys(void **state)
{
    (void)state;
    expect_bad_line("memroy = 64M", "did you mean 'memory'?");
    expect_bad_line("Memory = 64M", "did you mean 'memory'?");
    expect_bad_line("colour = red", "a partition has image, initrd, ");
    expect_bad_line("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx = 1", ", may-call and may-share");
    expect_bad_line("poweroff = never", "belongs to [pith]");
    expect_bad_line("just words", "is not KEY = VALUE");
    expect_bad_line("= 3", "no key ''");
    expect_bad_line("image = y", "on line 2 already");
    expect_bad_line("memory = # much", "no value");
    expect_bad("[pith]\nmemory = 1M\n[partition a]\nimage = x\n", 2, "belongs to a partition");
    expect_bad("[pith]\npoweof = never\n[partition a]\nimage = x\n", 2, "did you mean 'poweroff'?");
    expect_bad("[pith]\nxyzzy = never\n[partition a]\nimage = x\n", 2, "[pith] has focus");
}

static void choices(void **state)
{
    (void)state;
    expect_bad_line("restart = allways", "did you mean 'always'?");
    expect_bad_line("restart = sometimes", "never, on-failure or always");
    expect_bad_line("strict = true", "yes or no");
    expect_bad_line("kvm = off", "yes or no");
    expect_bad_line("smt = yes", "own or share");
    expect_bad_line("dedicated = yess", "did you mean 'yes'?");
    expect_bad("[pith]\nlog = inf\n[partition a]\nimage = x\n", 2, "did you mean 'info'?");
    expect_bad("[pith]\ntrace = 5K\n[partition a]\nimage = x\n", 2, "write no, yes, or 4K");
    expect_bad("[pith]\ntrace = 4K rips\n[partition a]\nimage = x\n", 2, "trace = 4K rips says no size");
    expect_bad("[pith]\ntrace = 2K\n[partition a]\nimage = x\n", 2, "trace = 2K says no size");
    expect_bad("[pith]\ntrace = 32M\n[partition a]\nimage = x\n", 2, "trace = 32M says no size");
    expect_bad("[pith]\ntrace = K\n[partition a]\nimage = x\n", 2, "trace = K says no size");
    expect_bad("[pith]\ntrace = 99999999999999999999K\n[partition a]\nimage = x\n", 2, "says no size");
    expect_bad("[pith]\nlog = 7\n[partition a]\nimage = x\n", 2, "error, warn, info or debug");
    expect_bad("[pith]\npoweroff = 1\n[partition a]\nimage = x\n", 2, "never or when-done");
}

static void memory_sizes(void **state)
{
    (void)state;
    assert_int_equal(with_line("memory = 1M")->memory, MIB(1));
    assert_int_equal(with_line("memory = 1024K")->memory, MIB(1));
    assert_int_equal(with_line("memory = 0x10M")->memory, MIB(16));
    assert_int_equal(with_line("memory = 1024G")->memory, GIB(1024));
    expect_bad_line("memory = 64", "no unit");
    expect_bad_line("memory = 64MB", "is not a size");
    expect_bad_line("memory = M", "is not a size");
    expect_bad_line("memory = -1M", "is not a size");
    expect_bad_line("memory = 1.5G", "is not a size");
    expect_bad_line("memory = 6 4M", "is not a size");
    expect_bad_line("memory = 0M", "too small");
    expect_bad_line("memory = 1023K", "too small");
    expect_bad_line("memory = 1025G", "too large");
    expect_bad_line("memory = 18446744073709551615G", "too large");
    expect_bad_line("memory = 18446744073709551616M", "is not a size");
    expect_bad_line("memory = 1500K", "write 2M");
}

static void numbers_of_vcpus(void **state)
{
    (void)state;
    assert_int_equal(with_line("vcpus = 16")->vcpus, 16);
    expect_bad_line("vcpus = 0", "1 to 16");
    expect_bad_line("vcpus = 17", "1 to 16");
    expect_bad_line("vcpus = two", "is not a number");
    expect_bad_line("vcpus = 99999999999999999999", "is not a number");
    expect_bad_line("vcpus = 0x", "is not a number");
}

static void cores(void **state)
{
    const struct manifest_partition *p = with_line("cores = 0-255");

    (void)state;
    for (u32 i = 0; i < 4; i++)
        assert_true(p->cores[i] == ~0ull);
    assert_int_equal(with_line("cores = 63 - 64 , 1")->cores[1], 1);
    assert_true(part(0)->cores[0] == (BIT(63) | 2));
    expect_bad_line("cores = 256", "highest is 0xff (255)");
    expect_bad_line("cores = 3-1", "ends before it begins");
    expect_bad_line("cores = 1-", "is not a number or a range");
    expect_bad_line("cores = 1 2", "is not a number or a range");
    expect_bad_line("cores = ,", "is not a number or a range");
    expect_bad_line("cores = 1-2-3", "is not a number or a range");
    expect_bad_line("cores = all", "is not a number or a range");
}

static void dedicated_cores(void **state)
{
    (void)state;
    expect_bad("[partition a]\nimage=x\nvcpus=3\ncores=1-2\ndedicated=yes\n", 4,
               "3 vCPUs and 2 dedicated");
    expect_good("[partition a]\nimage=x\nvcpus=3\ncores=1-2\n");
    expect_bad(
        "[partition a]\nimage=x\ncores=1-2\ndedicated=yes\n[partition b]\nimage=x\ncores=2\n", 7,
        "core 2 is listed by 'a' and 'b'");
    expect_bad("[partition a]\nimage=x\ncores=2\n[partition b]\nimage=x\ndedicated=yes\ncores=2\n",
               7, "core 2");
    expect_good("[partition a]\nimage=x\ncores=1,2\n[partition b]\nimage=x\ncores=2\n");
}

static void devices(void **state)
{
    (void)state;
    expect_bad_line("ports = 0x2ff-0x2f8", "ends before it begins");
    expect_bad_line("ports = 0x10000", "highest is 0xffff");
    expect_bad_line("ports = 0x3f8", "Pith's console");
    expect_bad_line("ports = 0xcf0-0xcf8", "PCI configuration");
    expect_bad_line("ports = 257,258,259,260,261,262,263,264,265", "more than 8");
    expect_bad_line("ports = 0x170-0x171, 0x171", "overlaps");
    expect_bad_line("mmio = 0xfe000000", "write 0xfe000000-0xfe000fff");
    expect_bad_line("mmio = 0xfee00000-0xfee00fff", "local APIC");
    expect_bad_line("mmio = 0x1000-0x1fff", "its own memory");
    expect_bad_line("mmio = 0x10000000000000-0x10000000000fff", "out of range");
    expect_bad_line("irqs = 24", "highest is 0x17");
    expect_bad_line("irqs = 4", "that of the console");
    expect_bad_line("irqs = 1", "that of the keyboard");
    expect_bad_line("dma = yes", "write no or trusted");
    expect_bad_line("irqs = 3, 3", "already");
    expect_bad_line("irqs = 5-13", "more than 8");
    expect_bad("[partition a]\nimage=x\nports=0x170\n[partition b]\nimage=x\nports=0x160-0x170\n", 6,
               "overlaps");
    expect_bad("[partition a]\nimage=x\nirqs=5-6\n[partition b]\nimage=x\nirqs=3,5\n", 6,
               "interrupt 5");
}

static void files(void **state)
{
    (void)state;
    expect_good("[partition a]\nimage = /boot/linux/vmlinuz-6.1_x+~\n");
    assert_string_equal(cfg.files[0].name, "boot/linux/vmlinuz-6.1_x+~");
    expect_bad("[partition a]\nmemory = 1M\n", 1, "has no image");
    expect_bad("[partition a]\nimage = boot\\x\n", 2, "separated by /");
    expect_bad("[partition a]\nimage = \"x\"\n", 2, "not a file name");
    expect_bad("[partition a]\nimage = a b\n", 2, "not a file name");
    expect_bad_line("modules = a,b", "not a file name");
    expect_bad_line("modules = a b c d e", "more than 4 modules");
}

static void command_lines(void **state)
{
    (void)state;
    assert_string_equal(with_line("cmdline =")->cmdline, "");
    assert_string_equal(with_line("cmdline = # x")->cmdline, "# x");
    assert_string_equal(with_line("cmdline = a=\"b c\"")->cmdline, "a=\"b c\"");
    assert_string_equal(with_line("cmdline = a = b")->cmdline, "a = b");
    expect_bad_line("cmdline = \"quiet\"", "quotes around");
}

static void focus(void **state)
{
    static const char two[] =
        "[partition a]\nimage=x\nfocus=yes\n[partition b]\nimage=x\nfocus=yes\n";

    (void)state;
    expect_good("[partition a]\nimage=x\nfocus=no\n[partition b]\nimage=x\nfocus=yes\n");
    assert_int_equal(cfg.manifest.focus, 1);
    expect_good("[pith]\nfocus=b\n[partition a]\nimage=x\n[partition b]\nimage=x\nfocus=yes\n");
    assert_int_equal(cfg.manifest.focus, 1);
    expect_bad(two, 6, "line 3 gives the focus");
    expect_bad("[pith]\nfocus=a\n[partition a]\nimage=x\n[partition b]\nimage=x\nfocus=yes\n", 7,
               "line 2 gives the focus to 'a'");
    expect_bad("[pith]\nfocus=c\n[partition a]\nimage=x\n", 2, "no partition 'c'");
    expect_bad("[pith]\nfocus=Long Name\n[partition a]\nimage=x\n", 2,
               "not the name of a partition");
}

static void too_many_partitions(void **state)
{
    char text[2048] = "";

    (void)state;
    for (u32 i = 0; i < 17; i++) {
        char one[64];

        if (i == 16)
            expect_good(text);
        snprintf(one, sizeof(one), "[partition p%u]\nimage = f%u\nmodules = a%u b%u\n", i, i, i, i);
        strcat(text, one);
    }
    expect_bad(text, 49, "more than 16 partitions");
}

/* The most files that can be named fit, and so do those of partitions that are one too many. */
static void most_files(void **state)
{
    char *text = calloc(1, 65536);
    u32 n = 0;

    (void)state;
    for (u32 i = 0; i < 40; i++) {
        char one[256];

        snprintf(one, sizeof(one),
                 "[partition p%u]\nimage=f%u\ninitrd=f%u\nmodules=f%u f%u f%u f%u\n", i, n, n + 1,
                 n + 2, n + 3, n + 4, n + 5);
        n += 6;
        strcat(text, one);
        if (i == 15) {
            expect_good(text);
            assert_int_equal(cfg.nr_files, CONFIG_FILES);
        }
    }
    assert_false(parse(text));
    assert_int_equal(cfg.nr_files, CONFIG_FILES);
    assert_int_equal(cfg.nr_errors, 24);
    free(text);
}

/* All are counted; those with the lowest lines are kept, in order, whenever they were found. */
static void many_mistakes(void **state)
{
    char text[2048] = "[partition late]\nmemory = 1M\n[partition a]\nimage = x\n";

    (void)state;
    for (u32 i = 0; i < 30; i++)
        strcat(text, "bad\n");
    assert_false(parse(text));
    assert_int_equal(cfg.nr_errors, 31);
    assert_int_equal(cfg.errors[0].line, 1); /* the missing image, found last */
    assert_int_equal(cfg.errors[1].line, 5);
    assert_int_equal(cfg.errors[15].line, 19);
}

static void lines_of_keys(void **state)
{
    (void)state;
    expect_good("[partition a]\nimage=x\n\nmemory=1M\n[partition b]\nimage=x\n");
    assert_int_equal(part_line(part(0), "memory"), 4);
    assert_int_equal(part_line(part(1), "memory"), 5);
    assert_int_equal(part_line(part(1), "nothing"), 5);
    assert_int_equal(part_line(NULL, "memory"), 1);
}

/* Whatever the bytes are, the parser ends, stays inside its memory, and makes a manifest that is
 * whole. */
static void any_bytes(void **state)
{
    static const char *const pieces[] = { "[partition a]\n",
                                          "[pith]\n",
                                          "image=x\n",
                                          "memory=",
                                          "64M\n",
                                          "cores=1-3,",
                                          "ports=0x170-",
                                          "mmio=",
                                          "irqs=1,",
                                          "focus=yes\n",
                                          "modules=a b ",
                                          "\n",
                                          "#",
                                          "]",
                                          "[",
                                          "=",
                                          "\0",
                                          "\xff",
                                          "0x",
                                          "99999999999999999999",
                                          "-",
                                          ",",
                                          "b\n",
                                          "cmdline=",
                                          "\"",
                                          "dedicated=yes\n",
                                          "vcpus=",
                                          "[partition b]\n",
                                          "[channel a]\n",
                                          "size=4K\n",
                                          "writers=",
                                          "may-call=a,",
                                          "may-manage=*\n",
                                          "create=on-request\n" };
    char text[512];

    (void)state;
    srand(7);
    for (u32 round = 0; round < 3000; round++) {
        size_t n = 0;

        for (u32 i = 0; i < 30; i++) {
            const char *piece = pieces[(u32)rand() % ARRAY_SIZE(pieces)];
            size_t len = MAX(strlen(piece), (size_t)1);

            if (n + len > sizeof(text))
                break;
            memcpy(text + n, piece, len);
            n += len;
        }
        parse_bytes(text, n);
        assert_true(cfg.manifest.nr_partitions <= 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(every_key),
        cmocka_unit_test(layout_is_free),
        cmocka_unit_test(lines_that_do_not_end),
        cmocka_unit_test(empty_texts),
        cmocka_unit_test(bytes_that_are_no_text),
        cmocka_unit_test(very_long_lines),
        cmocka_unit_test(sections),
        cmocka_unit_test(names),
        cmocka_unit_test(keys),
        cmocka_unit_test(choices),
        cmocka_unit_test(memory_sizes),
        cmocka_unit_test(numbers_of_vcpus),
        cmocka_unit_test(cores),
        cmocka_unit_test(dedicated_cores),
        cmocka_unit_test(devices),
        cmocka_unit_test(files),
        cmocka_unit_test(command_lines),
        cmocka_unit_test(focus),
        cmocka_unit_test(too_many_partitions),
        cmocka_unit_test(most_files),
        cmocka_unit_test(many_mistakes),
        cmocka_unit_test(lines_of_keys),
        cmocka_unit_test(any_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
