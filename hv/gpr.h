/* SPDX-License-Identifier: MIT */
/* Guest registers by their number in an instruction. */
#pragma once

#include "hv/vcpu.h"

static inline u64 gpr_read(const struct vcpu *v, u8 gpr)
{
    return gpr == 4 ? arch_vcpu_reg(&v->arch, X86_RSP) : (&v->arch.gpr.rax)[gpr];
}

static inline void gpr_write(struct vcpu *v, u8 gpr, u64 val)
{
    if (gpr == 4)
        arch_vcpu_set_reg(&v->arch, X86_RSP, val);
    else
        (&v->arch.gpr.rax)[gpr] = val;
}

static inline u64 size_mask(u8 size)
{
    return size >= 8 ? ~0ull : BIT(size * 8) - 1;
}

/* A write of 1 or 2 bytes keeps the rest of the register, one of 4 bytes clears the upper half. */
static inline void gpr_write_size(struct vcpu *v, u8 gpr, u64 val, u8 size)
{
    u64 old = gpr_read(v, gpr);

    if (size >= 4)
        gpr_write(v, gpr, val & size_mask(size));
    else
        gpr_write(v, gpr, (old & ~size_mask(size)) | (val & size_mask(size)));
}
