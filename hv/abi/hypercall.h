/* SPDX-License-Identifier: MIT */
/* Guest <-> hypervisor contract. Used by hv/, guests/ and tools/; normative text: ABI.md */
#pragma once

#include <stdint.h>

#include "hv/abi/status.h"

#define PITH_ABI_MAJOR 1u        /* changes break guests */
#define PITH_ABI_MINOR 1u        /* changes only add */

#define PITH_CPUID_BASE 0x40000000u  /* EAX: highest leaf; EBX ECX EDX: "PithPithPith" */
#define PITH_CPUID_ABI  0x40000001u  /* EAX: ABI version; EBX: features; ECX: hypercall instruction, 1 vmcall, 2 vmmcall */
#define PITH_HC_VMCALL  1u
#define PITH_HC_VMMCALL 2u

/* May-manage, -signal, -call, -share in pith.conf name at least one partition. */
enum pith_cap { PITH_CAP_NONE = 0, PITH_CAP_MANAGE = 1, PITH_CAP_SIGNAL = 2, PITH_CAP_CALL = 4, PITH_CAP_SHARE = 8 };
enum pith_feature {
    PITH_FEATURE_CONSOLE = 1, PITH_FEATURE_TIME = 2, PITH_FEATURE_WAIT = 4, PITH_FEATURE_EVENT = 8, PITH_FEATURE_VCPU = 16,
    PITH_FEATURE_IPC = 32, PITH_FEATURE_CHANNEL = 256, PITH_FEATURE_GRANT = 512, PITH_FEATURE_RANDOM = 1024,
    PITH_FEATURE_CONTROL = 2048, PITH_FEATURE_METER = 4096, PITH_FEATURE_BALLOON = 8192
};

/* What PART_STATE tells. */
enum pith_part_state {
    PITH_PART_STOPPED = 0, PITH_PART_LOADING = 1, PITH_PART_RUNNING = 2, PITH_PART_PAUSED = 3, PITH_PART_STOPPING = 4,
    PITH_PART_RESTARTS = 5, PITH_PART_ABSENT = 6, PITH_PART_CREATING = 7, PITH_PART_DESTROYING = 8
};
enum pith_part_end { PITH_END_NONE = 0, PITH_END_EXIT = 1, PITH_END_FAULT = 2, PITH_END_STOPPED = 3, PITH_END_RESET = 4 };

/* What METER tells: of a vCPU, or of a partition as a whole. */
enum pith_meter {
    PITH_METER_RUN_NS = 0, PITH_METER_RAM = 1, PITH_METER_FRAMES_USED = 2, PITH_METER_FRAMES = 3, PITH_METER_STARTS = 4,
    PITH_METER_DENIED = 5, PITH_METER_NOTHING = 6, PITH_METER_SWITCH_NS = 7, PITH_METER_EXITS = 256, PITH_METER_EXIT_NS = 512
};
enum pith_meter_core { PITH_CORE_BUSY_NS = 0, PITH_CORE_IDLE_NS = 1, PITH_CORE_VCPUS = 2 };
#define PITH_ALL_VCPUS 0xffffffffffffffff
#define PITH_NO_EVENT 0xffffffffffffffff
#define PITH_REPORT_MAX 2048u        /* bytes of a PART_REPORT at most */

#define PITH_CALL_BASE 0x50490000u   /* RAX = base + number: apart from the numbers that KVM's guests use */
#define PITH_CONSOLE_MAX 4096u       /* bytes a CONSOLE_WRITE takes at most */
#define PITH_GRANT_MAX 0x100000u     /* bytes of a GRANT at most */
#define PITH_BALLOON_SIZE 0x200000u  /* bytes that BALLOON_OUT and _IN move, and what their address is a multiple of */
#define PITH_CALL_UNKNOWN (-1000l)   /* RAX of a call outside Pith's range, as KVM's guests expect */

enum pith_call {
#define HC(nr, NAME, handler, nargs, cap, arguments, results, errors) PITH_CALL_##NAME = nr,
#include "hv/abi/hypercalls.def"
#undef HC
    PITH_CALLS
};
