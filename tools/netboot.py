# SPDX-License-Identifier: MIT
"""A machine without a disk: what its firmware finds on the network instead, and how it is made to look there."""
import http.server
import os
import pathlib
import re
import struct
import threading
import uuid

import tftpd

WAYS = ['tftp', 'tftp-plain', 'http', 'ipxe', 'ipxe-http']
LOADER = 'BOOTX64.EFI'
SCRIPT = 'pith.ipxe'
HOST = '10.0.2.2'           # this machine, as QEMU's user network shows it
GLOBAL_VARIABLE = uuid.UUID('8be4df61-93ca-11d2-aa0d-00e098032b8c').bytes_le
VARIABLES_AT = 0x48 + 28    # in OVMF's flash of variables: behind the headers of the volume and of the store


def make_tree(directory, files):
    """What the servers have: @files, name: path."""
    for name, path in files.items():
        (link := pathlib.Path(directory, name)).parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(os.path.abspath(path))
    named = set(re.split(r'[\s,]+', pathlib.Path(files['pith.conf']).read_text('latin-1'))) & set(files)
    fetch = ''.join(f"imgfetch --name {name.replace('/', chr(92))} {name} || shell\n" for name in ['pith.conf', *sorted(named)])
    pathlib.Path(directory, SCRIPT).write_text(f'#!ipxe\n{fetch}chain {LOADER} || shell\n')


class Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    cut = None

    def log_message(self, format, *args):
        pass

    def copyfile(self, source, outputfile):
        if self.cut != self.path.lstrip('/'):
            return super().copyfile(source, outputfile)
        data = source.read()
        outputfile.write(data[:len(data) // 2])
        self.close_connection = True


def serve(directory, cut):
    """A web server for as long as this process lives; its port. It ends in the middle of the file @cut."""
    Handler.cut = cut
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), lambda *a: Handler(*a, directory=directory))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_port


def variable(name, data):
    """UEFI variable of the firmware's own, as OVMF keeps it in flash: AUTHENTICATED_VARIABLE_HEADER, name, value."""
    name = name.encode('utf-16-le') + b'\0\0'
    head = struct.pack('<HBBIQ16sIII16s', 0x55aa, 0x3f, 0, 7, 0, bytes(16), 0, len(name), len(data), GLOBAL_VARIABLE)
    return head + name + data + b'\xff' * (-(len(head) + len(name) + len(data)) % 4)


def boot_from_uri(flash, uri):
    """What "HTTP boot from this address" in the firmware's setup would write into its variables, which are empty yet."""
    path = struct.pack('<BBH', 3, 24, 4 + len(uri)) + uri.encode() + b'\x7f\xff\x04\x00'
    option = struct.pack('<IH', 1, len(path)) + 'HTTP'.encode('utf-16-le') + b'\0\0' + path
    added = variable('Boot0000', option) + variable('BootOrder', b'\0\0')
    data = bytearray(flash.read_bytes())
    if data[VARIABLES_AT] != 0xff:
        raise RuntimeError(f'{flash}: not an empty flash of variables, as OVMF_VARS_4M.fd is')
    data[VARIABLES_AT:VARIABLES_AT + len(added)] = added
    flash.write_bytes(data)


def start(way, directory, flash, cut):
    """QEMU's arguments for the network card and what is behind it."""
    if way == 'tftp-plain':
        here, there = (f'{flash.parent}/{name}' for name in ('tftp', 'wire'))
        tftpd.Server(here, there, directory, LOADER, cut)
        return ['-netdev', f'dgram,id=net,local.type=unix,local.path={there},remote.type=unix,remote.path={here}',
                '-device', 'virtio-net-pci,netdev=net,romfile=,bootindex=0']
    uri = f'http://{HOST}:{serve(directory, cut)}/' if 'http' in way else ''
    if way == 'http':
        boot_from_uri(flash, uri + LOADER)
    bootfile = {'tftp': LOADER, 'http': '', 'ipxe': SCRIPT, 'ipxe-http': uri + SCRIPT}[way]
    net = 'user,id=net,ipv6=off' + ('' if uri else f',tftp={directory}') + (f',bootfile={bootfile}' if bootfile else '')
    # QEMU's e1000 has iPXE in its ROM; without that, the firmware's own drivers and PXE do it
    return ['-netdev', net, '-device', 'e1000,netdev=net,bootindex=0' if 'ipxe' in way else
            'virtio-net-pci,netdev=net,romfile=' + ('' if way == 'http' else ',bootindex=0')]
