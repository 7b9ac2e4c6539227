/* SPDX-License-Identifier: MIT */
/*
 * This machine's processors as hv/ sees them: address space, cores, interrupts, clock, power.
 *
 * Host-virtual layout (inside the hole that x86-64 Linux leaves to hypervisors, so that guest breakpoints rarely meet it):
 *   0xffff800000000000 + hpa   direct map, only of what host_map() was asked for; never guest RAM
 *   0xffff860000000000         host_map() of what lies beyond the direct map
 *   0xffff868000000000         per-core stacks (a guard page under each) and per-core windows
 *   0xffff870000000000         the image: .text RX, .rodata R, .data/.bss RW
 */
#pragma once

#include "arch/x86/tsc.h"
#include "hv/abi/handoff.h"
#include "hv/abi/status.h"
#include "hv/lib/frames.h"
#include "hv/lib/types.h"

#define HOST_DIRECT_BASE 0xffff800000000000ull
#define HOST_DIRECT_SIZE 0x0000060000000000ull
#define HOST_FAR_BASE    0xffff860000000000ull
#define HOST_FAR_SIZE    0x0000008000000000ull
#define HOST_CORES_BASE  0xffff868000000000ull
#define HOST_IMAGE_BASE  0xffff870000000000ull
#define HOST_MAX_CORES   256u
#define HOST_EARLY_END   0x100000000ull /* what entry.S's tables map */

/* Host interrupt vectors. Exceptions are 0-31; everything else comes to the handler set by arch_set_irq_handler(). */
enum host_vector {
    HOST_VEC_UART = 0x40, HOST_VEC_KEYBOARD = 0x41,
    HOST_VEC_DEVICE = 0x50, /* and up: one for each interrupt that may be given to partitions */
    HOST_VEC_TIMER = 0xf0, HOST_VEC_DOORBELL = 0xf1, HOST_VEC_SPURIOUS = 0xff
};
enum host_map_type { HOST_RO, HOST_RW, HOST_UC, HOST_WC };        /* none is executable */

static inline void *phys_to_virt(hpa_t hpa) { return (void *)(HOST_DIRECT_BASE + hpa); }
hpa_t virt_to_phys(const void *va);                               /* of the direct map or the image */

/*
 * Boot core, once, on entry.S's tables (which identity-map the first 4 GiB and put them at HOST_DIRECT_BASE too): builds
 * the final tables out of @pool, maps the pool's own frames, every HANDOFF_HV_IMAGE range, the serial line, and the frame buffer
 * below 4 GiB, drops the identity map, and does arch_cpu_init(0, self). @pool lies below 4 GiB; its frames stay mapped read-write for good.
 */
enum pith_status arch_host_init(const struct handoff *h, struct frame_pool *pool, void *self) MUST_CHECK;
/* Maps [hpa, hpa + size), any alignment, at phys_to_virt(hpa), on all cores; NULL when no frame is left for tables. Device
 * memory beyond the direct map gets an address of its own, for good.
 * Mapping again with another type replaces it. */
void *host_map(hpa_t hpa, u64 size, enum host_map_type type) MUST_CHECK;
/* Fills RAM that is not mapped with zeros, or copies into it, through this core's window. Any alignment. */
void host_zero(hpa_t hpa, u64 size);
void host_write(hpa_t hpa, const void *buf, size_t len);

/* On the core itself: GDT, TSS with IST stacks, IDT, %gs:0 = *self, CR0, CR4 (SMEP, SMAP, UMIP, OSXSAVE), EFER, PAT, local APIC. */
void arch_cpu_init(u32 index, void *self);
/* INIT-SIPI-SIPI; the core calls arch_cpu_init(index, self), then entry(index) on its own stack, and never returns.
 * PITH_E_HW: it did not answer within 500 ms; it is parked should it wake later, and left out. PITH_E_MEM: no page below
 * 1 MiB to start it on, or none for its stack. PITH_E_ARG: no interrupt can name it. */
enum pith_status arch_cpu_start(u32 index, u32 apic_id, void *self, void (*entry)(u32 index)) MUST_CHECK;
/* One that halted in its entry function, without VMX or SVM on: waits for a SIPI from now on; @index can be used again. */
void arch_cpu_stop(u32 index);
u32 arch_cpu_apic_id(void);

/* fn runs with IF=0 on the interrupted stack; the local APIC is acknowledged after it. NMIs only end HLT and guests. */
void arch_set_irq_handler(void (*fn)(u8 vector));
void arch_irq_window(void);               /* takes every pending interrupt: STI, NOP, CLI */
void arch_idle(void);                     /* STI; HLT; CLI: returns after the next interrupt */
void arch_ipi(u32 apic_id, u8 vector);    /* fixed, edge; returns when it was accepted for sending */
void arch_nmi(u32 apic_id);
void arch_nmi_others(void);               /* all cores but this one */
/* Routes a legacy ISA interrupt (0-15) to @vector on the boot core through the I/O APIC found by ACPI or at fec00000. */
enum pith_status arch_isa_irq(u8 irq, u8 vector) MUST_CHECK;
bool arch_gsi_level(u32 gsi);             /* level-triggered on this machine, else edges */
/* Routes it to @vector on that core and unmasks it. PITH_E_HW: no I/O APIC has it, or none can name such an APIC ID. */
enum pith_status arch_gsi_route(u32 gsi, u8 vector, u32 apic_id) MUST_CHECK;
void arch_gsi_mask(u32 gsi, bool masked); /* of one that was routed; any core, in interrupt handlers too */

u64 arch_tsc_khz(void);                   /* never 0; a guess before arch_timers_init() */
void arch_timers_init(const struct handoff *h); /* boot core, after arch_host_init */
void arch_timer_set(u64 tsc);             /* one HOST_VEC_TIMER on this core at or after that TSC value; replaces the last; ~0: none */
void arch_udelay(u64 us);

/* Both say what they do, try UEFI runtime services, then ACPI, then reset ports. Other cores were parked by the caller. */
/* From here on the machine's power button is told, not acted upon. False: none is known, or the firmware acts on it. */
bool arch_power_button_init(void);
bool arch_power_button(void);             /* was it pressed since the last look? */
NORETURN void arch_power_off(const struct handoff *h); /* both: NULL: without the firmware */
NORETURN void arch_reboot(const struct handoff *h);
NORETURN void arch_halt(void);            /* CLI; HLT for ever */
