/* SPDX-License-Identifier: MIT */
/* Building partitions out of the manifest: memory, second-stage map, trap maps, vCPUs and the cores they live on. */
#include "hv/partition.h"

#include "hv/abi/hypercall.h"
#include "arch/x86/cpu/insn.h"
#include "hv/channel.h"
#include "hv/devices.h"
#include "hv/hypercall.h"
#include "hv/lib/log.h"
#include "hv/lib/panic.h"
#include "hv/lib/string.h"
#include "hv/load.h"
#include "hv/pages.h"
#include "hv/ram.h"
#include "hv/rights.h"
#include "hv/sched.h"

#define PAGES(bytes) (ALIGN_UP((u64)(bytes), PAGE_SIZE) / PAGE_SIZE)

/* Tables in the worst case (4 KiB leaves), bitmaps, shared pages, the structures themselves, and room per vCPU for VMCS and XSAVE. */
static u64 pool_pages(const struct manifest *m, u32 index)
{
    const struct manifest_partition *c = &m->partitions[index];

    return PAGES(sizeof(struct partition)) + 64 + c->memory / MIB(2) + c->memory / GIB(1) +
           c->vcpus * (PAGES(sizeof(struct vcpu)) + 8) + devices_frames(c) + channels_tables(m, index) + grants_tables(m, index);
}

u64 partitions_frames(const struct manifest *m)
{
    u64 n = 0;

    for (u32 i = 0; i < m->nr_partitions; i++)
        n += pool_pages(m, i) + PAGES(pool_pages(m, i) / 8 + 8);
    return n;
}

static struct partition *make_pool(const struct manifest *m, u32 index, struct frame_pool *host)
{
    u64 n = pool_pages(m, index);
    hpa_t bitmap = frames_alloc(host, PAGES(n / 8 + 8), 1);
    hpa_t base = bitmap ? frames_alloc(host, n, 1) : 0;
    struct frame_pool pool;
    struct partition *p;
    hpa_t self;

    if (!base)
        return NULL;
    memset(phys_to_virt(base), 0, n * PAGE_SIZE);
    frames_init(&pool, base, n, phys_to_virt(bitmap));
    self = frames_alloc(&pool, PAGES(sizeof(*p)), 1);
    ASSERT(self);
    p = phys_to_virt(self);
    p->frames = pool;
    return p;
}

/* One gap-free run of guest-physical RAM, from as few pieces of the machine's memory as there are. */
static enum pith_status take_ram(struct partition *p, gpa_t gpa, u64 size)
{
    while (size) {
        u64 got = size;
        hpa_t hpa = p->nr_ram == PARTITION_EXTENTS ? 0 : ram_take(ALIGN_UP(size, MIB(2)), MIB(2), ~0ull);

        if (!hpa && p->nr_ram < PARTITION_EXTENTS) {
            hpa = ram_take_most(size, &got);
            got = MIN(got, size);
        }
        if (!hpa)
            return PITH_E_MEM;
        p->ram[p->nr_ram++] = (struct extent){ gpa, hpa, got };
        gpa += got;
        size -= got;
    }
    return PITH_OK;
}

void partition_give_ram(struct partition *p)
{
    for (u32 i = 0; i < p->nr_ram; i++)
        ram_give(p->ram[i].hpa, ALIGN_UP(p->ram[i].size, MIB(2)));
    p->nr_ram = 0;
}

u64 partition_ram_taken(const struct partition *p)
{
    u64 bytes = 0;

    for (u32 i = 0; i < p->nr_ram; i++)
        bytes += ALIGN_UP(p->ram[i].size, MIB(2));
    return bytes;
}

enum pith_status partition_take_ram(struct partition *p)
{
    u64 low = MIN(p->conf->memory, LOW_RAM_MAX);
    enum pith_status st = take_ram(p, 0, low);

    if (st == PITH_OK && low < p->conf->memory)
        st = take_ram(p, GIB(4), p->conf->memory - low);
    if (st != PITH_OK)
        partition_give_ram(p);
    return st;
}

enum pith_status partition_map_step(struct partition *p, bool map)
{
    u64 skip = p->load.scrubbed;

    for (u32 i = 0; i < p->nr_ram; i++) {
        const struct extent *e = &p->ram[i];
        u64 n = skip < e->size ? MIN(MIB(2), e->size - skip) : 0;
        enum pith_status st = PITH_OK;

        if (!n) {
            skip -= e->size;
            continue;
        }
        if (map)
            st = arch_vm_map(&p->vm, e->gpa + skip, e->hpa + skip, n, S2_RWX, S2_WB);
        else
            arch_vm_unmap(&p->vm, e->gpa + skip, n);
        p->load.scrubbed += n;
        return st == PITH_OK ? PITH_E_BUSY : st;
    }
    return PITH_OK;
}

static enum pith_status make_ram(struct partition *p)
{
    enum pith_status st = partition_take_ram(p);

    for (u32 i = 0; st == PITH_OK && i < p->nr_ram; i++)
        st = arch_vm_map(&p->vm, p->ram[i].gpa, p->ram[i].hpa, p->ram[i].size, S2_RWX, S2_WB);
    return st;
}

/* Everything but its RAM is there from the start. */
static void make_absent(struct partition *p)
{
    for (u32 i = 0; i < p->nr_ram; i++)
        arch_vm_unmap(&p->vm, p->ram[i].gpa, p->ram[i].size);
    partition_give_ram(p);
    p->state = PARTITION_ABSENT;
}

static void host_cpuid(u32 leaf, u32 sub, struct cpuid_regs *r)
{
    cpuid(leaf, sub, &r->eax, &r->ebx, &r->ecx, &r->edx);
}

static void pass_msr(void *ctx, u32 msr)
{
    struct partition *p = ctx;

    arch_vm_trap_msr(&p->vm, msr, false, arch_msr_kept(msr));
}

static enum pith_status make_vcpu(struct partition *p, u32 index, struct cpu *home)
{
    hpa_t hpa = frames_alloc(&p->frames, PAGES(sizeof(struct vcpu)), 1);
    struct vcpu *v;
    enum pith_status st;

    if (!hpa)
        return PITH_E_MEM;
    v = phys_to_virt(hpa);
    st = arch_vcpu_init(&v->arch, &p->vm);
    if (st != PITH_OK)
        return st;
    vcpu_init(v, p, index, home);
    sched_join(v, p->conf);
    v->cpuid = (struct vcpuid_env){
        .host = host_cpuid, .apic_id = index, .nr_vcpus = p->nr_vcpus, .tsc_khz = arch_tsc_khz(),
        .features = p->features,
        .hypercall_insn = hypercall_insn(), .kvm = !(p->conf->flags & MANIFEST_NO_KVM), .x2apic = true,
    };
    p->vcpus[index] = v;
    home->tenant = home->nr_vcpus++ && home->tenant != p ? NULL : p;
    home->smt_own |= !(p->conf->flags & MANIFEST_SMT_SHARE);
    return PITH_OK;
}

static bool core_allowed(const struct manifest_partition *c, u32 core)
{
    if (!(c->flags & MANIFEST_CORES_GIVEN))
        return true;
    return c->cores[core / 64] & BIT(core % 64);
}

/* Threads of one core see a lot of each other: they go to one partition, or to several that all say so. */
static bool threads_allow(const struct cpu *cpu, const struct partition *p)
{
    for (u32 i = 0; i < nr_cpus; i++) {
        const struct cpu *other = cpu_get(i);

        if (other == cpu || other->whole != cpu->whole || !other->nr_vcpus || other->tenant == p)
            continue;
        if (other->smt_own || !(p->conf->flags & MANIFEST_SMT_SHARE))
            return false;
    }
    return true;
}

/* A free core if there is one, else the one with the fewest vCPUs; core 0 keeps house and comes last. */
static struct cpu *pick_core(const struct partition *p)
{
    const struct manifest_partition *c = p->conf;
    bool alone = c->flags & MANIFEST_DEDICATED;
    struct cpu *best = NULL;

    for (u32 k = 1; k <= nr_cpus; k++) {
        struct cpu *cpu = cpu_get(k % nr_cpus);

        if (!core_allowed(c, cpu->index) || cpu->dedicated || (alone && (cpu->nr_vcpus || (cpu->index == 0 && nr_cpus > 1))))
            continue;
        if (!threads_allow(cpu, p))
            continue;
        if (!best || cpu->nr_vcpus < best->nr_vcpus)
            best = cpu;
    }
    return best;
}

/* Where time is promised to vCPU @index: the loader has added up what is promised there. */
static struct cpu *promised_core(const struct manifest_partition *c, u32 index)
{
    u32 n = 0;

    for (u32 core = 0; core < nr_cpus; core++)
        n += core_allowed(c, core);
    index %= MAX(n, 1);
    for (u32 core = 0; core < nr_cpus; core++)
        if (core_allowed(c, core) && index-- == 0)
            return cpu_get(core);
    return NULL;
}

/* The loader knows which cores there are, and not which of them start. */
static bool cores_run(const struct manifest_partition *c)
{
    for (u32 core = nr_cpus; core < MANIFEST_CORES; core++)
        if (c->cores[core / 64] & BIT(core % 64)) {
            log_error("pith.conf:%u: '%s' wants core %u and %u run (the first is 0) - correct cores", c->line, c->name, core,
                      nr_cpus);
            return false;
        }
    return true;
}

static enum pith_status make_vcpus(struct partition *p)
{
    if (!cores_run(p->conf))
        return PITH_E_ARG;
    for (u32 i = 0; i < p->nr_vcpus; i++) {
        struct cpu *home = p->conf->period || (p->conf->flags & MANIFEST_SLOTTED) ? promised_core(p->conf, i) : pick_core(p);
        enum pith_status st;

        if (!home || !threads_allow(home, p)) {
            log_error("pith.conf:%u: no core is left for vCPU %u of %s%s - give other cores, or drop dedicated = yes",
                      p->conf->line, i, p->name, cpus_smt ? " that has no threads of others beside it (smt = share allows them)" : "");
            return PITH_E_ARG;
        }
        st = make_vcpu(p, i, home);
        if (st != PITH_OK)
            return st;
        home->dedicated = p->conf->flags & MANIFEST_DEDICATED;
        if (home->dedicated && home->index == 0)
            log_warn("pith.conf:%u: %s has core 0 to itself, which is the only one and keeps house, too", p->conf->line, p->name);
    }
    return PITH_OK;
}

static enum pith_status create(const struct manifest *m, u32 index, struct frame_pool *host)
{
    const struct manifest_partition *c = &m->partitions[index];
    struct partition *p = make_pool(m, index, host);
    enum pith_status st;

    if (!p)
        return PITH_E_MEM;
    p->conf = c;
    p->index = index;
    p->name = c->name;
    p->console.name = c->name;
    p->console.ink = (u8)(2 + p->index % (TERMINAL_INKS - 2)); /* the first two: the hypervisor's and the monitor's */
    p->restart.deadline = TIMER_NEVER;
    isa_init(p);
    p->nr_vcpus = c->vcpus;
    random_init(&p->random, index);
    rights_init(p);
    st = arch_vm_init(&p->vm, &p->frames);
    if (st == PITH_OK)
        st = pages_create(p);
    if (st == PITH_OK)
        st = make_ram(p);
    if (st == PITH_OK)
        st = channels_map(p);
    if (st == PITH_OK)
        st = grants_reserve(p);
    if (st != PITH_OK)
        return st;
    vmsr_each_pass(pass_msr, p);
    st = make_vcpus(p);
    if (st == PITH_OK)
        st = devices_create(p);
    if (st != PITH_OK)
        return st;
    if (!load_check(p, index)) {
        log_error("pith.conf:%u: partition %s: its load plan is damaged - use the boot loader that came with Pith", c->line,
                  c->name);
        return PITH_E_ARG;
    }
    if (c->flags & MANIFEST_ON_REQUEST)
        make_absent(p);
    p->frames_given = p->frames.nr_total - p->frames.nr_free;
    partition_register(p, index);
    return PITH_OK;
}

/* Those that name their cores choose first, then those that want one alone; the others take what is free. */
static u32 turn_of(const struct manifest_partition *c)
{
    if (c->flags & MANIFEST_CORES_GIVEN)
        return 0;
    return c->flags & MANIFEST_DEDICATED ? 1 : 2;
}

static struct share *slot_owner(const struct manifest_slot *slot, const struct cpu *cpu)
{
    const struct partition *p = slot->partition == MANIFEST_NONE ? NULL : partition_get(slot->partition);

    for (u32 i = 0; p && i < p->nr_vcpus; i++)
        if (p->vcpus[i]->home == cpu)
            return &p->vcpus[i]->share;
    return NULL;
}

/* The cores look at it when vCPUs of theirs are started. */
static void make_frame(const struct manifest_cyclic *c)
{
    for (u32 core = 0; core < nr_cpus; core++) {
        struct cpu *cpu = cpu_get(core);
        u64 end = 0;

        if (!(c->cores[core / 64] & BIT(core % 64)))
            continue;
        for (u32 i = 0; i < c->nr_slots; i++)
            policy_add_slot(&cpu->rq, slot_owner(&c->slots[i], cpu), sched_ticks(end += c->slots[i].length));
        if (end < c->frame)
            policy_add_slot(&cpu->rq, NULL, sched_ticks(c->frame));
    }
}

enum pith_status partitions_create(const struct manifest *m, struct frame_pool *host)
{
    grants_init(m);
    if (channels_create(m) != PITH_OK)
        return PITH_E_MEM;
    for (u32 turn = 0; turn < 3; turn++) {
        for (u32 i = 0; i < m->nr_partitions; i++) {
            const struct manifest_partition *c = &m->partitions[i];
            enum pith_status st;

            if (turn_of(c) != turn)
                continue;
            st = create(m, i, host);
            if (st == PITH_E_MEM)
                log_error("pith.conf:%u: not enough memory for partition %s (%lu MiB wanted, %lu MiB free, %lu of them in whole pieces of "
                          "2 MiB, up to %u runs of such) - lower memory =",
                          c->line, c->name, c->memory >> 20, ram_free_bytes() >> 20, ram_free_pieces() >> 20, PARTITION_EXTENTS);
            if (st != PITH_OK)
                return st;
        }
    }
    for (u32 i = 0; i < m->nr_cyclics; i++)
        make_frame(&m->cyclics[i]);
    partitions_set_poweroff(m->poweroff == MANIFEST_POWEROFF_WHEN_DONE);
    return PITH_OK;
}

void partitions_begin(void)
{
    for (u32 i = 0; i < nr_partitions; i++)
        if (partition_get(i)->state != PARTITION_ABSENT && partition_start(partition_get(i)) != PITH_OK)
            panic("partition %s cannot be started", partition_get(i)->name);
}
