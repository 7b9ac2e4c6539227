/* SPDX-License-Identifier: MIT */
#include "tests/boot/shim/shim.h"

const struct shim_word service_words[] = { { NULL, NULL } };
