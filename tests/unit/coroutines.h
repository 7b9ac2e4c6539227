/* SPDX-License-Identifier: MIT */
/* Stacks to switch between, for tests in which one core comes between any two steps of another. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sanitizer/asan_interface.h>

/* *from: where the present one goes on when it is switched to. */
void switch_stacks(void **from, void *to);
__asm__(".text\nswitch_stacks:\n"
        "    push %rbp; push %rbx; push %r12; push %r13; push %r14; push %r15\n"
        "    mov %rsp, (%rdi); mov %rsi, %rsp\n"
        "    pop %r15; pop %r14; pop %r13; pop %r12; pop %rbx; pop %rbp\n"
        "    ret\n");

/* What to switch to so that fn, which never returns, begins on @stack. */
static inline void *stack_for(char *stack, size_t size, void (*fn)(void))
{
    uint64_t *top = (uint64_t *)(void *)(stack + size) - 8; /* six registers, where to go, and where that would return to */

    ASAN_UNPOISON_MEMORY_REGION(stack, size); /* the last run's frames were left where they were */
    memset(top, 0, 8 * sizeof(*top));
    top[6] = (uintptr_t)fn;
    return top;
}
