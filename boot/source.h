/* SPDX-License-Identifier: MIT */
/* Where files come from: the volume, the web server or the TFTP server that the loader itself came from. */
#pragma once

#include "boot/loader.h"

/* Where the loader lay. */
struct origin {
    EFI_HANDLE device;
    EFI_DEVICE_PATH *path; /* of the device or of the file on it; NULL: it has none */
};

struct request {
    const char *name; /* at most CONFIG_FILE_NAME - 1 bytes of ASCII, / between directories */
    enum handoff_kind kind;
    struct file *file; /* to be filled in */
    char why[300];     /* unless it was read: what is wrong - what to do */
};
enum answer { FILE_READ, FILE_ABSENT, FILE_BROKEN };

struct source {
    bool (*open)(const struct origin *from); /* false: the loader does not come from there */
    enum answer (*read)(struct request *r);  /* never called before open() */
    bool network;
};
extern const struct source volume, http, pxe;

void request_room(struct request *r); /* memory for r->file->size bytes, which is not 0; fails the boot when there is none */
void *origin_protocol(const struct origin *from, EFI_GUID *guid); /* of the device or the nearest on the way to it; NULL: none has it */
