/* SPDX-License-Identifier: MIT */
/*
 * boot/ -> hypervisor contract: what pith.conf asked for, parsed. The loader has checked it (boot/manifest.c).
 * One flat structure in HANDOFF_HV_IMAGE memory; unused bytes are zero; strings end with a zero byte.
 */
#pragma once

#include <stdint.h>

#define MANIFEST_MAGIC   0x4d504856u
#define MANIFEST_VERSION 5u

#define MANIFEST_PARTITIONS 16u
#define MANIFEST_VCPUS_MAX  16u
#define MANIFEST_MODULES    4u          /* further modules of a partition */
#define MANIFEST_RANGES     8u
#define MANIFEST_FUNCTIONS  32u
#define MANIFEST_CORES      256u
#define MANIFEST_CHANNELS   16u
#define MANIFEST_CYCLICS    8u
#define MANIFEST_SLOTS      16u
#define MANIFEST_CHANNEL_MAX (64ull << 20)
#define MANIFEST_NONE       0xffffffffu /* no such module, no focus */

enum manifest_poweroff { MANIFEST_POWEROFF_NEVER = 0, MANIFEST_POWEROFF_WHEN_DONE = 1 };
#define MANIFEST_TRACE_RIP 1u                        /* and where the guest was */
enum manifest_restart { MANIFEST_RESTART_NEVER = 0, MANIFEST_RESTART_ON_FAILURE = 1, MANIFEST_RESTART_ALWAYS = 2 };
enum manifest_flags {
    MANIFEST_DEDICATED = 1, MANIFEST_STRICT = 2, MANIFEST_CORES_GIVEN = 4, MANIFEST_NO_KVM = 8, MANIFEST_DMA_TRUSTED = 16,
    MANIFEST_ON_REQUEST = 32,                        /* made by a partition that may manage it, not at boot */
    MANIFEST_CAPPED = 64,                            /* no more time than is promised */
    MANIFEST_ENTITLED = 128,                         /* period and budget were written as an entitlement */
    MANIFEST_SMT_SHARE = 512,                        /* others of this kind may run on the other threads of its cores */
    MANIFEST_SLOTTED = 256                           /* has slots in a cyclic frame */
};

struct manifest_range { uint64_t first, last; };     /* ports, or guest-physical = host-physical addresses; inclusive */
struct manifest_function { uint32_t number, command; }; /* bus, device, function in 8, 5, 3 bits; on while the partition runs */

/* Memory that partitions share. */
struct manifest_channel {
    char name[16];                                   /* as a partition's */
    uint64_t size;                                   /* bytes, whole pages, at most MANIFEST_CHANNEL_MAX */
    uint64_t readers, writers;                       /* bit N: partition N of the manifest; a writer reads too and is no reader */
    uint32_t line, pad;
};

/* Whom a partition may reach, a bit for each partition of the manifest. */
struct manifest_rights { uint64_t manage, signal, call, share; };

struct manifest_partition {
    char name[16];                                   /* 1-15 of a-z 0-9 - */
    uint32_t line;                                   /* of its section in pith.conf, for messages */
    uint32_t image, initrd;                          /* number of a file, or MANIFEST_NONE: the loader's, for the load plan */
    uint32_t nr_modules, modules[MANIFEST_MODULES];  /* the same, in the order of pith.conf */
    uint32_t vcpus;                                  /* 1-16 */
    uint32_t flags;                                  /* enum manifest_flags */
    uint32_t restart;                                /* enum manifest_restart */
    uint32_t nr_ports, nr_mmio, nr_irqs;
    uint32_t nr_functions;
    uint32_t weight;                                 /* of its part of the time that nobody is promised; 100 is usual */
    /* What each vCPU is promised, in us; 0: nothing. With a promise, or slots, vCPU i lives on core i of the list, which begins again. */
    uint32_t period, budget;
    uint64_t memory;                                 /* bytes, a multiple of 1 MiB */
    uint64_t cores[MANIFEST_CORES / 64];             /* bit N: core N; all zero: any */
    struct manifest_range ports[MANIFEST_RANGES], mmio[MANIFEST_RANGES];
    uint32_t irqs[MANIFEST_RANGES];                  /* global system interrupts */
    struct manifest_rights may;
    struct manifest_function functions[MANIFEST_FUNCTIONS]; /* PCI's, that ports and mmio are of: found on the machine */
    char cmdline[1024];
};

/* Cores whose time is divided by a table, over and over again, from multiples of the frame on. */
struct manifest_cyclic {
    char name[16];                                   /* as a partition's */
    uint64_t cores[MANIFEST_CORES / 64];
    uint32_t line, frame;                            /* us */
    uint32_t nr_slots, pad;
    struct manifest_slot { uint32_t partition /* or MANIFEST_NONE: nobody's */, length /* us */; } slots[MANIFEST_SLOTS];
};

/* Which 16550 is Pith's serial line: the loader's to find. */
enum manifest_line {
    MANIFEST_LINE_AUTO = 0, MANIFEST_LINE_NONE = 1, MANIFEST_LINE_PORTS = 2, MANIFEST_LINE_MEMORY = 3, MANIFEST_LINE_PCI = 4
};
#define MANIFEST_BAUD_KEEP 1u                        /* as the firmware left it */
struct manifest_serial {
    uint64_t base;                                   /* its first port, its address, or how far into the base address register it is */
    uint32_t kind;                                   /* enum manifest_line */
    uint32_t function, bar;                          /* of PCI: as in struct manifest_function; a base address register, 0-5 */
    uint32_t baud, clock;                            /* MANIFEST_BAUD_KEEP; of the clock's frequency in Hz */
    uint32_t irq;                                    /* of the ISA bus below 16, else a global one; MANIFEST_NONE: it is polled */
    uint32_t stride, bits;                           /* bytes from register to register: 1, 2, 4; an access: 8 or 32 */
};

struct manifest {
    uint32_t magic, version, size;                   /* size: sizeof(struct manifest) */
    uint32_t nr_partitions;
    uint32_t focus;                                  /* index of the partition that gets the keyboard, or MANIFEST_NONE */
    uint32_t poweroff, log_level;                    /* enum manifest_poweroff; 0 error, 1 warn, 2 info, 3 debug */
    uint32_t trace;                                  /* bytes of records a core, a power of two; 0: none; MANIFEST_TRACE_RIP */
    uint32_t nr_channels, nr_cyclics;
    struct manifest_serial serial;
    struct manifest_channel channels[MANIFEST_CHANNELS];
    struct manifest_cyclic cyclics[MANIFEST_CYCLICS];
    struct manifest_partition partitions[MANIFEST_PARTITIONS];
};
_Static_assert(sizeof(struct manifest_partition) % 8 == 0, "no tail padding");
