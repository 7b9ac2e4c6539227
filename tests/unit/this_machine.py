#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""pith-check --this-machine on made-up machines:  this_machine.py PITH-CHECK"""
import pathlib
import struct
import subprocess
import sys
import tempfile

EFIVAR = 'sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c'
FEATURE_CONTROL, PROCBASED, PROCBASED2, VM_CR = 0x3a, 0x482, 0x48b, 0xc0010114


def words(text):
    return struct.unpack('<III', text.encode())


def cpuid(vendor, ecx1, ecx_extended, edx_extended=1 << 20, svm=0, hypervisor=None):
    b, d, c = words(vendor)
    leaves = [(0, 0x16, b, c, d), (1, 0, 0, ecx1 | (1 << 31 if hypervisor else 0), 0), (0x80000000, 0x8000000a, 0, 0, 0),
              (0x80000001, 0, 0, ecx_extended, edx_extended), (0x8000000a, 0, 0, 0, svm)]
    if hypervisor:
        leaves.append((0x40000000, 0x40000001, *words(hypervisor)))
    return ''.join(' '.join(f'{x:x}' for x in leaf) + '\n' for leaf in leaves)


INTEL = cpuid('GenuineIntel', 1 << 5 | 1 << 26, 0)
AMD = cpuid('AuthenticAMD', 1 << 26, 1 << 2, svm=1)
ON = {FEATURE_CONTROL: 5, PROCBASED: 1 << 63, PROCBASED2: (1 << 33 | 1 << 39)}
CPUINFO = 'processor\t: 0\nflags\t\t: fpu {}\nvmx flags\t: vnmi {}\nbugs\t\t:\n\nprocessor\t: 1\nflags\t\t: fpu vmx svm\n'
GOOD_INTEL = 'ok       processor: GenuineIntel with VT-x, EPT and unrestricted guest'
GOOD_AMD = 'ok       processor: AuthenticAMD with AMD-V and nested paging'
GUESS = 'unknown  whether the firmware turned '
CONF = '[partition a]\nimage = a\nmemory = 1G\n[partition b]\nimage = a\nmemory = {}\ncreate = at-boot\nmay-signal = a\ncores = {}\n'

CHECK = sys.argv[1]
failed = []


def machine(cpu, wanted, unwanted=(), status=0, msr=None, cpuinfo='', efi='64', secure=0, memory='16303428', cores='0-3', conf=None):
    """Each of @wanted is the begin of a line, none of @unwanted stands anywhere."""
    with tempfile.TemporaryDirectory() as tmp:
        root = pathlib.Path(tmp)
        files = {'cpuid': cpu, 'proc/cpuinfo': cpuinfo, 'proc/meminfo': f'MemTotal:       {memory} kB\nMemFree: 5 kB\n' if memory else None,
                 'sys/devices/system/cpu/present': cores and cores + '\n', 'sys/firmware/efi/fw_platform_size': efi and efi + '\n', 'pith.conf': conf}
        for name, text in files.items():
            if text is not None:
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(text)
        if efi and secure is not None:
            (root / EFIVAR).parent.mkdir(parents=True)
            (root / EFIVAR).write_bytes(bytes([6, 0, 0, 0, secure]))
        if msr:
            (root / 'dev/cpu/0').mkdir(parents=True)
            with open(root / 'dev/cpu/0/msr', 'wb') as f:               # a hole but for these
                for number, value in msr.items():
                    f.seek(number)
                    f.write(struct.pack('<Q', value))
        done = subprocess.run([CHECK, f'--this-machine={root}', *([root / 'pith.conf'] if conf else [])], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
    said = done.stdout.replace(tmp + '/', '')
    lines = said.splitlines()
    wrong = [f'no line {w!r}' for w in wanted if not any(line.startswith(w) for line in lines)]
    wrong += [f'unwanted {u!r}' for u in unwanted if u in said] + ([f'exit status {done.returncode}'] if done.returncode != status else [])
    if wrong:
        failed.append('\n'.join([*wrong, said]))


# the processor, by its MSRs
machine(INTEL, [GOOD_INTEL, 'ok       firmware: 64-bit UEFI', 'ok       Secure Boot: off', 'ok       cores: 4', 'ok       memory: 15921 MiB'], ['unknown'], msr=ON)
machine(INTEL, [GOOD_INTEL], ['unknown'], msr=ON | {FEATURE_CONTROL: 0})        # Pith switches it on itself
machine(INTEL, ['wrong    processor: VT-x is turned off and locked by the firmware - turn on "Intel Virtualization Technology (VT-x)"'], status=1,
        msr=ON | {FEATURE_CONTROL: 1}, cpuinfo=CPUINFO.format('vmx', 'ept unrestricted_guest'))
machine(INTEL, ['wrong    processor: this processor has no EPT'], status=1, msr=ON | {PROCBASED2: 1 << 39})
machine(INTEL, ['wrong    processor: this processor has no EPT'], status=1, msr=ON | {PROCBASED: 0})
machine(INTEL, ['wrong    processor: this processor has no unrestricted guest'], status=1, msr=ON | {PROCBASED2: 1 << 33})
machine(AMD, [GOOD_AMD], ['unknown'], msr={VM_CR: 0})
machine(AMD, ['wrong    processor: AMD-V is turned off by the firmware - turn on "SVM Mode"'], status=1, msr={VM_CR: 16})
machine(cpuid('AuthenticAMD', 1 << 26, 1 << 2, svm=0), ['wrong    processor: this processor has no nested paging'], status=1, msr={VM_CR: 0})
machine(cpuid('AuthenticAMD', 0, 1 << 2, svm=1), ['wrong    processor: this processor has no XSAVE'], status=1, msr={VM_CR: 0})
machine(cpuid('AuthenticAMD', 1 << 26, 1 << 2, 0, svm=1), ['wrong    processor: the processor offers no no-execute pages'], status=1, msr={VM_CR: 0})
machine(cpuid('GenuineIntel', 1 << 26, 0), ['wrong    processor: the processor offers no VT-x - turn on'], [GUESS], status=1)
machine(cpuid('GenuineIntel', 1 << 26, 0, hypervisor='KVMKVMKVM\0\0\0'), ['wrong    processor: this virtual machine (KVMKVMKVM) offers neither'], status=1)

# without them, by what Linux says
NO_FILE = '/dev/cpu/0/msr: No such file or directory - say `modprobe msr`, and this, as root'
machine(INTEL, [GOOD_INTEL, f'{GUESS}VT-x off, but for what Linux says of it: {NO_FILE}'], cpuinfo=CPUINFO.format('vmx', 'ept unrestricted_guest'))
machine(INTEL, ['wrong    processor: VT-x is turned off', GUESS], status=1, cpuinfo=CPUINFO.format('xvmx vmxx', 'ept unrestricted_guest'))
machine(INTEL, ['wrong    processor: this processor has no EPT'], status=1, cpuinfo=CPUINFO.format('vmx', 'ept_x unrestricted_guest'))
machine(INTEL, ['wrong    processor: this processor has no unrestricted guest'], status=1, cpuinfo=CPUINFO.format('vmx', 'ept'))
machine(INTEL, [GOOD_INTEL, GUESS], cpuinfo=CPUINFO.format('vmx', '').replace('vmx flags', 'old kernel'))
machine(INTEL, [GOOD_INTEL, GUESS])                                             # no /proc
machine(AMD, [GOOD_AMD, f'{GUESS}AMD-V off, but for what Linux says of it: {NO_FILE}'], cpuinfo=CPUINFO.format('svm', ''))
machine(AMD, ['wrong    processor: AMD-V is turned off by the firmware', GUESS], status=1, cpuinfo=CPUINFO.format('', ''))

# the firmware
machine(AMD, ['unknown  firmware: this Linux was not started by UEFI - turn off "CSM"'], ['Secure Boot'], msr={VM_CR: 0}, efi=None)
machine(AMD, ['wrong    firmware: 32-bit UEFI - Pith needs 64 bits'], status=1, msr={VM_CR: 0}, efi='32')
machine(AMD, ['note     Secure Boot is on - sign the loader'], msr={VM_CR: 0}, secure=1)
machine(AMD, ['ok       Secure Boot: off'], msr={VM_CR: 0}, secure=None)        # firmware without it

# what the partitions want
machine(AMD, ['ok       cores: 4', 'ok       memory: 15921 MiB, of which the partitions want 3072 MiB'], msr={VM_CR: 0}, conf=CONF.format('2G', '3'))
machine(AMD, ["wrong    pith.conf:6: with the memory of 'b' the partitions want 16384 MiB, and this machine has 15921 MiB - lower memory"], status=1,
        msr={VM_CR: 0}, conf=CONF.format('15G', '3'))
machine(AMD, ['wrong    pith.conf:9: '], ['ok       cores'], status=1, msr={VM_CR: 0}, conf=CONF.format('2G', '4'))
machine(AMD, ['ok       cores: 7'], msr={VM_CR: 0}, conf=CONF.format('2G', '4'), cores='0-3,5,8-9')
machine(AMD, ['ok       memory: 15921 MiB, of which the partitions want 15360 MiB'], msr={VM_CR: 0},     # one after the other
        conf='[partition m]\nimage = a\nmemory = 1G\nmay-manage = *\n' + ''.join(
            f'[partition r{n}]\nimage = a\ncreate = on-request\nmemory = {14 - n}G\n' for n in range(2)))
machine(AMD, ['pith.conf:2: there is no key'], ['processor'], status=1, conf='[partition a]\nimagf = a\n')
machine(AMD, ['unknown  cores: ', 'unknown  memory: '], msr={VM_CR: 0}, cores=None, memory=None)

print('\n'.join(failed))
sys.exit(bool(failed))
