#!/usr/bin/env python3
"""Fail when a file includes a layer it may not see, or when headers form a cycle."""
import pathlib, re, sys

ST, CPU, LIB = "hv/abi/status.h", "arch/x86/cpu/", "hv/lib/"
VM = ["arch/x86/breakpoints.h", "arch/x86/vm.h", "arch/x86/vm_ops.h", "arch/x86/skip.h", "arch/x86/tags.h", "arch/x86/gprs.h",
      "arch/x86/host.h", "arch/x86/host_desc.h", "arch/x86/safe.h"]
MAY = {                                   # longest matching prefix decides
    "hv/abi/":       ["hv/abi/"],
    "hv/lib/":       [LIB],
    "arch/x86/cpu/": [CPU, LIB],
    "drivers/":      ["drivers/", CPU, LIB, ST],
    "arch/x86/vmx/": ["arch/x86/vmx/", "arch/x86/s2.h", "arch/x86/fpu.h", *VM, CPU, LIB, ST],
    "arch/x86/svm/": ["arch/x86/svm/", "arch/x86/s2.h", "arch/x86/fpu.h", *VM, CPU, LIB, ST],
    "arch/x86/":     ["arch/x86/", "drivers/", LIB, ST, "hv/abi/handoff.h", "hv/abi/version.h"],
    "hv/vdev/":      ["hv/vdev/", "arch/x86/decode.h", CPU, LIB, "hv/abi/"],
    "hv/":           ["hv/", "drivers/", CPU, "arch/x86/vm.h", "arch/x86/host.h", "arch/x86/decode.h"],
    "boot/image/":   ["boot/image/", "hv/abi/", CPU, LIB],      # pure: no firmware
    "boot/":         ["boot/", "hv/abi/", "drivers/", CPU, LIB],
    "guests/":       ["guests/", "hv/abi/"],
    "tools/":        ["tools/", "hv/abi/", "boot/config.h", "boot/measure.h", "boot/plans.h", "boot/cpu_verdict.h", "arch/x86/cpu/regs.h"],
    "tests/":        [""],
}
MAY_NOT = {"arch/x86/": ["arch/x86/vmx/", "arch/x86/svm/"]}   # vm.c knows the vendors by vm_ops.h alone

bad, graph = [], {}
for f in (p for p in pathlib.Path(".").rglob("*") if p.suffix in (".c", ".h", ".S")):
    name = f.as_posix()
    layer = max((k for k in MAY if name.startswith(k)), key=len, default=None)
    if layer:
        graph[name] = re.findall(r'^\s*#\s*include\s*"([^"]+)"', f.read_text(), re.M)
        bad += [f"{name}: may not include {i}" for i in graph[name]
                if not any(i.startswith(m) for m in MAY[layer])
                or any(i.startswith(m) for m in MAY_NOT.get(layer, []))]

def visit(n, path):
    if n in path:
        bad.append("cycle: " + " -> ".join(path[path.index(n):] + [n]))
    elif n not in done:
        for m in graph.get(n, []):
            visit(m, path + [n])
        done.add(n)

done = set()
for n in list(graph):
    visit(n, [])
print("\n".join(bad) or f"{len(graph)} files, layers clean")
sys.exit(bool(bad))
