/* SPDX-License-Identifier: MIT */
/*
 * The tables entry.S switches to. This code runs at the physical address the loader chose: it is position-independent, and
 * the address of a variable is the physical one here. No pointer stored in memory may be followed.
 */
#include "arch/x86/early.h"

#include "arch/x86/cpu/insn.h"
#include "arch/x86/cpu/regs.h"
#include "arch/x86/image.h"
#include "arch/x86/paging.h"
#include "arch/x86/slots.h"

#define EARLY_GIB (HOST_EARLY_END >> 30)
#define INDEX(va, level) ((va) >> (12 + 9 * ((level) - 1)) & 511)

typedef u64 page_table[512] __attribute__((aligned(4096)));

static page_table early_pml5, early_pml4, early_pdpt, early_pds[EARLY_GIB], early_image_pdpt, early_image_pd;
u64 boot_slot[SLOT_FRAMES][512] __attribute__((aligned(4096)));

hpa_t early_root(void)
{
    hpa_t image = (hpa_t)image_text_start;

    image_hpa = image;
    for (u64 i = 0; i < EARLY_GIB * 512; i++)
        early_pds[i / 512][i % 512] = i * MIB(2) | PTE_P | PTE_W | PTE_PS;
    for (u64 i = 0; i < EARLY_GIB; i++)
        early_pdpt[i] = (hpa_t)early_pds[i] | PTE_TABLE;
    for (u64 at = 0; image + at < (hpa_t)image_end; at += MIB(2))
        early_image_pd[INDEX(at, 2)] = (image + at) | PTE_P | PTE_W | PTE_PS;
    early_image_pdpt[INDEX(HOST_IMAGE_BASE, 3)] = (hpa_t)early_image_pd | PTE_TABLE;
    slot_fill(boot_slot[0], (hpa_t)boot_slot);
    slots_pd[0] = (hpa_t)boot_slot | PTE_TABLE;
    slots_pdpt[INDEX(HOST_CORES_BASE, 3)] = (hpa_t)slots_pd | PTE_TABLE;

    early_pml4[0] = early_pml4[INDEX(HOST_DIRECT_BASE, 4)] = (hpa_t)early_pdpt | PTE_TABLE;
    early_pml4[INDEX(HOST_CORES_BASE, 4)] = (hpa_t)slots_pdpt | PTE_TABLE;
    early_pml4[INDEX(HOST_IMAGE_BASE, 4)] = (hpa_t)early_image_pdpt | PTE_TABLE;
    early_pml5[0] = early_pml5[511] = (hpa_t)early_pml4 | PTE_TABLE;
    return (hpa_t)(read_cr4() & CR4_LA57 ? early_pml5 : early_pml4);
}
