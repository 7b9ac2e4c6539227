/* SPDX-License-Identifier: MIT */
/* The terminal: one writer at a time (the console's lock), one reader (core 0). */
#include "hv/terminal.h"

#include "arch/x86/host.h"
#include "drivers/keyboard.h"
#include "drivers/screen.h"
#include "drivers/uart16550.h"
#include "hv/cpu.h"
#include "hv/keys.h"
#include "hv/lib/log.h"
#include "hv/sched.h"

#define RING        (256u << 10)
#define SHARE       (RING / 16) /* of one source: as many as there may be partitions */
#define RESERVE     (8u << 10)  /* more than one write can put, prefixes included; also what the log lives on */
#define DRAIN_BYTES 64u   /* at a time, some 6,500 instructions ... */
#define DRAIN_LETTERS 16u /* ... and 3,500 */
#define DRAIN_US      500u
#define PROMISED_PART 4u  /* of these bytes and letters while somebody waits for what he is promised, ... */
#define PROMISED_REST 500u /* ... and then nothing for so many times as long as they took, ... */
#define PROMISED_MS   11u /* ... or for this, where they took longer: so never twice in the 10 ms of an entitlement */
#define DEAD_MS     3000u /* 100 were too few where an emulator's host was busy: text went into a line that would have taken it */
#define UART_FIFO   16u
#define CODES_AT_ONCE 32u /* a broken controller may say for ever that there is one */

static struct uart line;
static u32 line_gsi = HANDOFF_NO_GSI;
static bool have_line, have_screen, have_keyboard, started;
static struct screen screen;
static char ring[RING];
static u32 head, tail; /* written by the writer, by the reader; never wrap into each other */
static u32 lost;
static u32 epoch;  /* +1 whenever the ring was empty */
static struct timer again;
static u64 rests[2]; /* the next step is then; [true]: while somebody waits for what he is promised */
_Static_assert(TERMINAL_INK == SCREEN_INK && TERMINAL_INKS == SCREEN_INKS, "the screen takes them as they are");

bool terminal_urgent(void)
{
    return log_panicking();
}

/* The serial line has none. */
static bool is_ink(char c)
{
    return (u8)c - TERMINAL_INK < TERMINAL_INKS;
}

static void show_all(void)
{
    if (have_screen)
        (void)screen_show(&screen, ~0u);
}

static void line_put(char c)
{
    if (!have_line || is_ink(c))
        return;
    if (c == '\n')
        uart_put(&line, '\r');
    uart_put(&line, (u8)c);
}

/* Waits for the line; for text that must be out before anything else happens. Then show_all(). */
static void put_now(char c)
{
    line_put(c);
    if (have_screen)
        screen_write(&screen, &c, 1);
}

/* Bytes the line takes now. One that takes none for long is dead: the screen goes on without it. */
static u32 line_room(void)
{
    static u64 stuck;
    u32 room = uart_room(&line);
    u64 now = arch_tsc();

    if (room || !stuck)
        stuck = now;
    return room || now - stuck < DEAD_MS * arch_tsc_khz() ? room : UART_FIFO;
}

/* False: the line is busy with what it got. */
static bool next_out(u32 *room)
{
    char c = ring[tail % RING];

    if (have_line && !is_ink(c)) {
        u32 need = c == '\n' ? 2 : 1;

        if (*room < need)
            *room = line_room();
        if (!*room)
            return false;
        if (need == 2)
            uart_send(&line, '\r');
        uart_send(&line, (u8)c);
        *room -= MIN(need, *room);
    }
    if (have_screen)
        screen_write(&screen, &c, 1);
    __atomic_store_n(&tail, tail + 1, __ATOMIC_RELEASE); /* pairs with the ACQUIRE in ring_put(): the byte was read */
    return true;
}

static bool empty(void)
{
    return __atomic_load_n(&head, __ATOMIC_ACQUIRE) == tail; /* pairs with the RELEASE in ring_put() */
}

static void drain_due(struct timer *t)
{
    (void)t; /* cpu_attend() drains after the timers */
}

/* One step, at @from. */
static void drain(struct cpu *cpu, u64 from, bool promised)
{
    u32 part = promised ? PROMISED_PART : 1, room = 0, n = 0;
    u64 khz = arch_tsc_khz(), now;
    bool all;

    while (n < DRAIN_BYTES / part && !empty() && next_out(&room))
        n++;
    all = (!have_screen || screen_show(&screen, DRAIN_LETTERS / part)) && empty();
    if (empty())
        __atomic_fetch_add(&epoch, 1, __ATOMIC_RELAXED);
    arch_vm_barrier(); /* it was others' text */
    now = arch_tsc();
    rests[false] = all ? now : now + DRAIN_US * khz / 1000;
    rests[true] = MAX(rests[false], now + MIN((now - from) * PROMISED_REST, PROMISED_MS * khz));
    timer_set(&cpu->timers, &again, all ? TIMER_NEVER : rests[promised]);
    sched_spare(cpu, from);
}

/* It is core 0's guests that wait: no oftener than that, however much there is, and they have what they are promised. */
void terminal_drain(void)
{
    struct cpu *cpu = this_cpu();
    bool promised = sched_promised(cpu);
    u64 from = arch_tsc();

    if (from >= rests[promised])
        drain(cpu, from, promised);
    else if (!empty() || again.deadline != TIMER_NEVER)
        timer_set(&cpu->timers, &again, rests[promised]);
}

static void flush(void)
{
    while (!empty()) {
        put_now(ring[tail % RING]);
        tail++;
    }
    if (have_line)
        uart_flush(&line);
    show_all();
}

static void ring_put(const char *text, size_t len)
{
    u32 at = head, room = RING - (at - __atomic_load_n(&tail, __ATOMIC_ACQUIRE)), n = (u32)MIN(len, room);

    for (u32 i = 0; i < n; i++)
        ring[(at + i) % RING] = text[i];
    __atomic_store_n(&head, at + n, __ATOMIC_RELEASE);
    lost += (u32)len - n;
}

u32 terminal_take_lost(void)
{
    u32 n = lost;

    lost = 0;
    return n;
}

void terminal_put(const char *text, size_t len)
{
    if (!started || terminal_urgent()) {
        flush();
        for (size_t i = 0; i < len; i++)
            put_now(text[i]);
        show_all();
        return;
    }
    ring_put(text, len);
}

static bool admit(struct terminal_account *a, size_t len)
{
    u32 now = __atomic_load_n(&epoch, __ATOMIC_RELAXED);
    u32 room = RING - (head - __atomic_load_n(&tail, __ATOMIC_ACQUIRE));

    if (a->epoch != now)
        *a = (struct terminal_account){ .epoch = now };
    a->from = head;
    if (!started || terminal_urgent() || (a->bytes < SHARE && room > RESERVE))
        return true;
    lost += (u32)len;
    return false;
}

bool terminal_admit(struct terminal_account *a, size_t len)
{
    if (len <= a->rest) { /* decided already */
        a->rest -= (u32)len;
        a->from = head;
        lost += a->refused ? (u32)len : 0;
        return !a->refused;
    }
    a->rest = 0;
    return admit(a, len);
}

void terminal_admit_all(struct terminal_account *a, u32 len)
{
    u32 before = lost;

    a->refused = !admit(a, len);
    lost = before;
    a->rest = len;
}

bool terminal_has_room(const struct terminal_account *a)
{
    u32 room = RING - (__atomic_load_n(&head, __ATOMIC_RELAXED) - __atomic_load_n(&tail, __ATOMIC_ACQUIRE));

    return room > 2 * RESERVE && (a->epoch != __atomic_load_n(&epoch, __ATOMIC_RELAXED) || a->bytes < SHARE / 2);
}

void terminal_charge(struct terminal_account *a)
{
    a->bytes += head - a->from;
}

void terminal_kick(void)
{
    if (started && !terminal_urgent())
        cpu_ask(cpu_get(0), ASK_TERMINAL);
}

static void line_on(const struct handoff *h)
{
    line = (struct uart){
        .mmio = h->serial.space == HANDOFF_MEMORY ? phys_to_virt(h->serial.base) : NULL,
        .port = (u16)h->serial.base,
        .stride = h->serial.stride,
        .wide = h->serial.bits == 32,
    };
    line_gsi = h->serial.gsi;
    uart_init(&line);
    have_line = true;
}

void terminal_early(const struct handoff *h)
{
    if (h->serial.bits && (h->serial.space != HANDOFF_MEMORY || h->serial.base < HOST_EARLY_END))
        line_on(h);
}

bool terminal_line_interrupt(u8 vector)
{
    if (!have_line)
        return true;
    /* Who shares a level-triggered one cannot be known: it might never fall. */
    if (line_gsi == HANDOFF_NO_GSI || arch_gsi_level(line_gsi) || arch_gsi_route(line_gsi, vector, arch_cpu_apic_id()) != PITH_OK) {
        line_gsi = HANDOFF_NO_GSI;
        return false;
    }
    uart_interrupt(&line);
    return true;
}

u32 terminal_line_gsi(void)
{
    return line_gsi;
}

void terminal_start(void)
{
    timer_init(&again, drain_due);
    started = true;
}

void terminal_stop(void)
{
    started = false;
    flush();
}

static struct screen_colour colour(struct handoff_colour c)
{
    return (struct screen_colour){ c.shift, c.bits };
}

static u64 screen_size(const struct handoff *h)
{
    return h->fb.bytes ? (u64)h->fb.pitch * h->fb.height : 0;
}

static char said[2048]; /* before there was what shows it */

static void screen_on(const struct handoff *h, void *pixels)
{
    struct screen_desc desc = {
        .width = h->fb.width,
        .height = h->fb.height,
        .pitch = h->fb.pitch,
        .bytes = h->fb.bytes,
        .red = colour(h->fb.red),
        .green = colour(h->fb.green),
        .blue = colour(h->fb.blue),
        .font = phys_to_virt(h->font),
    };
    if (!pixels || !screen_init(&screen, &desc, pixels)) {
        log_warn("the screen (%ux%u) cannot be used", desc.width, desc.height);
        return;
    }
    have_screen = true;
    screen_write(&screen, said, log_tail(said, sizeof(said)));
    show_all();
}

void terminal_screen_early(const struct handoff *h)
{
    u64 size = screen_size(h);

    if (size && h->fb.base < HOST_EARLY_END && size <= HOST_EARLY_END - h->fb.base)
        screen_on(h, phys_to_virt(h->fb.base)); /* arch_host_init() maps it there, too */
}

void terminal_late(const struct handoff *h)
{
    if (!have_line && h->serial.bits) {
        line_on(h);
        for (size_t i = 0, n = log_tail(said, sizeof(said)); i < n; i++)
            line_put(said[i]);
    }
    if (!have_screen && screen_size(h))
        screen_on(h, host_map(h->fb.base, screen_size(h), HOST_WC));
}

struct screen *terminal_get_screen(void)
{
    return have_screen ? &screen : NULL;
}

void terminal_keyboard(void)
{
    have_keyboard = keyboard_init();
    if (!have_keyboard && have_line)
        log_info("no keyboard controller (i8042) answers: what is typed comes from the serial line");
    else if (!have_keyboard)
        log_info("nothing can be typed: neither a serial line nor a keyboard controller (i8042) answers");
}

static bool keyboard_rang = true;

void terminal_keyboard_rang(void)
{
    keyboard_rang = true;
}

/* What a key sends is handed out byte by byte. */
static int key(void)
{
    static struct keys keys;
    static char text[KEYS_BYTES];
    static const char *next = text;

    for (u32 i = 0; i < CODES_AT_ONCE && !*next; i++) {
        int code = keyboard_get();

        if (code < 0)
            return -1;
        keys_take(&keys, (u8)code, text);
        next = text;
    }
    return *next ? (u8)*next++ : -1;
}

int terminal_getc(void)
{
    int c = have_line ? uart_get(&line) : -1;

    if (c >= 0 || !have_keyboard || (started && !keyboard_rang))
        return c;
    c = key();
    keyboard_rang = c >= 0; /* no more, or as good as */
    return c;
}
