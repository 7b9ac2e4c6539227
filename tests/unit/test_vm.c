/* SPDX-License-Identifier: MIT */
/*
 * The vendor-neutral half: which vendor and why not, what can be injected when, shutdown, trap maps, residency.
 * LINK: arch/x86/vm.c arch/x86/breakpoints.c arch/x86/events.c arch/x86/mov_cr.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/x86/barrier.h"
#include "arch/x86/cpu/regs.h"
#include "arch/x86/fpu.h"
#include "arch/x86/host.h"
#include "arch/x86/s2.h"
#include "arch/x86/paging.h"
#include "arch/x86/vm_ops.h"
#include "arch/x86/vmem.h"
#include "hv/lib/panic.h"

static jmp_buf panicked;
static struct vm_caps vmx_says, svm_says;
static enum pith_status vmx_status, svm_status;
static bool is_ready, fetch_ok;
static u64 cr3, cr8, rflags, threshold;
static int windows, runs;
static struct arch_cpu cpu;
static struct arch_vm vm;
static struct arch_vcpu v;
static u8 code[15];

void panic(const char *fmt, ...)
{
    (void)fmt;
    longjmp(panicked, 1);
}

static enum pith_status vmx_probe(struct vm_caps *caps) { *caps = vmx_says; return vmx_status; }
static enum pith_status svm_probe(struct vm_caps *caps) { *caps = svm_says; return svm_status; }
static u64 get_reg(const struct arch_vcpu *c, enum x86_reg r)
{
    (void)c;
    assert_true(r == X86_CR3 || r == X86_CR8 || r == X86_RFLAGS);
    return r == X86_CR3 ? cr3 : r == X86_CR8 ? cr8 : rflags;
}

static void set_reg(struct arch_vcpu *c, enum x86_reg r, u64 val)
{
    (void)c;
    assert_true(r == X86_RFLAGS || (r == X86_CR2 && !val));
    if (r == X86_RFLAGS)
        rflags = val;
}

static bool ready(const struct arch_vcpu *c, enum x86_event_type t) { (void)c, (void)t; return is_ready; }
static void window(struct arch_vcpu *c, enum x86_event_type t) { (void)c, (void)t; windows++; }
static void tpr_window(struct arch_vcpu *c, u8 t) { (void)c; threshold = t; }
static enum exit_action run(struct arch_vcpu *c, struct vm_exit *e, vm_exit_fn *fn, vm_turn_fn *turn)
{
    (void)turn;
    runs++;
    e->kind = VM_EXIT_HLT;
    return fn(c, e);
}
static enum exit_action enough(struct arch_vcpu *c, struct vm_exit *e) { (void)c, (void)e; return EXIT_RESUME; }

struct page_root host_root = { .hpa = 0x3f800000 };
static const char *spoilt(const struct arch_vcpu *c) { (void)c; return "spoilt"; }

const struct vm_ops vmx_ops = { .probe = vmx_probe };
static int loads, saves, releases;
static struct arch_vcpu *load(struct arch_vcpu *c, struct arch_cpu *on, struct arch_vcpu *before)
{
    assert_ptr_equal(on->loaded, c);
    assert_true(!before || !before->cpu);
    loads++;
    saves += before != NULL;
    return c;
}
static void save(struct arch_vcpu *c) { assert_non_null(c->cpu); saves++; }
static void release(struct arch_vcpu *c) { assert_non_null(c->cpu); releases++; }
static void reset(struct arch_vcpu *c, bool init_only) { assert_ptr_equal(cpu.loaded, c); assert_false(init_only); }
const struct vm_ops svm_ops = {
    .vcpu_reset = reset,
    .vcpu_load = load, .vcpu_save = save, .vcpu_release = release,
    .probe = svm_probe, .reg = get_reg, .set_reg = set_reg, .ready = ready, .window = window, .tpr_window = tpr_window, .vcpu_run = run,
    .spoilt = spoilt,
};

static u8 clears;
static int barriers, loads_then;
void barrier_probe(struct vm_caps *caps, bool intel) { caps->cleared = clears; assert_true(intel == !strcmp(caps->name, "VT-x")); }
void barrier_cpu_enable(void) { }
void barrier(void) { barriers++, loads_then = loads; }

hpa_t virt_to_phys(const void *va) { return (hpa_t)va; }
hpa_t frames_alloc(struct frame_pool *p, u64 n, u64 a) { (void)p, (void)n, (void)a; return 0; }
void frames_free(struct frame_pool *p, hpa_t first, u64 n) { (void)p, (void)first, (void)n; }
enum pith_status s2_init(struct arch_vm *m) { (void)m; return PITH_OK; }
u32 fpu_area_size(void) { return 832; }
bool fpu_xcr0_valid(u64 val) { return val == 7; }
void fpu_reset(struct arch_vcpu *c) { (void)c; }
void fpu_load(struct arch_vcpu *c) { (void)c; }
void fpu_unload(struct arch_vcpu *c) { (void)c; }

bool arch_vcpu_fetch(struct arch_vcpu *c, u8 insn[15], u8 *len, enum insn_mode *mode, struct x86_event *fault)
{
    (void)c, (void)fault;
    *mode = INSN_64;
    memcpy(insn, code, 15);
    *len = 15;
    return fetch_ok;
}

static int setup(void **state)
{
    struct vm_caps caps;

    (void)state;
    vmx_says = svm_says = (struct vm_caps){ 0 };
    vmx_status = PITH_E_HW;
    svm_status = PITH_OK;
    svm_says.name = "AMD-V";
    assert_int_equal(arch_vm_probe(&caps), PITH_OK);
    v = (struct arch_vcpu){ .vm = &vm, .cpu = &cpu };
    cpu.loaded = &v;
    is_ready = fetch_ok = true;
    cr8 = rflags = threshold = 0;
    windows = runs = 0;
    return 0;
}

/* The hypervisor's CR3 is no guest's, unless the processor saved it there. */
static void test_spoilt(void **state)
{
    struct vm_caps caps;

    (void)state;
    cr3 = host_root.hpa;
    assert_string_equal(arch_vcpu_spoilt(&v), "spoilt");
    cr3 = 0x1000;
    assert_null(arch_vcpu_spoilt(&v));
    cr3 = host_root.hpa;
    vmx_status = PITH_OK;
    vmx_says.name = "VT-x";
    assert_int_equal(arch_vm_probe(&caps), PITH_OK);
    assert_null(arch_vcpu_spoilt(&v));
}

static void test_probe(void **state)
{
    struct vm_caps caps;

    (void)state;
    assert_ptr_equal(vm_ops_get(), &svm_ops);
    assert_false(arch_vm_caps()->hypercall_vmcall);

    svm_status = PITH_E_HW;
    svm_says = (struct vm_caps){ .name = "AMD-V", .why = "disabled" };
    assert_int_equal(arch_vm_probe(&caps), PITH_E_HW);
    assert_string_equal(caps.why, "disabled");
    svm_says = (struct vm_caps){ .why = "not ours" }; /* no name: not this vendor at all */
    assert_int_equal(arch_vm_probe(&caps), PITH_E_HW);
    assert_non_null(strstr(caps.why, "neither"));

    vmx_status = PITH_OK;
    vmx_says.name = "VT-x";
    assert_int_equal(arch_vm_probe(&caps), PITH_OK);
    assert_ptr_equal(vm_ops_get(), &vmx_ops);
    assert_true(caps.hypercall_vmcall);
    assert_true(arch_vm_caps()->hypercall_vmcall);
}

static bool inject(u8 type, u8 vector)
{
    if (type == X86_EV_EXTINT)
        return arch_vcpu_interrupt(&v, vector);
    return arch_vcpu_inject(&v, &(struct x86_event){ .type = type, .vector = vector });
}

/* One takes another's place; what needed no preparation before it went needs none afterwards, but for tags that ran out. */
static void test_giving_way(void **state)
{
    struct arch_vcpu other = { .vm = &vm, .tag_cpu = &cpu, .tag_epoch = 1, .plain_epoch = 5 };

    (void)state;
    loads = saves = releases = 0;
    cpu.tag_epoch = 1;
    arch_vcpu_load(&v, &cpu);
    assert_int_equal(loads, 0);
    arch_vcpu_load(&other, &cpu);
    assert_ptr_equal(cpu.loaded, &other);
    assert_null(v.cpu);
    assert_int_equal(loads + saves * 10 + releases * 100, 11);
    assert_int_equal(other.plain_epoch, 5);
    arch_vcpu_unload(&other, &cpu);
    assert_int_equal(other.plain_epoch, 0);
    assert_int_equal(releases, 1);

    other.plain_epoch = 5;
    cpu.tag_epoch = 2;
    cpu.loaded = &v;
    v.cpu = &cpu;
    assert_ptr_equal(arch_vcpu_load(&other, &cpu), &other);
    assert_int_equal(other.plain_epoch, 0);
}

/* One that was never loaded is reset before anything of it is in the registers: who was there goes for good. */
static void test_first_load(void **state)
{
    struct arch_vcpu other = { .vm = &vm, .fresh = true, .plain_epoch = 5 };

    (void)state;
    loads = saves = releases = 0;
    assert_ptr_equal(arch_vcpu_load(&other, &cpu), &other);
    assert_ptr_equal(cpu.loaded, &other);
    assert_null(v.cpu);
    assert_false(other.fresh);
    assert_int_equal(loads + saves * 10 + releases * 100, 111);
}

static int barriers_of(struct arch_vcpu *c)
{
    int before = barriers, loaded = loads;

    assert_ptr_equal(arch_vcpu_load(c, &cpu), c);
    assert_true(barriers == before || loads_then == loaded); /* before anything of the new one's is there */
    return barriers - before;
}

/* Between partitions, not between vCPUs of one; a new one may lie where one lay that is gone. */
static void test_barrier(void **state)
{
    struct arch_vm one = { 0 }, other = { 0 };
    struct arch_vcpu a = { .vm = &one }, b = { .vm = &one }, c = { .vm = &other };
    struct vm_caps caps;

    (void)state;
    clears = VM_PREDICTORS;
    assert_int_equal(arch_vm_probe(&caps), PITH_OK);
    assert_int_equal(caps.cleared, VM_PREDICTORS);
    cpu = (struct arch_cpu){ 0 };
    assert_int_equal(barriers_of(&a), 1);
    assert_int_equal(barriers_of(&b), 0);
    assert_int_equal(barriers_of(&b), 0);
    assert_int_equal(barriers_of(&c), 1);
    arch_vcpu_unload(&c, &cpu);
    assert_int_equal(barriers_of(&c), 0);
    arch_vcpu_unload(&c, &cpu);
    assert_int_equal(barriers_of(&b), 1);
    a = (struct arch_vcpu){ .vm = &one, .fresh = true };
    assert_int_equal(barriers_of(&a), 1);

    barriers = 0;
    arch_vm_barrier();
    assert_int_equal(barriers, 1);
    clears = 0; /* such processors do not even look */
    assert_int_equal(arch_vm_probe(&caps), PITH_OK);
    assert_int_equal(barriers_of(&c), 0);
    arch_vcpu_unload(&c, &cpu);
    arch_vm_barrier();
    assert_int_equal(barriers, 1);
}

static void test_interrupt(void **state)
{
    (void)state;
    is_ready = false;
    assert_false(inject(X86_EV_EXTINT, 0x50));
    assert_int_equal(windows, 1);
    assert_false(v.interrupted.valid);
    is_ready = true;
    assert_true(inject(X86_EV_EXTINT, 0x50));
    assert_true(v.interrupted.valid);
    assert_int_equal(v.interrupted.vector, 0x50);
    assert_false(inject(X86_EV_EXTINT, 0x60)); /* one at a time */
    assert_false(inject(X86_EV_NMI, 2));
    assert_int_equal(windows, 3);
    assert_int_equal(v.interrupted.vector, 0x50);
}

/* What a fault pushes has RF set: SDM 3, "Instruction-Breakpoint Exception Condition". */
static void test_resume_flag(void **state)
{
    (void)state;
    for (u8 vector = 0; vector < 32; vector++) {
        bool fault = vector != X86_DB && vector != X86_BP && vector != X86_OF && vector != X86_DF && vector != X86_MC;

        rflags = RFLAGS_IF;
        v.interrupted.valid = false;
        assert_true(inject(X86_EV_EXCEPTION, vector));
        assert_int_equal(rflags, RFLAGS_IF | (fault ? RFLAGS_RF : 0));
    }
    rflags = RFLAGS_IF;
    v.interrupted.valid = false;
    assert_true(inject(X86_EV_EXTINT, X86_GP + 0x40));
    assert_int_equal(rflags, RFLAGS_IF);
}

static void test_exceptions_compose(void **state)
{
    struct vm_exit exit;

    (void)state;
    is_ready = false; /* nor does an exception ask */
    assert_true(inject(X86_EV_EXCEPTION, X86_PF));
    assert_int_equal(v.interrupted.vector, X86_PF);
    assert_true(inject(X86_EV_EXCEPTION, X86_GP));
    assert_int_equal(v.interrupted.vector, X86_DF);
    assert_true(inject(X86_EV_EXCEPTION, X86_PF));
    assert_true(v.shutdown);
    assert_true(inject(X86_EV_EXCEPTION, X86_UD)); /* too late */
    assert_true(v.shutdown);

    arch_vcpu_run(&v, &exit, enough, NULL);
    assert_int_equal(exit.kind, VM_EXIT_SHUTDOWN);
    assert_int_equal(runs, 0);
    assert_false(v.shutdown);
    arch_vcpu_run(&v, &exit, enough, NULL);
    assert_int_equal(exit.kind, VM_EXIT_HLT);
    assert_int_equal(runs, 1);
}

static void test_residency(void **state)
{
    struct arch_vcpu other = { .vm = &vm, .cpu = NULL };
    struct vm_exit exit;
    volatile int caught = 0;

    (void)state;
    if (setjmp(panicked) == 0)
        (void)arch_vcpu_reg(&other, X86_CR8);
    else
        caught++;
    other.cpu = &cpu; /* it says so, but another one is loaded there */
    if (setjmp(panicked) == 0)
        arch_vcpu_run(&other, &exit, enough, NULL);
    else
        caught++;
    assert_int_equal(caught, 2);
    assert_int_equal(runs, 0);
}

static void test_port_map(void **state)
{
    static u8 map[0x2000 + 8];

    (void)state;
    memset(map, 0xff, sizeof(map));
    vm.io_bitmap = map;
    arch_vm_trap_pio(&vm, 0x3f8, 8, false);
    assert_int_equal(map[0x3f8 / 8], 0);
    assert_int_equal(map[0x3f0 / 8], 0xff);
    assert_int_equal(map[0x400 / 8], 0xff);
    arch_vm_trap_pio(&vm, 0x3fa, 1, true);
    assert_int_equal(map[0x3f8 / 8], 4);
    arch_vm_trap_pio(&vm, 0xfffe, 100, false); /* ends at the last port */
    assert_int_equal(map[0x1fff], 0x3f);
    assert_int_equal(map[0x2000], 0xff);
}

static void test_operand(void **state)
{
    struct vm_exit exit = { .kind = VM_EXIT_DR };

    (void)state;
    memcpy(code, "\x41\x0f\x23\xf9", 4); /* mov dr7, r9 */
    vm_resolve_mov_cr(&v, &exit);
    assert_true(exit.dr.known);
    assert_int_equal(exit.dr.gpr, 9);
    exit = (struct vm_exit){ .kind = VM_EXIT_CR, .cr.known = true, .cr.gpr = 3 };
    vm_resolve_mov_cr(&v, &exit);
    assert_int_equal(exit.cr.gpr, 3); /* the processor has said */
    exit.cr.known = false;
    vm_resolve_mov_cr(&v, &exit);
    assert_true(exit.cr.known);
    assert_int_equal(exit.cr.gpr, 9);
    fetch_ok = false;
    exit.cr.known = false;
    vm_resolve_mov_cr(&v, &exit);
    assert_false(exit.cr.known);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_spoilt, setup),
        cmocka_unit_test_setup(test_probe, setup),
        cmocka_unit_test_setup(test_giving_way, setup), cmocka_unit_test_setup(test_first_load, setup),
        cmocka_unit_test_setup(test_barrier, setup),
        cmocka_unit_test_setup(test_interrupt, setup),
        cmocka_unit_test_setup(test_resume_flag, setup),
        cmocka_unit_test_setup(test_exceptions_compose, setup),
        cmocka_unit_test_setup(test_residency, setup),
        cmocka_unit_test_setup(test_port_map, setup),
        cmocka_unit_test_setup(test_operand, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
