/* SPDX-License-Identifier: MIT */
/*
 * ONE second-stage walker for EPT and NPT; the vendor supplies the encoding of an entry. Here too: arch_vm_map(), _unmap() and
 * _translate() of vm.h.
 *
 * Maps use the largest pages that alignment and processor allow. Executable ones are large only where caps.itlb_safe: on most
 * Intel processors of the field, guest RAM is mapped by 4 KiB pages (iTLB multihit).
 * A map that overlaps another, or is not made of whole pages below 2^48 (guest) and 2^52 (host), is PITH_E_ARG.
 * An unmap that cuts a large page splits it with tables from vm->frames. When there is no frame left, the WHOLE large page
 * goes: rights are always taken away, and the guest that used up its own pool faults on its own memory.
 * Changes to one VM are serialized by the caller; processors and arch_vm_translate() may walk at the same time.
 */
#pragma once

#include "arch/x86/vm.h"

/* Offsets and formats by struct vm_ops' s2_leaf and s2_table. Entries with bits 2:0 all clear are not present on both vendors
 * (NPT: P, RW, US; EPT: R, W, X). Levels: 1 = 4 KiB, 2 = 2 MiB, 3 = 1 GiB, 4 = root. */
enum pith_status s2_init(struct arch_vm *vm) MUST_CHECK;
void s2_fini(struct arch_vm *vm);
