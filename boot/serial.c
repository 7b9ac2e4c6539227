/* SPDX-License-Identifier: MIT */
/* COM1 by hand: the firmware may not know it, and after ExitBootServices only this one is left. */
#include "boot/serial.h"

#include "arch/x86/cpu/insn.h"

#define COM1 0x3f8

/* Registers of the 16550, as offsets; THR, DLL and DLM share theirs with others. */
enum uart_register {
    THR = 0,
    DLL = 0,
    DLM = 1,
    IER = 1,
    FCR = 2,
    LCR = 3,
    MCR = 4,
    LSR = 5,
    SCR = 7
};

#define FCR_ENABLE  0x01
#define LCR_8N1     0x03
#define LCR_DLAB    0x80
#define MCR_DTR_RTS 0x03
#define LSR_THRE    0x20
#define LSR_TEMT    0x40

static bool present;

/*
 * Bounded: a UART whose bit never comes must not stop the machine from starting. Port reads take
 * about 1 us.
 */
static bool wait_for(u8 bit)
{
    for (u32 i = 0; i < 100000; i++) {
        if (inb(COM1 + LSR) & bit)
            return true;
    }
    return false;
}

/* The scratch register keeps what is written; an empty port does not. */
static bool scratch_keeps(u8 value)
{
    outb(COM1 + SCR, value);
    return inb(COM1 + SCR) == value;
}

bool serial_init(void)
{
    present = scratch_keeps(0x5a) && scratch_keeps(0xa5);
    if (!present)
        return false;
    wait_for(LSR_TEMT); /* changing the divisor would garble what the firmware is still sending */
    outb(COM1 + IER, 0);
    outb(COM1 + LCR, LCR_DLAB | LCR_8N1);
    outb(COM1 + DLL, 1);
    outb(COM1 + DLM, 0);
    outb(COM1 + LCR, LCR_8N1);
    outb(COM1 + FCR, FCR_ENABLE);
    outb(COM1 + MCR, MCR_DTR_RTS);
    return true;
}

void serial_write(const char *s)
{
    for (; present && *s; s++) {
        present = wait_for(LSR_THRE);
        if (present)
            outb(COM1 + THR, (u8)*s);
    }
}
