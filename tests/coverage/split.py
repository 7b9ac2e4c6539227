#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""split.py STREAM: writes the .gcda files that stream.c sent, each beside the .gcno file the compiler wrote."""
import pathlib
import struct
import sys

MARK = b'pith counters'


def files(stream):
    """{name: contents}; the last frame says that nothing is missing."""
    found, at, kind = {}, stream.index(MARK) + len(MARK), b''
    while kind != b'E':
        kind, size = struct.unpack_from('<cI', stream, at)
        data, at = stream[at + 5:at + 5 + size], at + 5 + size
        if kind == b'F':
            found[name := data.decode()] = bytearray()
        elif kind == b'D':
            found[name] += data
        elif kind != b'E':
            raise ValueError(f'frame of kind {kind} before byte {at}')
    return found


def split(path):
    """What is wrong with the stream; '': its files are written."""
    try:
        found = files(pathlib.Path(path).read_bytes())
    except (struct.error, ValueError) as e:
        return f'{path}: damaged, or ends early: {e}'
    for name, data in found.items():
        file = pathlib.Path(name)
        if not file.with_suffix('.gcno').exists():
            return f'{path}: of another build, which had {name}'
        file.write_bytes(data)
    return '' if found else f'{path}: no counters in it'


if __name__ == '__main__':
    sys.exit(split(sys.argv[1]))
