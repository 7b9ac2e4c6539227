/* SPDX-License-Identifier: MIT */
/* Files from the TFTP server that the firmware got the loader from (UEFI Specification, "EFI_PXE_BASE_CODE_PROTOCOL"). */
#include "boot/source.h"

#include "boot/place.h"
#include "hv/lib/fmt.h"
#include "hv/lib/string.h"

#define GUESS_FIRST (MIB(1) - PAGE_SIZE + 1) /* odd: see try_room() */
#define GUESS_LAST  GIB(1)
#define GUESS_STEP  4
#define BLOCK       1468 /* fills a frame of Ethernet, as when the firmware read the loader */

static EFI_PXE_BASE_CODE_PROTOCOL *base;
static EFI_IP_ADDRESS server;
static char place[PLACE_SIZE];

/* The answer that the firmware acted on: of a boot server, else of a proxy, else of the one that gave the address. */
static bool find_boot(const EFI_PXE_BASE_CODE_MODE *mode, struct dhcp_boot *boot)
{
    const struct {
        BOOLEAN there;
        const EFI_PXE_BASE_CODE_PACKET *packet;
    } answers[] = {
        { mode->PxeReplyReceived, &mode->PxeReply },
        { mode->ProxyOfferReceived, &mode->ProxyOffer },
        { mode->DhcpAckReceived, &mode->DhcpAck },
    };

    for (u32 i = 0; i < ARRAY_SIZE(answers); i++)
        if (answers[i].there && dhcp_boot(answers[i].packet->Raw, sizeof(answers[i].packet->Raw), boot))
            return true;
    return false;
}

static bool pxe_open(const struct origin *from)
{
    struct dhcp_boot boot;

    base = origin_protocol(from, &PxeBaseCodeProtocol);
    if (!base || !base->Mode || !base->Mode->Started || base->Mode->UsingIpv6 || !find_boot(base->Mode, &boot))
        return false;
    memcpy(server.v4.Addr, boot.server, sizeof(server.v4.Addr));
    return !place_is_uri(boot.file) && place_of(boot.file, place); /* iPXE takes URIs there, too */
}

static EFI_STATUS transfer(EFI_PXE_BASE_CODE_TFTP_OPCODE what, void *buffer, u64 *size, char *path)
{
    UINTN block = BLOCK;

    return base->Mtftp(base, what, buffer, FALSE, size, &block, &server, (UINT8 *)path, NULL, FALSE);
}

static enum answer broken(struct request *r, const char *why)
{
    fmt_str(r->why, sizeof(r->why), "%s", why);
    return FILE_BROKEN;
}

static enum answer failed(struct request *r, EFI_STATUS status, const char *path)
{
    const EFI_PXE_BASE_CODE_TFTP_ERROR *error = &base->Mode->TftpError;
    const u8 *ip = server.v4.Addr;
    char where[160];

    fmt_str(where, sizeof(where), "TFTP server %u.%u.%u.%u as '%s'", ip[0], ip[1], ip[2], ip[3], path);
    if (status == EFI_TFTP_ERROR) {
        fmt_str(r->why, sizeof(r->why), "is refused by %s (%.40s) - put it there, readable for the server, or correct the name", where,
                error->ErrorString); /* not its number, which some firmware gets wrong */
        return FILE_ABSENT;
    }
    fmt_str(r->why, sizeof(r->why), "did not come from %s (%s) - look whether the server runs and can be reached", where,
            status == EFI_TIMEOUT ? "no answer" : "the firmware's network failed");
    return FILE_BROKEN;
}

/* @room bytes are enough, unless it is EFI_BUFFER_TOO_SMALL. */
static EFI_STATUS try_room(struct request *r, char *path, u64 room)
{
    u64 size = room, pages = (room + PAGE_MASK) >> PAGE_SHIFT;
    EFI_PHYSICAL_ADDRESS buffer;
    EFI_STATUS status = fw.bs->AllocatePages(AllocateAnyPages, EfiLoaderData, pages, &buffer);

    if (EFI_ERROR(status))
        return status;
    status = transfer(EFI_PXE_BASE_CODE_TFTP_READ_FILE, (void *)buffer, &size, path);
    if (!EFI_ERROR(status) && size == room) /* as it was, and no file is that large */
        status = EFI_UNSUPPORTED;
    r->file->size = size;
    if (!EFI_ERROR(status) && size) {
        request_room(r);
        memcpy(r->file->data, (void *)buffer, size);
    }
    fw.bs->FreePages(buffer, pages);
    return status;
}

/* A server that does not tell sizes (RFC 2349): into a buffer that grows, until all of it fits. */
static enum answer read_by_trying(struct request *r, char *path)
{
    EFI_STATUS status = EFI_BUFFER_TOO_SMALL;

    for (u64 room = GUESS_FIRST; status == EFI_BUFFER_TOO_SMALL && room <= GUESS_LAST; room *= GUESS_STEP)
        status = try_room(r, path, room);
    if (status == EFI_BUFFER_TOO_SMALL || status == EFI_OUT_OF_RESOURCES)
        return broken(r, "is too large for a TFTP server that does not tell sizes - use one that does (tsize)");
    if (status == EFI_UNSUPPORTED)
        return broken(r, "cannot be read: this firmware's TFTP does not tell how large files are - under iPXE, use imgfetch in its script");
    return EFI_ERROR(status) ? failed(r, status, path) : FILE_READ;
}

static enum answer pxe_read(struct request *r)
{
    char path[TARGET_SIZE];
    u64 size = 0;
    EFI_STATUS status;

    place_path(place, r->name, path);
    status = transfer(EFI_PXE_BASE_CODE_TFTP_GET_FILE_SIZE, NULL, &size, path);
    if (EFI_ERROR(status) && status != EFI_TIMEOUT && status != EFI_TFTP_ERROR)
        return read_by_trying(r, path);
    r->file->size = size;
    if (!EFI_ERROR(status) && size) {
        request_room(r);
        status = transfer(EFI_PXE_BASE_CODE_TFTP_READ_FILE, r->file->data, &r->file->size, path);
    }
    return EFI_ERROR(status) ? failed(r, status, path) : FILE_READ;
}

const struct source pxe = { .open = pxe_open, .read = pxe_read, .network = true };
