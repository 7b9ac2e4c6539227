/* SPDX-License-Identifier: MIT */
/*
 * Where the loader's files lie on a server: directories, names, URIs, DHCP's answers.
 * LINK: boot/place.c hv/lib/fmt.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "boot/place.h"

static char place[PLACE_SIZE], target[TARGET_SIZE];

static void directories(void **state)
{
    static const struct {
        const char *file, *place;
    } rows[] = {
        { "BOOTX64.EFI", "" },
        { "pith/BOOTX64.EFI", "pith/" },
        { "/srv/tftp/pith/BOOTX64.EFI", "/srv/tftp/pith/" },
        { "boot\\x64\\BOOTX64.EFI", "boot\\x64\\" },
        { "EFI/BOOT/BOOTX64.EFI", "" },
        { "/EFI/BOOT/BOOTX64.EFI", "/" },
        { "pith/efi/Boot/BOOTX64.EFI", "pith/" },
        { "pith\\EFI\\BOOT\\BOOTX64.EFI", "pith\\" },
        { "notEFI/BOOT/BOOTX64.EFI", "notEFI/BOOT/" },
        { "EFI/BOOT/more/BOOTX64.EFI", "EFI/BOOT/more/" },
        { "what?is/this", "what?is/" },
        { "http://boot.example/BOOTX64.EFI", "http://boot.example/" },
        { "http://10.0.2.2:8080/a%20b/BOOTX64.EFI?x=/y#/z", "http://10.0.2.2:8080/a%20b/" },
        { "https://[fe80::1]/EFI/BOOT/BOOTX64.EFI", "https://[fe80::1]/" },
        { "http://boot.example", "http://boot.example/" },
        { "http://boot.example?x", "http://boot.example/" },
        { "http://EFI/BOOT/BOOTX64.EFI", "http://EFI/BOOT/" }, /* a host of that name */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        assert_true(place_of(rows[i].file, place));
        assert_string_equal(place, rows[i].place);
        assert_true(place_is_uri(rows[i].file) == !!strstr(rows[i].file, "://"));
    }
}

static void too_long(void **state)
{
    char file[2 * PLACE_SIZE];

    (void)state;
    for (size_t n = PLACE_SIZE - 4; n < PLACE_SIZE + 4; n++) {
        memset(file, 'a', n);
        memcpy(file, "http://", 7);
        strcpy(file + n, "/BOOTX64.EFI");
        if (place_of(file, place))
            assert_int_equal(strlen(place), n + 1);
        else
            assert_true(n + 3 > PLACE_SIZE);
    }
}

static void names(void **state)
{
    (void)state;
    place_path("", "vmlinuz", target);
    assert_string_equal(target, "vmlinuz");
    place_path("/srv/", "/linux/vmlinuz", target);
    assert_string_equal(target, "/srv/linux/vmlinuz");
    place_path("boot\\", "linux/vmlinuz", target);
    assert_string_equal(target, "boot\\linux\\vmlinuz");
    place_uri("http://h/", "//linux/a b%c?d#e~1_2-3.4", target);
    assert_string_equal(target, "http://h/linux/a%20b%25c%3Fd%23e~1_2-3.4");
    place_uri("http://h/", "\xff\\", target);
    assert_string_equal(target, "http://h/%FF%5C");
    place_own_name("pith.conf", 1, (const u8 *)"\x52\x54\x00\x12\x34\xab", target, sizeof(target));
    assert_string_equal(target, "pith.conf-01-52-54-00-12-34-ab");
}

/* The longest place and name there are. */
static void names_fit(void **state)
{
    char name[TARGET_SIZE];

    (void)state;
    memset(place, 'a', PLACE_SIZE - 1);
    place[PLACE_SIZE - 1] = '\0';
    memset(name, ' ', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    place_uri(place, name, target);
    assert_in_range(strlen(target), TARGET_SIZE - 4, TARGET_SIZE - 1);
    place_path(place, name, target);
    assert_int_equal(strlen(target), TARGET_SIZE - 1);
    name[63] = '\0'; /* the longest name in a configuration, with nothing but spaces: nothing is cut */
    place_uri(place, name, target);
    assert_int_equal(strlen(target), PLACE_SIZE - 1 + 3 * 63);
}

static void http(void **state)
{
    static const u32 codes[] = { 0, 100, 101, 200, 201, 202, 203, 204, 205, 206, 300, 301, 302, 303, 304, 305, 307, 400, 401, 402, 403,
                                 404, 405, 406, 407, 408, 409, 410, 411, 412, 413, 414, 415, 416, 417, 500, 501, 502, 503, 504, 505, 308 };
    u64 size;

    (void)state;
    http_host("http://10.0.2.2:8080/a/b", target);
    assert_string_equal(target, "10.0.2.2:8080");
    http_host("https://boot.example?x", target);
    assert_string_equal(target, "boot.example");
    assert_true(http_length("Content-Length", "378498", &size) && size == 378498);
    assert_true(http_length("content-length", "18446744073709551609", &size) && size == ~0ull - 6);
    assert_false(http_length("Content-Length", "99999999999999999999", &size));
    assert_false(http_length("Content-Length", "12 ", &size));
    assert_false(http_length("Content-Length", "", &size));
    assert_false(http_length("Content-Length-X", "1", &size));
    assert_false(http_length("Content-Lengt", "1", &size));
    for (u32 i = 0; i < ARRAY_SIZE(codes); i++)
        assert_int_equal(http_status(i), codes[i]);
    assert_int_equal(http_status(ARRAY_SIZE(codes)), 0);
}

static u8 packet[1472];
static size_t used;

static void option(u8 code, const char *data, size_t len)
{
    packet[used] = code;
    packet[used + 1] = (u8)len;
    memcpy(packet + used + 2, data, len);
    used += 2 + len;
    packet[used] = 255;
}

static void answer(const char *server, const char *file)
{
    memset(packet, 0, sizeof(packet));
    memcpy(packet + 20, server, 4);
    strcpy((char *)packet + 108, file);
    memcpy(packet + 236, "\x63\x82\x53\x63", 4);
    used = 240;
    option(53, "\5", 1);
    memset(packet + used, 0, 2); /* padding */
    used += 2;
}

static void said(bool found, const char *server, const char *file)
{
    struct dhcp_boot boot;

    assert_true(dhcp_boot(packet, sizeof(packet), &boot) == found);
    if (!found)
        return;
    assert_memory_equal(boot.server, server, 4);
    assert_string_equal(boot.file, file);
}

static void dhcp(void **state)
{
    struct dhcp_boot boot;

    (void)state;
    answer("\x0a\0\2\2", "BOOTX64.EFI");
    said(true, "\x0a\0\2\2", "BOOTX64.EFI");
    option(54, "\x0a\0\2\3", 4); /* who answered, which need not be who has the file */
    said(true, "\x0a\0\2\2", "BOOTX64.EFI");
    option(67, "pith/BOOTX64.EFI", 16);
    said(true, "\x0a\0\2\2", "pith/BOOTX64.EFI");

    answer("\0\0\0\0", "BOOTX64.EFI");
    said(false, NULL, NULL);
    option(54, "\x0a\0\2\3", 4);
    said(true, "\x0a\0\2\3", "BOOTX64.EFI");

    answer("\x0a\0\2\2", "");
    said(false, NULL, NULL);
    answer("\x0a\0\2\2", "\x43\7options");
    option(52, "\1", 1); /* the file's name is no name */
    said(false, NULL, NULL);
    option(67, "x", 1);
    said(true, "\x0a\0\2\2", "x");
    answer("\x0a\0\2\2", "BOOTX64.EFI");
    option(52, "\2", 1); /* the server's name is none */
    said(true, "\x0a\0\2\2", "BOOTX64.EFI");
    assert_false(dhcp_boot(packet, 239, &boot));
}

static void dhcp_damaged(void **state)
{
    struct dhcp_boot boot;

    (void)state;
    answer("\x0a\0\2\2", "BOOTX64.EFI");
    memset(packet + 108, 'b', 128); /* not ended by a 0 */
    assert_true(dhcp_boot(packet, sizeof(packet), &boot));
    assert_int_equal(strlen(boot.file), 128);
    option(67, "cut short", 9);
    for (size_t size = 240; size < used; size++) {
        u8 *copy = test_malloc(size); /* so that a byte too far is noticed */

        memcpy(copy, packet, size);
        assert_true(dhcp_boot(copy, size, &boot));
        assert_int_equal(boot.file[0], 'b');
        test_free(copy);
    }
    memset(packet + 240, 1, sizeof(packet) - 240); /* options without an end */
    assert_true(dhcp_boot(packet, sizeof(packet), &boot));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(directories), cmocka_unit_test(too_long), cmocka_unit_test(names),
        cmocka_unit_test(names_fit),   cmocka_unit_test(http),     cmocka_unit_test(dhcp),
        cmocka_unit_test(dhcp_damaged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
