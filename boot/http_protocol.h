/* SPDX-License-Identifier: MIT */
/* EFI_HTTP_PROTOCOL (UEFI Specification, "Network Protocols - TCP, IP, IPsec, FTP, TLS and Configurations"): gnu-efi has none. */
#pragma once

#include <stddef.h>

#include <efi.h>

#define HTTP_BINDING_GUID  { 0xbdc8e6af, 0xd9bc, 0x4379, { 0xa7, 0x2a, 0xe0, 0xc4, 0xe7, 0x5d, 0xae, 0x1c } }
#define HTTP_PROTOCOL_GUID { 0x7a59b29b, 0x910b, 0x4171, { 0x82, 0x42, 0xa8, 0x5a, 0x0d, 0xf2, 0x5b, 0x5b } }

#define HTTP_VERSION_11 1u
#define HTTP_METHOD_GET 0u
#define HTTP_ERROR      EFIERR(35) /* EFI_HTTP_ERROR: the answer's status is 400 or more */

struct http_access_point {
    BOOLEAN use_default_address;
    EFI_IPv4_ADDRESS address, subnet;
    UINT16 port;
};

struct http_config {
    UINT32 version, timeout_ms;
    BOOLEAN ipv6;
    struct http_access_point *access_point;
};

struct http_request {
    UINT32 method;
    CHAR16 *url;
};

struct http_header {
    CHAR8 *name, *value;
};

struct http_message {
    union {
        struct http_request *request;
        UINT32 *status; /* of the answer, as http_status() explains it; NULL: more of the body of the last one */
    };
    UINTN nr_headers;
    struct http_header *headers; /* of an answer: the firmware's, to be freed, as what is in them */
    UINTN size;
    void *body;
};

struct http_token {
    EFI_EVENT event;
    EFI_STATUS status;
    struct http_message *message;
};

struct http_protocol;
typedef EFI_STATUS (EFIAPI *http_start_fn)(struct http_protocol *this, struct http_token *token);

struct http_protocol {
    EFI_STATUS (EFIAPI *get_mode_data)(struct http_protocol *this, struct http_config *config);
    EFI_STATUS (EFIAPI *configure)(struct http_protocol *this, struct http_config *config);
    http_start_fn request;
    http_start_fn cancel;
    http_start_fn response;
    EFI_STATUS (EFIAPI *poll)(struct http_protocol *this);
};

_Static_assert(sizeof(struct http_access_point) == 12 && offsetof(struct http_access_point, port) == 10, "as in the specification");
_Static_assert(sizeof(struct http_config) == 24 && sizeof(struct http_message) == 40 && sizeof(struct http_token) == 24, "the same");
