#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Prints the lines that write a disk image to a USB stick; writes nothing itself:  stick.py IMAGE"""
import json
import os
import platform
import shlex
import subprocess
import sys

COLUMNS = 'PATH,TYPE,SIZE,RM,RO,TRAN,VENDOR,MODEL,SERIAL,MOUNTPOINTS'
ELSEWHERE = '''\
On macOS, with the number that `diskutil list external physical` shows in place of N:
    diskutil unmountDisk /dev/diskN
    sudo dd if={image} of=/dev/rdiskN bs=1m

On Windows, with a program that writes images as they are, Rufus or balenaEtcher for example.

Or without writing an image, and without losing what is on the stick: boot/README.md, "Files on any stick".
'''


def mounts(device):
    """Where a disk or what is on it is mounted.

    >>> mounts({'mountpoints': [None], 'children': [{'mountpoints': ['/a'], 'children': [{'mountpoints': ['/b']}]}]})
    ['/a', '/b']
    """
    return [m for m in device.get('mountpoints') or [] if m] + [m for child in device.get('children', []) for m in mounts(child)]


def refused(device, size):
    """Why not this one; None: it can be written."""
    if any(m in ('[SWAP]', '/', '/usr', '/var', '/home') or m.startswith('/boot') for m in mounts(device)):
        return 'this system runs from it'
    if device['ro']:
        return 'it is write-protected: move its switch'
    if device['size'] == 0:
        return 'there is nothing in it'
    return f'it is too small, the image has {size >> 20} MiB' if device['size'] < size else None


def lines(devices, image, size):
    """What to type for each disk that can be pulled out.

    >>> stick = {'path': '/dev/sdb', 'type': 'disk', 'size': 8 << 30, 'rm': True, 'ro': False, 'tran': 'usb', 'vendor': 'SanDisk ',
    ...          'model': 'Cruzer Blade', 'serial': '4C53', 'mountpoints': [None],
    ...          'children': [{'path': '/dev/sdb1', 'mountpoints': ['/media/me/MY STICK']}]}
    >>> print('\\n'.join(lines([stick], 'build/pith.img', 50 << 20)))
    /dev/sdb  8.0 GiB  SanDisk Cruzer Blade  serial 4C53
        sudo umount '/media/me/MY STICK'
        sudo dd if=build/pith.img of=/dev/sdb bs=1M conv=fsync status=progress
        sudo cmp -n 52428800 build/pith.img /dev/sdb
    >>> def one(**other):
    ...     return [line for line in lines([dict(stick, children=[]) | other], 'i', 50 << 20) if ' dd ' in line or '(' in line]
    >>> one()
    ['    sudo dd if=i of=/dev/sdb bs=1M conv=fsync status=progress']
    >>> one(tran='sata', rm=False), one(tran='nvme', rm=False), one(type='rom'), one(type='loop')      # never a disk that is built in
    ([], [], [], [])
    >>> one(rm=False)                                                       # a USB hard disk, and most card readers: it says so
    ['/dev/sdb  8.0 GiB  SanDisk Cruzer Blade  serial 4C53  (a disk, rather than a stick?)', '    sudo dd if=i of=/dev/sdb bs=1M conv=fsync status=progress']
    >>> one(tran=None, path='/dev/mmcblk0', vendor=None, serial=None, rm=True)[0]
    '    sudo dd if=i of=/dev/mmcblk0 bs=1M conv=fsync status=progress'
    >>> one(children=[{'mountpoints': [None], 'children': [{'mountpoints': ['/']}]}])
    ['/dev/sdb  8.0 GiB  SanDisk Cruzer Blade  serial 4C53  (not this one: this system runs from it)']
    >>> one(ro=True), one(size=0), one(size=16 << 20)   # doctest: +ELLIPSIS
    (['...(not this one: it is write-protected...)'], ['...there is nothing in it)'], ['...(not this one: it is too small, the image has 50 MiB)'])
    """
    said, file = [], shlex.quote(image)
    for d in devices:
        if d['type'] != 'disk' or not (d['rm'] or d['tran'] == 'usb'):
            continue
        name = ' '.join((d[key] or '').strip() for key in ('vendor', 'model')).strip() or 'a device without a name'
        head = f"{d['path']}  {d['size'] / (1 << 30):.1f} GiB  {name}" + (f"  serial {d['serial']}" if d['serial'] else '')
        if why := refused(d, size):
            said += [f'{head}  (not this one: {why})']
            continue
        said += [head + ('' if d['rm'] else '  (a disk, rather than a stick?)')]
        said += [f'    sudo umount {shlex.quote(m)}' for m in mounts(d)]
        said += [f"    sudo dd if={file} of={d['path']} bs=1M conv=fsync status=progress", f"    sudo cmp -n {size} {file} {d['path']}"]
    return said


def main():
    image = sys.argv[1]
    if platform.system() == 'Linux':
        found = subprocess.run(['lsblk', '--json', '--bytes', '--output', COLUMNS], stdout=subprocess.PIPE, check=True)
        said = lines(json.loads(found.stdout)['blockdevices'], image, os.path.getsize(image))
        print('Nothing was written. Everything on the stick will be lost; these are the disks that can be pulled out:\n' if said else
              'No stick was found: plug it in and say `make usb` again. Or, with its name (see `lsblk`) in place of sdX:\n')
        print('\n'.join(said) if said else f'    sudo dd if={shlex.quote(image)} of=/dev/sdX bs=1M conv=fsync status=progress')
        print()
    print(ELSEWHERE.format(image=shlex.quote(image)), end='')


if __name__ == '__main__':
    main()
