/* SPDX-License-Identifier: MIT */
/* EFI_TCG2_PROTOCOL, the parts of it that are used here: TCG EFI Protocol Specification, family 2.0; gnu-efi does not have it. */
#pragma once

#include <efi.h>

#include "hv/lib/types.h"

#define TCG2_GUID { 0x607f766c, 0x7455, 0x42be, { 0x93, 0x0b, 0xe4, 0xd7, 0x6d, 0xb2, 0x72, 0x0f } }
#define TCG2_SHA256 2u /* in a bitmap of banks */
#define EV_IPL      13u

struct tcg2_capability {
    u8 size, structure[2], protocol[2];
    u32 algorithms, log_formats;
    u8 present;
    u16 max_command, max_response;
    u32 manufacturer, nr_banks, banks;
};

struct tcg2_event {
    u32 size, header_size;
    u16 header_version;
    u32 pcr, type; /* behind it, as much as size says: what the log shows */
} __attribute__((packed));

struct tcg2 {
    EFI_STATUS(EFIAPI *get_capability)(struct tcg2 *t, struct tcg2_capability *capability);
    EFI_STATUS(EFIAPI *get_event_log)(struct tcg2 *t, u32 format, u64 *location, u64 *last, u8 *truncated);
    EFI_STATUS(EFIAPI *hash_log_extend_event)(struct tcg2 *t, u64 flags, u64 data, u64 size, const struct tcg2_event *event);
    EFI_STATUS(EFIAPI *submit_command)(struct tcg2 *t, u32 size, const u8 *command, u32 room, u8 *response);
};
