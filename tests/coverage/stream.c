/* SPDX-License-Identifier: MIT */
/* Linked into the hypervisor of coverage builds: before the machine goes off, the counters leave through port 0xE9. */
#include <gcov.h>

#include "arch/x86/cpu/insn.h"
#include "hv/lib/panic.h"

#define PORT 0xe9

extern const struct gcov_info *const gcov_info_start[], *const gcov_info_end[];

/* split.py takes the stream apart. After a mark, frames: a letter, four bytes of length, lowest first, and as many bytes. */
static void frame(char kind, const void *data, u32 len)
{
    const u8 *at = data;

    outb(PORT, (u8)kind);
    for (u32 i = 0; i < 4; i++)
        outb(PORT, (u8)(len >> 8 * i));
    for (u32 i = 0; i < len; i++)
        outb(PORT, at[i]);
}

static void put_name(const char *name, void *arg)
{
    u32 len = 0;

    (void)arg;
    while (name[len])
        len++;
    frame('F', name, len);
}

static void put_data(const void *data, unsigned len, void *arg)
{
    (void)arg;
    frame('D', data, len);
}

static void *allocate(unsigned len, void *arg)
{
    (void)len;
    (void)arg;
    return NULL; /* wanted for value profiles alone, which are off */
}

static void stream(void)
{
    const struct gcov_info *const *at = gcov_info_start;

    frame('B', "pith counters", 13); /* Bochs mixes the stream with text of its own */
    __asm__("" : "+r"(at)); /* else the compiler knows that one object does not end at another */
    for (; at != gcov_info_end; at++)
        __gcov_info_to_gcda(*at, put_name, put_data, allocate, NULL);
    frame('E', NULL, 0);
}

/* ld --wrap=firmware_call: power-off and reboot come through here last, when every other core is parked. */
bool __real_firmware_call(u64 cr3, u64 fn, u64 a, u64 b, u64 c, u64 d);
bool __wrap_firmware_call(u64 cr3, u64 fn, u64 a, u64 b, u64 c, u64 d);
bool __wrap_firmware_call(u64 cr3, u64 fn, u64 a, u64 b, u64 c, u64 d)
{
    stream();
    return __real_firmware_call(cr3, fn, a, b, c, d);
}

/* What libgcov and the counting code refer to for profiles that are read from files or kept in lists; never called here. */
void __gcov_merge_add(s64 *counters, unsigned n);
void *mmap(void *at, size_t len, int prot, int flags, int fd, long offset);
NORETURN void abort(void);

void __gcov_merge_add(s64 *counters, unsigned n)
{
    panic("__gcov_merge_add(%p, %u)", (void *)counters, n);
}

void *mmap(void *at, size_t len, int prot, int flags, int fd, long offset)
{
    panic("mmap(%p, %lu, %d, %d, %d, %ld)", at, len, prot, flags, fd, offset);
}

void abort(void)
{
    panic("abort()");
}
