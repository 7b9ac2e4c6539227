/* SPDX-License-Identifier: MIT */
/* Walks one instruction: prefixes, opcode, ModRM and SIB, displacement, immediate. SDM 2, Instruction Format. */
#include "arch/x86/decode.h"

#include "arch/x86/decode_tables.h"
#include "arch/x86/vm.h"

#define INSN_MAX 15
#define NONE     0xffu

enum { REX_B = 1, REX_X = 2, REX_R = 4, REX_W = 8 };

struct decoder {
    const u8 *bytes;
    u8 len, pos;
    bool bad;         /* bytes ran out, or no instruction; decoding goes on over zeros, harmlessly */
    bool addr_prefix; /* 67 */
    bool vector;      /* VEX, EVEX or XOP */
    u8 rex, seg, op_size;
    u8 vex; /* the last byte of a VEX prefix before a plain move: L and pp; else 0 */
    u32 attr;
    struct insn *in;
};

static u64 take(struct decoder *d, unsigned n)
{
    u64 v = 0;

    if (n > (unsigned)(d->len - d->pos)) {
        d->bad = true;
        return 0;
    }
    for (unsigned i = 0; i < n; i++)
        v |= (u64)d->bytes[d->pos++] << (8 * i);
    return v;
}

static u8 take_byte(struct decoder *d)
{
    return (u8)take(d, 1);
}

static u8 peek(const struct decoder *d)
{
    return d->pos < d->len ? d->bytes[d->pos] : 0;
}

static u64 sign_extend(u64 v, unsigned size)
{
    unsigned unused = 64 - 8 * size;

    return (u64)((s64)(v << unused) >> unused);
}

static bool take_prefix(struct decoder *d, u8 byte)
{
    struct insn *in = d->in;

    switch (byte) {
    case 0x26: case 0x2e: case 0x36: case 0x3e:
        if (in->mode != INSN_64) /* there, these mean nothing */
            d->seg = byte >> 3 & 3;
        break;
    case 0x64: case 0x65:
        d->seg = byte & 7;
        break;
    case 0x66:
        in->opsize = true;
        break;
    case 0x67:
        d->addr_prefix = true;
        break;
    case 0xf0:
        in->lock = true;
        break;
    case 0xf2: case 0xf3: /* the last one counts */
        in->repne = byte == 0xf2;
        in->rep = byte == 0xf3;
        break;
    default:
        return false;
    }
    return true;
}

static void take_prefixes(struct decoder *d)
{
    for (; d->pos < d->len; d->pos++) {
        u8 byte = peek(d);

        if (d->in->mode == INSN_64 && (byte & 0xf0) == 0x40)
            d->rex = byte; /* counts only right before the opcode */
        else if (take_prefix(d, byte))
            d->rex = 0;
        else
            break;
    }
    d->in->rex = d->rex != 0;
}

static void set_sizes(struct decoder *d)
{
    struct insn *in = d->in;
    bool small = (in->mode == INSN_16) != in->opsize;

    d->op_size = d->rex & REX_W ? 8 : small ? 2 : 4;
    if (in->mode == INSN_64)
        in->addr_size = d->addr_prefix ? 4 : 8;
    else
        in->addr_size = (in->mode == INSN_16) != d->addr_prefix ? 2 : 4;
}

/* LES, LDS and BOUND cannot name registers: outside 64-bit mode those encodings are VEX and EVEX. POP is 8F /0 only. */
static bool is_vector(const struct decoder *d, u8 opcode)
{
    if (opcode == 0x8f)
        return peek(d) & 0x18;
    if (opcode != 0xc4 && opcode != 0xc5 && opcode != 0x62)
        return false;
    return d->in->mode == INSN_64 || (peek(d) & 0xc0) == 0xc0;
}

static u32 attr_0f38(const struct decoder *d)
{
    u8 opcode = d->in->opcode;

    if ((opcode & 0xfe) == 0xf0 && !d->in->repne) /* MOVBE; with F2, CRC32 */
        return INSN_MOVBE << ATTR_OP_SHIFT | ATTR_MODRM | ATTR_MEM | (opcode & 1 ? ATTR_DST : 0);
    return (opcode == 0x2a ? INSN_VMOV << ATTR_OP_SHIFT : 0) | decode_maps[MAP_0F38];
}

/* VEX (C4, C5), EVEX (62) and XOP (8F). They have their own REX and operand-size bits. */
static u32 vector_attr(struct decoder *d, u8 escape)
{
    static const struct { u8 escape, map_mask, more; u16 maps; } formats[] = {
        { 0xc5, 0x00, 0, BIT(MAP_0F) },
        { 0xc4, 0x1f, 1, BIT(MAP_0F) | BIT(MAP_0F38) | BIT(MAP_0F3A) },
        { 0x62, 0x0f, 2, BIT(MAP_0F) | BIT(MAP_0F38) | BIT(MAP_0F3A) | BIT(5) | BIT(6) },
        { 0x8f, 0x1f, 1, BIT(8) | BIT(9) | BIT(10) },
    };
    struct insn *in = d->in;
    unsigned f = 0, map;
    u8 first = take_byte(d), last = first;
    u32 attr;

    d->vector = true;
    while (formats[f].escape != escape)
        f++;
    map = formats[f].map_mask ? first & formats[f].map_mask : MAP_0F;
    if (in->rex || in->opsize || in->rep || in->repne || in->lock || map >= MAPS || !(formats[f].maps >> map & 1))
        return ATTR_BAD;
    if (in->mode == INSN_64)
        d->rex = (u8)(~first >> 5 & (escape == 0xc5 ? REX_R : REX_R | REX_X | REX_B));
    if (escape == 0x62 && !(peek(d) & 4))
        return ATTR_BAD;
    for (unsigned i = 0; i < formats[f].more; i++)
        last = take_byte(d);
    in->opcode = take_byte(d);
    attr = map == MAP_0F ? decode_0f[in->opcode] : map == MAP_0F38 ? attr_0f38(d) : decode_maps[map];
    if (ATTR_OP(attr) == INSN_VMOV && (escape == 0xc4 || escape == 0xc5)) {
        in->vex = true;
        d->vex = last & 7;
        d->rex |= escape == 0xc4 && in->mode == INSN_64 ? last >> 4 & REX_W : 0;
        return attr;
    }
    if (map != MAP_0F)
        return decode_maps[map];
    if (in->opcode == 0x77 && escape != 0x62)
        return 0; /* VZEROUPPER, VZEROALL */
    return ATTR_MODRM | ((attr & ATTR_IMM) == IMM_B ? IMM_B : IMM_NONE);
}

static u32 opcode_attr(struct decoder *d)
{
    struct insn *in = d->in;

    in->opcode = take_byte(d);
    if (is_vector(d, in->opcode))
        return vector_attr(d, in->opcode);
    if (in->opcode == 0x63 && in->mode != INSN_64)
        return ATTR_MODRM; /* ARPL */
    if (in->opcode != 0x0f)
        return decode_one_byte[in->opcode];
    in->opcode = take_byte(d);
    if (in->opcode != 0x38 && in->opcode != 0x3a)
        return decode_0f[in->opcode];
    if (in->opcode == 0x3a) {
        in->opcode = take_byte(d);
        return decode_maps[MAP_0F3A];
    }
    in->opcode = take_byte(d);
    return attr_0f38(d);
}

static u8 extended(const struct decoder *d, unsigned reg, u8 rex_bit)
{
    return (u8)(reg | (d->rex & rex_bit ? 8 : 0));
}

static void take_disp(struct decoder *d, unsigned size)
{
    d->in->disp = (s64)(size ? sign_extend(take(d, size), size) : 0);
}

/* SDM 2, "16-Bit Addressing Forms with the ModR/M Byte". */
static void take_mem16(struct decoder *d, unsigned mod, unsigned rm)
{
    static const u8 bases[8] = { 3, 3, 5, 5, 6, 7, 5, 3 }, indices[8] = { 6, 7, 6, 7, NONE, NONE, NONE, NONE };
    struct insn *in = d->in;

    if (mod == 0 && rm == 6) {
        take_disp(d, 2);
        return;
    }
    in->base = bases[rm];
    in->index = indices[rm];
    in->scale = in->index == NONE ? NONE : 1;
    in->seg = in->base == 5 ? X86_SS : X86_DS;
    take_disp(d, mod);
}

static unsigned take_sib(struct decoder *d)
{
    u8 sib = take_byte(d), index = extended(d, sib >> 3 & 7, REX_X);

    if (index != 4) {
        d->in->index = index;
        d->in->scale = (u8)(1 << (sib >> 6));
    }
    return sib & 7;
}

/* SDM 2, "32-Bit Addressing Forms with the ModR/M Byte" and "... with the SIB Byte". */
static void take_mem32(struct decoder *d, unsigned mod, unsigned rm)
{
    struct insn *in = d->in;
    unsigned base = rm == 4 ? take_sib(d) : rm;

    if (mod == 0 && base == 5) {
        in->rip_relative = in->mode == INSN_64 && rm == 5;
        take_disp(d, 4);
        return;
    }
    in->base = extended(d, base, REX_B);
    in->seg = in->base == 4 || in->base == 5 ? X86_SS : X86_DS;
    take_disp(d, mod == 2 ? 4 : mod);
}

static void take_modrm(struct decoder *d)
{
    struct insn *in = d->in;
    u8 modrm = take_byte(d);
    unsigned mod = modrm >> 6, reg = modrm >> 3 & 7, rm = modrm & 7;

    d->attr |= decode_groups[ATTR_GROUP(d->attr)][reg];
    in->reg = extended(d, reg, REX_R);
    if (mod == 3 || (d->attr & ATTR_MOVCR)) {
        in->base = extended(d, rm, REX_B);
        d->bad |= (d->attr & ATTR_MEM) != 0;
        return;
    }
    d->bad |= (d->attr & ATTR_REG) != 0;
    in->has_mem = true;
    if (in->addr_size == 2)
        take_mem16(d, mod, rm);
    else
        take_mem32(d, mod, rm);
}

static void set_string(struct insn *in)
{
    bool si = in->op == INSN_MOVS || in->op == INSN_LODS || in->op == INSN_OUTS || in->op == INSN_CMPS;

    in->has_mem = true;
    in->mem_dst = in->op == INSN_MOVS || in->op == INSN_STOS || in->op == INSN_INS;
    in->base = si ? 6 : 7;
    in->seg = si ? X86_DS : X86_ES;
}

static void set_vmov(struct decoder *d)
{
    struct insn *in = d->in;
    unsigned legacy = in->rep ? 2 : in->repne ? 3 : in->opsize;
    u8 form = decode_vmov[in->opcode][(d->vex & 3) | legacy], size = form & VMOV_SIZE;

    in->mem_dst = form & VMOV_STORE;
    in->high = form & VMOV_HIGH;
    in->merge = form & VMOV_MERGE;
    if (size == VMOV_W)
        size = d->rex & REX_W ? 8 : 4;
    in->op_size = size == 16 && (d->vex & 4) ? 32 : size;
    if (!size || (in->vex && in->merge && !in->mem_dst)) { /* the latter has three operands */
        in->op = INSN_OTHER;
        in->op_size = 1;
    }
}

static void set_operands(struct decoder *d)
{
    struct insn *in = d->in;
    u8 size = d->attr & ATTR_MIN4 ? MAX(d->op_size, 4) : d->op_size;

    if ((d->attr & ATTR_D64) && in->mode == INSN_64 && size == 4)
        size = 8;
    in->op = ATTR_OP(d->attr);
    in->op_size = d->attr & ATTR_BYTE ? 1 : d->attr & ATTR_WORD ? 2 : d->attr & ATTR_MAX4 ? MIN(size, 4) : size;
    in->reg_size = d->attr & ATTR_EXTEND ? size : in->op_size;
    in->mem_dst = d->attr & ATTR_DST;
    if (in->op == INSN_VMOV)
        set_vmov(d);
    if (in->op == INSN_CMPXCHG8B)
        in->op_size = d->rex & REX_W ? 16 : 8;
    if (in->op == INSN_OTHER && d->vector)
        in->has_mem = in->rip_relative = false; /* many operands of a gather; an EVEX displacement is to be scaled */
    if (d->attr & ATTR_CL)
        in->reg = 1;
    if (in->reg_size == 1 && !in->rex && (in->reg & 4) && !ATTR_GROUP(d->attr)) {
        in->high_byte = true;
        in->reg &= 3;
    }
    if (d->attr & ATTR_STRING)
        set_string(in);
    if (d->seg != NONE && in->seg != X86_ES) /* the DI of a string instruction is always in ES */
        in->seg = d->seg;
}

static unsigned imm_size(const struct decoder *d)
{
    unsigned z = d->op_size == 2 ? 2 : 4;

    switch (d->attr & ATTR_IMM) {
    case IMM_B: return 1;
    case IMM_W: return 2;
    case IMM_D: return 4;
    case IMM_Z: return d->attr & ATTR_BYTE ? 1 : z;
    case IMM_V: return d->op_size;
    case IMM_JZ: return d->in->mode == INSN_64 ? 4 : z;
    case IMM_FAR: return z + 2;
    case IMM_ENTER: return 3;
    case IMM_MOFFS: return d->in->addr_size;
    case IMM_EXTRQ: return d->in->opsize || d->in->repne ? 2 : 0;
    default: return 0;
    }
}

static void take_imm(struct decoder *d)
{
    struct insn *in = d->in;
    unsigned size = imm_size(d);
    u64 imm = take(d, size);

    if (d->attr & ATTR_OTHER) {
        in->has_imm = true;
        in->imm = (d->attr & ATTR_IMM) == IMM_ONE ? 1 : sign_extend(imm, size);
        if (in->op_size < 8)
            in->imm &= BIT(8 * in->op_size) - 1;
    } else if ((d->attr & ATTR_IMM) == IMM_MOFFS) {
        in->has_mem = true;
        in->disp = (s64)imm;
    }
}

bool insn_decode(const u8 *bytes, u8 len, enum insn_mode mode, struct insn *out)
{
    struct decoder d = { .bytes = bytes, .len = MIN(len, INSN_MAX), .seg = NONE, .in = out };

    *out = (struct insn){ .mode = (u8)mode, .seg = X86_DS, .base = NONE, .index = NONE, .scale = NONE };
    take_prefixes(&d);
    set_sizes(&d);
    d.attr = opcode_attr(&d);
    if (d.attr & ATTR_MODRM)
        take_modrm(&d);
    set_operands(&d);
    take_imm(&d);
    out->len = d.pos;
    return !d.bad && !(d.attr & ATTR_BAD) && !(mode == INSN_64 && (d.attr & ATTR_BAD64));
}
