/* SPDX-License-Identifier: MIT */
/* TLB tags. SDM 3, Caching Translation Information; APM 2, TLB Control. */
#include "arch/x86/tags.h"

/*
 * A tag is given out once between two flushes of everything, so a vCPU that comes to a core, or comes back, never meets
 * what an earlier owner of its tag left there: also not what it left itself before it went away and missed flushes.
 */
static unsigned tag_take(struct arch_cpu *cpu, struct arch_vcpu *v, u32 nr_tags)
{
    unsigned flush = TAGS_FLUSH_VM; /* translations by guest-physical address belong to the VM's tables, not to a tag */

    if (nr_tags <= 1) { /* no tags: every entry flushes what is linear or combined, all as tag 0 */
        v->tag = 0;
    } else {
        if (cpu->next_tag >= nr_tags) {
            cpu->tag_epoch++;
            cpu->next_tag = 1;
            flush = TAGS_FLUSH_ALL;
        }
        v->tag = cpu->next_tag++;
    }
    v->tag_cpu = cpu;
    v->tag_epoch = cpu->tag_epoch;
    return flush;
}

unsigned tags_prepare(struct arch_cpu *cpu, struct arch_vcpu *v, u32 nr_tags)
{
    /* ACQUIRE: pairs with the RELEASE in arch_vm_unmap(). A change after this read finds the vCPU by the doorbell. */
    u64 s2_epoch = __atomic_load_n(&v->vm->s2_epoch, __ATOMIC_ACQUIRE);
    unsigned flush = TAGS_KEEP;

    if (v->tag_cpu != cpu || v->tag_epoch != cpu->tag_epoch)
        flush = tag_take(cpu, v, nr_tags);
    else if (v->seen_s2_epoch != s2_epoch)
        flush = TAGS_FLUSH_VM;
    /* RELEASE: pairs with arch_vcpu_flushed(); whatever was looked up for the guest before has been used. */
    __atomic_store_n(&v->seen_s2_epoch, s2_epoch, __ATOMIC_RELEASE);
    v->fetch.rip = FETCH_NOWHERE; /* as the TLB, so the page that skip.h looks at */
    return flush;
}

bool arch_vcpu_flushed(const struct arch_vcpu *v)
{
    return __atomic_load_n(&v->seen_s2_epoch, __ATOMIC_ACQUIRE) == __atomic_load_n(&v->vm->s2_epoch, __ATOMIC_RELAXED);
}
