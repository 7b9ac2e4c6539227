/* SPDX-License-Identifier: MIT */
/* Files from the volume that the loader was started from; iPXE makes up such a volume of what it fetched. */
#include "boot/source.h"

#include "hv/lib/fmt.h"

#define READ_CHUNK MIB(4) /* some firmware fails on very large reads */
#define INFO_SIZE  1024   /* EFI_FILE_INFO with the longest name that FAT has */

static EFI_FILE_HANDLE root;

static bool volume_open(const struct origin *from)
{
    EFI_FILE_IO_INTERFACE *fs;

    return !EFI_ERROR(fw.bs->HandleProtocol(from->device, &FileSystemProtocol, (void **)&fs)) &&
           !EFI_ERROR(fs->OpenVolume(fs, &root));
}

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

static const char *read_opened(EFI_FILE_HANDLE f, struct request *r)
{
    const char *wrong = file_size(f, &r->file->size);

    if (wrong || r->file->size == 0)
        return wrong;
    request_room(r);
    return read_all(f, r->file->data, r->file->size);
}

static enum answer volume_read(struct request *r)
{
    const char *wrong = "was not found on the boot volume - copy it there or correct the name";
    enum answer answer = FILE_ABSENT;
    EFI_FILE_HANDLE f;

    if (!EFI_ERROR(open_file(r->name, &f))) {
        wrong = read_opened(f, r);
        answer = wrong ? FILE_BROKEN : FILE_READ;
        f->Close(f);
    }
    fmt_str(r->why, sizeof(r->why), "%s", wrong ? wrong : "");
    return answer;
}

const struct source volume = { .open = volume_open, .read = volume_read };
