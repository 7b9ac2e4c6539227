/* SPDX-License-Identifier: MIT */
/* Calls between partitions: one endpoint each, where callers queue and vCPUs of the partition wait to serve them. */
#pragma once

#include "hv/lib/types.h"

struct endpoint;
struct partition;
struct vcpu;

enum ipc_state {
    IPC_NONE,
    IPC_QUEUED,   /* calls, and no server has it yet */
    IPC_TAKEN,    /* calls, and a server is to answer */
    IPC_SERVES,   /* waits for callers */
    IPC_LISTS,    /* of an endpoint: the three above */
    IPC_ANSWERED = IPC_LISTS,
};

struct ipc { /* of a vCPU; under the lock of the endpoint that it is at, until it is ANSWERED */
    u32 state;
    u32 status;          /* enum pith_status, of the answer */
    struct endpoint *at; /* those of partitions that are no more stay */
    struct vcpu *next;
    u64 client;          /* names this call to the server */
    u64 word[3];         /* the caller's; once ANSWERED the server's */
};

/* Home core of v: whatever it was in the middle of is over. False: it was not, or was answered by now. */
bool ipc_leave(struct vcpu *v);
/* @caller waits for an answer of @server's partition. */
bool ipc_serves(const struct vcpu *server, const struct vcpu *caller);
/* It may be called. */
void ipc_open(const struct partition *p);
/* Any core: it may not any more, and whoever waits for it hears that it is gone. */
void ipc_close(const struct partition *p);
