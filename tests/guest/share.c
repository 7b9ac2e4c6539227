/* SPDX-License-Identifier: MIT */
/*
 * Memory that partitions share. One image for all who take part, told by name: 'share' writes to channel 'mail', 'share-reader'
 * only reads it, both write to 'board', where they meet, and 'share' grants memory to 'share-reader'; 'share-stranger' is a member of
 * none and may do nothing, 'share-strict' is ended for trying to write.
 */
#include "guests/lib/ring.h"
#include "guests/lib/test.h"
#include "guests/lib/trap.h"

#define CHANNELS   0xc0200000ull
#define MAIL_SIZE  8192ull
#define BOARD_SIZE ((2ull << 20) + 4096)
#define RIGHTS_R   1u
#define RIGHTS_RW  3u
#define MESSAGE    0x7061727469746e73ull
#define WINDOW     0xd0000000ull
#define WINDOW_END 0xd4000000ull
#define PAGE       4096ull

static volatile uint64_t *mail, *board;

static struct pith_result channel(const char *name)
{
    struct pith_words w = pith_name(name);

    return pith_channel(w.low, w.high);
}

static uint64_t address_of(const char *name, uint64_t size, uint64_t rights)
{
    struct pith_result r = channel(name);

    test_equal((uint64_t)r.status, PITH_OK, "channel-status");
    test_equal(r.rcx, size, "channel-size");
    test_equal(r.rdx, rights, "channel-rights");
    return r.rbx;
}

/* --- meeting: the first words of the board say how far each of the two has come */

enum { WRITER, READER };

static void arrive(unsigned who, uint64_t step)
{
    __atomic_store_n(&board[who], step, __ATOMIC_RELEASE);
}

/* With interrupts on: not every emulator makes a guest leave that has them off, and its core would hear nothing meanwhile. */
static void await(unsigned who, uint64_t step)
{
    __asm__ volatile("sti");
    while (__atomic_load_n(&board[who], __ATOMIC_ACQUIRE) < step)
        (void)pith_yield();
}

static bool all_zero(const volatile uint64_t *at, uint64_t size)
{
    uint64_t any = 0;

    for (uint64_t i = 0; i < size / 8; i++)
        any |= at[i];
    return !any;
}

static void open_channels(uint64_t mail_rights)
{
    mail = (volatile uint64_t *)(uintptr_t)address_of("mail", MAIL_SIZE, mail_rights);
    board = (volatile uint64_t *)(uintptr_t)address_of("board", BOARD_SIZE, RIGHTS_RW);
    test_equal((uintptr_t)mail, CHANNELS, "channel-address");
    test_equal((uintptr_t)board, CHANNELS + (2 << 20), "channel-next-address");
    test_ok(pith_features().rbx & PITH_FEATURE_CHANNEL, "channel-feature");
}

/* Where the processor has no RDRAND, that it is refused. */
static void random_words(void)
{
    struct pith_result a = pith_random(), b = pith_random();
    const uint64_t words[8] = { a.rbx, a.rcx, a.rdx, a.rsi, b.rbx, b.rcx, b.rdx, b.rsi };
    uint64_t any = 0, all = ~0ull;
    unsigned nr_stuck = 0;
    bool differ = true;

    if (!(pith_features().rbx & PITH_FEATURE_RANDOM)) {
        test_equal((uint64_t)a.status, PITH_E_HW, "random-without-source");
        return;
    }
    test_ok(a.status == PITH_OK && b.status == PITH_OK, "random");
    for (unsigned i = 0; i < 8; i++) {
        any |= words[i];
        all &= words[i];
        for (unsigned k = 0; k < i; k++)
            differ &= words[i] != words[k];
    }
    test_ok(differ, "random-differs");
    for (uint64_t stuck = ~any | all; stuck; stuck &= stuck - 1)
        nr_stuck++;
    test_ok(nr_stuck < 16, "random-every-bit");
}

/* --- a queue in the board's second page */

#define MESSAGES  1000u
#define RING_NR   16u
#define RING_AT   ((void *)(uintptr_t)((uintptr_t)board + 4096))

static void send(void)
{
    struct ring r = ring_open(RING_AT, RING_NR, sizeof(uint64_t), true);

    for (uint64_t i = 0; i < MESSAGES; i++)
        while (ring_put(&r, &i) == RING_FULL)
            (void)pith_yield();
}

static void receive(void)
{
    struct ring r = ring_open(RING_AT, RING_NR, sizeof(uint64_t), false);
    uint64_t message, wrong = 0;

    for (uint64_t i = 0; i < MESSAGES; i++) {
        while (!ring_get(&r, &message))
            (void)pith_yield();
        wrong += message != i;
    }
    test_equal(wrong, 0, "channel-ring");
}

static void run_there(uint64_t at)
{
    __asm__ volatile("call *%0" : : "r"(at) : "memory");
}

/* --- grants: share's pages go to share-reader; word 3 of the board tells their numbers */

static uint64_t lent[(1 << 20) / 8] __attribute__((aligned(4096)));

static uint64_t granted(uint64_t to, volatile void *at, uint64_t size, uint64_t rights, const char *name)
{
    struct pith_result r = pith_grant(to, (uintptr_t)at, size, rights);

    test_equal((uint64_t)r.status, PITH_OK, name);
    return r.rbx;
}

static void refused(uint64_t to, uint64_t at, uint64_t size, uint64_t rights, int64_t why, const char *name)
{
    test_equal((uint64_t)pith_grant(to, at, size, rights).status, (uint64_t)why, name);
}

static void grants_refused(uint64_t reader, const struct pith_start *start)
{
    uint64_t at = (uintptr_t)lent, numbers[17];
    unsigned given = 0;
    bool all = true;

    refused(0, at, PAGE, RIGHTS_RW, PITH_E_ARG, "grant-to-itself");
    refused(reader + 1, at, PAGE, RIGHTS_RW, PITH_E_PERM, "grant-without-right");
    refused(99, at, PAGE, RIGHTS_RW, PITH_E_PERM, "grant-to-nobody");
    refused(reader, at + 8, PAGE, RIGHTS_RW, PITH_E_ARG, "grant-misaligned");
    refused(reader, at, PAGE - 8, RIGHTS_RW, PITH_E_ARG, "grant-part-of-a-page");
    refused(reader, at, 0, RIGHTS_RW, PITH_E_ARG, "grant-nothing");
    refused(reader, at, PITH_GRANT_MAX + PAGE, RIGHTS_RW, PITH_E_ARG, "grant-too-long");
    refused(reader, at, PAGE, 0, PITH_E_ARG, "grant-no-rights");
    refused(reader, at, PAGE, 2, PITH_E_ARG, "grant-write-only");
    refused(reader, at, PAGE, 7, PITH_E_ARG, "grant-to-execute");
    refused(reader, pith_memory(start) - PAGE, 2 * PAGE, RIGHTS_RW, PITH_E_ARG, "grant-beyond-memory");
    refused(reader, 0xfee00000, PAGE, RIGHTS_RW, PITH_E_ARG, "grant-a-device");
    refused(reader, CHANNELS, PAGE, RIGHTS_RW, PITH_E_ARG, "grant-a-channel");
    refused(reader, ~PAGE + 1, PAGE, RIGHTS_RW, PITH_E_ARG, "grant-the-last-page");
    refused(reader, ~PAGE + 1, 2 * PAGE, RIGHTS_RW, PITH_E_ARG, "grant-around-the-end");
    while (given < 17) {
        struct pith_result r = pith_grant(reader, at + given % 4 * PAGE, PAGE, RIGHTS_R);

        if (r.status != PITH_OK) {
            test_equal((uint64_t)r.status, PITH_E_MEM, "grant-too-many");
            break;
        }
        numbers[given++] = r.rbx;
    }
    test_equal(given, 16, "grant-sixteen");
    for (unsigned i = 0; i < given; i++)
        all &= pith_grant_revoke(numbers[i]).status == PITH_OK;
    test_ok(all, "grant-revoke-all");
    test_equal((uint64_t)pith_grant_revoke(numbers[0]).status, PITH_E_ARG, "grant-revoke-twice");
    test_equal((uint64_t)pith_grant_map(numbers[0], WINDOW).status, PITH_E_ARG, "grant-map-by-owner");
}

/* Tells the other side a number, and waits until it is done with it. */
static void tell(uint64_t number, uint64_t step)
{
    board[3] = number;
    arrive(WRITER, step);
    await(READER, step);
}

static void lend(const struct pith_start *start)
{
    uint64_t reader = pith_self().rbx + 1, number;

    test_ok(pith_features().rbx & PITH_FEATURE_GRANT, "grant-feature");
    grants_refused(reader, start);
    lent[0] = MESSAGE;
    lent[sizeof(lent) / 8 - 1] = ~MESSAGE;
    number = granted(reader, lent, sizeof(lent), RIGHTS_RW, "grant");
    tell(number, 10);
    test_equal(lent[1], MESSAGE + 1, "grant-written-by-target");
    test_equal(lent[sizeof(lent) / 8 - 2], MESSAGE + 2, "grant-end-written-by-target");
    tell(0, 11);        /* it unmaps, and maps once more */
    arrive(WRITER, 12); /* it writes all the time */
    while (!__atomic_load_n(&lent[2], __ATOMIC_RELAXED))
        (void)pith_yield();
    test_equal((uint64_t)pith_grant_revoke(number).status, PITH_OK, "grant-revoke");
    lent[2] = 0;
    await(READER, 12);
    test_equal(lent[2], 0, "grant-revoked-while-in-use");
    number = granted(reader, lent, 2 * PAGE, RIGHTS_R, "grant-read-only");
    tell(number, 13);
    test_equal(lent[0], MESSAGE, "grant-read-only-not-written");
    (void)granted(reader, lent + PAGE / 8, PAGE, RIGHTS_RW, "grant-overlapping");
    /* What is not revoked goes back when this partition ends. */
}

static void maps_refused(uint64_t number)
{
    test_equal((uint64_t)pith_grant_map(number, WINDOW + 8).status, PITH_E_ARG, "grant-map-misaligned");
    test_equal((uint64_t)pith_grant_map(number, WINDOW - PAGE).status, PITH_E_ARG, "grant-map-below-window");
    test_equal((uint64_t)pith_grant_map(number, WINDOW_END - PAGE).status, PITH_E_ARG, "grant-map-beyond-window");
    test_equal((uint64_t)pith_grant_map(number, 0).status, PITH_E_ARG, "grant-map-over-memory");
    test_equal((uint64_t)pith_grant_map(number ^ 1, WINDOW).status, PITH_E_ARG, "grant-map-other-number");
    test_equal((uint64_t)pith_grant_map(number + (1 << 16), WINDOW).status, PITH_E_ARG, "grant-map-later-number");
    test_equal((uint64_t)pith_grant_map(number | 0xff00, WINDOW).status, PITH_E_ARG, "grant-map-of-nobody");
    test_equal((uint64_t)pith_grant_map(0, WINDOW).status, PITH_E_ARG, "grant-map-zero");
    test_equal((uint64_t)pith_grant_unmap(number).status, PITH_E_STATE, "grant-unmap-not-mapped");
    test_equal((uint64_t)pith_grant_unmap(0).status, PITH_E_ARG, "grant-unmap-no-grant");
    test_equal((uint64_t)pith_grant_revoke(number).status, PITH_E_ARG, "grant-revoke-by-target");
}

/* The owner takes it away in the middle of this. Interrupts are off: its core gets out of here all the same. */
static uint64_t until_gone(volatile uint64_t *at)
{
    uint64_t seen;

    __asm__ volatile("cli");
    (void)pith_yield(); /* it is entered like that */
    do {
        at[2] = 1;
        seen = at[0];
    } while (seen == MESSAGE);
    return seen;
}

static void borrow(const struct pith_start *start)
{
    volatile uint64_t *at = (volatile uint64_t *)(WINDOW_END - (1 << 20)), *low = (volatile uint64_t *)WINDOW;
    uint64_t number, words = (1 << 20) / 8;
    struct pith_result r;

    (void)start;
    test_equal(at[0], ~0ull, "grant-window-empty");
    await(WRITER, 10);
    number = board[3];
    maps_refused(number);
    r = pith_grant_map(number, (uintptr_t)at);
    test_ok(r.status == PITH_OK && r.rbx == 1 << 20 && r.rcx == RIGHTS_RW, "grant-map");
    test_ok(at[0] == MESSAGE && at[words - 1] == ~MESSAGE, "grant-read");
    test_equal((uint64_t)pith_grant_map(number, WINDOW).status, PITH_E_STATE, "grant-map-twice");
    test_equal((uint64_t)trap_try(run_there, (uintptr_t)at), TRAP_UD, "grant-not-executable");
    test_equal((uint64_t)pith_grant(1, (uintptr_t)at, PAGE, RIGHTS_R).status, PITH_E_PERM, "grant-by-target");
    at[1] = MESSAGE + 1;
    at[words - 2] = MESSAGE + 2;
    arrive(READER, 10);
    await(WRITER, 11);
    test_equal((uint64_t)pith_grant_unmap(number).status, PITH_OK, "grant-unmap");
    test_ok(at[0] == ~0ull && at[words - 1] == ~0ull, "grant-unmapped");
    test_equal((uint64_t)pith_grant_map(number, WINDOW).status, PITH_OK, "grant-map-again");
    test_equal(low[0], MESSAGE, "grant-read-again");
    arrive(READER, 11);
    await(WRITER, 12);
    test_equal(until_gone(low), ~0ull, "grant-gone");
    test_equal((uint64_t)pith_grant_map(number, WINDOW).status, PITH_E_ARG, "grant-map-revoked");
    arrive(READER, 12);
    await(WRITER, 13);
    number = board[3];
    r = pith_grant_map(number, WINDOW + PAGE);
    test_ok(r.status == PITH_OK && r.rbx == 2 * PAGE && r.rcx == RIGHTS_R, "grant-map-read-only");
    low[PAGE / 8] = 0;
    test_equal(low[PAGE / 8], MESSAGE, "grant-read-only");
    test_equal(low[0], ~0ull, "grant-nothing-before");
    arrive(READER, 13);
    until_gone(low + PAGE / 8);
    test_ok(true, "grant-gone-with-owner");
}

/* --- for ever, while somebody starts either side afresh at any moment: what was lent is gone then, and comes again */

static void lend_again(void)
{
    uint64_t number;
    bool zero = true;

    for (unsigned i = 0; i < 100; i++) { /* nobody writes any more to what was lent before */
        zero &= all_zero(lent, sizeof(lent) / 16);
        (void)pith_yield();
    }
    test_ok(zero, "lent-before-is-gone");
    number = granted(pith_self().rbx + 1, lent, sizeof(lent) / 2, RIGHTS_RW, "grant");
    __atomic_store_n(&board[3], number, __ATOMIC_RELEASE);
    while (!__atomic_load_n(&lent[0], __ATOMIC_RELAXED))
        (void)pith_yield();
    test_ok(true, "lent");
    for (;;)
        (void)pith_wait(pith_now() + 1000000);
}

static void borrow_again(void)
{
    volatile uint64_t *at = (volatile uint64_t *)WINDOW;
    uint64_t number = 0;

    test_equal(at[0], ~0ull, "borrowed-before-is-gone");
    for (;;) {
        do {
            (void)pith_yield();
            number = __atomic_load_n(&board[3], __ATOMIC_ACQUIRE);
        } while (pith_grant_map(number, WINDOW).status != PITH_OK);
        test_ok(at[1] != ~0ull, "borrowed");
        for (uint64_t i = 0; at[0] != ~0ull; i++)
            at[i % 512] = i | 1;
    }
}

/* --- the roles */

static void complaints(void)
{
    test_equal((uint64_t)channel("nothing").status, PITH_E_ARG, "channel-unknown");
    test_equal((uint64_t)channel("").status, PITH_E_ARG, "channel-without-name");
    test_equal((uint64_t)pith_channel(pith_name("mail").low, 1).status, PITH_E_ARG, "channel-longer-name");
    test_equal((uint64_t)channel("secret").status, PITH_E_ARG, "channel-of-others");
}

static void writer(const struct pith_start *start)
{
    open_channels(RIGHTS_RW);
    if (pith_option(start, "again", 0))
        lend_again();
    complaints();
    random_words();
    test_ok(all_zero(mail, MAIL_SIZE), "channel-zero");
    test_ok(all_zero(board + 2, BOARD_SIZE - 16), "channel-zero-large");
    mail[0] = MESSAGE;
    mail[MAIL_SIZE / 8 - 1] = ~MESSAGE;
    board[BOARD_SIZE / 8 - 1] = MESSAGE + 1;
    arrive(WRITER, 1);
    await(READER, 1);
    test_equal(mail[0], MESSAGE, "channel-readers-write-dropped");
    test_equal(mail[2], 0, "channel-readers-string-dropped");
    test_equal(board[2], MESSAGE + 2, "channel-both-ways");
    mail[1] = 1;
    arrive(WRITER, 2);
    send();
    await(READER, 2);
    test_ok(*(volatile uint64_t *)(CHANNELS + MAIL_SIZE) == ~0ull, "channel-nothing-behind");
    lend(start);
}

static void dropped_writes(void)
{
    uint64_t old = 1, zeros[4] = { 0 }, count = 4;
    const uint64_t *from = zeros;
    volatile uint64_t *to = mail + 1;
    bool zf;

    mail[0] = 0;
    test_equal(mail[0], MESSAGE, "reader-write");
    *(volatile uint32_t *)((volatile uint8_t *)mail + 1) = 0;
    test_equal(mail[0], MESSAGE, "reader-write-unaligned");
    __asm__ volatile("xchg %0, (%1)" : "+r"(old) : "r"(mail) : "memory");
    test_equal(old, MESSAGE, "reader-exchange-reads");
    test_equal(mail[0], MESSAGE, "reader-exchange-writes-not");
    __asm__ volatile("lock btsq $0, (%1); setc %0" : "=r"(zf) : "r"(mail) : "memory", "cc");
    test_ok(zf == (MESSAGE & 1) && mail[0] == MESSAGE, "reader-set-bit");
    __asm__ volatile("mov $1, %%eax; rep movsq" : "+S"(from), "+D"(to), "+c"(count) : : "rax", "memory");
    test_ok(count == 0 && mail[0] == MESSAGE && all_zero(mail + 1, 32), "reader-string");
    test_equal((uint64_t)trap_try(run_there, (uintptr_t)mail), TRAP_UD, "channel-not-executable");
}

static void reader(const struct pith_start *start)
{
    open_channels(RIGHTS_R);
    if (pith_option(start, "again", 0))
        borrow_again();
    await(WRITER, 1);
    test_equal(mail[0], MESSAGE, "channel-read");
    test_equal(mail[MAIL_SIZE / 8 - 1], ~MESSAGE, "channel-read-end");
    test_equal(board[BOARD_SIZE / 8 - 1], MESSAGE + 1, "channel-read-large-end");
    dropped_writes();
    board[2] = MESSAGE + 2;
    arrive(READER, 1);
    await(WRITER, 2);
    test_equal(mail[1], 1, "channel-seen-at-once");
    receive();
    arrive(READER, 2);
    borrow(start);
}

static void stranger(const struct pith_start *start)
{
    volatile uint64_t *at = (volatile uint64_t *)CHANNELS;
    bool got = false;

    (void)start;
    test_equal((uint64_t)channel("mail").status, PITH_E_ARG, "stranger-channel");
    test_ok(!(pith_features().rbx & PITH_FEATURE_CHANNEL), "stranger-feature");
    at[0] = 0;
    test_equal(at[0], ~0ull, "stranger-reads-nothing");
    test_equal(at[(2 << 20) / 8], ~0ull, "stranger-reads-nothing-large");
    test_ok(!(pith_features().rbx & PITH_FEATURE_GRANT), "stranger-grant-feature");
    test_equal((uint64_t)pith_grant(1, (uintptr_t)lent, PAGE, RIGHTS_R).status, PITH_E_PERM, "stranger-grants");
    for (uint64_t number = 1 << 16; number < 40 << 16; number += 1 << 16) /* those of the first partition's first slot */
        got |= pith_grant_map(number, WINDOW).status != PITH_E_ARG || pith_grant_unmap(number).status != PITH_E_ARG ||
               pith_grant_revoke(number).status != PITH_E_ARG;
    test_ok(!got, "stranger-maps-nothing");
}

/* Ends here: strict = yes. */
static void strict(const struct pith_start *start)
{
    (void)start;
    mail = (volatile uint64_t *)(uintptr_t)address_of("mail", MAIL_SIZE, RIGHTS_R);
    mail[0] = 0;
    test_ok(false, "strict-goes-on");
}

int guest_main(const struct pith_start *start)
{
    static const struct { const char *name; void (*run)(const struct pith_start *start); } roles[] = {
        { "share", writer }, { "share-reader", reader }, { "share-stranger", stranger }, { "share-strict", strict },
    };

    trap_init();
    for (unsigned i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
        if (strlen(start->name) == strlen(roles[i].name) && memcmp(start->name, roles[i].name, strlen(start->name)) == 0)
            roles[i].run(start);
    return test_end();
}
