# SPDX-License-Identifier: MIT
"""POSIX extended regular expressions, translated for Python's re module.

>>> import re
>>> [r for r, text, matches in [
...     ('^tick [[:digit:]]+$', 'tick 12', True), ('^tick [[:digit:]]+$', 'tick d', False), ('[]x]+$', ']', True), ('[^]a-c]', ']b', False),
...     (r'[\\d]', '7', False), (r'[\\d]', '\\\\', True), ('a{2}b', 'aab', True), ('{x', '{x', True), ('^(a|b)*+$', 'abab', True),
...     (r'\\[linux\\] ready', '[linux] ready', True), ('[[.-.]x]$', '-', True), ('a?b+c*$', 'bb', True), ('a.c', 'abc', True), ('(?:a)', 'a', False),
... ] if bool(re.search(translate(r), text)) != matches]
[]
>>> translate('a(b')
Traceback (most recent call last):
ValueError: unbalanced ( or ) in 'a(b'
"""
import re

CLASSES = {
    'alpha': 'a-zA-Z', 'digit': '0-9', 'alnum': 'a-zA-Z0-9', 'upper': 'A-Z', 'lower': 'a-z', 'xdigit': '0-9A-Fa-f',
    'space': r' \t\n\r\f\v', 'blank': r' \t', 'punct': r'!-/:-@\[-`{-~', 'cntrl': r'\x00-\x1f\x7f', 'print': ' -~', 'graph': '!-~',
}


def _bracket(ere, at):
    """The bracket expression that starts at ere[at], and where it ends. A backslash in it is itself; a first ] too."""
    out, i = '[', at + 1
    if ere[i:i + 1] == '^':
        out, i = '[^', i + 1
    first = i
    while i < len(ere):
        named = re.match(r'\[:([a-z]+):\]|\[([.=])(.)\2\]', ere[i:])
        if named:
            if named[1] and named[1] not in CLASSES:
                raise ValueError(f'unknown class [:{named[1]}:] in {ere!r}')
            out += CLASSES[named[1]] if named[1] else re.escape(named[3])
            i += named.end()
        elif ere[i] == ']' and i > first:
            return out + ']', i + 1
        else:
            out += '\\' + ere[i] if ere[i] in '\\[]&|~^' else ere[i]
            i += 1
    raise ValueError(f'[ without ] in {ere!r}')


def translate(ere):
    """Returns the Python expression that matches the same lines; ValueError says what is wrong with @ere."""
    out, groups, atom, i = [], [], None, 0        # atom: index in out where the piece a quantifier applies to starts
    while i < len(ere):
        c, start = ere[i], len(out)
        interval = re.match(r'\{\d*(,\d*)?\}', ere[i:]) if c == '{' else None
        if c == '[':
            piece, i = _bracket(ere, i)
            out.append(piece)
            atom = start
            continue
        if c == '\\':
            if i + 1 == len(ere):
                raise ValueError(f'trailing backslash in {ere!r}')
            n = ere[i + 1]
            out.append({'<': r'\b(?=\w)', '>': r'\b(?<=\w)'}.get(n) or ('\\' + n if n in 'wWsSbB123456789' else re.escape(n)))
            atom = start
            i += 2
            continue
        if (c in '*+?' or interval and interval[0] not in ('{}', '{,}')) and atom is not None:
            quantifier = interval[0] if interval else c
            out[atom:] = ['(?:' + ''.join(out[atom:]) + ')' + quantifier]
            i += len(quantifier)
            continue
        if c == '(':
            groups.append(start)
            out.append('(')
            atom = None
        elif c == ')' and groups:
            atom = groups.pop()
            out.append(')')
        elif c == ')':
            raise ValueError(f'unbalanced ( or ) in {ere!r}')
        elif c in '^$|':
            out.append({'^': '^', '$': r'\Z', '|': '|'}[c])
            atom = None
        else:
            out.append('.' if c == '.' else re.escape(c))
            atom = start
        i += 1
    if groups:
        raise ValueError(f'unbalanced ( or ) in {ere!r}')
    return ''.join(out)
