/* SPDX-License-Identifier: MIT */
/*
 * Memory that partitions share. One image for all who take part, told by name: 'share' writes to channel 'mail', 'share-reader'
 * only reads it, both write to 'board', where they meet; 'share-stranger' is a member of none, 'share-strict' is ended for trying to
 * write.
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

static void await(unsigned who, uint64_t step)
{
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

/* --- the roles */

static void complaints(void)
{
    test_equal((uint64_t)channel("nothing").status, PITH_E_ARG, "channel-unknown");
    test_equal((uint64_t)channel("").status, PITH_E_ARG, "channel-without-name");
    test_equal((uint64_t)pith_channel(pith_name("mail").low, 1).status, PITH_E_ARG, "channel-longer-name");
    test_equal((uint64_t)channel("secret").status, PITH_E_ARG, "channel-of-others");
}

static void writer(void)
{
    open_channels(RIGHTS_RW);
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
}

static void run_there(uint64_t at)
{
    __asm__ volatile("call *%0" : : "r"(at) : "memory");
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

static void reader(void)
{
    open_channels(RIGHTS_R);
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
}

static void stranger(void)
{
    volatile uint64_t *at = (volatile uint64_t *)CHANNELS;

    test_equal((uint64_t)channel("mail").status, PITH_E_ARG, "stranger-channel");
    test_ok(!(pith_features().rbx & PITH_FEATURE_CHANNEL), "stranger-feature");
    at[0] = 0;
    test_equal(at[0], ~0ull, "stranger-reads-nothing");
    test_equal(at[(2 << 20) / 8], ~0ull, "stranger-reads-nothing-large");
}

/* Ends here: strict = yes. */
static void strict(void)
{
    mail = (volatile uint64_t *)(uintptr_t)address_of("mail", MAIL_SIZE, RIGHTS_R);
    mail[0] = 0;
    test_ok(false, "strict-goes-on");
}

int guest_main(const struct pith_start *start)
{
    static const struct { const char *name; void (*run)(void); } roles[] = {
        { "share", writer }, { "share-reader", reader }, { "share-stranger", stranger }, { "share-strict", strict },
    };

    trap_init();
    for (unsigned i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
        if (strlen(start->name) == strlen(roles[i].name) && memcmp(start->name, roles[i].name, strlen(start->name)) == 0)
            roles[i].run();
    return test_end();
}
