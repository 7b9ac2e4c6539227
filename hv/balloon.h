/* SPDX-License-Identifier: MIT */
/* Memory that a partition gives back to the machine while it runs, and takes again: BALLOON_OUT, BALLOON_IN. */
#pragma once

#include "hv/abi/manifest.h"
#include "hv/abi/status.h"
#include "hv/lib/types.h"

struct partition;

/* Of each partition, for one request at a time. */
struct balloon {
    u64 out;         /* bytes of its memory that it has not now; atomics, written by core 0 */
    u32 state;       /* enum balloon_state; atomics: who makes it TAKEN writes what follows, until it is ASKED */
    u32 ticket;      /* of this request alone */
    u32 answers[16]; /* each vCPU's: the ticket of what it asked for last, then the status; atomics */
    u32 vcpu;
    bool in;
    gpa_t gpa;
    hpa_t hpa;       /* core 0's: on its way into the partition, not in its ram[] yet */
    u64 scrubbed;
};

/* Core 0, when it keeps house: the next chunk of what p asked for. What nobody waits for any more is dropped. */
void balloon_serve(struct partition *p);
/* Core 0, before p is loaded: all its memory is there again. PITH_E_BUSY: call again; PITH_E_MEM: others have it. */
enum pith_status balloon_refill_step(struct partition *p) MUST_CHECK;
