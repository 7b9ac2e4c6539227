# SPDX-License-Identifier: MIT
"""The emulated machines: how each is started, how its end is understood, how its screen is read."""
import ctypes
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import subprocess
import time
import zlib

import netboot

LOG_LIMIT = 2 << 20         # bytes of emulator log: a healthy run writes a few KB, a machine gone wild megabytes a second
SILENCE = 30                # seconds
SERIAL_AT = 'com1', 'com2', 'pci'
SCREEN = '1280x1024x24'     # of the X server that Bochs draws on
BOCHS_EDGES = 4, 36, 18     # left, above (tool bar), below (status line) the picture in Bochs's window


def spawn(argv, **kw):
    """A child that dies with this process, however it ends."""
    libc = ctypes.CDLL(None)
    return subprocess.Popen(argv, preexec_fn=lambda: libc.prctl(1, signal.SIGKILL), **kw)


def stop(process):
    if process and process.poll() is None:
        process.terminate()
        try:
            process.wait(3)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def write_png(path, width, height, rgb):
    def chunk(kind, data):
        return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))

    lines = b''.join(b'\0' + rgb[y * width * 3:(y + 1) * width * 3] for y in range(height))
    pathlib.Path(path).write_bytes(b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0))
                                   + chunk(b'IDAT', zlib.compress(lines, 6)) + chunk(b'IEND', b''))


class Machine:
    """A started machine: .serial is a connected socket (None without a port), .ended() tells how it ended, if it has.

    @image: of its disk; with opt.net_boot, a directory that servers offer.
    """

    def __init__(self, opt, image, tmp):
        self.opt, self.image, self.tmp, self.serial, self.process = opt, image, pathlib.Path(tmp), None, None
        self.com2 = None                                    # the same for the second serial port
        self.tpm = None                                     # the process that is one
        self.log, self.next_look = self.tmp / 'log', 0.0
        self.heard = time.monotonic()                       # when the serial line said something last

    def ports(self):
        """Whose the first two serial ports are."""
        return {'com1': ('serial', 'com2'), 'com2': ('com2', 'serial'), 'pci': (None, 'com2')}[self.opt.serial_at]

    def connect(self, listener):
        """The emulator connects to us: no port or socket name can be taken by somebody else in between."""
        deadline = time.monotonic() + 20
        listener.settimeout(0.2)
        while True:
            try:
                peer = listener.accept()[0]
                peer.setblocking(True)
                return peer
            except TimeoutError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f'{self.opt.machine} did not start:\n{self.log_tail()}{self.stdout_tail()}') from None

    def log_tail(self):
        """The end of the emulator's log, without what is no complaint."""
        try:
            text = self.log.read_bytes()[-(1 << 16):].decode('utf-8', 'replace')
        except OSError:
            return ''
        return ''.join(line for line in text.splitlines(True) if not re.match(r'\d+i\[', line))[-2000:]

    def stdout_tail(self):
        path = self.tmp / 'stdout'
        return path.read_text('latin-1')[-1000:] if path.exists() else ''

    def log_too_long(self):
        limit = LOG_LIMIT * (50 if self.opt.emulator_log else 1)
        return any(f.exists() and f.stat().st_size > limit for f in (self.log, self.tmp / 'stdout'))

    def time_to_look(self):
        """Every few seconds: looking for a hang takes time itself."""
        if time.monotonic() < self.next_look:
            return False
        self.next_look = time.monotonic() + 3
        return True

    def monitor(self, command):
        raise RuntimeError(f'--monitor-command is for qemu-amd: {command}')


class Qemu(Machine):
    FIRMWARE = '/usr/share/OVMF/OVMF_{}.fd'
    DISKS = {'virtio': ['virtio-blk-pci,drive=disk'], 'nvme': ['nvme,drive=disk,serial=pith'], 'ahci': ['ide-hd,drive=disk,bus=ide.0'],
             'usb': ['qemu-xhci', 'usb-storage,drive=disk,removable=on'], 'usb2': ['usb-ehci', 'usb-storage,drive=disk,removable=on'],
             'scsi': ['virtio-scsi-pci', 'scsi-hd,drive=disk']}

    def start_tpm(self):
        """A TPM 2.0 of its own, not provisioned; QEMU talks to it through a socket."""
        listener = self.listen('tpm')
        with open(self.tmp / 'tpm.log', 'wb') as log:
            self.tpm = spawn(['swtpm', 'socket', '--tpm2', '--tpmstate', f'dir={self.tmp}', '--ctrl', f'type=unixio,fd={listener.fileno()}', '--terminate'],
                             pass_fds=[listener.fileno()], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        listener.close()
        return ['-chardev', f'socket,id=tpm,path={self.tmp}/tpm', '-tpmdev', 'emulator,id=tpm0,chardev=tpm', '-device', f'tpm-{self.opt.tpm},tpmdev=tpm0']

    def start(self):
        o = self.opt
        kind = '_4M.snakeoil' if o.secure_boot else {'4M': '_4M', '2M': ''}[o.firmware] # snakeoil: the key in its variables comes with it
        shutil.copyfile(self.FIRMWARE.format('VARS' + kind), self.tmp / 'vars.fd')
        *others, disk = self.DISKS[o.disk]
        disk = ['-drive', f'if=none,id=disk,format=raw,file={self.image}',
                *(arg for device in (*others, disk + ',bootindex=0') for arg in ('-device', device))]
        if o.net_boot:
            disk = netboot.start(o.net_boot, self.image, self.tmp / 'vars.fd', o.net_cut)
        listeners = {n: self.listen(n) for n, wanted in (('qmp', True), ('serial', not o.no_serial), ('com2', o.com2)) if wanted}
        argv = ['qemu-system-x86_64', '-nodefaults', '-no-user-config', '-display', 'none', '-vga', 'std', '-no-reboot', '-no-shutdown',
                '-machine', 'q35' + ',acpi=off' * o.no_acpi + ',smm=on' * o.secure_boot, '-cpu', o.cpu or 'max,+svm', '-smp', str(o.cpus),
                '-m', f'{o.memory or 1024}M',
                '-drive', f'if=pflash,format=raw,unit=0,readonly=on,file=' + self.FIRMWARE.format('CODE' + kind),
                '-drive', f'if=pflash,format=raw,unit=1,file={self.tmp}/vars.fd',
                *disk, '-chardev', f'socket,id=qmp,path={self.tmp}/qmp', '-mon', 'chardev=qmp,mode=control']
        argv += ['-accel', 'tcg,thread=single', '-icount', f'shift={o.icount},sleep=off'] if o.icount is not None else ['-accel', 'tcg']
        if o.secure_boot:                                   # only the firmware's system management mode can write the variables
            argv += ['-global', 'driver=cfi.pflash01,property=secure,value=on', '-global', 'ICH9-LPC.disable_s3=1']
        for name in 'serial', 'com2':
            argv += ['-chardev', f'socket,id={name},path={self.tmp}/{name}'] if name in listeners else []
        for name in self.ports():                           # the first -serial is COM1
            argv += ['-serial', f'chardev:{name}' if name in listeners else 'none']
        if o.serial_at == 'pci' and not o.no_serial:
            argv += ['-device', 'pci-serial,chardev=serial,addr=0x11']
        argv += (['-device', 'e1000,addr=0x10,romfile='] if o.nic else []) + o.qemu_arg
        argv += self.start_tpm() if o.tpm else []
        if o.debugcon:
            argv += ['-chardev', f'file,id=debugcon,path={o.debugcon}', '-device', 'isa-debugcon,iobase=0xe9,chardev=debugcon']
        with open(self.log, 'wb') as log:
            self.process = spawn(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.qmp, self.replies = self.connect(listeners['qmp']), b''
        if not o.no_serial:
            self.serial = self.connect(listeners['serial'])
        if o.com2:
            self.com2 = self.connect(listeners['com2'])
        self.end = None
        self.command('qmp_capabilities')

    def listen(self, name):
        s = socket.socket(socket.AF_UNIX)
        s.bind(f'{self.tmp}/{name}')
        s.listen(1)
        return s

    def messages(self, wait):
        """QMP messages that have arrived; with @wait, at least one more."""
        self.qmp.settimeout(20 if wait else 0.0)
        try:
            data = self.qmp.recv(65536)
            if not data and wait:
                raise RuntimeError(f'QEMU ended by itself:\n{self.log_tail()}')
            self.replies += data
        except BlockingIOError:
            pass
        except OSError as e:
            raise RuntimeError(f'QEMU does not answer: {e}\n{self.log_tail()}') from None
        *lines, self.replies = self.replies.split(b'\n')
        found = [json.loads(line) for line in lines if line.strip()]
        for m in found:
            if m.get('event') == 'SHUTDOWN':
                guest = m['data']['reason']
                self.end = {'guest-shutdown': 'powered off', 'guest-reset': 'the machine reset'}.get(guest, f'the machine ended: {guest}')
        return found

    def command(self, execute, **arguments):
        self.qmp.settimeout(20)
        try:
            self.qmp.sendall(json.dumps({'execute': execute, 'arguments': arguments}).encode())
        except OSError:
            raise RuntimeError(f'QEMU ended by itself:\n{self.log_tail()}') from None
        while True:
            for m in self.messages(True):
                if 'error' in m:
                    raise RuntimeError(f"QEMU: {m['error']['desc']}")
                if 'return' in m:
                    return m['return']

    def ended(self):
        if self.process.poll() is not None:
            return f'QEMU ended by itself:\n{self.log_tail()}'
        self.messages(False)
        if not self.end and self.halted():
            return 'every core is halted with interrupts off: a hang'
        return self.end

    def halted(self):
        """HLT with IF=0 on every core is final: nothing in these machines sends an NMI."""
        if not self.time_to_look():
            return False
        text = self.command('human-monitor-command', **{'command-line': 'info registers -a'})
        cores = re.findall(r'RFL=([0-9a-f]+).*?HLT=(\d)', text)
        return bool(cores) and all(h == '1' and not int(f, 16) & 0x200 for f, h in cores)

    def monitor(self, command):
        return self.command('human-monitor-command', **{'command-line': command}).replace('\r', '')

    def screenshot(self, path):
        raw = self.tmp / 'screen.ppm'
        self.command('screendump', filename=str(raw))
        head = re.match(rb'P6\s+(\d+)\s+(\d+)\s+255\s', (data := raw.read_bytes()))
        write_png(path, int(head[1]), int(head[2]), data[head.end():])

    def fini(self):
        if self.process and self.process.poll() is None:
            try:
                self.qmp.sendall(b'{"execute":"quit"}')
                self.process.wait(2)
            except (OSError, subprocess.TimeoutExpired):
                pass
        stop(self.process)
        stop(self.tpm)


def own_triple_fault(shown):
    r"""From what Bochs' debugger shows: a guest's triple fault ends at the instruction after VMRUN, Pith's own stays where it happened. What
    is not written yet tells nothing.

    >>> stop = '(1).[7] [0x00001000] 0008:1000 (unk. ctxt): ud2\nNext at t=7\n(0) [0x2000] 0008:2000: hlt\n'
    >>> own_triple_fault(stop), own_triple_fault(stop + '(1) [0x3000] 0008:3000: vmsave\n')
    (False, False)
    >>> own_triple_fault(stop + '(1) [0x1000] 0008:1000: ud2\n')
    True
    """
    stops = re.findall(r'^\((\d+)\)\.\[.*\nNext at .*\n((?:\(\d+\) .*\n)+)', shown, re.M)
    mine = [re.search(rf'^\({core}\) .*', where, re.M) for core, where in stops]
    return any(line and ': vmsave' not in line[0] for line in mine)


class Bochs(Machine):
    FIRMWARE = '/usr/share/ovmf/OVMF.fd'
    MODELS = {'bochs-intel': 'corei7_skylake_x', 'bochs-amd': 'ryzen'}
    RC = '''\
plugin_ctrl: biosdev=false, gameport=false, iodebug=false, parallel=false, extfpuirq=true, serial=true, speaker=false, unmapped=true
config_interface: textconfig
memory: host={memory}, guest={memory}
romimage: file="{firmware}", address={rom_at:#x}, options=none
boot: disk
floppy_bootsig_check: disabled=1
ata0: enabled=true, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=disk, path="{image}", mode=flat, cylinders=0, heads=16, spt=63
cpu: count={cpus}, ips=50000000, model={model}, reset_on_triple_fault=0, ignore_bad_msrs=1
clock: sync=none, time0=local
log: {log}
panic: action=fatal{guest_panics}
error: action=report{quiet}
info: action=ignore{halts}
debug: action=ignore
'''
    HEADLESS = '''\
display_library: rfb, options="timeout=0"
vgaromimage: file="/usr/share/bochs/VGABIOS-lgpl-latest"
pci: enabled=1, chipset=i440fx
'''
    NIC = '''\
pci: slot2=e1000
e1000: card=0, enabled=1, mac=52:54:00:12:34:56, ethmod=null, ethdev=none
'''
    WINDOW = '''\
display_library: x
vgaromimage: file="/usr/share/vgabios/vgabios.cirrus.bin"
vga: extension=cirrus, update_freq=5
pci: enabled=1, chipset=i440fx, slot1=cirrus
'''

    def start(self):
        o, env, self.server, self.picture = self.opt, dict(os.environ), None, None
        each_core = [f', cpu{n}=' for n in range(o.cpus)]
        rc = self.RC.format(firmware=self.FIRMWARE, rom_at=(1 << 32) - os.path.getsize(self.FIRMWARE), memory=o.memory or 512,
                            image=self.image, cpus=o.cpus, model=o.cpu or self.MODELS[o.machine], log=self.log,
                            quiet='' if o.emulator_log else ''.join(c + 'ignore' for c in each_core),
                            halts=''.join(c + 'report' for c in each_core),
                            guest_panics=''.join(c + 'report' for c in each_core) if o.machine == 'bochs-amd' else '')
        rc += self.WINDOW if o.screenshot else self.HEADLESS
        rc += self.NIC if o.nic else ''
        rc += 'port_e9_hack: enabled=1\n' if o.debugcon else ''
        if o.screenshot:
            env['DISPLAY'] = self.start_screen()
        listeners = {n: socket.create_server(('127.0.0.1', 0)) for n, wanted in (('serial', not o.no_serial), ('com2', o.com2)) if wanted}
        for name, listener in listeners.items():
            rc += f'com{self.ports().index(name) + 1}: enabled=true, mode=socket-client, dev="127.0.0.1:{listener.getsockname()[1]}"\n'
        (self.tmp / 'bochsrc').write_text(rc)
        # Debian's Bochs has its debugger built in, which stops at the start and after each reported panic: let it continue
        (self.tmp / 'debugger').write_text('c\n' * 100 + 'quit\n')
        with open(o.debugcon or self.tmp / 'stdout', 'wb') as out:
            self.process = spawn(['bochs-bin', '-q', '-f', f'{self.tmp}/bochsrc', '-rc', f'{self.tmp}/debugger'], env=env, cwd=self.tmp,
                                 stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        self.serial, self.com2 = (self.connect(listeners[n]) if n in listeners else None for n in ('serial', 'com2'))

    def start_screen(self):
        readable, writable = os.pipe()
        self.server = spawn(['Xvfb', '-displayfd', str(writable), '-screen', '0', SCREEN, '-fbdir', str(self.tmp), '-nolisten', 'tcp', '-br'],
                            pass_fds=[writable], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(writable)
        with os.fdopen(readable) as f:
            return ':' + f.readline().strip()

    def ended(self):
        if self.opt.screenshot and time.monotonic() > getattr(self, 'next_picture', 0):
            self.look()
            self.next_picture = time.monotonic() + 0.2
        log = self.log_tail()
        if self.process.poll() is None and not self.panicked(log):
            return 'every core is halted with interrupts off: a hang' if self.hung() else None
        if re.search(r'soft power off|Shutdown port: shutdown requested', log):
            return 'powered off'
        return f'Bochs ended by itself:\n{log}'

    def panicked(self, log):
        """A triple fault makes Bochs panic, under AMD-V a guest's too. Its debugger then stops and shows where each core goes on. Drawing on X,
        Bochs waits at a dialog box instead."""
        if self.opt.machine != 'bochs-amd' or 'soft power off' in log:
            return '>>PANIC<<' in log
        return own_triple_fault(pathlib.Path(self.opt.debugcon or self.tmp / 'stdout').read_text('latin-1'))

    def hung(self):
        """Every core's last word in the log is that it halts with interrupts off, and nothing has been said for long: Bochs writes the same
        of a guest's HLT, after which the core goes on."""
        if not self.time_to_look() or time.monotonic() - self.heard < SILENCE:
            return False
        last = dict(re.findall(r'^\d+i\[(CPU\d+) *\] (.*)', self.log.read_text('latin-1'), re.M))
        return len(last) == self.opt.cpus and all('HLT instruction with IF=0' in words for words in last.values())

    def look(self):
        """Keeps the picture of a running machine: its window is gone, or covered, before we hear of its end."""
        picture = (self.tmp / 'Xvfb_screen0').read_bytes()
        if self.process.poll() is None and '>>PANIC<<' not in self.log_tail():
            self.picture = picture

    def settle(self):
        """Lets a machine that still runs finish drawing: its window lags behind the serial line."""
        last = None
        for _ in range(10):
            self.look()
            if self.process.poll() is not None or getattr(self, 'picture', None) == last:
                return
            last = self.picture
            time.sleep(0.7)

    def screenshot(self, path):
        self.settle()
        self.look()
        x, (left, above, below) = self.picture, BOCHS_EDGES
        head = struct.unpack('>25I', x[:100])       # an X window dump: XWDFile.h
        height, stride, start = head[5], head[12], head[0] + head[19] * 12
        rows = [x[start + y * stride + left * 4:start + (y + 1) * stride] for y in range(above, height)]
        while len(rows) > below + 1 and not any(rows[-1]):
            rows.pop()
        width = max((len(rows[-1].rstrip(b'\0')) + 3) // 4, 1)         # the status line is as wide as the picture, and never black
        rows = rows[:-below]
        pixels, rgb = b''.join(r[:width * 4] for r in rows), bytearray(width * len(rows) * 3)
        rgb[0::3], rgb[1::3], rgb[2::3] = pixels[2::4], pixels[1::4], pixels[0::4]
        write_png(path, width, len(rows), bytes(rgb))

    def fini(self):
        stop(self.process)
        stop(self.server)


MACHINES = {'qemu-amd': Qemu, 'bochs-intel': Bochs, 'bochs-amd': Bochs}
