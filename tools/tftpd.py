# SPDX-License-Identifier: MIT
"""A server of DHCP and TFTP of the simplest kind, on a wire of its own: Ethernet frames in datagrams. It knows no options of TFTP (RFC 1350), but
for the loader, which firmware reads only where the server tells its size."""
import pathlib
import socket
import struct
import threading

MAC, IP, MACHINE = b'\x52\x55\x0a\x00\x02\x02', bytes([10, 0, 2, 2]), bytes([10, 0, 2, 15])
DHCP, BOOTP, TFTP = 67, 68, 69
ETHER_ARP, ETHER_IP, UDP = 0x806, 0x800, 17
OFFER, ACK = 2, 5
DISCOVER = 1
READ, DATA, ACKNOWLEDGE, ERROR, OPTIONS = 1, 3, 4, 5, 6


def checksum(data):
    total = sum(struct.unpack(f'>{len(data) // 2}H', data))
    return ~(total + (total >> 16)) & 0xffff


class Server:
    """Answers frames that arrive at the datagram socket @here, to @there; says nothing more from the middle of the file @cut on."""

    def __init__(self, here, there, directory, loader, cut):
        self.there, self.directory, self.loader, self.cut = there, pathlib.Path(directory), loader, cut
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(here)
        self.data, self.block, self.silent_at = b'', 512, None
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            frame = self.socket.recv(65536)
            kind = struct.unpack_from('>H', frame, 12)[0]
            if kind == ETHER_ARP and frame[38:42] == IP:
                self.send(frame[6:12], ETHER_ARP, struct.pack('>HHBBH', 1, ETHER_IP, 6, 4, 2) + MAC + IP + frame[22:32])
            elif kind == ETHER_IP and frame[23] == UDP:
                head = 14 + 4 * (frame[14] & 15)
                source, port, length = struct.unpack_from('>HHH', frame, head)
                self.on_udp(frame, source, port, frame[head + 8:head + length])

    def send(self, to, kind, payload):
        try:
            self.socket.sendto(to + MAC + struct.pack('>H', kind) + payload, self.there)
        except OSError:
            pass                                            # the machine has ended

    def send_udp(self, to, ip, source, port, payload):
        head = struct.pack('>BBHHHBBH4s4s', 0x45, 0, 28 + len(payload), 0, 0, 64, UDP, 0, IP, ip)
        head = head[:10] + struct.pack('>H', checksum(head)) + head[12:]
        self.send(to, ETHER_IP, head + struct.pack('>HHHH', source, port, 8 + len(payload), 0) + payload)

    def on_udp(self, frame, source, port, said):
        if port == DHCP:
            kind = said[said.index(b'\x35\x01', 240) + 2]
            options = b''.join(bytes([n, len(value)]) + value for n, value in (
                (53, bytes([OFFER if kind == DISCOVER else ACK])), (54, IP), (51, b'\0\0\x0e\x10'), (1, b'\xff\xff\xff\0')))
            answer = b'\x02' + said[1:12] + bytes(4) + MACHINE + IP + bytes(4) + said[28:44] + bytes(64) + self.loader.encode().ljust(128, b'\0')
            self.send_udp(b'\xff' * 6, b'\xff' * 4, DHCP, BOOTP, answer + b'\x63\x82\x53\x63' + options + b'\xff')
        elif port >= TFTP:
            answer = self.tftp(said)
            if answer:
                self.send_udp(frame[6:12], frame[26:30], 2069, source, answer)

    def tftp(self, said):
        """One transfer at a time, as firmware does it."""
        kind, = struct.unpack_from('>H', said)
        if kind == READ:
            name, _, *options = said[2:].split(b'\0')
            path = self.directory / name.decode().lstrip('/')
            if not path.is_file():
                return struct.pack('>HH', ERROR, 1) + b'no such file\0'
            self.data, self.block = path.read_bytes(), 512
            self.silent_at = len(self.data) // 2 if name.decode() == self.cut else None
            if name.decode() == self.loader:
                return self.agree(dict(zip(options[::2], options[1::2])))
            return self.piece(1)
        return self.piece(struct.unpack_from('>H', said, 2)[0] + 1) if kind == ACKNOWLEDGE else None

    def agree(self, options):
        self.block = int(options.get(b'blksize', b'512'))
        agreed = {b'tsize': str(len(self.data)).encode(), b'blksize': options.get(b'blksize')}
        return struct.pack('>H', OPTIONS) + b''.join(name + b'\0' + agreed[name] + b'\0' for name in agreed if name in options)

    def piece(self, number):
        at = (number - 1) * self.block
        if at > len(self.data) or (self.silent_at is not None and at > self.silent_at):
            return None
        return struct.pack('>HH', DATA, number) + self.data[at:at + self.block]
