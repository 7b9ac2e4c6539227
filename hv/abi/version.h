/* SPDX-License-Identifier: MIT */
/* The version that the loader and the hypervisor print; both come from one file and carry the same. */
#pragma once

#define PITH_VERSION "0.1"
