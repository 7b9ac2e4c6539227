/* SPDX-License-Identifier: MIT */
/* 16550 serial port (PC16550D data sheet, "Registers"). */
#include "drivers/uart16550.h"

#include "arch/x86/cpu/insn.h"

enum uart_reg {
    UART_DATA = 0, UART_DLL = 0, UART_IER = 1, UART_DLM = 1, UART_FCR = 2, UART_IIR = 2, UART_LCR = 3, UART_MCR = 4, UART_LSR = 5,
    UART_SCR = 7
};

#define LCR_8N1   0x03u
#define LCR_DLAB  0x80u
#define FCR_ON    0x07u /* enable, clear both; interrupt at the first byte received */
#define MCR_READY 0x0bu /* DTR, RTS, and OUT2, which gates the interrupt line on PCs */
#define IER_RX    0x01u
#define IIR_FIFO  0xc0u
#define LSR_DATA  0x01u
#define LSR_THRE  0x20u
#define LSR_TEMT  0x40u

/*
 * A byte takes 87 us at 115200 baud and a port read about 1 us: enough for a full FIFO, for an emulator whose host is busy (20,000 were
 * not), and the end of a dead line.
 */
#define UART_TRIES 300000u

static u8 uart_read(u16 base, enum uart_reg reg)
{
    return inb((u16)(base + reg));
}

static void uart_write(u16 base, enum uart_reg reg, u8 val)
{
    outb((u16)(base + reg), val);
}

static bool uart_present(u16 base)
{
    uart_write(base, UART_SCR, 0x5a);
    if (uart_read(base, UART_SCR) != 0x5a)
        return false;
    uart_write(base, UART_SCR, 0xa5);
    return uart_read(base, UART_SCR) == 0xa5;
}

bool uart_init(u16 base)
{
    if (!uart_present(base))
        return false;

    uart_write(base, UART_IER, 0);
    uart_write(base, UART_LCR, LCR_8N1 | LCR_DLAB);
    uart_write(base, UART_DLL, 1); /* 115200 */
    uart_write(base, UART_DLM, 0);
    uart_write(base, UART_LCR, LCR_8N1);
    uart_write(base, UART_FCR, FCR_ON);
    uart_write(base, UART_MCR, MCR_READY);
    uart_write(base, UART_IER, IER_RX);
    return true;
}

static bool uart_wait(u16 base, u8 bits)
{
    for (u32 i = 0; i < UART_TRIES; i++) {
        if ((uart_read(base, UART_LSR) & bits) == bits)
            return true;
        cpu_relax();
    }
    return false;
}

/* A line that takes nothing costs one wait, not one for each byte: from then on it is only asked, until it is ready again. */
void uart_put(u16 base, u8 c)
{
    static bool stuck;

    stuck = stuck ? !(uart_read(base, UART_LSR) & LSR_THRE) : !uart_wait(base, LSR_THRE);
    if (!stuck)
        uart_write(base, UART_DATA, c);
}

u32 uart_room(u16 base)
{
    if (!(uart_read(base, UART_LSR) & LSR_THRE))
        return 0;
    return (uart_read(base, UART_IIR) & IIR_FIFO) == IIR_FIFO ? 16 : 1;
}

void uart_send(u16 base, u8 c)
{
    uart_write(base, UART_DATA, c);
}

int uart_get(u16 base)
{
    u8 lsr = uart_read(base, UART_LSR);

    /* All ones: the port went away. */
    if (lsr == 0xff || !(lsr & LSR_DATA))
        return -1;
    return uart_read(base, UART_DATA);
}

void uart_flush(u16 base)
{
    (void)uart_wait(base, LSR_TEMT);
}
