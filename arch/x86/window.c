/* SPDX-License-Identifier: MIT */
/* Pages of a core's own that show any frame of RAM for a moment, and filling or copying RAM through them. */
#include "arch/x86/window.h"

#include "arch/x86/cpu/insn.h"
#include "arch/x86/paging.h"
#include "arch/x86/slots.h"
#include "hv/lib/string.h"

#define WINDOW_COPY WINDOW_SLOTS /* one more, for host_write() and host_zero() */

static void *window_show(u32 slot, hpa_t page)
{
    u32 core = slot_index();
    u64 *entry = (u64 *)slot_va(core, SLOT_TABLE) + SLOT_WINDOWS + slot;
    void *va = (void *)slot_va(core, SLOT_WINDOWS + slot);

    if (*entry != (page | PTE_DATA)) {
        *entry = page | PTE_DATA;
        invlpg(va);
    }
    return va;
}

void *window_get(enum window_slot slot, hpa_t page)
{
    return window_show(slot, page);
}

static void zero(void *at, u64 size)
{
    u64 words = size / 8;

    __asm__ volatile("rep stosq" : "+D"(at), "+c"(words) : "a"(0) : "memory");
    memset(at, 0, size % 8);
}

/* Through the slot's second half, one large page; it is taken away again, so that no more than single frames stay in sight. */
static void zero_large(hpa_t page)
{
    u32 core = slot_index();
    void *va = (void *)(slot_va(core, 0) + MIB(2));

    slots_pd[2 * core + 1] = page | PTE_DATA | PTE_PS;
    zero(va, MIB(2));
    slots_pd[2 * core + 1] = 0;
    invlpg(va);
}

/* How much of [hpa, hpa + left) lies in hpa's page. */
static u64 in_page(hpa_t hpa, u64 left)
{
    return MIN(PAGE_SIZE - (hpa & PAGE_MASK), left);
}

void host_zero(hpa_t hpa, u64 size)
{
    while (size) {
        u64 n = MIB(2);

        if (hpa % MIB(2) || size < MIB(2)) {
            n = in_page(hpa, size);
            zero((u8 *)window_show(WINDOW_COPY, ALIGN_DOWN(hpa, PAGE_SIZE)) + (hpa & PAGE_MASK), n);
        } else {
            zero_large(hpa);
        }
        hpa += n;
        size -= n;
    }
}

void host_write(hpa_t hpa, const void *buf, size_t len)
{
    const u8 *from = buf;

    while (len) {
        u64 n = in_page(hpa, len);

        memcpy((u8 *)window_show(WINDOW_COPY, ALIGN_DOWN(hpa, PAGE_SIZE)) + (hpa & PAGE_MASK), from, n);
        hpa += n;
        from += n;
        len -= n;
    }
}
