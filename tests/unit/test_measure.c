/* SPDX-License-Identifier: MIT */
/*
 * What is measured, in which PCR and by which name. What a TPM makes of it: `tools/check configurations`, the boots measured-*.
 * LINK: boot/measure.c hv/lib/fmt.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "boot/measure.h"

static u32 pcr, size;
static const void *data;
static char name[MEASURE_TEXT];

void measure_event(u32 to, const void *bytes, size_t n, const char *text)
{
    pcr = to;
    data = bytes;
    size = (u32)n;
    assert_true(strlen(text) < MEASURE_TEXT);
    strcpy(name, text);
}

static void files(void **state)
{
    char longest[CONFIG_FILE_NAME];

    (void)state;
    measure_config("text", 4);
    assert_true(pcr == MEASURE_START && size == 4 && strcmp(data, "text") == 0 && strcmp(name, "pith.conf") == 0);
    memset(longest, 'x', sizeof(longest));
    longest[CONFIG_FILE_NAME - 1] = 0;
    measure_file(longest, "bytes", 5);
    assert_true(pcr == MEASURE_FILES && size == 5 && strcmp(data, "bytes") == 0);
    assert_true(strncmp(name, "file ", 5) == 0 && strcmp(name + 5, longest) == 0);
}

/* No two different starts have one name, however many partitions and whatever their length. */
static void start(void **state)
{
    static struct manifest m;

    (void)state;
    m.nr_partitions = MANIFEST_PARTITIONS;
    for (u32 i = 0; i < m.nr_partitions; i++)
        memset(m.partitions[i].name, 'a' + (int)i, 15);
    measure_start(&m);
    assert_int_equal(strlen(name), 6 + 16 * 16);
    assert_true(pcr == MEASURE_START && size == strlen(name));
    assert_string_equal(name + strlen(name) - 15, "ppppppppppppppp");
    for (u32 i = 0; i < m.nr_partitions; i++)
        m.partitions[i].flags = i == 1 || i == 3 ? 0 : MANIFEST_ON_REQUEST;
    measure_start(&m);
    assert_string_equal(name, "start: bbbbbbbbbbbbbbb ddddddddddddddd");
}

static void refusal(void **state)
{
    char why[288];

    (void)state;
    measure_refusal(3, "pith.conf has 1 mistake");
    assert_string_equal(name, "refused at stage 3: pith.conf has 1 mistake");
    assert_true(pcr == MEASURE_START && size == strlen(name));
    memset(why, 'w', sizeof(why));
    why[sizeof(why) - 1] = 0;
    measure_refusal(22, why);
    assert_int_equal(strlen(name), 21 + sizeof(why) - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(files), cmocka_unit_test(start), cmocka_unit_test(refusal) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
