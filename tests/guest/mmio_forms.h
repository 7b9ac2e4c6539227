/* SPDX-License-Identifier: MIT */
/*
 * Instructions with a memory operand at RDI, as FORM(name, text): mmio.c tries each on RAM, on nothing, and across the border of the
 * two. ALIGNED: the processor wants the operand aligned. LOCKED: it
 * locks the bus.
 */

#define FORMS_64(FORM, ALIGNED, LOCKED) \
    FORM(mov_load_8, "mov (%rdi), %cl") FORM(mov_load_high, "mov (%rdi), %ch") FORM(mov_load_sil, "mov (%rdi), %sil") \
    FORM(mov_load_16, "mov (%rdi), %cx") FORM(mov_load_32, "mov (%rdi), %ecx") FORM(mov_load_64, "mov (%rdi), %r9") \
    FORM(mov_store_8, "mov %cl, (%rdi)") FORM(mov_store_high, "mov %dh, (%rdi)") FORM(mov_store_16, "mov %cx, (%rdi)") \
    FORM(mov_store_32, "mov %r8d, (%rdi)") FORM(mov_store_64, "mov %r8, (%rdi)") FORM(mov_imm_8, "movb $0x5a, (%rdi)") \
    FORM(mov_imm_16, "movw $0x5aa5, (%rdi)") FORM(mov_imm_32, "movl $0x87654321, (%rdi)") FORM(mov_imm_64, "movq $-0x12345678, (%rdi)") \
    FORM(mov_sib, "lea -0x1230(%rdi), %r9; mov $0x123, %ecx; mov 0x918(%r9, %rcx, 8), %r8b; xor %r9, %r9") \
    FORM(mov_addr32, "mov (%edi), %eax") \
    FORM(movzx_8_16, "movzbw (%rdi), %cx") FORM(movzx_8_32, "movzbl (%rdi), %ecx") FORM(movzx_8_64, "movzbq (%rdi), %rcx") \
    FORM(movzx_16_32, "movzwl (%rdi), %ecx") FORM(movzx_16_64, "movzwq (%rdi), %r8") FORM(movsx_8_16, "movsbw (%rdi), %cx") \
    FORM(movsx_8_32, "movsbl (%rdi), %ecx") FORM(movsx_8_64, "movsbq (%rdi), %rcx") FORM(movsx_16_32, "movswl (%rdi), %ecx") \
    FORM(movsx_16_64, "movswq (%rdi), %rcx") FORM(movsxd, "movslq (%rdi), %rcx") FORM(movbe_load, "movbe (%rdi), %rcx") \
    FORM(movbe_load_16, "movbe (%rdi), %cx") FORM(movbe_load_32, "movbe (%rdi), %ecx") FORM(movbe_store, "movbe %rcx, (%rdi)") \
    FORM(movnti_32, "movnti %ecx, (%rdi)") FORM(movnti_64, "movnti %rcx, (%rdi)") \
    FORM(add_mr_8, "add %cl, (%rdi)") FORM(add_mr_64, "add %rcx, (%rdi)") FORM(add_rm_8, "add (%rdi), %dh") \
    FORM(add_rm_16, "add (%rdi), %cx") FORM(add_mi_32, "addl $0x12345678, (%rdi)") FORM(add_mi8_64, "addq $-3, (%rdi)") \
    FORM(or_mr, "or %ecx, (%rdi)") FORM(or_rm, "or (%rdi), %rcx") FORM(adc_mr, "adc %ecx, (%rdi)") FORM(adc_rm, "adc (%rdi), %cx") \
    FORM(adc_mi, "adcb $0x7f, (%rdi)") FORM(sbb_mr, "sbb %rcx, (%rdi)") FORM(sbb_rm, "sbb (%rdi), %cl") FORM(and_mr, "and %ecx, (%rdi)") \
    FORM(and_rm, "and (%rdi), %r8") FORM(and_mi, "andw $0x1234, (%rdi)") FORM(sub_mr, "sub %ecx, (%rdi)") \
    FORM(sub_rm, "sub (%rdi), %rcx") \
    FORM(xor_mr, "xor %cx, (%rdi)") FORM(xor_rm, "xor (%rdi), %ecx") FORM(cmp_mr, "cmp %ecx, (%rdi)") FORM(cmp_rm, "cmp (%rdi), %cx") \
    FORM(cmp_mi, "cmpb $-1, (%rdi)") FORM(test_mr, "test %ecx, (%rdi)") FORM(test_mi, "testq $0x40, (%rdi)") \
    FORM(inc_8, "incb (%rdi)") FORM(inc_32, "incl (%rdi)") FORM(dec_16, "decw (%rdi)") FORM(dec_64, "decq (%rdi)") \
    FORM(not_8, "notb (%rdi)") FORM(not_64, "notq (%rdi)") FORM(neg_32, "negl (%rdi)") LOCKED(neg_16, "lock negw (%rdi)") \
    FORM(rol_1, "roll (%rdi)") FORM(ror_i, "rorw $3, (%rdi)") FORM(rcl_1, "rclb (%rdi)") FORM(rcr_cl, "rcrq %cl, (%rdi)") \
    FORM(shl_cl, "shll %cl, (%rdi)") FORM(shr_i, "shrq $33, (%rdi)") FORM(sar_1, "sarw (%rdi)") FORM(shl_0, "shll $0, (%rdi)") \
    FORM(imul_2, "imul (%rdi), %rcx") FORM(imul_3, "imul $-7, (%rdi), %r8d") FORM(imul_3w, "imul $0x1234, (%rdi), %cx") \
    FORM(bt_i, "btl $31, (%rdi)") LOCKED(bts_i, "lock btsq $63, (%rdi)") FORM(btr_i, "btrw $0, (%rdi)") FORM(btc_i, "btcl $5, (%rdi)") \
    FORM(bt_r, "mov $17, %ecx; bt %ecx, (%rdi)") FORM(bts_r, "mov $63, %ecx; bts %rcx, (%rdi)") \
    FORM(btr_r, "mov $9, %cx; btr %cx, (%rdi)") \
    FORM(btc_r_up, "lea -0x400(%rdi), %r9; mov $0x2003, %ecx; btc %ecx, (%r9); xor %r9, %r9") \
    FORM(btr_r_down, "lea 0x400(%rdi), %r9; mov $-0x2000 + 7, %rcx; btr %rcx, (%r9); xor %r9, %r9") \
    LOCKED(xchg_8, "xchg %cl, (%rdi)") LOCKED(xchg_high, "xchg %ch, (%rdi)") LOCKED(xchg_32, "xchg %ecx, (%rdi)") \
    LOCKED(xchg_64, "xchg %r8, (%rdi)") \
    FORM(xadd_8, "xadd %dh, (%rdi)") LOCKED(xadd_32, "lock xadd %ecx, (%rdi)") FORM(xadd_64, "xadd %rcx, (%rdi)") \
    LOCKED(cmpxchg_miss, "lock cmpxchg %ecx, (%rdi)") FORM(cmpxchg_hit, "mov $-1, %rax; cmpxchg %rcx, (%rdi)") \
    FORM(cmpxchg_hit_8, "mov $-1, %al; cmpxchg %dh, (%rdi)") LOCKED(cmpxchg8b_miss, "lock cmpxchg8b (%rdi)") \
    FORM(cmpxchg8b_hit, "mov $-1, %eax; mov $-1, %edx; cmpxchg8b (%rdi)") ALIGNED(cmpxchg16b_miss, "lock cmpxchg16b (%rdi)") \
    ALIGNED(cmpxchg16b_hit, "mov $-1, %rax; mov %rax, %rdx; cmpxchg16b (%rdi)") \
    FORM(setc, "setc (%rdi)") FORM(setle, "setle (%rdi)") FORM(setp, "setp (%rdi)") FORM(cmovs, "cmovs (%rdi), %rcx") \
    FORM(cmovbe, "cmovbe (%rdi), %ecx") FORM(cmovge, "cmovge (%rdi), %cx") FORM(cmovo, "cmovo (%rdi), %r8") \
    FORM(push_64, "pushq (%rdi); pop %rax") FORM(push_16, "pushw (%rdi); pop %cx") FORM(pop_64, "push %rcx; popq (%rdi)") \
    FORM(pop_16, "push %cx; popw (%rdi)") \
    FORM(stosb, "push %rdi; stosb; pop %rdi") FORM(stosq, "push %rdi; stosq; pop %rdi") \
    FORM(lodsw, "mov %rdi, %rsi; lodsw; xor %esi, %esi") FORM(lodsl, "mov %rdi, %rsi; lodsl; xor %esi, %esi") \
    FORM(scasb, "push %rdi; scasb; pop %rdi") FORM(scasq, "push %rdi; scasq; pop %rdi") \
    FORM(movups_load, "movups (%rdi), %xmm1") FORM(movups_store, "movups %xmm1, (%rdi)") FORM(movupd_load, "movupd (%rdi), %xmm2") \
    ALIGNED(movaps_load, "movaps (%rdi), %xmm1") ALIGNED(movaps_store, "movaps %xmm3, (%rdi)") \
    ALIGNED(movapd_load, "movapd (%rdi), %xmm1") \
    ALIGNED(movdqa_load, "movdqa (%rdi), %xmm1") ALIGNED(movdqa_store, "movdqa %xmm2, (%rdi)") FORM(movdqu_load, "movdqu (%rdi), %xmm1") \
    FORM(movdqu_store, "movdqu %xmm1, (%rdi)") ALIGNED(movntps, "movntps %xmm1, (%rdi)") ALIGNED(movntdq, "movntdq %xmm1, (%rdi)") \
    FORM(movq_load, "movq (%rdi), %xmm1") FORM(movq_store, "movq %xmm2, (%rdi)") FORM(movd_load, "movd (%rdi), %xmm1") \
    FORM(movd_store, "movd %xmm2, (%rdi)") FORM(movss_load, "movss (%rdi), %xmm1") FORM(movss_store, "movss %xmm1, (%rdi)") \
    FORM(movsd_load, "movsd (%rdi), %xmm1") FORM(movsd_store, "movsd %xmm1, (%rdi)") FORM(movlps_load, "movlps (%rdi), %xmm1") \
    FORM(movlps_store, "movlps %xmm1, (%rdi)") FORM(movhps_load, "movhps (%rdi), %xmm1") FORM(movhps_store, "movhps %xmm1, (%rdi)") \
    FORM(movlpd_load, "movlpd (%rdi), %xmm2") FORM(movhpd_store, "movhpd %xmm2, (%rdi)") FORM(lddqu, "lddqu (%rdi), %xmm1")

/* Only where the processor has AVX and XCR0 lets it. */
#define FORMS_AVX(FORM, ALIGNED, LOCKED) \
    FORM(vmovups_load, "vmovups (%rdi), %ymm1") FORM(vmovups_store, "vmovups %ymm1, (%rdi)") FORM(vmovdqu_load, "vmovdqu (%rdi), %xmm2") \
    FORM(vmovdqu_store, "vmovdqu %xmm2, (%rdi)") ALIGNED(vmovaps_load, "vmovaps (%rdi), %ymm3") FORM(vmovq_load, "vmovq (%rdi), %xmm1") \
    FORM(vmovd_store, "vmovd %xmm1, (%rdi)") FORM(vmovss_load, "vmovss (%rdi), %xmm1") FORM(vmovhps_store, "vmovhps %xmm1, (%rdi)")

/* In 32-bit and in 16-bit code. */
#define FORMS_LEGACY(FORM, ALIGNED, LOCKED) \
    FORM(mov_load, "mov (%edi), %ecx") FORM(mov_load_16, "mov (%edi), %cx") FORM(mov_store, "mov %ecx, (%edi)") \
    FORM(mov_high, "mov %ch, (%edi)") FORM(add_mr, "add %ecx, (%edi)") FORM(sbb_rm, "sbb (%edi), %edx") FORM(inc, "incl (%edi)") \
    FORM(bts, "mov $-3, %ecx; bts %ecx, 4(%edi)") LOCKED(xchg, "xchg %ecx, (%edi)") LOCKED(cmpxchg8b, "lock cmpxchg8b (%edi)") \
    FORM(push, "pushl (%edi); pop %ecx") FORM(pop, "push %ecx; popl (%edi)") FORM(push_16, "pushw (%edi); pop %cx") \
    FORM(stosl, "push %edi; stosl %eax, %es:(%edi); pop %edi") FORM(lodsb, "mov %edi, %esi; lodsb (%esi), %al; xor %esi, %esi") \
    FORM(movdqu_load, "movdqu (%edi), %xmm1") FORM(movq_store, "movq %xmm1, (%edi)") FORM(setnc, "setnc (%edi)") \
    FORM(imul, "imul $3, (%edi), %ecx") FORM(shl, "shll %cl, (%edi)")

/* Of four bytes each: what the devices' registers take. */
#define FORMS_DEVICE(FORM) \
    FORM(dev_load, "mov (%rdi), %ecx") FORM(dev_store, "mov %ecx, (%rdi)") FORM(dev_imm, "movl $0x87654321, (%rdi)") \
    FORM(dev_movsxd, "movslq (%rdi), %rcx") FORM(dev_movbe, "movbe (%rdi), %ecx") FORM(dev_movbe_store, "movbe %ecx, (%rdi)") \
    FORM(dev_movnti, "movnti %ecx, (%rdi)") FORM(dev_add, "add %ecx, (%rdi)") FORM(dev_add_rm, "add (%rdi), %ecx") \
    FORM(dev_adc, "adc %ecx, (%rdi)") FORM(dev_sbb, "sbb %ecx, (%rdi)") FORM(dev_and, "andl $0x5a7f5a7f, (%rdi)") \
    FORM(dev_or, "lock orl $0x40804080, (%rdi)") FORM(dev_sub, "sub %edx, (%rdi)") FORM(dev_xor, "xor %edx, (%rdi)") \
    FORM(dev_cmp, "cmpl $0x7f000000, (%rdi)") FORM(dev_test, "test %ecx, (%rdi)") FORM(dev_not, "notl (%rdi)") \
    FORM(dev_neg, "negl (%rdi)") \
    FORM(dev_dec, "decl (%rdi)") FORM(dev_rol, "roll $7, (%rdi)") FORM(dev_rcr, "rcrl (%rdi)") FORM(dev_sar, "sarl %cl, (%rdi)") \
    FORM(dev_bts, "lock btsl $27, (%rdi)") FORM(dev_btr, "btrl $31, (%rdi)") FORM(dev_btc, "mov $30, %ecx; btc %ecx, (%rdi)") \
    FORM(dev_xchg, "xchg %ecx, (%rdi)") FORM(dev_xadd, "lock xadd %ecx, (%rdi)") FORM(dev_miss, "cmpxchg %ecx, (%rdi)") \
    FORM(dev_hit, "mov (%rdi), %eax; lock cmpxchg %ecx, (%rdi)") FORM(dev_cmovs, "cmovs (%rdi), %ecx") FORM(dev_imul, "imul (%rdi), %ecx") \
    FORM(dev_stos, "push %rdi; stosl; pop %rdi") FORM(dev_lods, "mov %rdi, %rsi; lodsl; xor %esi, %esi") \
    FORM(dev_scas, "push %rdi; scasl; pop %rdi") FORM(dev_movd, "movd (%rdi), %xmm1") FORM(dev_movd_store, "movd %xmm2, (%rdi)") \
    FORM(dev_movss, "movss %xmm1, (%rdi)") FORM(dev_movs, "mov %rdi, %rsi; movsl; sub $4, %rdi; xor %esi, %esi")
