/* SPDX-License-Identifier: MIT */
/* Taking memory away from a partition whose vCPUs run on other cores meanwhile. */
#include "arch/x86/cpu/insn.h"
#include "hv/partition.h"

#define PATIENCE_US 100u

enum pith_status partition_map_begin(struct partition *p)
{
    return spin_try(&p->map_lock) ? PITH_OK : PITH_E_BUSY;
}

/* Quiet: whoever has it may be flushing, and waits for no core that waits here. */
void partition_map_wait(struct partition *p)
{
    struct cpu *cpu = this_cpu();

    __atomic_store_n(&cpu->quiet, true, __ATOMIC_SEQ_CST);
    spin_lock(&p->map_lock);
    __atomic_store_n(&cpu->quiet, false, __ATOMIC_SEQ_CST);
}

void partition_map_end(struct partition *p)
{
    spin_unlock(&p->map_lock);
}

/*
 * Whether v's core can use nothing any more that it found in v's map before the change: what the processor cached, and what the
 * hypervisor translated on its behalf. SEQ_CST of the epoch's change, then of these looks: against a core that announces v and
 * then reads the epoch.
 */
static bool is_out(const struct vcpu *v)
{
    const struct cpu *home = v->home;

    return home == this_cpu() || __atomic_load_n(&home->current, __ATOMIC_SEQ_CST) != v || arch_vcpu_flushed(&v->arch) ||
           __atomic_load_n(&home->quiet, __ATOMIC_SEQ_CST);
}

/*
 * The ring ends a guest's run; where a processor holds interrupts back from some guests, an NMI does. One that comes while its core is
 * on its way in is spent, hence again and again.
 */
static void wait_out(const struct vcpu *v)
{
    u64 patience = PATIENCE_US * arch_tsc_khz() / 1000, end = arch_tsc() + patience;

    while (!is_out(v)) {
        if (arch_tsc() > end) {
            arch_nmi(v->home->apic_id);
            end += patience;
        }
        cpu_relax();
    }
}

void partition_flush(struct partition *p)
{
    struct cpu *cpu = this_cpu();

    /* Two that wait for each other's cores: each sees that the other is in no guest, and enters none before it has looked again. */
    __atomic_store_n(&cpu->quiet, true, __ATOMIC_SEQ_CST);
    for (u32 i = 0; i < p->nr_vcpus; i++)
        if (!is_out(p->vcpus[i]))
            cpu_ring(p->vcpus[i]->home);
    for (u32 i = 0; i < p->nr_vcpus; i++)
        wait_out(p->vcpus[i]);
    __atomic_store_n(&cpu->quiet, false, __ATOMIC_SEQ_CST);
}
