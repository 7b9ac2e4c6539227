/* SPDX-License-Identifier: MIT */
/* Where on a server files lie, from where on it the loader lay. */
#include "boot/place.h"

#include "hv/lib/fmt.h"
#include "hv/lib/string.h"

#define STICK "efi/boot/" /* where the loader lies on a stick; what else is there counts from the root */

#define LENGTH_FIELD "content-length"

/* RFC 2131, "Protocol Summary"; RFC 2132, options */
#define DHCP_SERVER     20 /* siaddr */
#define DHCP_FILE       108
#define DHCP_FILE_SIZE  128
#define DHCP_OPTIONS    240 /* behind the magic number */
#define OPTION_PAD      0
#define OPTION_END      255
#define OPTION_OVERLOAD 52 /* bit 0: the field of the file's name holds options, and no name */
#define OPTION_SERVER   54
#define OPTION_FILE     67

static bool separates(char c)
{
    return c == '/' || c == '\\';
}

/* @at: not ended by a 0; @word in lower case. */
static bool same_path(const char *at, const char *word)
{
    for (; *word; at++, word++)
        if (*word != (*at >= 'A' && *at <= 'Z' ? *at + ('a' - 'A') : separates(*at) ? '/' : *at))
            return false;
    return true;
}

/* Behind http://, where a host's name begins; 0: @file is no URI. */
static size_t authority(const char *file)
{
    for (size_t i = 0; file[i] && !separates(file[i]); i++)
        if (file[i] == ':' && file[i + 1] == '/' && file[i + 2] == '/')
            return i + 3;
    return 0;
}

bool place_is_uri(const char *file)
{
    return authority(file) != 0;
}

bool place_of(const char *file, char *place)
{
    size_t host = authority(file), n = host, at, stick = strlen(STICK);

    for (at = host; file[at] && !(host && (file[at] == '?' || file[at] == '#')); at++)
        if (separates(file[at]))
            n = at + 1;
    if (host && n == host) /* no path at all */
        n = at;
    if (n >= stick + (host ? host + 1 : 0) && same_path(file + n - stick, STICK) && (n == stick || separates(file[n - stick - 1])))
        n -= stick;
    if (n + 2 > PLACE_SIZE)
        return false;
    memcpy(place, file, n);
    if (host && !separates(place[n - 1]))
        place[n++] = '/';
    place[n] = '\0';
    return true;
}

static size_t put_place(const char *place, const char **name, char *out)
{
    size_t n = strlen(place);

    memcpy(out, place, n);
    while (**name == '/') /* names count from there */
        ++*name;
    return n;
}

void place_path(const char *place, const char *name, char *path)
{
    size_t n = put_place(place, &name, path);
    char separator = n && place[n - 1] == '\\' ? '\\' : '/';

    for (; *name && n < TARGET_SIZE - 1; name++)
        path[n++] = *name == '/' ? separator : *name;
    path[n] = '\0';
}

/* RFC 3986, "Unreserved Characters" */
static bool stays(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("-._~/", c));
}

void place_uri(const char *place, const char *name, char *uri)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t n = put_place(place, &name, uri);

    for (; *name && n < TARGET_SIZE - 3; name++) {
        if (stays(*name)) {
            uri[n++] = *name;
            continue;
        }
        uri[n++] = '%';
        uri[n++] = digits[(u8)*name >> 4];
        uri[n++] = digits[*name & 15];
    }
    uri[n] = '\0';
}

void place_own_name(const char *name, u8 type, const u8 *mac, char *own, size_t size)
{
    fmt_str(own, size, "%s-%02x-%02x-%02x-%02x-%02x-%02x-%02x", name, type, mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

void http_host(const char *uri, char *host)
{
    size_t n = 0;

    for (const char *c = uri + authority(uri); *c && !strchr("/?#", *c) && n < PLACE_SIZE - 1; c++)
        host[n++] = *c;
    host[n] = '\0';
}

bool http_length(const char *name, const char *value, u64 *size)
{
    size_t n = strlen(LENGTH_FIELD);

    if (strlen(name) != n || !same_path(name, LENGTH_FIELD) || !*value)
        return false;
    for (*size = 0; *value >= '0' && *value <= '9'; value++) {
        if (*size > (~0ull - 9) / 10)
            return false;
        *size = 10 * *size + (u64)(*value - '0');
    }
    return !*value;
}

u32 http_status(u32 efi_number)
{
    static const struct {
        u16 efi, http; /* where a row of numbers that follow each other begins */
    } rows[] = { { 41, 308 }, { 35, 500 }, { 17, 400 }, { 16, 307 }, { 10, 300 }, { 3, 200 }, { 1, 100 } };

    for (u32 i = 0; i < ARRAY_SIZE(rows) && efi_number <= rows[0].efi; i++)
        if (efi_number >= rows[i].efi)
            return rows[i].http + efi_number - rows[i].efi;
    return 0;
}

static const u8 *option(const u8 *packet, size_t size, u8 code, size_t *len)
{
    for (size_t i = DHCP_OPTIONS; i + 1 < size && packet[i] != OPTION_END;) {
        if (packet[i] == OPTION_PAD) {
            i++;
            continue;
        }
        *len = packet[i + 1];
        if (packet[i] == code)
            return i + 2 + *len <= size ? packet + i + 2 : NULL;
        i += 2 + *len;
    }
    return NULL;
}

bool dhcp_boot(const u8 *packet, size_t size, struct dhcp_boot *boot)
{
    static const u8 nobody[4];
    size_t len;
    const u8 *found;

    if (size < DHCP_OPTIONS)
        return false;
    memset(boot, 0, sizeof(*boot));
    memcpy(boot->server, packet + DHCP_SERVER, sizeof(boot->server));
    found = option(packet, size, OPTION_SERVER, &len);
    if (memcmp(boot->server, nobody, sizeof(nobody)) == 0 && found && len == sizeof(boot->server))
        memcpy(boot->server, found, sizeof(boot->server));
    found = option(packet, size, OPTION_FILE, &len);
    if (found && len) {
        memcpy(boot->file, found, MIN(len, sizeof(boot->file) - 1));
    } else {
        found = option(packet, size, OPTION_OVERLOAD, &len);
        if (!found || len != 1 || !(found[0] & 1))
            memcpy(boot->file, packet + DHCP_FILE, DHCP_FILE_SIZE);
    }
    return boot->file[0] && memcmp(boot->server, nobody, sizeof(nobody));
}
