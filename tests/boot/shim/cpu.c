/* SPDX-License-Identifier: MIT */
#include "tests/boot/shim/shim.h"

const struct shim_word cpu_words[] = { { NULL, NULL } };
void cpu_finish(void) {}
