/* SPDX-License-Identifier: MIT */
/* What partitions and cores have used. */
#include "hv/hypercall.h"

#include "hv/account.h"
#include "hv/rights.h"
#include "hv/time.h"

static u64 of_vcpu(const struct vcpu *v, u64 item)
{
    if (item == PITH_METER_RUN_NS)
        return time_ticks_ns(account_read(&v->run));
    if (item == PITH_METER_SWITCH_NS)
        return time_ticks_ns(v->arch.spent[VM_EXIT_KINDS]);
    return item < PITH_METER_EXIT_NS ? v->exits[item - PITH_METER_EXITS] : time_ticks_ns(v->arch.spent[item - PITH_METER_EXIT_NS]);
}

static bool is_of_vcpus(u64 item)
{
    return item == PITH_METER_RUN_NS || item == PITH_METER_SWITCH_NS || item - PITH_METER_EXITS < VM_EXIT_KINDS ||
           item - PITH_METER_EXIT_NS < VM_EXIT_KINDS;
}

static enum pith_status of_partition(struct partition *p, u64 item, u64 *value)
{
    switch (item) {
    case PITH_METER_RAM: *value = partition_memory(p); return PITH_OK;
    case PITH_METER_FRAMES_USED: *value = p->frames.nr_total - p->frames.nr_free; return PITH_OK;
    case PITH_METER_FRAMES: *value = p->frames.nr_total; return PITH_OK;
    case PITH_METER_STARTS: *value = p->starts; return PITH_OK;
    case PITH_METER_DENIED: *value = p->denied; return PITH_OK;
    case PITH_METER_NOTHING: *value = p->empty_bus; return PITH_OK;
    default: return PITH_E_ARG;
    }
}

enum pith_status hc_meter(struct vcpu *v, struct x86_gprs *g)
{
    u64 vcpu = g->rcx, item = g->rdx, value = 0;
    struct partition *p;
    enum pith_status st = reach(v, g->rbx, RIGHT_MANAGE, &p);

    if (st != PITH_OK)
        return st;
    if (vcpu != PITH_ALL_VCPUS && vcpu >= p->nr_vcpus)
        return PITH_E_ARG;
    if (!is_of_vcpus(item)) {
        st = vcpu == PITH_ALL_VCPUS ? of_partition(p, item, &value) : PITH_E_ARG;
    } else {
        for (u32 i = 0; i < p->nr_vcpus; i++)
            value += vcpu == i || vcpu == PITH_ALL_VCPUS ? of_vcpu(p->vcpus[i], item) : 0;
    }
    g->rbx = value;
    return st;
}

enum pith_status hc_meter_core(struct vcpu *v, struct x86_gprs *g)
{
    const struct cpu *cpu = g->rbx < nr_cpus ? cpu_get((u32)g->rbx) : NULL;

    (void)v;
    if (!cpu || g->rcx > PITH_CORE_VCPUS)
        return PITH_E_ARG;
    switch (g->rcx) {
    case PITH_CORE_BUSY_NS: g->rbx = time_ticks_ns(arch_tsc() - cpu->since - account_read(&cpu->idle)); break;
    case PITH_CORE_IDLE_NS: g->rbx = time_ticks_ns(account_read(&cpu->idle)); break;
    default: g->rbx = cpu->nr_vcpus; break;
    }
    return PITH_OK;
}

enum pith_status hc_core_time(struct vcpu *v, struct x86_gprs *g)
{
    struct cpu *cpu = g->rbx < nr_cpus ? cpu_get((u32)g->rbx) : NULL;
    struct core_time t;

    (void)v;
    if (!cpu)
        return PITH_E_ARG;
    (void)account_core(cpu, &t);
    g->rbx = t.guest;
    g->rcx = t.exits;
    g->rdx = t.scheduler;
    g->rsi = t.idle;
    g->rdi = t.others;
    return PITH_OK;
}
