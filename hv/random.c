/* SPDX-License-Identifier: MIT */
/* ChaCha20 under a key that every use replaces, seeded from RDRAND and fed from it at each call. */
#include "hv/random.h"

#include "arch/x86/cpu/insn.h"
#include "arch/x86/host.h"
#include "hv/hypercall.h"
#include "hv/lib/chacha.h"
#include "hv/lib/string.h"
#include "hv/partition.h"

#define CPUID_1_ECX_RDRAND BIT(30)
#define TRIES              10 /* SDM 1, "RDRAND": by then something is wrong */

static bool has_rdrand(void)
{
    u32 a, b, c, d;

    cpuid(1, 0, &a, &b, &c, &d);
    return c & CPUID_1_ECX_RDRAND;
}

static bool fresh(u64 *word)
{
    for (u32 i = 0; i < TRIES; i++)
        if (rdrand(word))
            return true;
    *word = 0;
    return false;
}

/* A new key, and four words for @out. */
static void step(struct random *r, u64 mixed, u64 out[4])
{
    u64 tsc = arch_tsc();
    const u32 nonce[3] = { (u32)mixed, (u32)(mixed >> 32), (u32)tsc };
    u32 block[16];

    chacha20_block(r->key, (u32)(tsc >> 32), nonce, block);
    memcpy(r->key, block, sizeof(r->key));
    memcpy(out, block + 8, 4 * sizeof(*out));
    memset(block, 0, sizeof(block));
    __asm__ volatile("" : : "r"(block) : "memory"); /* the compiler sees no use of it any more */
}

void random_init(struct random *r, u32 who)
{
    u64 word[4], any = 0, all = ~0ull;

    *r = (struct random){ .seeded = has_rdrand() };
    for (u32 i = 0; r->seeded && i < ARRAY_SIZE(word); i++) {
        r->seeded = fresh(&word[i]);
        any |= word[i];
        all &= word[i];
    }
    if (!r->seeded || any == all) { /* some processors answer the same for ever, and say that it is good */
        r->seeded = false;
        return;
    }
    memcpy(r->key, word, sizeof(r->key));
    step(r, who, word);
}

enum pith_status hc_random(struct vcpu *v, struct x86_gprs *g)
{
    struct random *r = &v->part->random;
    u64 word, out[4];

    if (!r->seeded)
        return PITH_E_HW;
    (void)fresh(&word); /* without it, what there is does */
    spin_lock(&r->lock);
    step(r, word, out);
    spin_unlock(&r->lock);
    g->rbx = out[0];
    g->rcx = out[1];
    g->rdx = out[2];
    g->rsi = out[3];
    return PITH_OK;
}
