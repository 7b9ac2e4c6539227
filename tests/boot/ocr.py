# SPDX-License-Identifier: MIT
"""Reads Pith's text back from a screenshot that pith-run made: the letters are boot/font.c's, in cells of 8 by 16 pixels."""
import pathlib
import re
import struct
import zlib

FONT = pathlib.Path(__file__).resolve().parent.parent.parent / 'boot/font.c'
FIRST, WIDTH, HEIGHT = 32, 8, 16


def letters():
    """{the 16 rows of a cell: its letter}; each row of the font is drawn twice."""
    rows = re.findall(r'^ *\{((?: 0x[0-9a-f]{2},?){8}) \}', FONT.read_text(), re.M)
    glyphs = (bytes(int(b, 16) for b in re.findall('0x(..)', r) for _ in range(2)) for r in rows)
    return {glyph: chr(FIRST + n) for n, glyph in enumerate(glyphs)}


def pixels(png):
    """(width, height, rows of red values): pith-run writes 24-bit pictures without filters."""
    width, height = struct.unpack_from('>II', png, 16)
    data, at = b'', 8
    while at < len(png):
        size, kind = struct.unpack_from('>I4s', png, at)
        data += png[at + 8:at + 8 + size] if kind == b'IDAT' else b''
        at += size + 12
    raw, step = zlib.decompress(data), width * 3 + 1
    return width, height, [raw[y * step + 1:(y + 1) * step:3] for y in range(height)]


def read(path):
    """The lines on the screen; what is no letter of Pith's reads as a question mark in a box."""
    known = letters()
    width, height, rows = pixels(pathlib.Path(path).read_bytes())
    lines = []
    for top in range(0, height - HEIGHT + 1, HEIGHT):
        bits = [[v > 96 for v in row] for row in rows[top:top + HEIGHT]]
        line = ''
        for left in range(0, width - WIDTH + 1, WIDTH):
            cell = bytes(sum(lit << 7 - x for x, lit in enumerate(row[left:left + WIDTH])) for row in bits)
            line += known.get(cell, '\N{REPLACEMENT CHARACTER}')
        lines.append(line.rstrip())
    return lines
