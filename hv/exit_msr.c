/* SPDX-License-Identifier: MIT */
/* RDMSR and WRMSR: the state behind the policy table of vdev/vmsr.c. */
#include "arch/x86/cpu/regs.h"
#include "hv/devices.h"
#include "hv/exit.h"
#include "hv/partition.h"
#include "hv/steal.h"
#include "hv/time.h"
#include "hv/vcpu_boot.h"
#include "hv/vdev/vclock.h"

#define EFER_OFFERED (EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE)
#define MSR_X2APIC_EOI (MSR_X2APIC + 0xb)
#define MSR_X2APIC_SELF (MSR_X2APIC + 0x3f)
#define ICR_FIXED    0u
#define ICR_LOWEST   1u
#define ICR_NMI      4u
#define ICR_INIT     5u
#define ICR_STARTUP  6u

static void send_one(struct vcpu *to, u32 icr)
{
    u32 vector = icr & 0xff;

    switch ((icr >> 8) & 7) {
    case ICR_NMI:
        vcpu_post(to, VCPU_PEND_NMI);
        break;
    case ICR_INIT:
        if (icr & BIT(14)) /* a level de-assert does nothing on any processor since the Pentium 4 */
            vcpu_post_init(to);
        break;
    case ICR_STARTUP:
        if (!(__atomic_load_n(&to->inbox.pending, __ATOMIC_RELAXED) & VCPU_PEND_SIPI)) /* the first one counts */
            __atomic_store_n(&to->inbox.sipi_vector, vector, __ATOMIC_RELAXED);
        vcpu_post(to, VCPU_PEND_SIPI);
        break;
    case ICR_FIXED:
    case ICR_LOWEST:
        vcpu_post_irq(to, (u8)vector, false);
        break;
    }
}

static bool addressed(const struct vcpu *from, const struct vcpu *to, const struct vlapic_effect *e)
{
    switch ((e->icr_lo >> 18) & 3) { /* shorthand */
    case 1:
        return to == from;
    case 2:
        return true;
    case 3:
        return to != from;
    default:
        return vlapic_match(&to->lapic, e->dest, e->icr_lo & BIT(11), vlapic_x2apic(&from->lapic));
    }
}

/* Lowest priority: to one that takes it. */
static void send(const struct vcpu *v, const struct vlapic_effect *e)
{
    const struct partition *p = v->part;
    bool lowest = (e->icr_lo >> 8 & 7) == ICR_LOWEST;

    for (u32 i = 0; i < p->nr_vcpus; i++) {
        struct vcpu *to = p->vcpus[i];

        if (!addressed(v, to, e) || (lowest && !vlapic_enabled(&to->lapic)))
            continue;
        send_one(to, e->icr_lo);
        if (lowest)
            return;
    }
}

static __attribute__((noinline)) void io_apic_eoi(struct partition *p, u8 vector)
{
    spin_lock(&p->lock);
    if (p->irqs_held)
        devices_eoi(p, vector);
    vioapic_eoi(&p->ioapic, vector, partition_deliver, p);
    spin_unlock(&p->lock);
}

static __attribute__((noinline)) void carry_out(struct vcpu *v, const struct vlapic_effect *e)
{
    struct partition *p = v->part;

    if (e->timer)
        vcpu_arm_timer(v);
    if (e->eoi)
        io_apic_eoi(p, e->eoi_vector);
    if (e->ipi)
        send(v, e);
}

void exit_lapic_effect(struct vcpu *v, const struct vlapic_effect *e)
{
    if (e->ipi || e->eoi || e->timer)
        carry_out(v, e);
    if (vlapic_any_irr(&v->lapic)) /* else nothing can have become deliverable */
        v->arch.irq_dirty = true;
}

static bool write_lapic(struct vcpu *v, u32 msr, u64 val)
{
    struct vlapic_effect e;

    if (!vlapic_msr_write(&v->lapic, msr, val, vcpu_guest_tsc(v), &e))
        return false;
    v->arch.irq_dirty |= e.extint;
    if (msr == MSR_X2APIC + 8)
        arch_vcpu_set_reg(&v->arch, X86_CR8, (val >> 4) & 0xf);
    exit_lapic_effect(v, &e);
    return true;
}

static u64 tsc_of_start(const struct vcpu *v)
{
    return v->part->start_tsc + v->tsc_offset; /* guest TSC when the partition started */
}

/* The guest's clock starts with the partition; the rate is fixed, so one write is enough for good. */
static bool set_kvm_clock(struct vcpu *v, u64 val)
{
    struct pvclock_time t = { .flags = PVCLOCK_TSC_STABLE };
    gpa_t page = val & ~1ull;
    s8 shift;

    if (!v->cpuid.kvm)
        return false;
    v->kvm_clock = val;
    if (!(val & 1))
        return true;
    t.tsc_timestamp = tsc_of_start(v);
    vclock_scale(arch_tsc_khz(), &t.tsc_to_system_mul, &shift);
    t.tsc_shift = (u8)shift;
    return time_tell(v->part, page, &v->kvm_version, page + offsetof(struct pvclock_time, tsc_timestamp), &t.tsc_timestamp,
                     sizeof(t) - offsetof(struct pvclock_time, tsc_timestamp));
}

static bool set_kvm_wall(struct vcpu *v, u64 val)
{
    u32 now[2] = { (u32)partition_wall_start(v->part) };

    if (!v->cpuid.kvm)
        return false;
    v->kvm_wall = val;
    return time_tell(v->part, val, &v->kvm_version, val + offsetof(struct pvclock_wall, sec), now, sizeof(now));
}

/* Everything that counts in guest TSC moves along: the local APIC's timer, and the clock page's reference. */
static bool move_tsc(struct vcpu *v, u64 offset)
{
    vlapic_tsc_moved(&v->lapic, vcpu_guest_tsc(v), offset - v->tsc_offset);
    v->arch.irq_dirty = true;
    vcpu_set_tsc_offset(v, offset);
    return !(v->kvm_clock & 1) || set_kvm_clock(v, v->kvm_clock);
}

static bool write_tsc(struct vcpu *v, u64 val)
{
    u64 offset = val - arch_tsc();

    v->tsc_adjust += offset - v->tsc_offset;
    return move_tsc(v, offset);
}

static bool write_tsc_adjust(struct vcpu *v, u64 val)
{
    u64 offset = v->tsc_offset + val - v->tsc_adjust;

    v->tsc_adjust = val;
    return move_tsc(v, offset);
}

static bool write_reg(struct vcpu *v, enum x86_reg reg, u64 val)
{
    u64 efer;

    if (reg == X86_EFER) {
        efer = arch_vcpu_reg(&v->arch, X86_EFER);
        if ((arch_vcpu_reg(&v->arch, X86_CR0) & CR0_PG) && ((efer ^ val) & EFER_LME))
            return false;
        val = (val & ~EFER_LMA) | (efer & EFER_LMA);
    }
    arch_vcpu_set_reg(&v->arch, reg, val);
    return true;
}

static __attribute__((noinline)) bool msr_write(struct vcpu *v, u32 msr, u64 val)
{
    struct vmsr m = vmsr_lookup(msr);

    if (!vmsr_check(msr, val, EFER_OFFERED))
        return false;
    switch (m.kind) {
    case VMSR_CONST:
        return true;
    case VMSR_REG:
        return write_reg(v, (enum x86_reg)m.value, val);
    case VMSR_LAPIC:
        return write_lapic(v, msr, val);
    case VMSR_TSC:
        return write_tsc(v, val);
    case VMSR_TSC_ADJUST:
        return write_tsc_adjust(v, val);
    case VMSR_STORE:
        v->msr_store[m.value] = val;
        return true;
    case VMSR_PASS:
        return arch_vcpu_set_msr(&v->arch, msr, val);
    case VMSR_KVM_CLOCK:
        return set_kvm_clock(v, val);
    case VMSR_KVM_WALL:
        return set_kvm_wall(v, val);
    case VMSR_KVM_STEAL:
        return v->cpuid.kvm && steal_set(v, val);
    default:
        return false;
    }
}

static bool msr_read(struct vcpu *v, u32 msr, u64 *val)
{
    struct vmsr m = vmsr_cached(&v->msr_cache, msr);

    *val = m.value;
    switch (m.kind) {
    case VMSR_CONST:
    case VMSR_RO:
        return true;
    case VMSR_REG:
        *val = arch_vcpu_reg(&v->arch, (enum x86_reg)m.value);
        return true;
    case VMSR_LAPIC:
        return vlapic_msr_read(&v->lapic, msr, vcpu_guest_tsc(v), val);
    case VMSR_TSC:
        *val = vcpu_guest_tsc(v);
        return true;
    case VMSR_TSC_ADJUST:
        *val = v->tsc_adjust;
        return true;
    case VMSR_STORE:
        *val = v->msr_store[m.value];
        return true;
    case VMSR_KVM_CLOCK:
        *val = v->kvm_clock;
        return v->cpuid.kvm;
    case VMSR_KVM_WALL:
        *val = v->kvm_wall;
        return v->cpuid.kvm;
    case VMSR_KVM_STEAL:
        *val = v->steal.msr;
        return v->cpuid.kvm;
    default:
        return false;
    }
}

/* The most frequent write of all. */
static __attribute__((noinline)) enum exit_action on_eoi(struct vcpu *v)
{
    const struct x86_gprs *g = &v->arch.gpr;
    int level;

    if (!vlapic_x2apic(&v->lapic) || ((u32)g->rax | (u32)g->rdx)) /* only zero is no #GP: either half will do */
        return exit_fault_code(v, X86_GP, 0);
    level = vlapic_eoi(&v->lapic);
    if (level != VLAPIC_NONE)
        io_apic_eoi(v->part, (u8)level);
    if (vlapic_any_irr(&v->lapic))
        v->arch.irq_dirty = true;
    return EXIT_SKIP;
}

/* What kernels send themselves work by. False: not so simple. */
static bool self_ipi(struct vcpu *v, u64 val)
{
    if (!vlapic_x2apic(&v->lapic) || val < 16 || val > 0xff)
        return false;
    vlapic_post(&v->lapic, (u8)val, false);
    v->arch.irq_dirty = true;
    return true;
}

static __attribute__((noinline)) enum exit_action on_wrmsr(struct vcpu *v, u32 msr)
{
    struct x86_gprs *g = &v->arch.gpr;
    u64 val = (u32)g->rax | g->rdx << 32;
    bool ok = msr == MSR_X2APIC_SELF && self_ipi(v, val);

    if (!ok)
        ok = vmsr_is_lapic(msr) ? write_lapic(v, msr, val) : msr_write(v, msr, val);
    return ok ? EXIT_SKIP : exit_fault_code(v, X86_GP, 0);
}

static __attribute__((noinline)) enum exit_action on_rdmsr(struct vcpu *v, u32 msr)
{
    struct x86_gprs *g = &v->arch.gpr;
    u64 val;

    if (!msr_read(v, msr, &val))
        return exit_fault_code(v, X86_GP, 0);
    g->rax = (u32)val;
    g->rdx = val >> 32;
    return EXIT_SKIP;
}

enum exit_action on_msr(struct vcpu *v, struct vm_exit *exit)
{
    if (!exit->msr.write)
        return on_rdmsr(v, exit->msr.index);
    return exit->msr.index == MSR_X2APIC_EOI ? on_eoi(v) : on_wrmsr(v, exit->msr.index);
}
