/* SPDX-License-Identifier: MIT */
/* The one call into UEFI's runtime services. */
#pragma once

#include "arch/x86/host.h"
#include "arch/x86/trap.h"

enum efi_reset { EFI_RESET_COLD = 0, EFI_RESET_WARM = 1, EFI_RESET_SHUTDOWN = 2 };

/* Returns only when that did not work; has said why. */
void firmware_reset(const struct handoff *h, enum efi_reset type);
/* An exception: true when it came from the firmware; the call was ended. */
bool firmware_fault(struct trap_frame *f);
