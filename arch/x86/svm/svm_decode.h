/* SPDX-License-Identifier: MIT */
/* From a VMCB's raw fields to names, and events to and from their encoding: pure. */
#pragma once

#include "arch/x86/svm/svm.h"

/*
 * @rcx: the guest's; @f: what this processor fills in. Reads only the fields that the exit code
 * defines.
 */
void svm_decode(const struct vmcb *vmcb, struct vm_exit *exit, u64 rcx, const struct svm_features *f);

/* In @real mode no exception pushes an error code. */
u64 svm_event_encode(const struct x86_event *ev, bool real);
/*
 * What to deliver again after an exit that cut @exit_int_info short; false: nothing, or the
 * instruction does it again.
 */
bool svm_event_decode(u64 exit_int_info, u64 cr2, struct x86_event *ev);
