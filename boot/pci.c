/* SPDX-License-Identifier: MIT */
/*
 * Takes away from PCI devices the right to write to memory: what the firmware's drivers set up may
 * still be running.
 */
#include "arch/x86/cpu/insn.h"
#include "boot/loader.h"

#define CONFIG_ADDRESS     0xcf8
#define CONFIG_DATA        0xcfc
#define CONFIG_ENABLE      0x80000000u

#define REG_ID             0x00
#define REG_COMMAND        0x04
#define REG_CLASS          0x08
#define REG_HEADER_TYPE    0x0c /* in bits 16-23 */

#define COMMAND_BUS_MASTER 4u
#define HEADER_MULTI       0x800000u
#define HEADER_TYPE        0x7f0000u
#define CLASS_DISPLAY      0x03u
#define CLASS_BRIDGE       0x06u
#define CLASS_SERIAL_USB   0x0c03u /* class and subclass */
#define USB_XHCI           0x30u   /* programming interface; UHCI, OHCI and EHCI are 00, 10 and 20 */

static u32 config_read(u32 function, u32 reg)
{
    outl(CONFIG_ADDRESS, CONFIG_ENABLE | function << 8 | reg);
    return inl(CONFIG_DATA);
}

static void config_write16(u32 function, u32 reg, u16 value)
{
    outl(CONFIG_ADDRESS, CONFIG_ENABLE | function << 8 | reg);
    outw(CONFIG_DATA, value); /* not the upper half: writing ones there clears status bits */
}

/* Not USB4 and device-side controllers, which are of the same class. */
static bool is_usb_host(u32 code)
{
    return code >> 16 == CLASS_SERIAL_USB && (code >> 8 & 0xff) <= USB_XHCI && !(code >> 8 & 0xf);
}

/*
 * Bridges only pass on what others began. USB controllers still feed the firmware's emulation of a
 * PS/2 keyboard, which the console uses. Integrated graphics read the picture on the screen from
 * memory as bus masters.
 */
static bool keeps_bus(u32 function)
{
    u32 code = config_read(function, REG_CLASS);
    bool bridge = config_read(function, REG_HEADER_TYPE) & HEADER_TYPE;

    return bridge || code >> 24 == CLASS_BRIDGE || code >> 24 == CLASS_DISPLAY ||
           is_usb_host(code);
}

static bool exists(u32 function)
{
    return (config_read(function, REG_ID) & 0xffff) != 0xffff;
}

static void stop_function(u32 function)
{
    u32 command = config_read(function, REG_COMMAND);

    if ((command & COMMAND_BUS_MASTER) && !keeps_bus(function))
        config_write16(function, REG_COMMAND, (u16)(command & ~COMMAND_BUS_MASTER));
}

/* Functions are numbered as in CONFIG_ADDRESS: bus, device, function in 8, 5 and 3 bits. */
void pci_stop_bus_masters(void)
{
    for (u32 device = 0; device < 256 * 32 * 8; device += 8) {
        u32 functions;

        if (!exists(device))
            continue;
        functions = config_read(device, REG_HEADER_TYPE) & HEADER_MULTI ? 8 : 1;
        for (u32 f = device; f < device + functions; f++) {
            if (exists(f))
                stop_function(f);
        }
    }
}
