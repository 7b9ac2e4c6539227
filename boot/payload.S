/* SPDX-License-Identifier: MIT */
/* The hypervisor's ELF file inside the loader, so that the product is one file. */
    .section .rodata.payload, "a", @progbits
    .balign 4096
    .globl payload_start, payload_end
    .hidden payload_start, payload_end
payload_start:
    .incbin "payload.elf"
payload_end:
    .section .note.GNU-stack, "", @progbits
