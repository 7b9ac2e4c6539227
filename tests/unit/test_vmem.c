/* SPDX-License-Identifier: MIT */
/*
 * The doors to guest memory: page crossings, wrapping, faults, nothing there.
 * LINK: arch/x86/vmem.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/x86/cpu/regs.h"
#include "arch/x86/vm_ops.h"
#include "arch/x86/vmem.h"
#include "arch/x86/window.h"
#include "hv/lib/panic.h"

/* Four frames; guest-physical page n is frame n, rotated so that neighbours are not neighbours. */
#define PAGES 4
static u8 frames[PAGES][PAGE_SIZE];
static const u8 frame_of[PAGES] = { 2, 0, 3, 1 };
static enum s2_prot prot[PAGES];
static u64 linear_of[PAGES]; /* the page that the guest's tables put at guest-physical page n */
static u64 regs[X86_REGS];
static struct x86_segment cs;
static u8 cpl;
static struct gwalk_env last_env;
static enum gwalk_access last_access;
static u32 walks, lookups, reads, entry_size;
static gpa_t tables; /* what a walk reads: entries in this page */
static enum insn_mode mode;
static struct arch_cpu cpu;
static struct arch_vm vm;
static struct arch_vcpu v;

void panic(const char *fmt, ...)
{
    fprintf(stderr, "panic: %s\n", fmt);
    abort();
}

static u64 fake_reg(const struct arch_vcpu *vcpu, enum x86_reg reg)
{
    (void)vcpu;
    return regs[reg];
}

static void fake_seg(const struct arch_vcpu *vcpu, enum x86_seg seg, struct x86_segment *out)
{
    (void)vcpu;
    assert_true(seg == X86_CS);
    *out = cs;
}

static void fake_mode(const struct arch_vcpu *vcpu, struct vm_mode *mode)
{
    (void)vcpu;
    *mode = (struct vm_mode){ .rip = regs[X86_RIP], .cr0 = regs[X86_CR0], .cr3 = regs[X86_CR3], .cr4 = regs[X86_CR4],
                              .efer = regs[X86_EFER], .rflags = regs[X86_RFLAGS], .cs_attr = cs.attr, .cpl = cpl };
}

static const struct vm_ops fake_ops = { .reg = fake_reg, .mode = fake_mode, .seg = fake_seg };

const struct vm_ops *vm_ops_get(void) { return &fake_ops; }

bool arch_vm_translate(const struct arch_vm *m, gpa_t gpa, enum s2_prot need, hpa_t *hpa)
{
    u64 page = gpa / PAGE_SIZE;

    assert_ptr_equal(m, &vm);
    lookups++;
    if (page >= PAGES || (need & ~prot[page]))
        return false;
    *hpa = (0x100 + (u64)frame_of[page]) * PAGE_SIZE + (gpa & PAGE_MASK);
    return true;
}

static enum window_slot last_slot;
void *window_get(enum window_slot slot, hpa_t page)
{
    last_slot = slot;
    assert_int_equal(page & PAGE_MASK, 0);
    assert_in_range(page / PAGE_SIZE, 0x100, 0x100 + PAGES - 1);
    return frames[page / PAGE_SIZE - 0x100];
}

bool gwalk(const struct gwalk_env *env, u64 linear, enum gwalk_access access, gpa_t *gpa, struct x86_event *fault)
{
    last_env = *env;
    last_access = access;
    walks++;
    for (u32 i = 0; i < reads; i++) {
        u64 entry = 0;

        assert_true(env->read(env->ctx, tables + i * 512ull, &entry, entry_size));
    }
    for (u64 i = 0; i < PAGES; i++) {
        if (linear_of[i] == (linear & ~PAGE_MASK)) {
            *gpa = i * PAGE_SIZE + (linear & PAGE_MASK);
            return true;
        }
    }
    *fault = (struct x86_event){
        .valid = true, .vector = X86_PF, .type = X86_EV_EXCEPTION, .has_error = true, .error = access, .cr2 = linear,
    };
    return false;
}

static u8 *guest(gpa_t gpa)
{
    return &frames[frame_of[gpa / PAGE_SIZE]][gpa & PAGE_MASK];
}

static int setup(void **state)
{
    (void)state;
    memset(frames, 0, sizeof(frames));
    memset(regs, 0, sizeof(regs));
    for (u64 i = 0; i < PAGES; i++) {
        prot[i] = S2_RWX;
        linear_of[i] = 0x400000 + i * PAGE_SIZE;
    }
    walks = reads = 0;
    entry_size = 8;
    tables = 0x3000;
    vm = (struct arch_vm){ .s2_epoch = 1 };
    v = (struct arch_vcpu){ .vm = &vm, .cpu = &cpu, .fetch.rip = FETCH_NOWHERE };
    cpu.loaded = &v;
    regs[X86_EFER] = EFER_LMA | EFER_LME;
    cs = (struct x86_segment){ .attr = 0xa09b, .base = 0x5555 }; /* 64-bit: the base does not count */
    cpl = 0;
    return 0;
}

static void test_physical(void **state)
{
    u8 out[300], in[300];

    (void)state;
    for (size_t i = 0; i < sizeof(out); i++)
        out[i] = (u8)(i * 7 + 1);
    assert_int_equal(arch_vm_write(&vm, 0x1f80, out, sizeof(out)), PITH_OK);
    assert_int_equal(*guest(0x1fff), out[0x7f]);
    assert_int_equal(*guest(0x2000), out[0x80]);
    assert_int_equal(arch_vm_read(&vm, 0x1f80, in, sizeof(in)), PITH_OK);
    assert_memory_equal(in, out, sizeof(out));
    assert_int_equal(arch_vm_read(&vm, 0x1f80, in, 0), PITH_OK);
}

static void test_physical_bounds(void **state)
{
    u8 buf[64];

    (void)state;
    memset(buf, 0xee, sizeof(buf));
    assert_int_equal(arch_vm_write(&vm, 0x3ff0, buf, 64), PITH_E_ARG);
    assert_int_equal(*guest(0x3ff0), 0); /* not even the part that would have fitted */
    assert_int_equal(arch_vm_read(&vm, 0x3ff0, buf, 64), PITH_E_ARG);
    assert_int_equal(arch_vm_read(&vm, ~0ull - 3, buf, 16), PITH_E_ARG); /* wraps */
    assert_int_equal(arch_vm_write(&vm, ~0ull - 3, buf, 16), PITH_E_ARG);
    prot[2] = S2_R;
    assert_int_equal(arch_vm_write(&vm, 0x1ff0, buf, 64), PITH_E_ARG);
    assert_int_equal(*guest(0x1ff0), 0);
    assert_int_equal(arch_vm_read(&vm, 0x1ff0, buf, 64), PITH_OK);
}

static void test_translate(void **state)
{
    struct x86_event fault;
    gpa_t gpa;

    (void)state;
    assert_true(arch_vcpu_translate(&v, 0x400ffc, false, &gpa, &fault));
    assert_int_equal(last_access, GWALK_READ);
    assert_int_equal(gpa, 0xffc);
    assert_true(arch_vcpu_translate(&v, 0x403008, true, &gpa, &fault));
    assert_int_equal(last_access, GWALK_WRITE);
    assert_int_equal(gpa, 0x3008);
    assert_false(arch_vcpu_translate(&v, 0x404000, true, &gpa, &fault));
    assert_int_equal(fault.vector, X86_PF);
    assert_int_equal(fault.cr2, 0x404000);
    prot[3] = S2_NONE; /* what is there is not asked */
    assert_true(arch_vcpu_translate(&v, 0x403008, true, &gpa, &fault));
}

static void test_environment(void **state)
{
    struct x86_event fault;
    u64 old = 5, val, table = 0x00000007000ff027;
    gpa_t gpa;

    (void)state;
    regs[X86_CR0] = CR0_PE | CR0_PG | CR0_WP;
    regs[X86_CR3] = 0x1000;
    regs[X86_CR4] = CR4_PAE;
    regs[X86_RFLAGS] = RFLAGS_AC;
    cpl = 3;
    assert_true(arch_vcpu_translate(&v, 0x400000, false, &gpa, &fault));
    assert_int_equal(last_env.mode.cpl, 3);
    assert_int_equal(last_env.mode.cr0, regs[X86_CR0]);
    assert_int_equal(last_env.mode.cr3, 0x1000);
    assert_int_equal(last_env.mode.cr4, CR4_PAE);
    assert_int_equal(last_env.mode.rflags, RFLAGS_AC);
    assert_int_equal(last_env.mode.efer, regs[X86_EFER]);

    memcpy(guest(0x2008), &table, 8);
    assert_true(last_env.read(last_env.ctx, 0x2008, &val, 8));
    assert_true(val == table);
    assert_false(last_env.read(last_env.ctx, PAGES * PAGE_SIZE, &val, 8));
    assert_false(last_env.update(last_env.ctx, 0x2008, old, 6, 8)); /* somebody was faster */
    assert_memory_equal(guest(0x2008), &table, 8);
    assert_true(last_env.update(last_env.ctx, 0x2008, table, table | 0x40, 8));
    assert_int_equal(*guest(0x2008), 0x67);
    assert_true(last_env.update(last_env.ctx, 0x200c, 7, 9, 4));
    assert_int_equal(*guest(0x200c), 9);
    assert_int_equal(*guest(0x200b), 0);
    prot[2] = S2_R;
    assert_false(last_env.update(last_env.ctx, 0x200c, 9, 7, 4));
}

static void test_fetch(void **state)
{
    struct x86_event fault;
    u8 bytes[15], len;

    (void)state;
    for (u8 i = 0; i < 20; i++)
        *guest(0xff8 + i) = i;
    regs[X86_RIP] = 0x400ff8;
    assert_true(arch_vcpu_fetch(&v, bytes, &len, &mode, &fault));
    assert_int_equal(last_access, GWALK_FETCH);
    assert_int_equal(len, 15);
    assert_int_equal(bytes[14], 14);
    assert_false(fault.valid);

    linear_of[1] = ~0ull & ~PAGE_MASK; /* the next page cannot be fetched: what there is */
    assert_true(arch_vcpu_fetch(&v, bytes, &len, &mode, &fault));
    assert_int_equal(len, 8);
    assert_true(fault.valid);
    linear_of[0] = 0;
    assert_false(arch_vcpu_fetch(&v, bytes, &len, &mode, &fault));
    assert_int_equal(fault.cr2, 0x400ff8);
}

/* Linear addresses have 32 bits outside 64-bit mode: what is fetched may wrap. */
static void test_fetch_wraps_at_4g(void **state)
{
    struct x86_event fault;
    u8 bytes[15], len;

    (void)state;
    linear_of[0] = 0xfffff000;
    linear_of[1] = 0;
    cs = (struct x86_segment){ .attr = 0xc09b };
    regs[X86_RIP] = 0xfffffffe;
    *guest(0xffe) = 0x11;
    *guest(0x1000) = 0x33;
    assert_true(arch_vcpu_fetch(&v, bytes, &len, &mode, &fault));
    assert_int_equal(len, 15);
    assert_int_equal(bytes[0], 0x11);
    assert_int_equal(bytes[2], 0x33);
    cs.attr = 0xa09b; /* 64-bit mode goes on above */
    assert_true(arch_vcpu_fetch(&v, bytes, &len, &mode, &fault));
    assert_int_equal(len, 2);
    assert_true(fault.cr2 == 0x100000000);
}

/* An empty bus reads as ones. */
static void test_fetch_where_nothing_is(void **state)
{
    static const u8 ones[15] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
    struct x86_event fault;
    u8 bytes[15], len;

    (void)state;
    prot[1] = S2_NONE;
    *guest(0xffe) = 0x12;
    *guest(0xfff) = 0x34;
    regs[X86_RIP] = 0x400ffe;
    assert_true(arch_vcpu_fetch(&v, bytes, &len, &mode, &fault));
    assert_int_equal(len, 15);
    assert_int_equal(bytes[1], 0x34);
    assert_memory_equal(bytes + 2, ones, 13);
    regs[X86_RIP] = 0x401800;
    assert_true(arch_vcpu_fetch(&v, bytes, &len, &mode, &fault));
    assert_int_equal(len, 15);
    assert_memory_equal(bytes, ones, 15);
}

/* Where the walk began, which leads nowhere. */
static u64 code_at(enum insn_mode want)
{
    struct x86_event fault;
    u8 bytes[15], len;

    assert_false(arch_vcpu_fetch(&v, bytes, &len, &mode, &fault));
    assert_int_equal(mode, want);
    assert_int_equal(arch_vcpu_code_mode(&v), want);
    return fault.cr2;
}

static void test_code(void **state)
{
    (void)state;
    regs[X86_RIP] = 0x1234;
    assert_int_equal(code_at(INSN_64), 0x1234);
    cs.attr = 0xc09b;
    assert_int_equal(code_at(INSN_32), 0x1234 + 0x5555);
    regs[X86_EFER] = 0;
    cs.attr = 0x209b; /* L without long mode means nothing */
    cs.base = 0xfffff000;
    assert_int_equal(code_at(INSN_16), 0x234);
}

static bool fetch_walks(void)
{
    struct x86_event fault;
    u8 bytes[15], len;
    u32 before = walks;

    assert_true(arch_vcpu_fetch(&v, bytes, &len, &mode, &fault));
    assert_int_equal(len, 15);
    assert_int_equal(bytes[0], *guest(0x1010));
    return walks != before;
}

/* The page that was seen last is taken again only while every entry on the way and what decides about paging are the same. */
static void test_cached_fetch(void **state)
{
    static const enum x86_reg watched[] = { X86_CR0, X86_CR3, X86_CR4, X86_EFER };

    (void)state;
    reads = 4;
    regs[X86_RIP] = 0x401010;
    *guest(0x1010) = 0xa1;
    assert_true(fetch_walks());
    assert_false(fetch_walks());
    *guest(0x1010) = 0xa2; /* the bytes are read every time */
    assert_false(fetch_walks());
    for (u32 i = 0; i < reads; i++) {
        *guest(0x3000 + i * 512 + 6) ^= 0x80;
        assert_true(fetch_walks());
        assert_false(fetch_walks());
    }
    for (u32 i = 0; i < ARRAY_SIZE(watched); i++) {
        regs[watched[i]] ^= BIT(11);
        assert_true(fetch_walks());
        assert_false(fetch_walks());
    }
    vm.s2_epoch++;
    assert_true(fetch_walks());
    assert_false(fetch_walks());
    entry_size = 4;
    *guest(0x3000) ^= 0x80;
    assert_true(fetch_walks());
    assert_false(fetch_walks());
    *guest(0x3003) ^= 0x80;
    assert_true(fetch_walks());
    *guest(0x3004) ^= 0x80; /* beyond a 4-byte entry */
    assert_false(fetch_walks());
    reads = 5; /* more than there is room for: not known, so walked every time */
    *guest(0x3000) ^= 0x80;
    assert_true(fetch_walks());
    assert_true(fetch_walks());
}

static u32 fetch_lookups(u64 rip)
{
    struct x86_event fault;
    u8 bytes[15], len;
    u32 before = lookups;

    regs[X86_RIP] = rip;
    assert_true(arch_vcpu_fetch(&v, bytes, &len, &mode, &fault));
    return lookups - before;
}

/* The next page is found by tables that are in sight already, while they are the ones and no right was taken away. */
static void test_tables_in_sight(void **state)
{
    (void)state;
    reads = 4;
    assert_int_equal(fetch_lookups(0x400010), 5);
    assert_int_equal(fetch_lookups(0x401010), 1);
    *guest(0x3000 + 6) ^= 0x80; /* read anew all the same */
    assert_int_equal(fetch_lookups(0x401010), 1);
    assert_int_equal(fetch_lookups(0x401010), 0);
    tables = 0x2000;
    assert_int_equal(fetch_lookups(0x400010), 5);
    *guest(0x2000 + 6) ^= 0x80;
    assert_int_equal(fetch_lookups(0x400010), 1);
    vm.s2_epoch++;
    assert_int_equal(fetch_lookups(0x401010), 5);
}

/* By its vCPU, page and tables, while no right was taken away; each in a window that nobody else uses. */
static void test_recalled_code(void **state)
{
    static struct arch_vcpu other;
    u32 before;

    (void)state;
    memset(cpu.code, 0, sizeof(cpu.code));
    other = v;
    regs[X86_CR3] = 0x1000;
    assert_false(vmem_recall_code(&v, 0x400010, 0x1000));
    for (u64 i = 0; i < 2; i++) {
        regs[X86_RIP] = 0x400010 + i * PAGE_SIZE;
        vmem_cache_code(&v);
        assert_in_range(last_slot, WINDOW_CODE, WINDOW_CODE_TABLES - 1);
    }
    v.fetch = (struct vm_fetch){ .rip = FETCH_NOWHERE };
    before = walks;
    for (u64 i = 0; i < 2; i++) {
        assert_true(vmem_recall_code(&v, 0x400800 + i * PAGE_SIZE, 0x1000));
        assert_int_equal(v.fetch.rip, 0x400000 + i * PAGE_SIZE);
        assert_int_equal(v.fetch.cr3, 0x1000);
        assert_ptr_equal(v.fetch.at, guest(i * PAGE_SIZE));
    }
    assert_int_equal(walks, before);
    assert_false(vmem_recall_code(&v, 0x402000, 0x1000));
    assert_false(vmem_recall_code(&v, 0x401000, 0x2000));
    assert_false(vmem_recall_code(&other, 0x401000, 0x1000));
    vm.s2_epoch++;
    assert_false(vmem_recall_code(&v, 0x401000, 0x1000));
}

/* It is known that the page was this one, not by which tables: who asks for more than bytes walks. */
static void test_recalled_is_not_walked(void **state)
{
    (void)state;
    reads = 4;
    regs[X86_RIP] = 0x401010;
    *guest(0x1010) = 0xa1;
    assert_true(fetch_walks());
    assert_false(fetch_walks());
    assert_true(vmem_recall_code(&v, 0x401010, regs[X86_CR3]));
    assert_true(fetch_walks());
}

static void test_fetch_with_base_is_not_cached(void **state)
{
    (void)state;
    cs = (struct x86_segment){ .attr = 0x9b, .base = 0x400000 };
    regs[X86_EFER] = 0;
    regs[X86_RIP] = 0x1010;
    assert_true(fetch_walks());
    assert_true(fetch_walks());
    assert_true(v.fetch.rip == FETCH_NOWHERE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_physical, setup),
        cmocka_unit_test_setup(test_physical_bounds, setup),
        cmocka_unit_test_setup(test_translate, setup),
        cmocka_unit_test_setup(test_environment, setup),
        cmocka_unit_test_setup(test_fetch, setup),
        cmocka_unit_test_setup(test_fetch_wraps_at_4g, setup),
        cmocka_unit_test_setup(test_fetch_where_nothing_is, setup),
        cmocka_unit_test_setup(test_cached_fetch, setup),
        cmocka_unit_test_setup(test_tables_in_sight, setup),
        cmocka_unit_test_setup(test_recalled_code, setup),
        cmocka_unit_test_setup(test_recalled_is_not_walked, setup),
        cmocka_unit_test_setup(test_fetch_with_base_is_not_cached, setup),
        cmocka_unit_test_setup(test_code, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
