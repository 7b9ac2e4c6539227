# SPDX-License-Identifier: MIT
"""What the hypervisor puts into the QR code of a panic, read back: the code by zbarimg, as a phone does, and its text by tools/pith-decode.

check.py [--golden]     --golden writes sample.txt anew, after a change of the format
"""
import importlib.machinery
import importlib.util
import os
import pathlib
import random
import re
import struct
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
ENCODE = ROOT / os.environ.get('BUILD', 'build') / 'panic/encode'
SAMPLE = (ROOT / 'tests/panic/sample.log').read_text()
GOLDEN = ROOT / 'tests/panic/sample.txt'
QR_CHARS = 1853
# What alphanumeric codes of level L hold, by version (ISO/IEC 18004, table 7).
HOLDS = [25, 47, 77, 114, 154, 195, 224, 279, 335, 395, 468, 535, 619, 667, 758, 854, 938, 1046, 1153, 1249, 1352, 1460, 1588, 1704, 1853]
QR_LETTERS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:'
RATIO = 4

sys.dont_write_bytecode = True
loader = importlib.machinery.SourceFileLoader('pith_decode', str(ROOT / 'tools/pith-decode'))
decode = importlib.util.module_from_spec(importlib.util.spec_from_loader('pith_decode', loader))
loader.exec_module(decode)
rng = random.Random(6)


def pack(cases):
    """Texts of [(room, log)]."""
    data = b''.join(struct.pack('<II', room, len(log)) + log for room, log in cases)
    done = subprocess.run([ENCODE, 'pack'], input=data, stdout=subprocess.PIPE, check=True)
    return done.stdout.decode().splitlines()


def unpack(text):
    return decode.unpacked(decode.payload(text))


def random_log():
    pieces = SAMPLE.splitlines(True)
    kind = rng.randrange(4)
    if kind == 0:
        return rng.randbytes(rng.randrange(3000))
    if kind == 1:
        return (rng.choice(pieces) * rng.randrange(1, 400)).encode()
    if kind == 2:
        return ''.join(rng.choice('01f') for _ in range(rng.randrange(20000))).encode()
    return ''.join(rng.choice(pieces) for _ in range(rng.randrange(300))).encode()


def expected(log):
    return ''.join(chr(b) if 0 < b < 128 else '?' for b in log[-16384:])


def round_trips():
    cases = [(room, log) for log in (b'', b'x', b'\n', b'ab' * 9000) for room in (0, 5, 6, 14, 15, 16, 40, QR_CHARS)]
    cases += [(rng.choice([rng.randrange(300), QR_CHARS, 6150]), random_log()) for _ in range(300)]
    for (room, log), text in zip(cases, pack(cases), strict=True):
        if len(text) > room:
            yield f'{len(text)} characters where there is room for {room}'
        elif text and not expected(log).endswith(unpack(text)):
            yield f'{log[-60:]} came back as {unpack(text)[-60:]!r}'
        elif room == 6150 and len(log) < 3000 and unpack(text) != expected(log):
            yield f'{len(log)} bytes were cut to {len(unpack(text))}'
        elif bool(text) != (room >= 15):
            yield f'{text!r} in {room} characters'


def ratio():
    text, = pack([(QR_CHARS, SAMPLE.encode())])
    packed = (len(text) - 6) * 2 / 3
    if len(SAMPLE) < RATIO * packed:
        yield f'{len(SAMPLE)} bytes of log in {packed:.0f} bytes'


def golden():
    """The format is one that tools of other days read."""
    text, = pack([(QR_CHARS, SAMPLE.encode())])
    if '--golden' in sys.argv:
        GOLDEN.write_text('\n'.join(text[at:at + 76] for at in range(0, len(text), 76)) + '\n')
    kept = GOLDEN.read_text()
    if unpack(kept) != SAMPLE:
        yield 'sample.txt is not sample.log any more: the format has changed, and must have another number'
    if ''.join(kept.split()) != text:
        yield 'sample.log is packed in another way than in sample.txt'


def wrong(text, words):
    try:
        return f'taken: {text[:60]}' if unpack(text) != SAMPLE else 'a change that is none'
    except decode.Damaged as e:
        return None if words in str(e) else f'{e}, not: {words}'


def damage():
    good = ''.join(GOLDEN.read_text().split())
    for _ in range(300):
        at = rng.randrange(9, len(good))
        letter = rng.choice([d for d in decode.DIGITS if d != good[at]])
        yield wrong(good[:at] + letter + good[at + 1:], '')
        if good[at] != good[at - 1]:
            yield wrong(good[:at - 1] + good[at] + good[at - 1] + good[at + 1:], '')
        yield wrong(good[:at], 'ends or is damaged after')
    yield wrong('PITH2' + good[5:], 'format 2')
    yield wrong('nothing', 'no PITH1-')
    mailed = 'Hello,\n> ' + '\r\n> '.join(good[at:at + 70] for at in range(0, len(good), 70)) + '\n\nRegards, me'
    yield None if unpack(mailed) == SAMPLE else 'mail changed it'


def any_bits():
    """Whatever the bits are, unpacking ends: with text or with a message."""
    for _ in range(2000):
        try:
            decode.unpacked(rng.randbytes(rng.randrange(60)))
        except decode.Damaged:
            pass
    yield None


def codes():
    """Each version, full and as short as it gets, decodes."""
    sizes = [n for v, most in enumerate(HOLDS) for n in (HOLDS[v - 1] + 1 if v else 1, most)]
    texts = [''.join(rng.choices(QR_LETTERS[:36], k=n)) for n in sizes] + ['A' * QR_CHARS, '0' * QR_CHARS, QR_LETTERS + '.']
    with tempfile.TemporaryDirectory() as tmp:
        sides = subprocess.run([ENCODE, 'qr', tmp], input='\n'.join(texts), stdout=subprocess.PIPE, text=True, check=True).stdout.split()
        yield from (f'{n} characters in {side} modules' for k, (n, side) in enumerate(zip(sizes, sides)) if int(side) != 21 + 4 * (k // 2))
        files = [f'{tmp}/{n}.pbm' for n in range(len(texts))]
        said = subprocess.run(['zbarimg', '-q', '--nodbus', '-Sdisable', '-Sqrcode.enable', '--xml', *files], stdout=subprocess.PIPE, text=True).stdout
    read = dict(re.findall(r"href='[^']*/(\d+)\.pbm'.*?<data>(?:<!\[CDATA\[)?(.*?)(?:\]\]>)?</data>", said, re.S))
    yield from (f'zbarimg does not read code {n} of {len(text)} characters' for n, text in enumerate(texts) if read.get(str(n)) != text)


def main():
    found = [f'{check.__name__}: {w}' for check in (round_trips, ratio, golden, damage, any_bits, codes) for w in check() if w]
    print('\n'.join(found[:20]))
    return bool(found)


if __name__ == '__main__':
    sys.exit(main())
