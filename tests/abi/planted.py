#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Mistakes and changes of the contract that tools/abi-gen has to find: each is made in a copy, one at a time."""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEF, CALL, STATUS, START, GUIDE, NEGATIVE = ("hv/abi/hypercalls.def", "hv/abi/hypercall.h", "hv/abi/status.h", "hv/abi/start.h",
                                             "hv/abi/ABI.md", "tests/abi/negative.tsv")
VERSION = (CALL, r"(MINOR) (\d+)u", r"\1 \g<2>9u")
NEW = (DEF, r"\Z", 'HC(99, NEW, new, 1, PITH_CAP_MANAGE, "number what", "", "BUSY")\n')
NEW_TEXT = (GUIDE, r"(?m)^## Example", "### NEW (what)\n\n`PITH_E_BUSY`: always.\n\n## Example")
NEW_TESTS = (NEGATIVE, r"\Z", "".join(f"NEW\t{error}\tabi:call-after-last\n" for error in ("unused", "PERM", "BUSY")))
# What abi-gen says (None: it accepts), and what is changed: file, expression, text in its place.
CASES = [
    (None,),
    ("'call 6' is not as in version", (DEF, r'"number status"', '"ns status"')),
    ("'call 2' is not as in version", (DEF, r'"ARG"', '"ARG BUSY"'), (GUIDE, r"`PITH_E_ARG`: `length`", "`PITH_E_BUSY`, `PITH_E_ARG`: `length`")),
    ("'call 5' is not as in version", (DEF, r"1, PITH_CAP_NONE, \"ns", '1, PITH_CAP_MANAGE, "ns')),
    ("'status PITH_E_GONE' is not as", (STATUS, r"the peer was stopped or destroyed meanwhile", "gone")),
    ("'pith_start.mem' is not as", (START, r"uint64_t mem, modules;", "uint64_t modules, mem;")),
    ("'call 99' is not in version", NEW, NEW_TEXT, NEW_TESTS),
    (None, VERSION, NEW, NEW_TEXT, NEW_TESTS),
    ("no section '### NEW (what)'", VERSION, NEW, NEW_TESTS),
    ("there is no test of NEW", VERSION, NEW, NEW_TEXT),
    ("there is no such error: NEW", NEW_TESTS),
    ("has no check 'none'", (NEGATIVE, r"console-outside", "none")),
    ("'storm' is not among the guests", (NEGATIVE, r"abi:console-outside", "storm:attacks")),
    ("the section tells of", (GUIDE, r"`PITH_E_ARG`: `length`", "`PITH_E_BUSY`: `length`")),
    ("numbers go up and are used once", (DEF, r"HC\(6", "HC(5")),
    ("number of arguments", (DEF, r"wait,          1", "wait,          2")),
    ("'size' is not one of the types", (DEF, r"bytes length", "size length")),
    ("cannot read", (DEF, r"PITH_CAP_NONE, \"ns deadline\"", "PITH_CAP_NONE")),
]


def says(changes):
    """What abi-gen answers to @changes: the end of its complaint, or nothing."""
    with tempfile.TemporaryDirectory() as tmp:
        for name in "tools/abi-gen", "hv/abi", "tests/abi", "tests/guest", "tests/boot", "guests/lib":
            (pathlib.Path(tmp) / name).parent.mkdir(exist_ok=True, parents=True)
            (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, pathlib.Path(tmp) / name)
        for name, pattern, text in changes:
            path = pathlib.Path(tmp) / name
            new, found = re.subn(pattern, text, path.read_text(), count=1)
            if not found:
                sys.exit(f"planted.py: {name} has no '{pattern}'")
            path.write_text(new)
        done = subprocess.run([sys.executable, f"{tmp}/tools/abi-gen"], capture_output=True, text=True, check=False)
    return done.stderr.strip() if done.returncode else None


def main():
    wrong = 0
    for want, *changes in CASES:
        got = says(changes)
        if got != want and not (want and got and want in got):
            print(f"planted.py: {changes}: wanted '{want}', abi-gen said '{got}'")
            wrong += 1
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
