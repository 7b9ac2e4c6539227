/* SPDX-License-Identifier: MIT */
/* Written by tools/abi-gen from hv/abi/hypercalls.def: a stub a call. Registers that are no arguments are zero, as the ABI demands. */
#pragma once

#include "guests/lib/hypercall.h"

#ifdef __cplusplus
extern "C" {
#endif

/* results: RBX version (number) */
static inline struct pith_result pith_version(void)
{
    return pith_hypercall(PITH_CALL_BASE + 0, 0, 0, 0, 0, 0);
}

/* results: RBX features (bits) */
static inline struct pith_result pith_features(void)
{
    return pith_hypercall(PITH_CALL_BASE + 1, 0, 0, 0, 0, 0);
}

/* RBX address (gpa), RCX length (bytes); results: RBX written (bytes) */
static inline struct pith_result pith_console_write(uint64_t address, uint64_t length)
{
    return pith_hypercall(PITH_CALL_BASE + 2, address, length, 0, 0, 0);
}

/* results: RBX now (ns), RCX tsc_khz (number) */
static inline struct pith_result pith_time(void)
{
    return pith_hypercall(PITH_CALL_BASE + 3, 0, 0, 0, 0, 0);
}

static inline struct pith_result pith_yield(void)
{
    return pith_hypercall(PITH_CALL_BASE + 4, 0, 0, 0, 0, 0);
}

/* RBX deadline (ns); results: RBX now (ns) */
static inline struct pith_result pith_wait(uint64_t deadline)
{
    return pith_hypercall(PITH_CALL_BASE + 5, deadline, 0, 0, 0, 0);
}

/* RBX status (number) */
static inline struct pith_result pith_exit(uint64_t status)
{
    return pith_hypercall(PITH_CALL_BASE + 6, status, 0, 0, 0, 0);
}

/* results: RBX me (partition), RCX vcpu (number), RDX vcpus (number) */
static inline struct pith_result pith_self(void)
{
    return pith_hypercall(PITH_CALL_BASE + 7, 0, 0, 0, 0, 0);
}

/* RBX deadline (ns), RCX event (number) */
static inline struct pith_result pith_timer(uint64_t deadline, uint64_t event)
{
    return pith_hypercall(PITH_CALL_BASE + 8, deadline, event, 0, 0, 0);
}

/* RBX event (number), RCX vcpu (number), RDX vector (number) */
static inline struct pith_result pith_event_bind(uint64_t event, uint64_t vcpu, uint64_t vector)
{
    return pith_hypercall(PITH_CALL_BASE + 9, event, vcpu, vector, 0, 0);
}

/* RBX partition (partition), RCX event (number) */
static inline struct pith_result pith_event_send(uint64_t partition, uint64_t event)
{
    return pith_hypercall(PITH_CALL_BASE + 10, partition, event, 0, 0, 0);
}

/* RBX set (bits), RCX deadline (ns); results: RBX taken (bits) */
static inline struct pith_result pith_event_wait(uint64_t set, uint64_t deadline)
{
    return pith_hypercall(PITH_CALL_BASE + 11, set, deadline, 0, 0, 0);
}

/* RBX target (partition), RCX w0 (number), RDX w1 (number), RSI w2 (number), RDI deadline (ns);
 * results: RBX r0 (number), RCX r1 (number), RDX r2 (number) */
static inline struct pith_result pith_ipc_call(uint64_t target, uint64_t w0, uint64_t w1, uint64_t w2, uint64_t deadline)
{
    return pith_hypercall(PITH_CALL_BASE + 12, target, w0, w1, w2, deadline);
}

/* RBX deadline (ns); results: RBX client (number), RCX w0 (number), RDX w1 (number), RSI w2 (number) */
static inline struct pith_result pith_ipc_wait(uint64_t deadline)
{
    return pith_hypercall(PITH_CALL_BASE + 13, deadline, 0, 0, 0, 0);
}

/* RBX client (number), RCX r0 (number), RDX r1 (number), RSI r2 (number), RDI deadline (ns);
 * results: RBX next (number), RCX w0 (number), RDX w1 (number), RSI w2 (number) */
static inline struct pith_result pith_ipc_reply_wait(uint64_t client, uint64_t r0, uint64_t r1, uint64_t r2, uint64_t deadline)
{
    return pith_hypercall(PITH_CALL_BASE + 14, client, r0, r1, r2, deadline);
}

/* RBX vcpu (number), RCX entry (gpa), RDX stack (gpa), RSI argument (number) */
static inline struct pith_result pith_vcpu_start(uint64_t vcpu, uint64_t entry, uint64_t stack, uint64_t argument)
{
    return pith_hypercall(PITH_CALL_BASE + 15, vcpu, entry, stack, argument, 0);
}

/* RBX vcpu (number) */
static inline struct pith_result pith_vcpu_stop(uint64_t vcpu)
{
    return pith_hypercall(PITH_CALL_BASE + 16, vcpu, 0, 0, 0, 0);
}

/* RBX name_low (number), RCX name_high (number); results: RBX partition (partition) */
static inline struct pith_result pith_part_find(uint64_t name_low, uint64_t name_high)
{
    return pith_hypercall(PITH_CALL_BASE + 17, name_low, name_high, 0, 0, 0);
}

/* RBX partition (partition); results: RBX next (partition) */
static inline struct pith_result pith_part_next(uint64_t partition)
{
    return pith_hypercall(PITH_CALL_BASE + 18, partition, 0, 0, 0, 0);
}

/* RBX partition (partition); results: RBX state (number), RCX status (number), RDX changes (number), RSI end (number) */
static inline struct pith_result pith_part_state(uint64_t partition)
{
    return pith_hypercall(PITH_CALL_BASE + 19, partition, 0, 0, 0, 0);
}

/* RBX partition (partition) */
static inline struct pith_result pith_part_start(uint64_t partition)
{
    return pith_hypercall(PITH_CALL_BASE + 20, partition, 0, 0, 0, 0);
}

/* RBX partition (partition) */
static inline struct pith_result pith_part_stop(uint64_t partition)
{
    return pith_hypercall(PITH_CALL_BASE + 21, partition, 0, 0, 0, 0);
}

/* RBX partition (partition) */
static inline struct pith_result pith_part_pause(uint64_t partition)
{
    return pith_hypercall(PITH_CALL_BASE + 22, partition, 0, 0, 0, 0);
}

/* RBX partition (partition) */
static inline struct pith_result pith_part_resume(uint64_t partition)
{
    return pith_hypercall(PITH_CALL_BASE + 23, partition, 0, 0, 0, 0);
}

/* RBX partition (partition) */
static inline struct pith_result pith_part_restart(uint64_t partition)
{
    return pith_hypercall(PITH_CALL_BASE + 24, partition, 0, 0, 0, 0);
}

/* RBX partition (partition) */
static inline struct pith_result pith_part_create(uint64_t partition)
{
    return pith_hypercall(PITH_CALL_BASE + 25, partition, 0, 0, 0, 0);
}

/* RBX partition (partition) */
static inline struct pith_result pith_part_destroy(uint64_t partition)
{
    return pith_hypercall(PITH_CALL_BASE + 26, partition, 0, 0, 0, 0);
}

/* RBX event (number) */
static inline struct pith_result pith_part_watch(uint64_t event)
{
    return pith_hypercall(PITH_CALL_BASE + 27, event, 0, 0, 0, 0);
}

/* RBX partition (partition), RCX address (gpa), RDX length (bytes); results: RBX written (bytes) */
static inline struct pith_result pith_part_report(uint64_t partition, uint64_t address, uint64_t length)
{
    return pith_hypercall(PITH_CALL_BASE + 28, partition, address, length, 0, 0);
}

/* RBX partition (partition), RCX vcpu (number), RDX item (number); results: RBX value (number) */
static inline struct pith_result pith_meter(uint64_t partition, uint64_t vcpu, uint64_t item)
{
    return pith_hypercall(PITH_CALL_BASE + 29, partition, vcpu, item, 0, 0);
}

/* RBX core (number), RCX item (number); results: RBX value (number) */
static inline struct pith_result pith_meter_core(uint64_t core, uint64_t item)
{
    return pith_hypercall(PITH_CALL_BASE + 30, core, item, 0, 0, 0);
}

/* RBX name_low (number), RCX name_high (number); results: RBX address (gpa), RCX size (bytes), RDX rights (bits) */
static inline struct pith_result pith_channel(uint64_t name_low, uint64_t name_high)
{
    return pith_hypercall(PITH_CALL_BASE + 31, name_low, name_high, 0, 0, 0);
}

/* RBX target (partition), RCX address (gpa), RDX length (bytes), RSI rights (bits); results: RBX grant (number) */
static inline struct pith_result pith_grant(uint64_t target, uint64_t address, uint64_t length, uint64_t rights)
{
    return pith_hypercall(PITH_CALL_BASE + 32, target, address, length, rights, 0);
}

/* RBX grant (number), RCX address (gpa); results: RBX length (bytes), RCX rights (bits) */
static inline struct pith_result pith_grant_map(uint64_t grant, uint64_t address)
{
    return pith_hypercall(PITH_CALL_BASE + 33, grant, address, 0, 0, 0);
}

/* RBX grant (number) */
static inline struct pith_result pith_grant_unmap(uint64_t grant)
{
    return pith_hypercall(PITH_CALL_BASE + 34, grant, 0, 0, 0, 0);
}

/* RBX grant (number) */
static inline struct pith_result pith_grant_revoke(uint64_t grant)
{
    return pith_hypercall(PITH_CALL_BASE + 35, grant, 0, 0, 0, 0);
}

/* RBX address (gpa) */
static inline struct pith_result pith_balloon_out(uint64_t address)
{
    return pith_hypercall(PITH_CALL_BASE + 36, address, 0, 0, 0, 0);
}

/* RBX address (gpa) */
static inline struct pith_result pith_balloon_in(uint64_t address)
{
    return pith_hypercall(PITH_CALL_BASE + 37, address, 0, 0, 0, 0);
}

/* results: RBX word_0 (bits), RCX word_1 (bits), RDX word_2 (bits), RSI word_3 (bits) */
static inline struct pith_result pith_random(void)
{
    return pith_hypercall(PITH_CALL_BASE + 38, 0, 0, 0, 0, 0);
}

/* RBX core (number);
 * results: RBX guest (number), RCX exits (number), RDX scheduler (number), RSI idle (number), RDI others (number) */
static inline struct pith_result pith_core_time(uint64_t core)
{
    return pith_hypercall(PITH_CALL_BASE + 39, core, 0, 0, 0, 0);
}

#ifdef __cplusplus
}
#endif
