/* SPDX-License-Identifier: MIT */
/*
 * What the hypervisor does at a panic, on the host, under sanitizers.
 *   encode pack         records of standard input, each two 32-bit numbers (room, length) and so many bytes, become lines of text
 *   encode qr DIR       lines of standard input become DIR/N.pbm, of QR codes with two pixels a module
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hv/lib/pack.h"
#include "hv/lib/qr.h"

static struct qr qr;

/* Each buffer is just as large as it is said to be, so that the sanitizer sees a byte too many. */
static int pack(void)
{
    u32 head[2];

    while (fread(head, sizeof(head), 1, stdin) == 1) {
        char *log = malloc(head[1]), *out = malloc(head[0]);

        if ((head[1] && fread(log, head[1], 1, stdin) != 1) || !out)
            return 1;
        printf("%.*s\n", (int)pack_log(out, head[0], log, head[1]), out);
        free(log);
        free(out);
    }
    return 0;
}

static bool dark(u32 x, u32 y)
{
    x = x / 2 - QR_MARGIN;
    y = y / 2 - QR_MARGIN;
    return x < qr.side && y < qr.side && qr.module[y][x] & QR_DARK;
}

static int draw(const char *path)
{
    u32 side = 2 * (qr.side + 2 * QR_MARGIN);
    FILE *f = fopen(path, "w");

    if (!f)
        return 1;
    fprintf(f, "P1 %u %u\n", side, side);
    for (u32 i = 0; i < side * side; i++)
        fprintf(f, "%d%c", dark(i % side, i / side), i % 32 ? ' ' : '\n');
    return fclose(f);
}

static int qr_all(const char *dir)
{
    char line[2 * QR_CHARS], path[256];

    for (int n = 0; fgets(line, sizeof(line), stdin); n++) {
        snprintf(path, sizeof(path), "%s/%d.pbm", dir, n);
        if (!qr_encode(&qr, line, strcspn(line, "\n")) || draw(path))
            return 1;
        printf("%u\n", qr.side);
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && !strcmp(argv[1], "pack"))
        return pack();
    if (argc == 3 && !strcmp(argv[1], "qr"))
        return qr_all(argv[2]);
    return 2;
}
