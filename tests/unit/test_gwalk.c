/* SPDX-License-Identifier: MIT */
/*
 * The guest page walker, in every paging mode.
 * LINK: arch/x86/gwalk.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "arch/x86/cpu/regs.h"
#include "arch/x86/gwalk.h"

enum { P = 1, W = 2, U = 4, A = 0x20, D = 0x40, PS = 0x80 };
enum { E_P = 1, E_W = 2, E_U = 4, E_RSVD = 8, E_I = 16 };
#define NX BIT(63)

/* Tables: one page each, from guest-physical 0x1000 on; the top one first. */
#define TABLE(n) (0x1000ull * (n))
static u8 memory[16 * PAGE_SIZE];
static unsigned updates, refuse;
static struct gwalk_env env;
static struct x86_event fault;
static gpa_t gpa;

static bool mem_read(void *ctx, gpa_t at, void *buf, size_t len)
{
    assert_ptr_equal(ctx, memory);
    assert_true(at % len == 0);
    if (at + len > sizeof(memory))
        return false;
    memcpy(buf, memory + at, len);
    return true;
}

static bool mem_update(void *ctx, gpa_t at, u64 old, u64 val, size_t len)
{
    u64 now = 0;

    assert_ptr_equal(ctx, memory);
    memcpy(&now, memory + at, len);
    if (refuse && refuse--)
        return false;
    assert_int_equal(now, old);
    memcpy(memory + at, &val, len);
    updates++;
    return true;
}

static u64 entry64(unsigned table, unsigned index)
{
    u64 e;

    memcpy(&e, memory + TABLE(table) + index * 8, 8);
    return e;
}

static void put64(unsigned table, unsigned index, u64 e)
{
    memcpy(memory + TABLE(table) + index * 8, &e, 8);
}

static void put32(unsigned table, unsigned index, u32 e)
{
    memcpy(memory + TABLE(table) + index * 4, &e, 4);
}

static int reset(void **state)
{
    (void)state;
    memset(memory, 0, sizeof(memory));
    updates = refuse = 0;
    memset(&fault, 0xee, sizeof(fault));
    env = (struct gwalk_env){
        .mode = { .cr0 = CR0_PE | CR0_PG | CR0_WP, .cr3 = TABLE(1) }, .nx = true, .page_1g = true, .maxphyaddr = 40,
        .read = mem_read, .update = mem_update, .ctx = memory,
    };
    return 0;
}

#define L4 0xffff812345678abcull /* indices 258 141 43 120, offset abc */

/* Four levels, the address above mapped to 0x77000 with all rights. */
static int reset_long(void **state)
{
    reset(state);
    env.mode.cr4 = CR4_PAE;
    env.mode.efer = EFER_LMA | EFER_LME | EFER_NXE;
    put64(1, 258, TABLE(2) | P | W | U);
    put64(2, 141, TABLE(3) | P | W | U);
    put64(3, 43, TABLE(4) | P | W | U);
    put64(4, 120, 0x77000 | P | W | U);
    return 0;
}

static void expect(u64 linear, enum gwalk_access access, gpa_t want)
{
    assert_true(gwalk(&env, linear, access, &gpa, &fault));
    assert_int_equal(gpa, want);
}

static void expect_pf(u64 linear, enum gwalk_access access, u32 error)
{
    assert_false(gwalk(&env, linear, access, &gpa, &fault));
    assert_true(fault.valid && fault.has_error);
    assert_int_equal(fault.vector, X86_PF);
    assert_int_equal(fault.type, X86_EV_EXCEPTION);
    assert_int_equal(fault.cr2, linear);
    assert_int_equal(fault.error, error);
}

static void expect_gp(u64 linear)
{
    assert_false(gwalk(&env, linear, GWALK_READ, &gpa, &fault));
    assert_true(fault.valid && fault.has_error);
    assert_int_equal(fault.vector, X86_GP);
    assert_int_equal(fault.error, 0);
}

static void test_no_paging(void **state)
{
    (void)state;
    env.mode.cr0 = CR0_PE;
    expect(0xfee00123, GWALK_WRITE, 0xfee00123);
    expect(0x1fee00123, GWALK_READ, 0xfee00123);
}

static void test_32bit(void **state)
{
    (void)state;
    put32(1, 1, (u32)TABLE(2) | P | W | U);
    put32(2, 3, 0xabcde000 | P | W);
    expect(0x00403456, GWALK_READ, 0xabcde456);
    expect(0x100403456, GWALK_READ, 0xabcde456);
    expect_pf(0x00404000, GWALK_READ, 0);
    expect_pf(0x00800000, GWALK_WRITE, E_W);
    put32(1, 2, (u32)TABLE(2) | P | PS); /* without CR4.PSE: a table */
    expect(0x00803456, GWALK_READ, 0xabcde456);
    expect_pf(0x00803456, GWALK_WRITE, E_P | E_W);
    env.mode.efer = EFER_NXE; /* means nothing here */
    expect_pf(0x00800000, GWALK_FETCH, 0);
}

static void test_32bit_pse36(void **state)
{
    (void)state;
    env.mode.cr4 = CR4_PSE;
    put32(1, 2, 0x00c00000 | 0xa5u << 13 | P | PS);
    expect(0x00923456, GWALK_READ, 0xa500d23456);
    put32(1, 2, 0x00c00000 | 1u << 21 | P | PS);
    expect_pf(0x00923456, GWALK_READ, E_P | E_RSVD);
    env.maxphyaddr = 36;
    put32(1, 2, 0x00c00000 | 0x0fu << 13 | P | PS);
    expect(0x00923456, GWALK_READ, 0xf00d23456);
    put32(1, 2, 0x00c00000 | 0x10u << 13 | P | PS);
    expect_pf(0x00923456, GWALK_READ, E_P | E_RSVD);
    env.maxphyaddr = 32;
    put32(1, 2, 0x00c00000 | 1u << 13 | P | PS);
    expect_pf(0x00923456, GWALK_READ, E_P | E_RSVD);
    env.maxphyaddr = 46;
    put32(1, 2, 0x00c00000 | 0xffu << 13 | P | PS);
    expect(0x00923456, GWALK_READ, 0xff00d23456);
    put32(1, 3, 0xffc00000 | P | PS | W | U);
    expect(0x00ffffff, GWALK_WRITE, 0xffffffff);
    assert_int_equal(memory[TABLE(1) + 12] & (A | D), A | D);
}

static void test_pae(void **state)
{
    (void)state;
    env.mode.cr4 = CR4_PAE;
    env.mode.cr3 = TABLE(1) | 0x60 | 0x1f; /* tables on 32 bytes; low bits are not address */
    put64(1, 12 + 3, TABLE(2) | P | A);
    put64(2, 1, TABLE(3) | P | W | U);
    put64(3, 2, 0x12345000ull | P | W | U);
    put64(2, 2, 0xff00200000ull | P | PS);
    expect(0xc0202345, GWALK_WRITE, 0x12345345);
    assert_int_equal(entry64(1, 15), TABLE(2) | P | A); /* no rights and no Accessed bit at the first level */
    assert_int_equal(entry64(2, 1) & (A | D), A);
    assert_int_equal(entry64(3, 2) & (A | D), A | D);
    expect(0xc0567890, GWALK_READ, 0xff00367890);
    expect_pf(0x00000000, GWALK_READ, 0);
    put64(3, 3, 0x12345000ull | P | NX); /* EFER.NXE = 0: reserved */
    expect_pf(0xc0203000, GWALK_READ, E_P | E_RSVD);
    env.mode.efer = EFER_NXE;
    expect(0xc0203000, GWALK_READ, 0x12345000);
    expect_pf(0xc0203000, GWALK_FETCH, E_P | E_I);
    put64(3, 3, 0x12345000ull | P | BIT(52)); /* reserved, other than in long mode */
    expect_pf(0xc0203000, GWALK_READ, E_P | E_RSVD);
    for (unsigned bit = 1; bit < 64; bit++) {
        bool reserved = bit == 1 || bit == 2 || (bit >= 6 && bit <= 8) || bit >= 40;

        put64(1, 12 + 3, TABLE(2) | P | BIT(bit));
        if (reserved)
            expect_pf(0xc0202345, GWALK_READ, E_P | E_RSVD);
        else if (bit < 12)
            expect(0xc0202345, GWALK_READ, 0x12345345);
    }
}

static void test_long(void **state)
{
    (void)state;
    expect(L4, GWALK_READ, 0x77abc);
    expect(L4, GWALK_WRITE, 0x77abc);
    expect(L4, GWALK_FETCH, 0x77abc);
    env.mode.cpl = 3;
    expect(L4, GWALK_WRITE, 0x77abc);
    expect_pf(L4 + PAGE_SIZE, GWALK_FETCH, E_U | E_I);
    put64(2, 141, 0);
    expect_pf(L4, GWALK_WRITE, E_U | E_W);
    /* PCID and cache bits in CR3, ignored bits in an entry. */
    env.mode.cr3 = TABLE(1) | 0xfff;
    put64(2, 141, TABLE(3) | P | BIT(52) | BIT(62));
    expect_pf(L4, GWALK_READ, E_P | E_U);
}

static void test_long_large_pages(void **state)
{
    (void)state;
    put64(3, 43, 0x40200000 | P | W | U | PS | BIT(12));
    expect(L4, GWALK_WRITE, 0x40278abc);
    put64(3, 43, 0x40200000 | P | PS | BIT(13));
    expect_pf(L4, GWALK_READ, E_P | E_RSVD);
    put64(2, 141, GIB(7) | P | W | U | PS);
    expect(L4, GWALK_WRITE, GIB(7) + 0x5678abc);
    env.page_1g = false;
    expect_pf(L4, GWALK_READ, E_P | E_RSVD);
    env.page_1g = true;
    put64(2, 141, GIB(7) | P | PS | BIT(29));
    expect_pf(L4, GWALK_READ, E_P | E_RSVD);
    put64(1, 258, TABLE(2) | P | PS);
    expect_pf(L4, GWALK_READ, E_P | E_RSVD);
}

static void test_five_levels(void **state)
{
    (void)state;
    env.mode.cr4 |= CR4_LA57;
    env.mode.cr3 = TABLE(5);
    put64(5, 10, TABLE(1) | P | W | U);
    expect(0x000a812345678abcull, GWALK_WRITE, 0x77abc);
    expect_pf(0x0000012345678abcull, GWALK_READ, 0);
    expect_gp(0x0100000000000000ull);
    put64(5, 10, TABLE(1) | P | W | U | PS);
    expect_pf(0x000a812345678abcull, GWALK_READ, E_P | E_RSVD);
}

static void test_canonical(void **state)
{
    (void)state;
    expect_gp(0x0000800000000000ull);
    expect_gp(0xffff7fffffffffffull);
    expect_gp(0x000a812345678abcull);
    expect_pf(0x00007fffffffffffull, GWALK_READ, 0);
    expect_pf(0xffff800000000000ull, GWALK_READ, 0);
}

static void test_reserved(void **state)
{
    (void)state;
    for (unsigned bit = 40; bit < 52; bit++) {
        put64(4, 120, 0x77000 | P | W | U | BIT(bit));
        env.maxphyaddr = (u8)bit;
        expect_pf(L4, GWALK_READ, E_P | E_RSVD);
        env.maxphyaddr = (u8)(bit + 1);
        expect(L4, GWALK_READ, 0x77abc | BIT(bit));
    }
    env.maxphyaddr = 40;
    put64(4, 120, 0x77000 | P | NX);
    env.nx = false;
    expect_pf(L4, GWALK_WRITE, E_P | E_W | E_RSVD);
    put64(4, 120, 0x77000 | BIT(45) | NX); /* not present: the rest means nothing */
    expect_pf(L4, GWALK_READ, 0);
}

/* Every combination of rights at two levels, by the manual's sentences. */
static void test_rights(void **state)
{
    (void)state;
    for (unsigned n = 0; n < 1u << 11; n++) {
        u64 pde = P | (n & 1 ? W : 0) | (n & 2 ? U : 0) | (n & 4 ? NX : 0);
        u64 pte = P | (n & 8 ? W : 0) | (n & 16 ? U : 0);
        bool user_page = (n & 2) && (n & 16), writable = (n & 1) && (n & 8);
        bool user = n & 32, wp = n & 64, smep = n & 128, smap = n & 256, ac = n & 512, nxe = n & 1024;
        bool read = user ? user_page : !(smap && user_page && !ac);
        bool write = read && (writable || (!user && !wp));
        bool fetch = (user ? user_page : !(smep && user_page)) && !(nxe && (n & 4));
        u32 base = E_P | (user ? E_U : 0);

        env.mode.cr0 = CR0_PE | CR0_PG | (wp ? CR0_WP : 0);
        env.mode.cr4 = CR4_PAE | (smep ? CR4_SMEP : 0) | (smap ? CR4_SMAP : 0);
        env.mode.efer = EFER_LMA | (nxe ? EFER_NXE : 0);
        env.mode.rflags = ac ? RFLAGS_AC : 0;
        env.mode.cpl = user ? 3 : 0;
        put64(3, 43, TABLE(4) | pde);
        put64(4, 120, 0x77000 | pte);
        if (!nxe && (n & 4)) {
            expect_pf(L4, GWALK_READ, base | E_RSVD);
            continue;
        }
        read ? expect(L4, GWALK_READ, 0x77abc) : expect_pf(L4, GWALK_READ, base);
        write ? expect(L4, GWALK_WRITE, 0x77abc) : expect_pf(L4, GWALK_WRITE, base | E_W);
        fetch ? expect(L4, GWALK_FETCH, 0x77abc) : expect_pf(L4, GWALK_FETCH, base | (nxe || smep ? E_I : 0));
    }
}

static void test_accessed_and_dirty(void **state)
{
    (void)state;
    expect(L4, GWALK_READ, 0x77abc);
    assert_int_equal(updates, 4);
    assert_int_equal(entry64(1, 258) & (A | D), A);
    assert_int_equal(entry64(4, 120) & (A | D), A);
    expect(L4, GWALK_READ, 0x77abc);
    assert_int_equal(updates, 4);
    expect(L4, GWALK_WRITE, 0x77abc);
    assert_int_equal(updates, 5);
    assert_int_equal(entry64(3, 43) & (A | D), A);
    assert_int_equal(entry64(4, 120) & (A | D), A | D);
}

static void test_no_marks_on_a_fault(void **state)
{
    (void)state;
    put64(4, 120, 0x77000 | P);
    env.mode.cpl = 3;
    expect_pf(L4, GWALK_READ, E_P | E_U);
    assert_int_equal(updates, 0);
    env.mode.cpl = 0;
    env.update = NULL;
    expect(L4, GWALK_READ, 0x77abc);
    assert_int_equal(entry64(4, 120), 0x77000 | P);
}

static void test_lost_races(void **state)
{
    (void)state;
    refuse = 3;
    expect(L4, GWALK_WRITE, 0x77abc);
    assert_int_equal(updates, 4);
    reset_long(state);
    refuse = 1000; /* for ever: ends all the same */
    expect(L4, GWALK_WRITE, 0x77abc);
    assert_int_equal(updates, 0);
}

static void test_tables_outside_memory(void **state)
{
    (void)state;
    env.mode.cr3 = GIB(4);
    expect_pf(L4, GWALK_READ, E_P | E_RSVD);
    env.maxphyaddr = 52;
    expect_pf(L4, GWALK_READ, E_P | E_RSVD);
    env.mode.efer = 0;
    env.mode.cr4 = CR4_PSE;
    env.mode.cr3 = GIB(3);
    expect_pf(0x1000, GWALK_READ, E_P | E_RSVD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_no_paging, reset),
        cmocka_unit_test_setup(test_32bit, reset),
        cmocka_unit_test_setup(test_32bit_pse36, reset),
        cmocka_unit_test_setup(test_pae, reset),
        cmocka_unit_test_setup(test_long, reset_long),
        cmocka_unit_test_setup(test_long_large_pages, reset_long),
        cmocka_unit_test_setup(test_five_levels, reset_long),
        cmocka_unit_test_setup(test_canonical, reset_long),
        cmocka_unit_test_setup(test_reserved, reset_long),
        cmocka_unit_test_setup(test_rights, reset_long),
        cmocka_unit_test_setup(test_accessed_and_dirty, reset_long),
        cmocka_unit_test_setup(test_no_marks_on_a_fault, reset_long),
        cmocka_unit_test_setup(test_lost_races, reset_long),
        cmocka_unit_test_setup(test_tables_outside_memory, reset_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
