/* SPDX-License-Identifier: MIT */
/* Reads \shim.txt, words like `name` or `name=1,0x20` between blanks, does what each says, and starts the next application. */
#include "tests/boot/shim/shim.h"

#define TEXT_MAX 1024u

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *table);

EFI_BOOT_SERVICES *bs, real;
EFI_SYSTEM_TABLE *st;
static const struct shim_word *const all_words[] = { map_words, screen_words, acpi_words, service_words, cpu_words };

bool same_guid(const EFI_GUID *a, const EFI_GUID *b)
{
    return CompareMem(a, b, sizeof(*a)) == 0;
}

void *take(UINTN bytes, EFI_MEMORY_TYPE type)
{
    EFI_PHYSICAL_ADDRESS at = 0xffffffff;

    if (EFI_ERROR(real.AllocatePages(AllocateMaxAddress, type, EFI_SIZE_TO_PAGES(bytes), &at)))
        return NULL;
    ZeroMem((void *)at, bytes);
    return (void *)at;
}

/* Decimal, hexadecimal, or the four letters of a table's name. */
static u64 number(const char **text)
{
    const char *p = *text;
    u64 val = 0, base = 10;

    if (*p >= 'A' && *p <= 'Z') {
        CopyMem(&val, (void *)p, 4);
        *text = p + 4;
        return val;
    }
    if (p[0] == '0' && p[1] == 'x') {
        base = 16;
        p += 2;
    }
    for (;; p++) {
        u64 digit = *p >= '0' && *p <= '9' ? (u64)(*p - '0') : *p >= 'a' && *p <= 'f' ? (u64)(*p - 'a' + 10) : 16;

        if (digit >= base)
            break;
        val = val * base + digit;
    }
    *text = p;
    return val;
}

static bool word_is(const char *text, UINTN len, const char *name)
{
    UINTN i = 0;

    while (i < len && name[i] && name[i] == text[i])
        i++;
    return i == len && !name[i];
}

static bool obey(const char *text, UINTN len, const u64 *args)
{
    for (u32 set = 0; set < ARRAY_SIZE(all_words); set++)
        for (const struct shim_word *w = all_words[set]; w->name; w++)
            if (word_is(text, len, w->name)) {
                w->fn(args);
                return true;
            }
    return false;
}

static bool read_words(const char *text)
{
    while (*text) {
        const char *begin = text;
        u64 args[WORD_ARGS] = { 0 };
        UINTN len;

        if (*text <= ' ') {
            text++;
            continue;
        }
        while (*text > ' ' && *text != '=')
            text++;
        len = (UINTN)(text - begin);
        for (u32 i = 0; i < WORD_ARGS && (*text == '=' || *text == ','); i++) {
            text++;
            args[i] = number(&text);
        }
        if (!obey(begin, len, args) || *text > ' ') {
            Print(L"shim: no such word: %a\r\n", begin);
            return false;
        }
    }
    return true;
}

static bool read_file(EFI_LOADED_IMAGE *self, char *text, UINTN size)
{
    EFI_FILE_IO_INTERFACE *fs;
    EFI_FILE_HANDLE root, file;

    return !EFI_ERROR(real.HandleProtocol(self->DeviceHandle, &FileSystemProtocol, (void **)&fs)) &&
           !EFI_ERROR(fs->OpenVolume(fs, &root)) && !EFI_ERROR(root->Open(root, &file, L"\\shim.txt", EFI_FILE_MODE_READ, 0)) &&
           !EFI_ERROR(file->Read(file, &size, text));
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *table)
{
    static char text[TEXT_MAX + 1];
    EFI_LOADED_IMAGE *self;
    EFI_HANDLE next;
    EFI_STATUS status;

    InitializeLib(image, table);
    st = table;
    bs = st->BootServices;
    real = *bs;
    status = real.HandleProtocol(image, &LoadedImageProtocol, (void **)&self);
    if (EFI_ERROR(status) || !read_file(self, text, TEXT_MAX)) {
        Print(L"shim: no \\shim.txt that can be read\r\n");
        return EFI_LOAD_ERROR;
    }
    Print(L"\r\nshim: %a\r\n", text); /* first: perhaps there is no console then */
    map_hook();
    if (!read_words(text))
        return EFI_LOAD_ERROR;
    acpi_finish();
    status = real.LoadImage(FALSE, image, FileDevicePath(self->DeviceHandle, L"\\EFI\\BOOT\\NEXT.EFI"), NULL, 0, &next);
    if (!EFI_ERROR(status))
        status = real.StartImage(next, NULL, NULL);
    *bs = real; /* what the hooks lead to goes away */
    return status;
}
