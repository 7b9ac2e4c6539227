/* SPDX-License-Identifier: MIT */
/*
 * Where another partition's vCPU takes a core, it is to learn nothing of the one before from what the core has cached and predicted.
 * Intel, "Software Security Guidance", CPUID Enumeration and Architectural MSRs; AMD, "Software Techniques for Managing Speculation".
 */
#pragma once

#include "arch/x86/vm.h"

/* Boot core, once: what this processor needs and has. Sets caps->cleared and caps->leaks. @intel: of VT-x's family of faults. */
void barrier_probe(struct vm_caps *caps, bool intel);
/* On each core: no indirect branch of the hypervisor's goes where a guest has trained it to. */
void barrier_cpu_enable(void);
/* Clears what caps->cleared says. */
void barrier(void);
