/* SPDX-License-Identifier: MIT */
/* Files from the volume that the loader was started from. */
#include "boot/loader.h"

#include "hv/lib/fmt.h"

#define READ_CHUNK MIB(4) /* some firmware fails on very large reads */
#define INFO_SIZE  1024   /* EFI_FILE_INFO with the longest name that FAT has */

static EFI_FILE_HANDLE root;

void volume_open(void)
{
    EFI_FILE_IO_INTERFACE *fs;
    EFI_LOADED_IMAGE *image;

    if (EFI_ERROR(fw.bs->HandleProtocol(fw.image, &LoadedImageProtocol, (void **)&image)) ||
        EFI_ERROR(fw.bs->HandleProtocol(image->DeviceHandle, &FileSystemProtocol, (void **)&fs)) ||
        EFI_ERROR(fs->OpenVolume(fs, &root)))
        boot_fail(
            "the loader was not started from a volume with files - start it from a FAT volume");
}

/* Names are ASCII, at most CONFIG_FILE_NAME - 1 bytes. */
static EFI_STATUS open_file(const char *name, EFI_FILE_HANDLE *file)
{
    CHAR16 path[CONFIG_FILE_NAME];
    u32 n = 0;

    for (; name[n]; n++)
        path[n] = name[n] == '/' ? '\\' : (CHAR16)name[n];
    path[n] = 0;
    return root->Open(root, file, path, EFI_FILE_MODE_READ, 0);
}

/* NULL, or what is wrong. */
static const char *file_size(EFI_FILE_HANDLE f, u64 *size)
{
    static u64 buffer[INFO_SIZE / sizeof(u64)];
    const EFI_FILE_INFO *info = (const void *)buffer;
    UINTN n = sizeof(buffer);

    if (EFI_ERROR(f->GetInfo(f, &GenericFileInfo, &n, buffer)))
        return "has no readable size - check the volume for errors";
    if (info->Attribute & EFI_FILE_DIRECTORY)
        return "is a directory - correct the name";
    *size = info->FileSize;
    return NULL;
}

static const char *read_all(EFI_FILE_HANDLE f, u8 *to, u64 size)
{
    for (u64 done = 0; done < size;) {
        UINTN n = MIN(READ_CHUNK, size - done);

        if (EFI_ERROR(f->Read(f, &n, to + done)) || n == 0)
            return "cannot be read to its end - copy it to the boot volume again";
        done += n;
    }
    return NULL;
}

static const char *read_opened(EFI_FILE_HANDLE f, const char *name, enum handoff_kind kind,
                               struct file *file)
{
    const char *wrong = file_size(f, &file->size);

    if (wrong || file->size == 0)
        return wrong;
    file->data = block_take(name, file->size, kind == HANDOFF_MODULE ? ANYWHERE : BELOW_4G, kind);
    return read_all(f, file->data, file->size);
}

const char *file_read(const char *name, enum handoff_kind kind, struct file *file)
{
    static char text[160];
    const char *wrong = "was not found on the boot volume - copy it there or correct the name";
    EFI_FILE_HANDLE f;

    if (!EFI_ERROR(open_file(name, &f))) {
        wrong = read_opened(f, name, kind, file);
        f->Close(f);
    }
    if (!wrong)
        return NULL;
    fmt_str(text, sizeof(text), "'%s' %s", name, wrong);
    return text;
}
