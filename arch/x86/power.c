/* SPDX-License-Identifier: MIT */
/* Power off and reboot: the firmware first, since it knows the machine, then what it described, then what PCs have. */
#include "arch/x86/cpu/insn.h"
#include "arch/x86/firmware.h"
#include "arch/x86/host.h"
#include "arch/x86/platform.h"
#include "hv/lib/log.h"

#define PM1_BUTTON   BIT(8) /* of status and enable */
#define PM1_SCI_EN   BIT(0)
#define PM1_SLP_TYP  (7u << 10)
#define PM1_SLP_EN   BIT(13)
#define PCI_ADDRESS  0xcf8
#define PCI_DATA     0xcfc
#define PCI_ENABLE   0x80000000u
#define RESET_PORT   0xcf9
#define KBC_COMMAND  0x64
#define KBC_RESET    0xfe
#define SETTLE_US    300000u
#define SERIAL_US    20000u /* the last line is on its way: 16 bytes of FIFO at 115200 baud, with time to spare */

static void say(const char *what, const char *how)
{
    log_info("%s: %s", what, how);
    arch_udelay(SERIAL_US);
}

static void by_firmware(const char *what, const struct handoff *h, enum efi_reset type)
{
    if (!h)
        return;
    say(what, "UEFI");
    firmware_reset(h, type);
}

/* ACPI, "PM1 Control Registers": the sleep type, then the bit that acts on it, other bits as they are. */
static void pm1_sleep(u16 port, u8 type)
{
    u16 val = (u16)((inw(port) & ~(PM1_SLP_TYP | PM1_SLP_EN)) | (u32)type << 10);

    outw(port, val);
    outw(port, (u16)(val | PM1_SLP_EN));
}

/* The firmware's legacy mode owns these registers until it is told to hand them over. */
static void acpi_mode_on(const struct handoff_machine *acpi)
{
    if (!acpi->pm1a_cnt || !acpi->smi_cmd || !acpi->acpi_enable || inw(acpi->pm1a_cnt) & PM1_SCI_EN)
        return;
    outb(acpi->smi_cmd, acpi->acpi_enable);
    for (u32 us = 0; us < SETTLE_US && !(inw(acpi->pm1a_cnt) & PM1_SCI_EN); us += 1000)
        arch_udelay(1000);
}

/* ACPI, "PM1 Event Registers". Its interrupt is masked: the status is looked at now and then. */
static bool button_on(u16 evt, u32 len)
{
    if (!evt || len < 4)
        return false;
    outw(evt, PM1_BUTTON);
    outw((u16)(evt + len / 2), (u16)(inw((u16)(evt + len / 2)) | PM1_BUTTON));
    return true;
}

static bool button_pressed(u16 evt, u32 len)
{
    if (!evt || len < 4 || !(inw(evt) & PM1_BUTTON))
        return false;
    outw(evt, PM1_BUTTON); /* what is written as one is cleared */
    return true;
}

bool arch_power_button_init(void)
{
    const struct handoff_machine *m = platform_machine;
    u16 control = m->pm1a_cnt ? m->pm1a_cnt : m->chipset_pm1;
    bool a, b;

    /* In its legacy mode the firmware cares for the button, and perhaps for fans, which nobody would if it handed them over. */
    if (!control || !(inw(control) & PM1_SCI_EN))
        return false;
    a = button_on(m->pm1a_evt, m->pm1_evt_len);
    b = button_on(m->pm1b_evt, m->pm1_evt_len);
    return a || b;
}

bool arch_power_button(void)
{
    const struct handoff_machine *m = platform_machine;

    return button_pressed(m->pm1a_evt, m->pm1_evt_len) || button_pressed(m->pm1b_evt, m->pm1_evt_len);
}

static void acpi_power_off(const struct handoff_machine *acpi)
{
    if (!acpi->has_s5 || !acpi->pm1a_cnt)
        return;
    say("power off", "ACPI S5");
    acpi_mode_on(acpi);
    pm1_sleep(acpi->pm1a_cnt, acpi->s5_typ_a);
    if (acpi->pm1b_cnt)
        pm1_sleep(acpi->pm1b_cnt, acpi->s5_typ_b);
    arch_udelay(SETTLE_US);
}

static void chipset_power_off(const struct handoff_machine *machine)
{
    if (!machine->chipset_pm1)
        return;
    say("power off", "chipset");
    pm1_sleep(machine->chipset_pm1, machine->chipset_s5);
    arch_udelay(SETTLE_US);
}

void arch_power_off(const struct handoff *h)
{
    arch_timer_set(~0ull);
    by_firmware("power off", h, EFI_RESET_SHUTDOWN);
    acpi_power_off(platform_machine);
    chipset_power_off(platform_machine);
    log_error("power off: nothing worked; all is stopped, switch the machine off by hand");
    arch_halt();
}

/* ACPI, "Reset Register": in PCI configuration space it lies on bus 0, device in 47:32, function in 31:16. */
static void acpi_reset(const struct handoff_machine *acpi)
{
    u64 at = acpi->reset;
    volatile u8 *mmio;

    if (!at)
        return;
    say("reboot", "ACPI reset register");
    if (acpi->reset_space == HANDOFF_IO)
        outb((u16)at, acpi->reset_value);
    if (acpi->reset_space == HANDOFF_PCI_CONFIG) {
        outl(PCI_ADDRESS, PCI_ENABLE | (u32)(at >> 32 & 31) << 11 | (u32)(at >> 16 & 7) << 8 | (u32)(at & 0xfc));
        outb((u16)(PCI_DATA + (at & 3)), acpi->reset_value);
    }
    if (acpi->reset_space == HANDOFF_MEMORY) {
        mmio = host_map(at, 1, HOST_UC);
        if (mmio)
            *mmio = acpi->reset_value;
    }
    arch_udelay(SETTLE_US);
}

static void chipset_reset(void)
{
    say("reboot", "port 0xcf9");
    outb(RESET_PORT, 0x02);
    outb(RESET_PORT, 0x0e);
    arch_udelay(SETTLE_US);
    say("reboot", "keyboard controller");
    outb(KBC_COMMAND, KBC_RESET);
    arch_udelay(SETTLE_US);
}

static void triple_fault(void)
{
    static const struct {
        u16 limit;
        u64 base;
    } __attribute__((packed)) none;

    say("reboot", "triple fault");
    __asm__ volatile("lidt %0; ud2" : : "m"(none));
}

void arch_reboot(const struct handoff *h)
{
    arch_timer_set(~0ull);
    by_firmware("reboot", h, EFI_RESET_COLD);
    acpi_reset(platform_machine);
    chipset_reset();
    triple_fault();
    arch_halt();
}
