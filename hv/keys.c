/* SPDX-License-Identifier: MIT */
/* Keys to bytes: control sequences as VT220 and xterm have them. */
#include "hv/keys.h"

#include "hv/lib/string.h"

#define RELEASED 0x80u
#define EXTENDED 0xe0u
#define PAUSE    0xe1u

enum { LEFT_SHIFT = 0x2a, RIGHT_SHIFT = 0x36, CTRL = 0x1d, ALT = 0x38, CAPS = 0x3a, PAD_ENTER = 0x1c, PAD_SLASH = 0x35, SPACE = 0x39 };

/* From code 1 on; a zero: no character. */
static const char plain[] = "\0331234567890-=\177\tqwertyuiop[]\r\0asdfghjkl;'`\0\\zxcvbnm,./\0*\0 ";
static const char shifted[] = "\033!@#$%^&*()_+\177\tQWERTYUIOP{}\r\0ASDFGHJKL:\"~\0|ZXCVBNM<>?\0*\0 ";
_Static_assert(sizeof(plain) == SPACE + 1 && sizeof(shifted) == SPACE + 1, "codes 1 to 39h");

/* What is left: function keys, the block of digits, and behind E0 the keys that move the cursor. */
static const struct { u8 code; bool extended; char text[KEYS_BYTES - 1]; } others[] = {
    { 0x3b, false, "\033OP" }, { 0x3c, false, "\033OQ" }, { 0x3d, false, "\033OR" }, { 0x3e, false, "\033OS" },
    { 0x3f, false, "\033[15~" }, { 0x40, false, "\033[17~" }, { 0x41, false, "\033[18~" }, { 0x42, false, "\033[19~" },
    { 0x43, false, "\033[20~" }, { 0x44, false, "\033[21~" }, { 0x57, false, "\033[23~" }, { 0x58, false, "\033[24~" },
    { 0x47, false, "7" }, { 0x48, false, "8" }, { 0x49, false, "9" }, { 0x4a, false, "-" }, { 0x4b, false, "4" },
    { 0x4c, false, "5" }, { 0x4d, false, "6" }, { 0x4e, false, "+" }, { 0x4f, false, "1" }, { 0x50, false, "2" },
    { 0x51, false, "3" }, { 0x52, false, "0" }, { 0x53, false, "." }, { 0x56, false, "\\" },
    { 0x48, true, "\033[A" }, { 0x50, true, "\033[B" }, { 0x4d, true, "\033[C" }, { 0x4b, true, "\033[D" },
    { 0x47, true, "\033[H" }, { 0x4f, true, "\033[F" }, { 0x52, true, "\033[2~" }, { 0x53, true, "\033[3~" },
    { 0x49, true, "\033[5~" }, { 0x51, true, "\033[6~" }, { PAD_ENTER, true, "\r" }, { PAD_SLASH, true, "/" },
};

static void hold(u8 *which, u8 side, bool down)
{
    *which = (u8)(down ? *which | side : *which & ~side);
}

/* True: it is one that changes what others send. */
static bool modifier(struct keys *k, u8 code, bool extended, bool down)
{
    u8 side = extended ? 2 : 1;

    switch (code) {
    case LEFT_SHIFT:
    case RIGHT_SHIFT:
        if (!extended) /* behind E0 it is a keyboard's own, around cursor keys */
            hold(&k->shift, code == LEFT_SHIFT ? 1 : 2, down);
        return true;
    case CTRL: hold(&k->ctrl, side, down); return true;
    case ALT: hold(&k->alt, side, down); return true;
    case CAPS: k->caps ^= down; return true;
    default: return false;
    }
}

static char letter(const struct keys *k, u8 code)
{
    char c = plain[code - 1];
    bool upper = k->shift;

    if (c >= 'a' && c <= 'z')
        upper ^= k->caps;
    c = upper ? shifted[code - 1] : c;
    if (!k->ctrl)
        return c;
    if (c == ' ')
        c = '@'; /* which sends 0; nobody misses that */
    return c >= '@' && c <= '~' ? c & 0x1f : c;
}

static const char *other(u8 code, bool extended)
{
    for (u32 i = 0; i < ARRAY_SIZE(others); i++)
        if (others[i].code == code && others[i].extended == extended)
            return others[i].text;
    return "";
}

static void press(const struct keys *k, u8 key, bool extended, char *out)
{
    char one[2] = "";
    const char *text = one;

    if (extended || key > SPACE)
        text = other(key, extended);
    else
        one[0] = letter(k, key);
    if (!*text)
        return;
    if (k->alt)
        *out++ = '\033';
    memcpy(out, text, strlen(text) + 1);
}

void keys_take(struct keys *k, u8 code, char out[KEYS_BYTES])
{
    bool extended = k->extended, down = !(code & RELEASED);
    u8 key = code & 0x7f;

    *out = '\0';
    k->extended = code == EXTENDED;
    if (code == PAUSE)
        k->skip = 2;
    else if (k->skip)
        k->skip--;
    else if (code != EXTENDED && !modifier(k, key, extended, down) && down && key)
        press(k, key, extended, out);
}
