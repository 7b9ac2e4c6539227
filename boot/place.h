/* SPDX-License-Identifier: MIT */
/* Where on a server files lie, from where on it the loader lay: names, URIs, and what DHCP said. Pure. */
#pragma once

#include "hv/lib/types.h"

#define PLACE_SIZE  256 /* of a directory on a server, with its final 0 */
#define TARGET_SIZE 512 /* of what is asked for there, with its final 0 */

/*
 * The directory of @file, which is a path or a URI, up to and with its last separator: where the loader's files are. Of one that ends in
 * EFI/BOOT/, as on a stick, that above. False: longer than PLACE_SIZE.
 */
bool place_of(const char *file, char *place) MUST_CHECK;
bool place_is_uri(const char *file);
/* @name, with / between directories, in @place; in TARGET_SIZE bytes. For TFTP, with the separator that @place has. */
void place_path(const char *place, const char *name, char *path);
/* The same as a URI: percent-encoded. */
void place_uri(const char *place, const char *name, char *uri);
/* The name of one machine's own file: NAME-01-52-54-00-12-34-56, as PXELINUX has them. @type as in ARP: 1 is Ethernet. */
void place_own_name(const char *name, u8 type, const u8 *mac, char *own, size_t size);

/* Of a URI, what a request's field Host says: host and port; in PLACE_SIZE bytes. */
void http_host(const char *uri, char *host);
/* True, and the size of what follows: this field of an answer tells it. */
bool http_length(const char *name, const char *value, u64 *size);
/* EFI_HTTP_STATUS_CODE -> 404 and the like; 0: none that is known. */
u32 http_status(u32 efi_number);

/* A DHCP (RFC 2131) answer of @size bytes -> which file of which server was started. False: it names none. */
struct dhcp_boot {
    u8 server[4];
    char file[PLACE_SIZE];
};
bool dhcp_boot(const u8 *packet, size_t size, struct dhcp_boot *boot) MUST_CHECK;
