/* SPDX-License-Identifier: MIT */
/* Status codes: the one error vocabulary, from the second-stage walker to the guest's RAX. */
#pragma once

enum pith_status {
    PITH_OK = 0,
    PITH_E_CALL = 1,  /* no such hypercall */
    PITH_E_ARG = 2,   /* an argument is out of range, misaligned or overlapping */
    PITH_E_PERM = 3,  /* the partition lacks the capability */
    PITH_E_MEM = 4,   /* the owner's frame pool is empty */
    PITH_E_BUSY = 5,  /* would block; try again */
    PITH_E_STATE = 6, /* the object is not in a state that allows this */
    PITH_E_HW = 7,    /* the processor or machine lacks a required feature */
    PITH_E_GONE = 8,  /* the peer was stopped or destroyed meanwhile */
    PITH_E_TIMEOUT = 9, /* the deadline passed first */
};
