/* SPDX-License-Identifier: MIT */
/*
 * The vendor-neutral half of a virtual machine: picks VMX or SVM, checks residency, composes
 * events.
 */
#include "arch/x86/vm.h"

#include "arch/x86/barrier.h"
#include "arch/x86/breakpoints.h"
#include "arch/x86/cpu/insn.h"
#include "arch/x86/cpu/regs.h"
#include "arch/x86/events.h"
#include "arch/x86/fpu.h"
#include "arch/x86/host.h"
#include "arch/x86/mov_cr.h"
#include "arch/x86/paging.h"
#include "arch/x86/s2.h"
#include "arch/x86/vm_ops.h"
#include "arch/x86/vmem.h"
#include "hv/lib/panic.h"
#include "hv/lib/string.h"

#define ASSERT_RESIDENT(v) ASSERT((v)->cpu && (v)->cpu->loaded == (v))

static const struct vm_ops *ops, *vendor;
static struct vm_caps found;

const struct vm_ops *vm_ops_get(void)
{
    return ops;
}

const struct vm_caps *arch_vm_caps(void)
{
    return &found;
}

void arch_vm_barrier(void)
{
    if (found.cleared)
        barrier();
}

/* Who is new may have the place of one that was destroyed. */
static struct arch_vcpu *load_behind_barrier(struct arch_vcpu *v, struct arch_cpu *cpu, struct arch_vcpu *before)
{
    if (cpu->last != v->vm || v->fresh)
        barrier();
    cpu->last = v->vm;
    return vendor->vcpu_load(v, cpu, before);
}

/* In a table of its own, so that processors without a barrier do not look for one at each switch. */
static void use(const struct vm_ops *its)
{
    static struct vm_ops behind_barrier;

    ops = vendor = its;
    barrier_probe(&found, its == &vmx_ops);
    if (!found.cleared)
        return;
    behind_barrier = *its;
    behind_barrier.vcpu_load = load_behind_barrier;
    ops = &behind_barrier;
}

enum pith_status arch_vm_probe(struct vm_caps *caps)
{
    static const struct vm_ops *const candidates[] = { &vmx_ops, &svm_ops };

    *caps = (struct vm_caps){ .why = "this processor has neither Intel VT-x nor AMD-V" };
    for (size_t i = 0; i < ARRAY_SIZE(candidates); i++) {
        struct vm_caps c = { 0 };

        if (candidates[i]->probe(&c) == PITH_OK) {
            c.hypercall_vmcall = candidates[i] == &vmx_ops;
            found = c;
            use(candidates[i]);
            *caps = found;
            return PITH_OK;
        }
        if (c.name)
            *caps = c;
    }
    return PITH_E_HW;
}

enum pith_status arch_cpu_enable(struct arch_cpu *cpu, struct frame_pool *frames)
{
    *cpu = (struct arch_cpu){ .frames = frames, .tag_epoch = 1, .next_tag = 1, .msrs = true };
    barrier_cpu_enable();
    return ops->cpu_enable(cpu);
}

void arch_cpu_disable(struct arch_cpu *cpu)
{
    ASSERT(!cpu->loaded);
    ops->cpu_disable(cpu);
}

static enum pith_status bitmap_alloc(struct frame_pool *frames, u64 pages, u8 **map)
{
    hpa_t hpa = frames_alloc(frames, pages, 1);

    if (!hpa)
        return PITH_E_MEM;
    *map = phys_to_virt(hpa);
    memset(*map, 0xff, pages * PAGE_SIZE); /* everything traps until a device or policy says otherwise */
    return PITH_OK;
}

enum pith_status arch_vm_init(struct arch_vm *vm, struct frame_pool *frames)
{
    enum pith_status st;

    *vm = (struct arch_vm){ .frames = frames, .s2_epoch = 1 };
    st = bitmap_alloc(frames, VM_IO_BITMAP_PAGES, &vm->io_bitmap);
    if (st != PITH_OK)
        return st;
    st = bitmap_alloc(frames, VM_MSR_BITMAP_PAGES, &vm->msr_bitmap);
    if (st != PITH_OK)
        goto put_io;
    st = s2_init(vm);
    if (st != PITH_OK)
        goto put_msr;
    return PITH_OK;

put_msr:
    frames_free(frames, virt_to_phys(vm->msr_bitmap), VM_MSR_BITMAP_PAGES);
put_io:
    frames_free(frames, virt_to_phys(vm->io_bitmap), VM_IO_BITMAP_PAGES);
    return st;
}

void arch_vm_trap_pio(struct arch_vm *vm, u16 port, u32 count, bool trap)
{
    u32 end = MIN(port + count, 0x10000u);

    for (u32 p = port; p < end; p++) {
        u8 bit = (u8)(1u << (p & 7));

        if (trap)
            vm->io_bitmap[p / 8] |= bit;
        else
            vm->io_bitmap[p / 8] &= (u8)~bit;
    }
}

void arch_vm_trap_msr(struct arch_vm *vm, u32 msr, bool on_read, bool on_write)
{
    ops->trap_msr(vm->msr_bitmap, msr, on_read, on_write);
}

bool arch_msr_kept(u32 msr)
{
    return ops->msr_kept(msr);
}

bool arch_vcpu_set_msr(struct arch_vcpu *v, u32 msr, u64 val)
{
    ASSERT_RESIDENT(v);
    if (!ops->set_msr(v, msr, val))
        return false;
    v->msrs = v->cpu->msrs = true;
    return true;
}

static u64 xsave_pages(void)
{
    return ALIGN_UP((u64)fpu_area_size(), PAGE_SIZE) / PAGE_SIZE;
}

enum pith_status arch_vcpu_init(struct arch_vcpu *v, struct arch_vm *vm)
{
    hpa_t area = frames_alloc(vm->frames, xsave_pages(), 1);
    enum pith_status st;

    if (!area)
        return PITH_E_MEM;
    *v = (struct arch_vcpu){ .vm = vm, .fresh = true, .xsave = phys_to_virt(area) };
    fpu_reset(v);
    st = ops->vcpu_init(v);
    if (st != PITH_OK)
        frames_free(vm->frames, area, xsave_pages());
    return st;
}

/* What a reset does to a vCPU whose extended state is not in the registers. */
static void vcpu_reset(struct arch_vcpu *v, bool init_only)
{
    u32 signature, b, c, d;

    cpuid(1, 0, &signature, &b, &c, &d);
    v->gpr = (struct x86_gprs){ .rdx = signature };
    v->interrupted.valid = false;
    v->nmi_masked = false;
    v->shutdown = false;
    memset(v->dr, 0, sizeof(v->dr));
    v->dr6 = DR6_RESET;
    ops->vcpu_reset(v, init_only);
    ops->set_reg(v, X86_CR2, 0);
}

void arch_vcpu_unload(struct arch_vcpu *v, struct arch_cpu *cpu)
{
    ASSERT(v->cpu == cpu && cpu->loaded == v);
    fpu_unload(v);
    ops->vcpu_save(v);
    ops->vcpu_release(v);
    v->plain_epoch = 0;
    cpu->loaded = NULL;
    v->cpu = NULL;
}

static inline void becomes_resident(struct arch_vcpu *v, struct arch_cpu *cpu)
{
    v->cpu = cpu;
    cpu->loaded = v;
    if (__builtin_expect(v->tag_cpu != cpu || v->tag_epoch != cpu->tag_epoch, false)) /* else what was plain when it went still is */
        v->plain_epoch = 0;
    v->fetch.rip = FETCH_NOWHERE; /* the windows have shown others' pages since */
    v->fetch.epoch = 0;
}

/* For the first time, or where nobody is. */
static __attribute__((noinline)) struct arch_vcpu *load_alone(struct arch_vcpu *v, struct arch_cpu *cpu)
{
    if (cpu->loaded)
        arch_vcpu_unload(cpu->loaded, cpu);
    becomes_resident(v, cpu);
    (void)ops->vcpu_load(v, cpu, NULL);
    if (v->fresh) {
        v->fresh = false;
        vcpu_reset(v, false);
    }
    fpu_load(v);
    return v;
}

struct arch_vcpu *arch_vcpu_switch(struct arch_vcpu *v, struct arch_cpu *cpu)
{
    struct arch_vcpu *before = cpu->loaded;

    becomes_resident(v, cpu);
    before->cpu = NULL;
    return ops->vcpu_load(v, cpu, before);
}

struct arch_vcpu *arch_vcpu_load(struct arch_vcpu *v, struct arch_cpu *cpu)
{
    if (cpu->loaded == v)
        return v;
    ASSERT(!v->cpu);
    return !cpu->loaded || v->fresh ? load_alone(v, cpu) : arch_vcpu_switch(v, cpu);
}

void arch_vcpu_reset(struct arch_vcpu *v, bool init_only)
{
    ASSERT_RESIDENT(v);
    vcpu_reset(v, init_only);
    if (!init_only) {
        fpu_unload(v);
        fpu_reset(v);
        fpu_load(v);
    }
}

void vm_resolve_mov_cr(struct arch_vcpu *v, struct vm_exit *exit)
{
    struct x86_event fault;
    enum insn_mode mode;
    u8 bytes[15], len, gpr;

    if (exit->kind == VM_EXIT_CR ? exit->cr.known : exit->dr.known)
        return;
    if (!arch_vcpu_fetch(v, bytes, &len, &mode, &fault) || !mov_cr_decode(bytes, len, mode, &gpr))
        return;
    if (exit->kind == VM_EXIT_CR) {
        exit->cr.gpr = gpr;
        exit->cr.known = true;
    } else {
        exit->dr.gpr = gpr;
        exit->dr.known = true;
    }
}

enum exit_action arch_vcpu_run(struct arch_vcpu *v, struct vm_exit *exit, vm_exit_fn *handle, vm_turn_fn *turn)
{
    ASSERT_RESIDENT(v);
    if (!v->shutdown)
        return ops->vcpu_run(v, exit, handle, turn);
    v->shutdown = false;
    *exit = (struct vm_exit){ .kind = VM_EXIT_SHUTDOWN };
    return handle(v, exit);
}

enum pith_status arch_vcpu_skip(struct arch_vcpu *v, const struct vm_exit *exit)
{
    ASSERT_RESIDENT(v);
    return ops->skip(v, exit);
}

u64 arch_vcpu_reg(const struct arch_vcpu *v, enum x86_reg reg)
{
    ASSERT_RESIDENT(v);
    if (reg == X86_XCR0) /* a resident vCPU runs, and the hypervisor with it, on its own XCR0 */
        return xgetbv();
    return ops->reg(v, reg);
}

const char *arch_vcpu_spoilt(const struct arch_vcpu *v)
{
    ASSERT_RESIDENT(v);
    return ops->spoilt && ops->reg(v, X86_CR3) == host_root.hpa ? ops->spoilt(v) : NULL;
}

void arch_vcpu_set_reg(struct arch_vcpu *v, enum x86_reg reg, u64 val)
{
    ASSERT_RESIDENT(v);
    if (reg != X86_XCR0)
        ops->set_reg(v, reg, val);
    else if (fpu_xcr0_valid(val)) /* policy above has asked already; its mistake must not fault here */
        xsetbv((u32)val);
}

void arch_vcpu_seg(const struct arch_vcpu *v, enum x86_seg seg, struct x86_segment *out)
{
    ASSERT_RESIDENT(v);
    ops->seg(v, seg, out);
}

void arch_vcpu_set_seg(struct arch_vcpu *v, enum x86_seg seg, const struct x86_segment *in)
{
    ASSERT_RESIDENT(v);
    ops->set_seg(v, seg, in);
}

/*
 * What a fault pushes has RF set, so that the instruction's breakpoint does not come again when it returns to it; an injected
 * one pushes RFLAGS as they are. A fault #DB is left alone: DR6 was looked at where it came from.
 */
static void mark_fault(struct arch_vcpu *v, u8 vector)
{
    static const u32 others = BIT(X86_DB) | BIT(X86_BP) | BIT(X86_OF) | BIT(X86_DF) | BIT(X86_MC);

    if (!(others >> vector & 1))
        ops->set_reg(v, X86_RFLAGS, ops->reg(v, X86_RFLAGS) | RFLAGS_RF);
}

static inline bool offer(struct arch_vcpu *v, enum x86_event_type type, u8 vector)
{
    v->plain_epoch = 0;
    if (v->interrupted.valid || !ops->ready(v, type)) {
        ops->window(v, type);
        return false;
    }
    v->interrupted.vector = vector;
    v->interrupted.type = (u8)type;
    v->interrupted.valid = true;
    v->interrupted.has_error = false;
    return true;
}

bool arch_vcpu_inject(struct arch_vcpu *v, const struct x86_event *ev)
{
    ASSERT_RESIDENT(v);
    if (ev->type != X86_EV_NMI) {
        v->plain_epoch = 0;
        v->look = true;
        if (ev->type == X86_EV_EXCEPTION)
            mark_fault(v, ev->vector);
        v->shutdown = !events_compose(&v->interrupted, ev) || v->shutdown;
        return true;
    }
    return offer(v, X86_EV_NMI, ev->vector);
}

bool arch_vcpu_interrupt(struct arch_vcpu *v, u8 vector)
{
    ASSERT_RESIDENT(v);
    return offer(v, X86_EV_EXTINT, vector);
}

bool arch_vcpu_accept(struct arch_vcpu *v, u8 vector)
{
    ASSERT_RESIDENT(v);
    return !v->interrupted.valid && ops->accept(v, vector);
}

u8 arch_vcpu_cr8(const struct arch_vcpu *v)
{
    ASSERT_RESIDENT(v);
    return ops->cr8(v);
}

void arch_vcpu_tpr_window(struct arch_vcpu *v, u8 threshold)
{
    ASSERT_RESIDENT(v);
    ops->tpr_window(v, threshold);
}

void arch_vcpu_backstop(struct arch_vcpu *v, u64 ticks)
{
    ASSERT_RESIDENT(v);
    ops->backstop(v, ticks);
}

void arch_vcpu_show_dr(struct arch_vcpu *v)
{
    ASSERT_RESIDENT(v);
    (void)breakpoints_load(v);
    ops->show_dr(v);
}

bool arch_xcr0_valid(u64 val)
{
    return fpu_xcr0_valid(val);
}
