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
            raise ValueError(f'a frame of kind {kind} ends at byte {at}')
    return found


def main():
    try:
        found = files(pathlib.Path(sys.argv[1]).read_bytes())
    except (struct.error, ValueError) as e:
        sys.exit(f'{sys.argv[1]}: the stream is damaged or ends early: {e}')
    for name, data in found.items():
        path = pathlib.Path(name)
        if not path.with_suffix('.gcno').exists():
            sys.exit(f'{name}: the stream is of another build')
        path.write_bytes(data)


main()
