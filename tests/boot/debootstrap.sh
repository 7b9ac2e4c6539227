#!/bin/sh
# SPDX-License-Identifier: MIT
# What a newcomer does, on a machine with nothing but Debian, git and make: as root, tests/boot/debootstrap.sh [SUITE [COMMAND]]
# COMMAND runs in a copy of this tree; by default the demo, until Linux is ready.
set -eu
cd "$(dirname "$0")/../.."

suite=${1:-bookworm}
run=${2:-"make run ARGS='--until ^.linux..ready'"}
[ "$(id -u)" -eq 0 ] || { echo 'debootstrap needs root' >&2; exit 2; }

root=$(mktemp -d "${TMPDIR:-/tmp}/pith-debian.XXXXXX")
clean() {
    umount "$root/proc" 2>/dev/null || true
    rm -rf --one-file-system "$root"
}
trap clean EXIT
trap 'exit 1' INT TERM HUP

command -v debootstrap >/dev/null || { echo 'debootstrap is missing: apt-get install debootstrap' >&2; exit 2; }
debootstrap --variant=minbase --include=git,make,ca-certificates "$suite" "$root" >"$root.log" || { tail "$root.log"; exit 1; }
rm -f "$root.log"
mount -t proc proc "$root/proc" || true
cp /etc/resolv.conf "$root/etc/"
for f in /etc/apt/apt.conf.d/*proxy*; do
    if [ -e "$f" ]; then cp "$f" "$root/etc/apt/apt.conf.d/"; fi
done
mkdir "$root/pith"
git ls-files --cached --others --exclude-standard | cpio --quiet -pdm "$root/pith"
# as on a fresh machine: no package lists
rm -rf "$root"/var/lib/apt/lists/*
chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb sh -c "cd /pith && git init -q && $run" </dev/null
