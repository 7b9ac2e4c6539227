/* SPDX-License-Identifier: MIT */
/*
 * The parser of pith.conf on the examples of the tree with lines, words and bytes changed. What it accepts the hypervisor
 * must accept, but for real devices; what it refuses it must explain.
 * LINK: boot/config.c boot/config_check.c boot/config_files.c boot/config_serial.c boot/config_share.c boot/config_slice.c
 * LINK: boot/config_time.c boot/config_value.c boot/sha256.c boot/manifest.c boot/manifest_share.c boot/manifest_time.c hv/lib/fmt.c
 */
#include "boot/config.h"
#include "tests/unit/manifest_check.h"
#include "tests/fuzz/fuzz.h"

enum { TEXT_MAX = 16384, SOURCES = 2, LINES_MAX = 512 };

static struct { char text[TEXT_MAX]; size_t len; } sources[SOURCES];
static struct { const char *at; size_t len; } lines[LINES_MAX]; /* of all sources */
static u32 nr_lines;

static const char *const words[] = {
    "[pith]", "[partition a]", "[partition pith]", "[partition ", "]", "=", "#", " # ", "\t", "\n", "\r\n", "\"", "-", ",", "/",
    "yes", "no", "0", "1", "16", "17", "255", "256", "-1", "0x", "0xffff", "0x3f8", "0xfee00000-0xfee00fff", "0xfe000000-0xfe000fff",
    "0xfffffffffffff", "18446744073709551615", "18446744073709551616", "4503599627370496", "1M", "1023K", "3G", "1024G", "1025G",
    "17179869184G", "0K", "never", "always", "on-failure", "when-done", "debian", "serial", "linux", "hello",
    "image = k\n", "initrd = i\n", "modules = a b c d\n", "cmdline = \n", "memory = 5G\n", "vcpus = 4\n", "cores = 0-3\n",
    "dedicated = yes\n", "focus = yes\n", "restart = always\n", "strict = yes\n", "kvm = no\n", "ports = 0x2f8-0x2ff\n", "irqs = 5-12\n",
    "irqs = 5-13\n", "serial = com2 irq none\n", "serial = memory 0xfe034000 stride 4 bits 32\n", "serial = pci 00:11.0 bar 1 offset 8\n",
    "dma = trusted\n", "smt = share\n",
    "ports = 257,258,259,260,261,262,263,264\n", "ports = 257,258,259,260,261,262,263,264,265\n", "mmio = 0xfe000000-0xfe000fff\n",
    "[channel a]\n", "[channel ", "*", "debian, serial", "serial, debian", "size = 64K\n", "size = 64M\n", "size = 2M\n", "size = 4097K\n",
    "writers = serial\n", "readers = debian\n", "readers = *\n", "create = on-request\n", "create = at-boot\n", "may-manage = *\n",
    "may-manage = debian\n", "may-signal = serial\n", "may-call = hello, linux\n", "may-share = *\n", "mmio = 0xc0200000-0xc03fffff\n",
    "[cyclic a]\n", "[cyclic ", "frame = 20ms\n", "frame = 1s\n", "slots = debian 5ms, serial 10ms\n",
    "slots = * 1ms, debian 100us\n", "weight = 300\n",
    "entitlement = 0.25\n", "entitlement = 1\n", "entitlement = 0.00001\n", "cap = yes\n", "period = 1ms\n", "budget = 200us\n",
    "budget = 1ms\n", "cores = 1\n", "ms", "us", "s", ".", "0.", ".5", "sha256:", " sha256:00",
    "image = vmlinuz sha256:7d865e959b2466918c9863afca942d0fb89d7c9ac0c99bafc3749504ded97730\n",
    "modules = a sha256:7d865e959b2466918c9863afca942d0fb89d7c9ac0c99bafc3749504ded97730 b\n",
};

static void read_source(u32 i, const char *name)
{
    FILE *f = fopen(name, "r");

    if (!f) {
        perror(name);
        exit(2);
    }
    sources[i].len = fread(sources[i].text, 1, TEXT_MAX, f);
    fclose(f);
    for (const char *p = sources[i].text, *end = p + sources[i].len; p < end && nr_lines < LINES_MAX; nr_lines++) {
        const char *newline = memchr(p, '\n', (size_t)(end - p));

        lines[nr_lines].at = p;
        lines[nr_lines].len = (size_t)((newline ? newline + 1 : end) - p);
        p += lines[nr_lines].len;
    }
}

/* Puts @len bytes in the place of @cut bytes at @at. */
static size_t splice(char *text, size_t size, size_t at, size_t cut, const char *from, size_t len)
{
    cut = MIN(cut, size - at);
    if (size - cut + len > TEXT_MAX)
        return size;
    memmove(text + at + len, text + at + cut, size - at - cut);
    memcpy(text + at, from, len);
    return size - cut + len;
}

static size_t line_start(const char *text, size_t at)
{
    while (at > 0 && text[at - 1] != '\n')
        at--;
    return at;
}

/* A command line about as long as one may be, or a file name. */
static size_t add_long(char *text, size_t size, size_t at)
{
    char line[1100];
    size_t len = (fuzz_below(2) ? 1010 : 50) + fuzz_below(40);

    memset(line, 'x', sizeof(line));
    memcpy(line, len > 100 ? "cmdline = " : "initrd  = ", 10);
    line[len] = '\n';
    return splice(text, size, at, 0, line, len + 1);
}

static size_t change(char *text, size_t size)
{
    size_t at = fuzz_below(size + 1), start = line_start(text, at);
    const char *end = memchr(text + at, '\n', size - at);
    size_t line = end ? (size_t)(end + 1 - text) - start : size - start;
    const char *word = words[fuzz_below(ARRAY_SIZE(words))];
    u64 i = fuzz_below(nr_lines);
    char byte = (char)fuzz_next();

    switch (fuzz_below(9)) {
    case 0: return splice(text, size, at, fuzz_below(2), &byte, 1);
    case 1: return splice(text, size, at, fuzz_below(10), "", 0);
    case 2: return splice(text, size, start, line, "", 0);
    case 3: return splice(text, size, start, 0, lines[i].at, lines[i].len);
    case 4: return splice(text, size, start, line, lines[i].at, lines[i].len);
    case 5: return splice(text, size, at, fuzz_below(8), word, strlen(word));
    case 6: return splice(text, size, start, 0, word, strlen(word));
    case 7: return add_long(text, size, start);
    default: return fuzz_below(8) ? size : at; /* cut off */
    }
}

static void check_refused(const struct config *cfg)
{
    FUZZ_CHECK(cfg->nr_errors > 0);
    for (u32 i = 0; i < MIN(cfg->nr_errors, CONFIG_ERRORS); i++) {
        const char *text = cfg->errors[i].text;

        FUZZ_CHECK(memchr(text, 0, CONFIG_ERROR_TEXT) && strstr(text, " - ") && !strstr(text, "damaged"));
        FUZZ_CHECK(i == 0 || cfg->errors[i - 1].line <= cfg->errors[i].line);
    }
}

/* Nobody outside, nobody twice, nobody alone; said without the check that accepted it. */
static void check_shared(const struct manifest *m)
{
    FUZZ_CHECK(m->nr_channels <= MANIFEST_CHANNELS);
    for (u32 i = 0; i < m->nr_channels; i++) {
        const struct manifest_channel *c = &m->channels[i];
        u64 all = c->writers | c->readers;

        FUZZ_CHECK(c->size >= 4096 && c->size <= MIB(64) && c->size % 4096 == 0 && c->name[0] && c->line);
        FUZZ_CHECK(all >> m->nr_partitions == 0 && (c->writers & c->readers) == 0 && c->writers && (all & (all - 1)));
        FUZZ_CHECK(manifest_channel_address(m, i) % MIB(2) == 0 && manifest_channel_address(m, i) + c->size <= 0xd0000000);
    }
    for (u32 i = 0; i < m->nr_partitions; i++) {
        const struct manifest_rights *may = &m->partitions[i].may;
        u64 all = may->manage | may->signal | may->call | may->share;

        FUZZ_CHECK(all >> m->nr_partitions == 0 && !(all & BIT(i)));
    }
}

static void check_accepted(const struct config *cfg)
{
    const struct manifest *m = &cfg->manifest;
    char why[200];

    FUZZ_CHECK(manifest_check(m, cfg->nr_files, MANIFEST_CORES, why, sizeof(why)) == PITH_OK);
    FUZZ_CHECK(cfg->nr_errors == 0 && m->nr_partitions > 0 && m->focus < m->nr_partitions);
    FUZZ_CHECK(cfg->nr_files <= CONFIG_FILES);
    check_shared(m);
    for (u32 i = 0; i < cfg->nr_files; i++)
        FUZZ_CHECK(memchr(cfg->files[i].name, 0, CONFIG_FILE_NAME));
    fuzz_accepted++;
}

static void one(void)
{
    static struct config cfg;
    static char text[TEXT_MAX];
    u64 from = fuzz_below(SOURCES);
    size_t size = sources[from].len;
    char *exact;

    memcpy(text, sources[from].text, size);
    for (u64 n = fuzz_below(8); n > 0; n--)
        size = change(text, size);
    exact = malloc(size); /* no byte more, so that reading one is seen */
    memcpy(exact, text, size);
    if (config_parse(&cfg, exact, size))
        check_accepted(&cfg);
    else
        check_refused(&cfg);
    free(exact);
}

int main(int argc, char **argv)
{
    read_source(0, "boot/pith.conf.example");
    read_source(1, "guests/demo/pith.conf");
    return fuzz_main(argc, argv, one, 40000, 3000000);
}
