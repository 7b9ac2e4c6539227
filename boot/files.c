/* SPDX-License-Identifier: MIT */
/* The loader's files: from where it came from itself. */
#include "boot/source.h"

#include "boot/place.h"
#include "hv/lib/fmt.h"
#include "hv/lib/string.h"

static const struct source *const kinds[] = { &volume, &http, &pxe };
static const struct source *sources[ARRAY_SIZE(kinds)]; /* those that may be it; the first is asked first */
static u32 nr_sources;
static char own_config[CONFIG_FILE_NAME]; /* the name of this machine's own pith.conf; empty: it has no address */

static EFI_DEVICE_PATH *path_of(EFI_HANDLE handle, EFI_GUID *guid)
{
    void *path;

    return EFI_ERROR(fw.bs->HandleProtocol(handle, guid, &path)) ? NULL : path;
}

void *origin_protocol(const struct origin *from, EFI_GUID *guid)
{
    EFI_DEVICE_PATH *path = from->path;
    EFI_HANDLE found;
    void *protocol;

    if (!path || EFI_ERROR(fw.bs->LocateDevicePath(guid, &path, &found)) || EFI_ERROR(fw.bs->HandleProtocol(found, guid, &protocol)))
        return NULL;
    return protocol;
}

/* By the address of the network card that is on the way to the loader. */
static void name_own_config(const struct origin *from)
{
    for (EFI_DEVICE_PATH *p = from->path; p && !IsDevicePathEnd(p); p = NextDevicePathNode(p)) {
        const MAC_ADDR_DEVICE_PATH *card = (const void *)p;

        if (DevicePathType(p) == MESSAGING_DEVICE_PATH && DevicePathSubType(p) == MSG_MAC_ADDR_DP)
            place_own_name(CONFIG_NAME, card->IfType, card->MacAddress.Addr, own_config, sizeof(own_config));
    }
}

void files_open(void)
{
    static EFI_GUID image_path = { 0xbc62157e, 0x3e33, 0x4fec, { 0x99, 0x20, 0x2d, 0x3b, 0x36, 0xd7, 0x50, 0xdf } };
    EFI_LOADED_IMAGE *image;
    struct origin from = { 0 };

    if (!EFI_ERROR(fw.bs->HandleProtocol(fw.image, &LoadedImageProtocol, (void **)&image)))
        from.device = image->DeviceHandle;
    from.path = path_of(fw.image, &image_path);
    if (!from.path && from.device)
        from.path = path_of(from.device, &DevicePathProtocol);
    name_own_config(&from);
    for (u32 i = 0; from.device && i < ARRAY_SIZE(kinds); i++)
        if (kinds[i]->open(&from))
            sources[nr_sources++] = kinds[i];
    if (!nr_sources)
        boot_fail("the loader was started neither from a volume with files nor by PXE or HTTP over IPv4 - start it from a FAT volume");
}

void request_room(struct request *r)
{
    r->file->data = block_take(r->name, r->file->size, r->kind == HANDOFF_MODULE ? ANYWHERE : BELOW_4G, r->kind);
}

static const char *wrong_text(const struct request *r)
{
    static char text[sizeof(r->why) + CONFIG_FILE_NAME + 4];

    fmt_str(text, sizeof(text), "'%s' %s", r->name, r->why);
    return text;
}

const char *file_read(const char *name, enum handoff_kind kind, struct file *file)
{
    struct request r = { .name = name, .kind = kind, .file = file };

    return sources[0]->read(&r) == FILE_READ ? NULL : wrong_text(&r);
}

/* This machine's own one, else everybody's. */
static enum answer read_config(const struct source *s, struct request *r)
{
    enum answer answer = FILE_ABSENT;

    r->name = own_config;
    if (s->network && own_config[0])
        answer = s->read(r);
    if (answer != FILE_ABSENT)
        return answer;
    r->name = CONFIG_NAME;
    return s->read(r);
}

const char *config_read(const char **name, struct file *file)
{
    struct request r = { .kind = HANDOFF_FREE, .file = file };
    enum answer answer;

    for (;;) {
        answer = read_config(sources[0], &r);
        if (answer != FILE_ABSENT || nr_sources == 1)
            break;
        say("%s", wrong_text(&r));
        memmove(sources, sources + 1, --nr_sources * sizeof(sources[0]));
    }
    *name = r.name;
    return answer == FILE_READ ? NULL : wrong_text(&r);
}
