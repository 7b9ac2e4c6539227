/* SPDX-License-Identifier: MIT */
/*
 * pith-check --this-machine: what the loader would find out about this machine, as far as Linux lets a program see it.
 * The verdict on the processor is the loader's own (boot/cpu_verdict.c).
 */
#include "tools/this_machine.h"

#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arch/x86/cpu/regs.h"
#include "boot/cpu_verdict.h"

#define MSR_FILE    "/dev/cpu/0/msr"
#define SECURE_BOOT "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"

static const char *where;
static unsigned wrong;

static void __attribute__((format(printf, 2, 3))) tell(const char *state, const char *fmt, ...)
{
    va_list ap;

    printf("%-8s ", state);
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    putchar('\n');
    wrong += strcmp(state, "wrong") == 0;
}

static int open_file(const char *name)
{
    char path[4096];

    snprintf(path, sizeof(path), "%s%s", where, name);
    return open(path, O_RDONLY | O_CLOEXEC);
}

/* As many bytes as fit, and a zero byte; how many, or -1 with errno set. */
static long slurp(const char *name, char *text, size_t room)
{
    int fd = open_file(name);
    long n = 0, got;

    text[0] = '\0';
    if (fd < 0)
        return -1;
    while ((got = read(fd, text + n, room - 1 - (size_t)n)) > 0)
        n += got;
    close(fd);
    text[n] = '\0';
    return n;
}

/* --- the processor */

static char cpuids[4096], cpuinfo[65536];
static int msr_error; /* errno of the first MSR that could not be read */

static void read_cpuid(u32 leaf, u32 *a, u32 *b, u32 *c, u32 *d)
{
    unsigned found;

    *a = *b = *c = *d = 0;
    if (!where[0]) {
        __cpuid_count(leaf, 0, *a, *b, *c, *d);
        return;
    }
    for (const char *line = cpuids; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        if (sscanf(line, "%x %x %x %x %x", &found, a, b, c, d) == 5 && found == leaf)
            return;
        *a = *b = *c = *d = 0;
    }
}

/* Whether the first processor's line @key of /proc/cpuinfo has @word; @otherwise when there is no such line. */
static bool cpuinfo_has(const char *key, const char *word, bool otherwise)
{
    char line[8192], *at = cpuinfo, *words, *end;

    for (; at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL) {
        if (strncmp(at, key, strlen(key)) == 0 && strchr("\t :", at[strlen(key)]))
            break;
    }
    words = at ? strchr(at, ':') : NULL;
    if (!words)
        return otherwise;
    end = strchr(words, '\n');
    snprintf(line, sizeof(line), "%.*s", end ? (int)(end - words - 1) : 8000, words + 1);
    for (words = strtok(line, " "); words; words = strtok(NULL, " ")) {
        if (strcmp(words, word) == 0)
            return true;
    }
    return false;
}

/* What Linux says instead: it hides VT-x and AMD-V that the firmware turned off, and lists what VT-x can do. */
static u64 msr_guess(u32 msr)
{
    u64 allowed = ALLOWED_SECONDARY;

    switch (msr) {
    case MSR_FEATURE_CONTROL:
        return FEATURE_CONTROL_LOCK | (cpuinfo_has("flags", "vmx", true) ? FEATURE_CONTROL_VMX : 0);
    case MSR_VM_CR:
        return cpuinfo_has("flags", "svm", true) ? 0 : VM_CR_SVMDIS;
    default:
        allowed |= cpuinfo_has("vmx flags", "ept", true) ? ALLOWED_EPT : 0;
        return allowed | (cpuinfo_has("vmx flags", "unrestricted_guest", true) ? ALLOWED_UNRESTRICTED_GUEST : 0);
    }
}

static u64 read_msr(u32 msr)
{
    int fd = open_file(MSR_FILE);
    u64 value = 0;
    long got = fd < 0 ? -1 : pread(fd, &value, sizeof(value), msr);

    if (got != sizeof(value) && !msr_error)
        msr_error = got < 0 ? errno : EIO;
    if (fd >= 0)
        close(fd);
    return got == sizeof(value) ? value : msr_guess(msr);
}

static void look_at_processor(void)
{
    struct cpu_facts f;
    char why[200];

    cpu_facts_read(&f, read_cpuid, read_msr);
    if (cpu_verdict(&f, why, sizeof(why)))
        tell("ok", "processor: %s with %s", f.vendor, f.vmx ? "VT-x, EPT and unrestricted guest" : "AMD-V and nested paging");
    else
        tell("wrong", "processor: %s", why);
    if (msr_error)
        tell("unknown", "whether the firmware turned %s off, but for what Linux says of it: " MSR_FILE ": %s - %s",
             f.vmx ? "VT-x" : "AMD-V", strerror(msr_error),
             msr_error == EACCES || msr_error == EPERM ? "run this as root" : "say `modprobe msr`, and this, as root");
}

/* --- the firmware */

static void look_at_firmware(void)
{
    struct stat st;
    char path[4096], text[64];
    long n;

    snprintf(path, sizeof(path), "%s/sys/firmware/efi", where);
    if (stat(path, &st) < 0) {
        tell("unknown", "firmware: this Linux was not started by UEFI - turn off \"CSM\" or \"Legacy Boot\" in the firmware setup, "
                        "or use a machine that has UEFI");
        return;
    }
    if (slurp("/sys/firmware/efi/fw_platform_size", text, sizeof(text)) > 0 && atoi(text) != 64)
        tell("wrong", "firmware: %d-bit UEFI - Pith needs 64 bits, use another machine", atoi(text));
    else
        tell("ok", "firmware: 64-bit UEFI");
    n = slurp(SECURE_BOOT, text, sizeof(text)); /* four bytes of attributes, then the value */
    if (n == 5 && text[4] == 1)
        tell("note", "Secure Boot is on - sign the loader (make sign), or turn it off in the firmware setup");
    else if (n == 5 || (n < 0 && errno == ENOENT))
        tell("ok", "Secure Boot: off");
    else
        tell("unknown", "Secure Boot: %s - run this as root", n < 0 ? strerror(errno) : "its variable has another size");
}

/* --- what the partitions want */

static const char *conf_path;

static void on_mistake(void *cfg, const struct manifest_place *at, const char *text)
{
    tell("wrong", "%s:%u: %s", conf_path, config_line(cfg, at), text);
}

/* "0-3,8" is 5. */
static unsigned count_cores(const char *list)
{
    unsigned n = 0;

    while (*list >= '0' && *list <= '9') {
        char *end;
        unsigned long first = strtoul(list, &end, 10), last = *end == '-' ? strtoul(end + 1, &end, 10) : first;

        n += (unsigned)(last - first) + 1;
        list = *end == ',' ? end + 1 : end;
    }
    return n;
}

static void look_at_cores(const struct config *cfg)
{
    unsigned n, before = wrong;
    char text[256];

    n = slurp("/sys/devices/system/cpu/present", text, sizeof(text)) > 0 ? count_cores(text) : 0;
    if (!n) {
        tell("unknown", "cores: /sys/devices/system/cpu/present cannot be read - mount /sys");
        return;
    }
    if (cfg)
        manifest_examine(&cfg->manifest, cfg->nr_files, n, on_mistake, (void *)cfg);
    if (wrong == before)
        tell("ok", "cores: %u", n);
}

static void look_at_memory(const struct config *cfg)
{
    const struct manifest *m = cfg ? &cfg->manifest : NULL;
    char text[8192], *at;
    u64 mib = 0, wanted = 0;

    if (slurp("/proc/meminfo", text, sizeof(text)) > 0 && (at = strstr(text, "MemTotal:")))
        mib = strtoull(at + strlen("MemTotal:"), NULL, 10) >> 10;
    if (!mib) {
        tell("unknown", "memory: /proc/meminfo cannot be read - mount /proc");
        return;
    }
    for (u32 i = 0; m && i < m->nr_partitions; i++) {
        u64 now = manifest_memory(m, i) >> 20;

        wanted = MAX(wanted, now);
        if (wanted > mib) {
            const struct manifest_place at = { .part = &m->partitions[i], .key = "memory" };

            tell("wrong", "%s:%u: with the memory of '%s' the partitions want %lu MiB, and this machine has %lu MiB - lower memory",
                 conf_path, config_line(cfg, &at), at.part->name, wanted, mib);
            return;
        }
    }
    tell("ok", m ? "memory: %lu MiB, of which the partitions want %lu MiB" : "memory: %lu MiB", mib, wanted);
}

unsigned this_machine(const char *root, const struct config *cfg, const char *path)
{
    where = root;
    conf_path = path;
    if (where[0])
        slurp("/cpuid", cpuids, sizeof(cpuids));
    slurp("/proc/cpuinfo", cpuinfo, sizeof(cpuinfo));
    look_at_processor();
    look_at_firmware();
    look_at_cores(cfg);
    look_at_memory(cfg);
    return wrong;
}
