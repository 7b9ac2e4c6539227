/* SPDX-License-Identifier: MIT */
/* Keyboard controller (8042 data sheet; IBM PS/2 Hardware Interface Technical Reference, "Keyboard and Auxiliary Device Controller"). */
#include "drivers/keyboard.h"

#include "arch/x86/cpu/insn.h"

#define DATA    0x60u
#define COMMAND 0x64u /* reads as the status */

#define STATUS_OUT 0x01u /* there is a byte to read */
#define STATUS_IN  0x02u /* the last byte written was not taken yet */
#define STATUS_AUX 0x20u /* that byte is the mouse's */

#define CMD_READ_CONFIG  0x20u
#define CMD_WRITE_CONFIG 0x60u
#define CMD_AUX_OFF      0xa7u
#define CMD_KEYBOARD_ON  0xaeu

#define CONFIG_IRQ       0x01u
#define CONFIG_AUX_IRQ   0x02u
#define CONFIG_NO_CLOCK  0x10u
#define CONFIG_TRANSLATE 0x40u /* to set 1 */

#define KEYS_ENABLE 0xf4u  /* to the keyboard itself, which answers ACK */
#define TRIES       20000u /* of about a microsecond; a keyboard takes up to 20 ms for an answer */
#define FLUSH       64u    /* more than a keyboard and its controller hold */

static bool wait(u8 bits, u8 value)
{
    for (u32 i = 0; i < TRIES; i++) {
        if ((inb(COMMAND) & bits) == value)
            return true;
        cpu_relax();
    }
    return false;
}

static bool put(u16 port, u8 byte)
{
    if (!wait(STATUS_IN, 0))
        return false;
    outb(port, byte);
    return true;
}

static bool read_config(u8 *config)
{
    for (u32 i = 0; i < FLUSH && (inb(COMMAND) & STATUS_OUT); i++)
        (void)inb(DATA);
    if (!put(COMMAND, CMD_READ_CONFIG) || !wait(STATUS_OUT, STATUS_OUT))
        return false;
    *config = inb(DATA);
    return true;
}

bool keyboard_init(void)
{
    u8 config;

    if (inb(COMMAND) == 0xff || !put(COMMAND, CMD_AUX_OFF) || !read_config(&config))
        return false;
    config = (u8)((config & ~(CONFIG_AUX_IRQ | CONFIG_NO_CLOCK)) | CONFIG_IRQ | CONFIG_TRANSLATE);
    if (!put(COMMAND, CMD_WRITE_CONFIG) || !put(DATA, config) || !put(COMMAND, CMD_KEYBOARD_ON))
        return false;
    /* The controller is there; a keyboard may be plugged in later, then it comes up enabled. */
    if (put(DATA, KEYS_ENABLE) && wait(STATUS_OUT, STATUS_OUT))
        (void)inb(DATA);
    return true;
}

int keyboard_get(void)
{
    for (u32 i = 0; i < FLUSH; i++) {
        u8 status = inb(COMMAND);

        if (status == 0xff || !(status & STATUS_OUT))
            return -1;
        if (!(status & STATUS_AUX))
            return inb(DATA);
        (void)inb(DATA);
    }
    return -1;
}
