/* SPDX-License-Identifier: MIT */
/*
 * pith.conf: the SHA-256 that files must have.
 * LINK: boot/config.c boot/config_check.c boot/config_files.c boot/config_serial.c boot/config_share.c boot/config_slice.c
 * LINK: boot/config_time.c boot/config_value.c boot/sha256.c boot/manifest.c boot/manifest_share.c boot/manifest_time.c hv/lib/fmt.c
 */
#include "tests/unit/config_text.h"

#define ABC   "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define UPPER "sha256:BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD"
#define EMPTY "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

/* What is said of file @i when it has these bytes; NULL: it is right. */
static const char *wrong(u32 i, const char *bytes)
{
    static char why[CONFIG_ERROR_TEXT];

    return config_file_right(&cfg.files[i], bytes, strlen(bytes), why, sizeof(why)) ? NULL : why;
}

static void given(void **state)
{
    (void)state;
    expect_good("[partition a]\nimage = x " ABC " # the release\ninitrd = y\t" UPPER "\nmodules = m1 " ABC " m2 m3  " EMPTY "\n"
                "[partition b]\nimage = m2\nmodules = x\n");
    assert_int_equal(cfg.nr_files, 5);
    assert_int_equal(part(0)->image, 0);
    assert_int_equal(part(0)->initrd, 1);
    assert_int_equal(part(0)->nr_modules, 3);
    assert_int_equal(part(0)->modules[2], 4);
    assert_string_equal(cfg.files[4].name, "m3");
    assert_int_equal(cfg.files[0].hash_line, 2);
    assert_string_equal(cfg.files[0].hash_key, "image");
    assert_string_equal(cfg.files[4].hash_key, "modules");
    assert_int_equal(cfg.files[3].hash_line, 0);
    assert_null(wrong(0, "abc"));
    assert_null(wrong(1, "abc"));
    assert_null(wrong(2, "abc"));
    assert_null(wrong(3, "anything"));
    assert_null(wrong(4, ""));
}

/* Each bit counts, and what is said names the key, the file, what it has, and what to do. */
static void one_bit(void **state)
{
    (void)state;
    expect_good("[partition a]\nimage = x\ninitrd = y " ABC "\n");
    for (u32 bit = 0; bit < 24; bit++) {
        char bytes[] = "abc";

        bytes[bit / 8] ^= (char)(1 << bit % 8);
        assert_non_null(wrong(1, bytes));
    }
    assert_string_equal(wrong(1, ""), "initrd 'y' is not the file that was meant: it has " EMPTY
                                      " - copy the right one to the boot volume, or write this if it is right");
    assert_non_null(wrong(1, "abcd"));
    assert_non_null(wrong(1, "ab"));
}

/* What one partition demands of a file holds for all that name it, before or behind. */
static void shared(void **state)
{
    (void)state;
    expect_good("[partition a]\nimage = x\n[partition b]\nimage = x " ABC "\n[partition c]\nimage = x " UPPER "\nmodules = x\n");
    assert_int_equal(cfg.nr_files, 1);
    assert_int_equal(cfg.files[0].line, 2);
    assert_int_equal(cfg.files[0].hash_line, 4);
    assert_non_null(wrong(0, "abd"));
    expect_bad("[partition a]\nimage = x " ABC "\n[partition b]\nimage = x " EMPTY "\n", 4, "'x' has another sha256: on line 2 - correct");
}

static void refused(void **state)
{
    static const char *const hashes[] = { "sha256:", "sha256:ba78", ABC "0", ABC " more", ABC " " EMPTY,
                                          "sha256:ga7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" };
    char line[300];

    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(hashes); i++) {
        snprintf(line, sizeof(line), "initrd = y %s", hashes[i]);
        expect_bad_line(line, "is not sha256: and 64 hexadecimal digits - write what pith-check --hashes prints");
    }
    expect_bad_line("modules = m1 sha256:12 m2", "'sha256:12' is not sha256: and 64");
    expect_bad_line("modules = " ABC " m2", "stands behind no file - write");
    expect_bad_line("modules = m " ABC " " ABC, "stands behind no file");
    expect_bad_line("initrd = " ABC, "stands behind no file");
    expect_bad_line("initrd = y SHA256:12", "is not a file name");
    expect_bad_line("initrd = y z", "is not a file name");
    expect_bad_line("initrd = a:b " ABC, "is not a file name"); /* and nothing is said of the hash */
    assert_false(parse("[partition A]\nimage = x " ABC "\n"));  /* a spare partition's */
    assert_int_equal(cfg.nr_files, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(given),
        cmocka_unit_test(one_bit),
        cmocka_unit_test(shared),
        cmocka_unit_test(refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
