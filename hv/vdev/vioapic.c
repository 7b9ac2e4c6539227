/* SPDX-License-Identifier: MIT */
/* An I/O APIC as a pure state machine. Intel 82093AA I/O APIC data sheet. */
#include "hv/vdev/vioapic.h"

#define IOREGSEL 0x00u
#define IOWIN    0x10u

#define REG_ID      0x00u
#define REG_VERSION 0x01u
#define REG_ARB     0x02u
#define REG_RTE     0x10u

#define VERSION        (0x11u | (VIOAPIC_PINS - 1) << 16)
#define ID_MASK        0x0f000000u

#define RTE_DELIVERY(rte) ((u8)((rte) >> 8 & 7))
#define RTE_LOGICAL    BIT(11)
#define RTE_STATUS     BIT(12)
#define RTE_REMOTE_IRR BIT(14)
#define RTE_LEVEL      BIT(15)
#define RTE_MASKED     BIT(16)
#define RTE_DEST(rte)  ((u32)((rte) >> 56))
#define RTE_READ_ONLY  (RTE_STATUS | RTE_REMOTE_IRR)
#define RTE_DEFINED    (0xff0000000001ffffull)
#define DELIVERY_LOWEST 1u

void vioapic_reset(struct vioapic *io)
{
    u32 level = io->level;

    *io = (struct vioapic){ .level = level }; /* the pins belong to the devices */
    for (u32 i = 0; i < VIOAPIC_PINS; i++)
        io->rte[i] = RTE_MASKED;
}

/* SMI, NMI, INIT and ExtINT have no EOI to wait for: edges, whatever the trigger bit says. */
static bool is_level(u64 rte)
{
    return (rte & RTE_LEVEL) && RTE_DELIVERY(rte) <= DELIVERY_LOWEST;
}

static void send(u64 rte, vioapic_deliver_fn *deliver, void *ctx)
{
    struct vioapic_msg msg = {
        .vector = (u8)rte,
        .delivery_mode = RTE_DELIVERY(rte),
        .logical = rte & RTE_LOGICAL,
        .level = is_level(rte),
        .dest = RTE_DEST(rte),
    };

    deliver(ctx, &msg);
}

static void service_level(struct vioapic *io, u32 pin, vioapic_deliver_fn *deliver, void *ctx)
{
    u64 *rte = &io->rte[pin];

    if (!is_level(*rte) || (*rte & (RTE_MASKED | RTE_REMOTE_IRR)) || !(io->level & BIT(pin)))
        return;
    *rte |= RTE_REMOTE_IRR;
    send(*rte, deliver, ctx);
}

/* An edge on a masked pin is lost, as the data sheet says. */
void vioapic_set_pin(struct vioapic *io, u32 pin, bool level, vioapic_deliver_fn *deliver,
                     void *ctx)
{
    bool rising;

    if (pin >= VIOAPIC_PINS)
        return;
    rising = level && !(io->level & BIT(pin));
    io->level = (io->level & ~(u32)BIT(pin)) | (u32)level << pin;
    if (is_level(io->rte[pin]))
        service_level(io, pin, deliver, ctx);
    else if (rising && !(io->rte[pin] & RTE_MASKED))
        send(io->rte[pin], deliver, ctx);
}

u32 vioapic_waiting(const struct vioapic *io, u8 vector)
{
    u32 found = 0;

    for (u32 pin = 0; pin < VIOAPIC_PINS; pin++)
        if ((u8)io->rte[pin] == vector && (io->rte[pin] & RTE_REMOTE_IRR))
            found |= 1u << pin;
    return found;
}

void vioapic_eoi(struct vioapic *io, u8 vector, vioapic_deliver_fn *deliver, void *ctx)
{
    for (u32 pin = 0; pin < VIOAPIC_PINS; pin++) {
        if ((u8)io->rte[pin] != vector || !(io->rte[pin] & RTE_REMOTE_IRR))
            continue;
        io->rte[pin] &= ~RTE_REMOTE_IRR;
        service_level(io, pin, deliver, ctx);
    }
}

static u32 read_window(const struct vioapic *io)
{
    u32 half = io->index - REG_RTE;

    switch (io->index) {
    case REG_ID:
    case REG_ARB: return io->id;
    case REG_VERSION: return VERSION;
    default:
        if (io->index < REG_RTE || half >= 2 * VIOAPIC_PINS)
            return 0;
        return (u32)(io->rte[half / 2] >> (half % 2 * 32));
    }
}

u32 vioapic_read(const struct vioapic *io, u32 offset)
{
    if (offset == IOREGSEL)
        return io->index;
    return offset == IOWIN ? read_window(io) : 0;
}

/* Making an entry edge-triggered clears Remote IRR: how software ends a stuck one. */
static void write_rte(struct vioapic *io, u32 half, u32 val, vioapic_deliver_fn *deliver, void *ctx)
{
    u32 pin = half / 2, shift = half % 2 * 32;
    u64 writable = RTE_DEFINED & ~RTE_READ_ONLY & (0xffffffffull << shift);
    u64 rte = (io->rte[pin] & ~writable) | ((u64)val << shift & writable);

    io->rte[pin] = is_level(rte) ? rte : rte & ~RTE_REMOTE_IRR;
    service_level(io, pin, deliver, ctx);
}

void vioapic_write(struct vioapic *io, u32 offset, u32 val, vioapic_deliver_fn *deliver, void *ctx)
{
    if (offset == IOREGSEL)
        io->index = (u8)val;
    else if (offset != IOWIN)
        return;
    else if (io->index == REG_ID)
        io->id = val & ID_MASK;
    else if (io->index >= REG_RTE && io->index < REG_RTE + 2 * VIOAPIC_PINS)
        write_rte(io, io->index - REG_RTE, val, deliver, ctx);
}
