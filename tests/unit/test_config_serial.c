/* SPDX-License-Identifier: MIT */
/*
 * serial = in pith.conf: what is understood, and that the line is given to nobody.
 * LINK: boot/config.c boot/config_check.c boot/config_files.c boot/config_serial.c boot/config_share.c boot/config_slice.c
 * LINK: boot/config_time.c boot/config_value.c boot/sha256.c boot/manifest.c boot/manifest_share.c boot/manifest_time.c hv/lib/fmt.c
 */
#include "tests/unit/config_text.h"

static void expect_serial(const char *value, struct manifest_serial want)
{
    char text[256];

    snprintf(text, sizeof(text), "[pith]\nserial = %s\n[partition a]\nimage = x\n", value);
    expect_good(text);
    if (memcmp(&cfg.manifest.serial, &want, sizeof(want)) != 0)
        fail_msg("serial = %s is something else: kind %u at 0x%lx", value, cfg.manifest.serial.kind, cfg.manifest.serial.base);
}

static void expect_no_serial(const char *value, const char *words)
{
    char text[256];

    snprintf(text, sizeof(text), "[pith]\nserial = %s\n[partition a]\nimage = x\n", value);
    expect_bad(text, 2, words);
}

static void serial(void **state)
{
    const struct manifest_serial none = { .kind = MANIFEST_LINE_NONE };
    struct manifest_serial s = { 0 };

    (void)state;
    expect_serial("auto", s);
    expect_serial("none # nobody reads it", none);
    expect_serial("com1", manifest_com(0));
    expect_serial("port 0x3f8", manifest_com(0));
    expect_serial("com4", manifest_com(3));
    s = manifest_com(1);
    assert_true(s.base == 0x2f8 && s.irq == 3 && s.baud == 115200 && s.stride == 1 && s.bits == 8);
    s.irq = MANIFEST_NONE;
    s.baud = 9600;
    expect_serial("com2  irq none\tbaud 9600", s);
    s = (struct manifest_serial){ 0x6000, MANIFEST_LINE_PORTS, 0, 0, MANIFEST_BAUD_KEEP, 14745600, 20, 1, 8 };
    expect_serial("port 0x6000 irq 20 baud keep clock 14745600", s);
    s = (struct manifest_serial){ 0xfe034000, MANIFEST_LINE_MEMORY, 0, 0, MANIFEST_BAUD_KEEP, MANIFEST_PC_CLOCK, MANIFEST_NONE, 4, 32 };
    expect_serial("memory 0xfe034000 bits 32", s);
    s.stride = s.bits = 8;
    s.stride = 2;
    expect_serial("memory 0xfe034000 stride 2", s);
    s = (struct manifest_serial){ 8, MANIFEST_LINE_PCI, 0x01fb, 2, 115200, MANIFEST_PC_CLOCK, MANIFEST_NONE, 1, 8 };
    expect_serial("pci 01:1F.3 bar 2 offset 8", s);

    expect_no_serial("com5", "names no serial line - write auto, none, com1 to com4, port 0x2f8, memory 0xfe034000 or pci 00:1f.3");
    expect_no_serial("com", "names no serial line");
    expect_no_serial("0x3f8", "names no serial line");
    expect_no_serial("port", "names no serial line");
    expect_no_serial("port 0x10000", "names no serial line");
    expect_no_serial("memory", "names no serial line");
    expect_no_serial("pci 00:20.0", "names no serial line");
    expect_no_serial("pci 00:1f.8", "names no serial line");
    expect_no_serial("pci 000:1f.3", "names no serial line");
    expect_no_serial("pci 00:1f", "names no serial line");
    expect_no_serial("auto irq 3", "names no serial line");
    expect_no_serial("none baud 9600", "names no serial line");
    expect_no_serial("com1 bar 1", "'bar' says nothing about such a serial line - write irq, baud or clock");
    expect_no_serial("memory 0xfe034000 offset 8", "write irq, baud, clock, stride or bits");
    expect_no_serial("pci 00:1f.3 bar 6", "write 0 to 5");
    expect_no_serial("memory 0xfe034000 stride 3", "write 1, 2 or 4");
    expect_no_serial("memory 0xfe034000 bits 16", "write 8 or 32");
    expect_no_serial("com1 baud", "is no value of 'baud'");
    expect_no_serial("com1 baud 49", "or 50 to 4000000");
    expect_no_serial("com1 irq any", "write none, or 0 to 255");
    expect_no_serial("port 0x60", "it belongs to the PC's own devices");
    expect_no_serial("port 0xfffc", "the last port is 0xffff");
    expect_no_serial("memory 0xfee00000", "it belongs to the local APICs");
    expect_no_serial("memory 0x40000000000", "is above 4 TiB");
    expect_no_serial("memory 0xfe034002 bits 32", "no multiple of the 4 bytes");
}

/* What is Pith's is given to nobody; what was Pith's may be. */
static void serial_is_kept(void **state)
{
    static const char give[] = "[partition a]\nimage = x\nports = %s\nirqs = %s\n";
    static const struct { const char *serial, *ports, *irq, *words; u32 line; } cases[] = {
        { "auto", "0x3f8-0x3ff", "3", "Pith's console, which serial in [pith] can move", 5 },
        { "auto", "0x2f8-0x2ff", "4", "that of the console - take it out, or write irq none", 6 },
        { "auto", "0x2f8-0x2ff", "3", NULL, 0 },
        { "com2", "0x2ff", "4", "Pith's console", 5 },
        { "com2", "0x3f8-0x3ff", "3", "that of the console", 6 },
        { "com2", "0x3f8-0x3ff", "4", NULL, 0 },
        { "com3 irq none", "0x3f8-0x3ff", "4", NULL, 0 },
        { "none", "0x3f8-0x3ff, 0x2f8-0x2ff", "3, 4", NULL, 0 },
        { "port 0x6000", "0x6007", "4", "reaches into 0x6000-0x6007", 5 },
        { "pci 00:11.0", "0x3f8-0x3ff", "4", NULL, 0 },
    };
    char text[512];

    (void)state;
    for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
        size_t n = (size_t)snprintf(text, sizeof(text), "[pith]\nserial = %s\n", cases[i].serial);

        snprintf(text + n, sizeof(text) - n, give, cases[i].ports, cases[i].irq);
        if (cases[i].words)
            expect_bad(text, cases[i].line, cases[i].words);
        else
            expect_good(text);
    }
    expect_bad("[pith]\nserial = memory 0xfe034000 stride 4\n[partition a]\nimage = x\nmmio = 0xfe034000-0xfe034fff\n", 5,
               "0xfe034000-0xfe03401f, Pith's console");
    expect_good("[partition a]\nimage = x\nmmio = 0xfe034000-0xfe034fff\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(serial), cmocka_unit_test(serial_is_kept) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
