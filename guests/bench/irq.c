/* SPDX-License-Identifier: MIT */
/* The shortest handlers there can be, which note the time and end the interrupt. */
#include "guests/bench/bench.h"

struct gate { uint16_t low, selector; uint8_t ist, attr; uint16_t mid; uint32_t high, zero; };
struct __attribute__((packed)) table { uint16_t limit; uint64_t base; };

static struct gate idt[VECTOR_XAPIC + 1];
volatile uint64_t bench_irqs, bench_taken;
void bench_on_x2apic(void);
void bench_on_xapic(void);

__asm__(".text\n"
        ".macro took_one\n"
        "    push %rax\n"
        "    push %rdx\n"
        "    rdtsc\n"
        "    mov %eax, bench_taken(%rip)\n"
        "    mov %edx, bench_taken + 4(%rip)\n"
        "    incq bench_irqs(%rip)\n"
        ".endm\n"
        ".globl bench_on_x2apic, bench_on_xapic\n"
        "bench_on_x2apic:\n"
        "    took_one\n"
        "    push %rcx\n"
        "    mov $0x80b, %ecx\n"
        "    xor %eax, %eax\n"
        "    xor %edx, %edx\n"
        "    wrmsr\n"
        "    pop %rcx\n"
        "    pop %rdx\n"
        "    pop %rax\n"
        "    iretq\n"
        "bench_on_xapic:\n"
        "    took_one\n"
        "    mov $0xfee000b0, %eax\n"
        "    movl $0, (%rax)\n"
        "    pop %rdx\n"
        "    pop %rax\n"
        "    iretq\n");

static void set_gate(unsigned vector, void (*handler)(void))
{
    uint64_t address = (uintptr_t)handler;
    uint16_t cs;

    __asm__("mov %%cs, %0" : "=r"(cs));
    idt[vector] = (struct gate){
        .low = (uint16_t)address, .selector = cs, .attr = 0x8e, .mid = (uint16_t)(address >> 16), .high = (uint32_t)(address >> 32),
    };
}

void interrupts_on(void)
{
    struct table idtr = { sizeof(idt) - 1, (uintptr_t)idt };

    set_gate(VECTOR_X2APIC, bench_on_x2apic);
    set_gate(VECTOR_XAPIC, bench_on_xapic);
    __asm__ volatile("lidt %0; sti" : : "m"(idtr));
}

void x2apic_on(void)
{
    wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | 0xc00);
    wrmsr(MSR_X2APIC_SVR, 0x1ff);
}
