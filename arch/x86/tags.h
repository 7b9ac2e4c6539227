/* SPDX-License-Identifier: MIT */
/*
 * TLB tags (ASID, VPID) per vCPU and per core: pure, tested on the host against a model TLB, because emulators flush at every
 * entry and would not show a mistake.
 */
#pragma once

#include "arch/x86/vm.h"

enum tags_flush {
    TAGS_KEEP = 0,
    TAGS_FLUSH_ALL = 1, /* every guest tag of this core, and all second-stage translations: the tags were exhausted */
    TAGS_FLUSH_VM = 2,  /* what this core caches of v's address space: new here, or rights were taken away */
};
/* Before every entry of v on @cpu: makes v->tag valid there and says what must be flushed first: one of the above. Tags are
 * 1..nr_tags-1; nr_tags <= 1: the processor has none, v->tag is 0, and entries flush linear translations by themselves.
 * v->tag_cpu is NULL in a new vCPU; cpu->tag_epoch and cpu->next_tag start at 1. */
unsigned tags_prepare(struct arch_cpu *cpu, struct arch_vcpu *v, u32 nr_tags);

/* Whether tags_prepare() would find nothing to do. */
static inline bool tags_current(const struct arch_cpu *cpu, const struct arch_vcpu *v)
{
    /* ACQUIRE: as in tags_prepare(). */
    return v->tag_cpu == cpu && v->tag_epoch == cpu->tag_epoch &&
           v->seen_s2_epoch == __atomic_load_n(&v->vm->s2_epoch, __ATOMIC_ACQUIRE);
}
