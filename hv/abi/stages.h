/* SPDX-License-Identifier: MIT */
/* The start, in stages: each is said when it begins, by the loader and then by the hypervisor; where one fails, that names it. */
#pragma once

#define BOOT_STAGES(STAGE)                                       \
    STAGE(PROCESSOR, "checking the processor")                   \
    STAGE(SOURCE, "finding where it was started from")           \
    STAGE(CONFIG, "reading pith.conf")                           \
    STAGE(CORES, "counting cores")                               \
    STAGE(FILES, "reading the files that pith.conf names")       \
    STAGE(IMAGES, "looking into the images")                     \
    STAGE(PAYLOAD, "unpacking the hypervisor")                   \
    STAGE(TABLES, "reading the firmware's tables")               \
    STAGE(SCREEN, "looking for a screen")                        \
    STAGE(FIT, "comparing pith.conf with memory and devices")    \
    STAGE(LEAVE, "leaving the firmware")                         \
    STAGE(CLOCKS, "measuring clocks")                            \
    STAGE(RAM, "taking over the memory")                         \
    STAGE(HOST, "own page tables and exceptions")                \
    STAGE(CONSOLE, "own screen")                                 \
    STAGE(TIMERS, "interrupt controllers and timers")            \
    STAGE(VIRTUALIZATION, "what the processor can virtualize")   \
    STAGE(INPUT, "serial line and keyboard")                     \
    STAGE(POWER, "how to power off")                             \
    STAGE(START, "starting the other cores")                     \
    STAGE(PARTITIONS, "building the partitions")                 \
    STAGE(GUESTS, "starting the partitions")

#define BOOT_STAGE_NUMBER(name, text) STAGE_##name,
#define BOOT_STAGE_TEXT(name, text)   [STAGE_##name] = text,
enum boot_stage { STAGE_NONE, BOOT_STAGES(BOOT_STAGE_NUMBER) BOOT_STAGES_END };
#define BOOT_STAGES_ALL ((unsigned)BOOT_STAGES_END - 1)
