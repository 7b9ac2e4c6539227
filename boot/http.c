/* SPDX-License-Identifier: MIT */
/* Files from the web server that the firmware got the loader from (UEFI Specification, "HTTP Boot"). */
#include "boot/source.h"

#include "boot/http_protocol.h"
#include "boot/place.h"
#include "hv/lib/fmt.h"
#include "hv/lib/string.h"

#define CONNECT_MS 10000
#define WAIT_UNITS 300000000ull /* of 100 ns, for the next piece of an answer */
#define PIECE      MIB(1)
#define OK         200u
#define UNKNOWN    (~0ull)

static EFI_GUID binding_guid = HTTP_BINDING_GUID, protocol_guid = HTTP_PROTOCOL_GUID;
static EFI_SERVICE_BINDING *binding;
static struct http_access_point self = { .use_default_address = TRUE };
static char place[PLACE_SIZE];

/* One file's way here. */
struct exchange {
    struct http_protocol *http;
    EFI_HANDLE child;
    EFI_EVENT ended, late;
    volatile bool has_ended;
    struct http_call {
        struct http_message message;
        struct http_token token;
    } request, answer; /* the firmware looks into the request's while it reads the answer */
    UINT32 status; /* the firmware's number for it */
};

/* The network's addresses: those that the firmware had when it read the loader, else what it calls its default. */
static void use_addresses(const EFI_DEVICE_PATH *p)
{
    const IPv4_DEVICE_PATH *node = (const void *)p;

    if ((size_t)DevicePathNodeLength(p) < offsetof(IPv4_DEVICE_PATH, SubnetMask) + sizeof(node->SubnetMask) ||
        node->LocalIpAddress.Addr[0] == 0)
        return;
    self.use_default_address = FALSE;
    self.address = node->LocalIpAddress;
    self.subnet = node->SubnetMask;
}

/* The URI at the end of the loader's path; false: none, or not by IPv4. */
static bool find_uri(EFI_DEVICE_PATH *path, char *uri)
{
    bool found = false;

    for (EFI_DEVICE_PATH *p = path; p && !IsDevicePathEnd(p); p = NextDevicePathNode(p)) {
        size_t n = (size_t)DevicePathNodeLength(p) - sizeof(*p);

        if (DevicePathType(p) != MESSAGING_DEVICE_PATH)
            continue;
        if (DevicePathSubType(p) == MSG_IPv6_DP)
            return false;
        if (DevicePathSubType(p) == MSG_IPv4_DP)
            use_addresses(p);
        if (DevicePathSubType(p) != MSG_URI_DP || n >= TARGET_SIZE)
            continue;
        memcpy(uri, ((URI_DEVICE_PATH *)p)->Uri, n);
        uri[n] = '\0';
        found = true;
    }
    return found;
}

static bool http_open(const struct origin *from)
{
    char uri[TARGET_SIZE];

    if (!find_uri(from->path, uri) || !place_is_uri(uri) || !place_of(uri, place))
        return false;
    binding = origin_protocol(from, &binding_guid);
    return binding;
}

static void EFIAPI on_end(EFI_EVENT event, void *has_ended)
{
    (void)event;
    *(volatile bool *)has_ended = true;
}

/* @call begins with @start, and ends one way or the other. */
static EFI_STATUS carry_out(struct exchange *x, struct http_call *call, http_start_fn start)
{
    EFI_STATUS status;

    x->has_ended = false;
    call->token = (struct http_token){ x->ended, EFI_NOT_READY, &call->message };
    status = start(x->http, &call->token);
    if (EFI_ERROR(status))
        return status;
    fw.bs->SetTimer(x->late, TimerRelative, WAIT_UNITS);
    while (!x->has_ended) {
        x->http->poll(x->http);
        if (fw.bs->CheckEvent(x->late) == EFI_SUCCESS) {
            x->http->cancel(x->http, &call->token);
            return EFI_TIMEOUT;
        }
    }
    return call->token.status;
}

static EFI_STATUS ask(struct exchange *x, const char *uri)
{
    static CHAR16 url[TARGET_SIZE];
    static char host[PLACE_SIZE];
    static struct http_header headers[] = { { (CHAR8 *)"Host", (CHAR8 *)host },
                                     { (CHAR8 *)"Accept", (CHAR8 *)"*/*" },
                                     { (CHAR8 *)"User-Agent", (CHAR8 *)"Pith" } };
    static struct http_request request = { HTTP_METHOD_GET, url };

    for (u32 i = 0; i < TARGET_SIZE; i++)
        url[i] = (CHAR16)uri[i];
    http_host(uri, host);
    x->request.message = (struct http_message){ .request = &request, .nr_headers = ARRAY_SIZE(headers), .headers = headers };
    return carry_out(x, &x->request, x->http->request);
}

/* Status and size of what comes. */
static EFI_STATUS answer_begins(struct exchange *x, u64 *size)
{
    struct http_message *m = &x->answer.message;
    EFI_STATUS status;

    *m = (struct http_message){ .status = &x->status };
    status = carry_out(x, &x->answer, x->http->response);
    *size = UNKNOWN;
    for (UINTN i = 0; m->headers && i < m->nr_headers; i++) {
        u64 told;

        if (http_length((char *)m->headers[i].name, (char *)m->headers[i].value, &told))
            *size = told;
        fw.bs->FreePool(m->headers[i].name);
        fw.bs->FreePool(m->headers[i].value);
    }
    if (m->headers)
        fw.bs->FreePool(m->headers);
    return status;
}

/* All of it, or @done bytes. */
static EFI_STATUS answer_goes_on(struct exchange *x, u8 *to, u64 size, u64 *done)
{
    struct http_message *m = &x->answer.message;

    for (*done = 0; *done < size; *done += m->size) {
        EFI_STATUS status;

        *m = (struct http_message){ .size = MIN(PIECE, size - *done), .body = to + *done };
        status = carry_out(x, &x->answer, x->http->response);
        if (EFI_ERROR(status))
            return status;
    }
    return EFI_SUCCESS;
}

static enum answer wrong(struct request *r, enum answer answer, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    fmt_vstr(r->why, sizeof(r->why), fmt, ap);
    va_end(ap);
    return answer;
}

static const char *reason(EFI_STATUS status)
{
    return status == EFI_TIMEOUT ? "no answer" : status == EFI_ACCESS_DENIED ? "the firmware allows no plain http" : "no connection";
}

static enum answer fetch(struct exchange *x, struct request *r, const char *uri)
{
    EFI_STATUS status = ask(x, uri);
    u64 *size = &r->file->size, done;
    u32 code;

    if (!EFI_ERROR(status))
        status = answer_begins(x, size);
    code = http_status(x->status);
    if (status == HTTP_ERROR || (!EFI_ERROR(status) && code != OK))
        return wrong(r, code >= 400 && code < 500 ? FILE_ABSENT : FILE_BROKEN,
                     "is refused as %.140s (HTTP status %u) - put it there, readable for the server, or correct the name", uri, code);
    if (EFI_ERROR(status))
        return wrong(r, FILE_BROKEN, "did not come as %.140s (%s) - look whether the server runs and can be reached", uri, reason(status));
    if (*size == UNKNOWN)
        return wrong(r, FILE_BROKEN, "came as %.140s without a size - let the server tell it (Content-Length)", uri);
    if (*size == 0)
        return FILE_READ;
    request_room(r);
    status = answer_goes_on(x, r->file->data, *size, &done);
    if (EFI_ERROR(status))
        return wrong(r, FILE_BROKEN, "came as %.140s only to %lu of %lu bytes (%s) - look whether the server runs, and try again", uri,
                     done, *size, reason(status));
    return FILE_READ;
}

/* False: the firmware's network does not get on. */
static bool exchange_open(struct exchange *x)
{
    struct http_config config = { HTTP_VERSION_11, CONNECT_MS, FALSE, &self };

    return !EFI_ERROR(fw.bs->CreateEvent(EVT_NOTIFY_SIGNAL, TPL_CALLBACK, on_end, (void *)&x->has_ended, &x->ended)) &&
           !EFI_ERROR(fw.bs->CreateEvent(EVT_TIMER, TPL_CALLBACK, NULL, NULL, &x->late)) &&
           !EFI_ERROR(binding->CreateChild(binding, &x->child)) &&
           !EFI_ERROR(fw.bs->HandleProtocol(x->child, &protocol_guid, (void **)&x->http)) &&
           !EFI_ERROR(x->http->configure(x->http, &config));
}

static void exchange_close(struct exchange *x)
{
    if (x->child)
        binding->DestroyChild(binding, x->child);
    if (x->late)
        fw.bs->CloseEvent(x->late);
    if (x->ended)
        fw.bs->CloseEvent(x->ended);
}

static enum answer http_read(struct request *r)
{
    enum answer answer = FILE_BROKEN;
    struct exchange x = { 0 };
    char uri[TARGET_SIZE];

    place_uri(place, r->name, uri);
    if (exchange_open(&x))
        answer = fetch(&x, r, uri);
    else
        wrong(r, answer, "cannot be fetched as %.140s: the firmware's network failed - try again, or start from a volume", uri);
    exchange_close(&x);
    return answer;
}

const struct source http = { .open = http_open, .read = http_read, .network = true };
