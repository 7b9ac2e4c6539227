/* SPDX-License-Identifier: MIT */
/* PCI devices: who is there, what they decode, and who may write to memory (PCI Local Bus Specification, "Base Addresses"). */
#include "boot/pci.h"

#include "arch/x86/cpu/insn.h"

#define ADDRESS          0xcf8
#define DATA             0xcfc
#define ENABLE           0x80000000u
#define REG_HEADER       0x0cu /* type in bits 16-22 */
#define HEADER_MULTI     0x800000u
#define HEADER_TYPE      0x7f0000u
#define BAR_FIRST        0x10u
#define BAR_PORTS        1u
#define BAR_64(bar)      (((bar) & 7) == 4)
#define HOST_BRIDGE      0x0600u
#define CLASS_DISPLAY    0x03u
#define CLASS_BRIDGE     0x06u
#define CLASS_SERIAL_USB 0x0c03u /* class and subclass */
#define USB_XHCI         0x30u   /* programming interface; UHCI, OHCI and EHCI are 00, 10 and 20 */

static void pci_write(u32 function, u32 reg, u32 val)
{
    outl(ADDRESS, ENABLE | function << 8 | reg);
    outl(DATA, val);
}

static bool exists(u32 function)
{
    return (pci_read(function, 0) & 0xffff) != 0xffff;
}

void pci_each(void (*fn)(void *ctx, u32 function), void *ctx)
{
    for (u32 device = 0; device < 256 * 32 * 8; device += 8) {
        u32 functions = exists(device) ? (pci_read(device, REG_HEADER) & HEADER_MULTI ? 8 : 1) : 0;

        for (u32 f = device; f < device + functions; f++)
            if (exists(f))
                fn(ctx, f);
    }
}

/* Bits that an address register keeps: those above the size. */
static u32 bar_mask(u32 function, u32 reg, u32 was)
{
    u32 mask;

    pci_write(function, reg, ~0u);
    mask = pci_read(function, reg);
    pci_write(function, reg, was);
    return mask;
}

/* Returns how many registers it took. @bar->last below @bar->first: there is nothing. */
static u32 read_bar(u32 function, u32 reg, struct pci_bar *bar)
{
    u32 low = pci_read(function, reg);
    u32 low_mask = bar_mask(function, reg, low);
    u64 flags = low & BAR_PORTS ? 3 : 15;
    u64 mask = low_mask & ~flags;
    u64 base = low & ~flags;
    u32 high;

    if (BAR_64(low)) {
        high = pci_read(function, reg + 4);
        base |= (u64)high << 32;
        mask |= (u64)bar_mask(function, reg + 4, high) << 32;
    } else if (mask) {
        mask |= low & BAR_PORTS ? ~0xffffull : ~0xffffffffull; /* of ports, the upper half may not be there */
    }
    *bar = (struct pci_bar){ base, mask && base ? base | ~mask : 0, low & BAR_PORTS };
    return BAR_64(low) ? 2 : 1;
}

u32 pci_bars(u32 function, struct pci_bar bars[PCI_BARS])
{
    static const u8 registers[] = { 6, 2, 1 }; /* by header type: device, bridge, CardBus */
    u32 type = pci_read(function, REG_HEADER) >> 16 & 0x7f;
    u32 end = BAR_FIRST + (type < ARRAY_SIZE(registers) ? registers[type] * 4u : 0);
    u16 command = (u16)pci_read(function, PCI_COMMAND);
    u32 n = 0;

    if (pci_read(function, PCI_CLASS) >> 16 == HOST_BRIDGE)
        return 0;
    cpu_cli(); /* the firmware's timer may poll this very device */
    pci_write16(function, PCI_COMMAND, (u16)(command & ~(PCI_CMD_PORTS | PCI_CMD_MEMORY)));
    for (u32 reg = BAR_FIRST; reg < end;) {
        reg += 4 * read_bar(function, reg, &bars[n]);
        n += bars[n].last > bars[n].first;
    }
    pci_write16(function, PCI_COMMAND, command);
    cpu_sti();
    return n;
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
    u32 code = pci_read(function, PCI_CLASS);
    bool bridge = pci_read(function, REG_HEADER) & HEADER_TYPE;

    return bridge || code >> 24 == CLASS_BRIDGE || code >> 24 == CLASS_DISPLAY ||
           is_usb_host(code);
}

static void stop_function(void *ctx, u32 function)
{
    u32 command = pci_read(function, PCI_COMMAND);

    (void)ctx;
    if ((command & PCI_CMD_MASTER) && !keeps_bus(function))
        pci_write16(function, PCI_COMMAND, (u16)(command & ~PCI_CMD_MASTER));
}

void pci_stop_bus_masters(void)
{
    pci_each(stop_function, NULL);
}
