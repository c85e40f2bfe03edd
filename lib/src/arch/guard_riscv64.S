/* Guards for riscv64, lp64d. See arch/guard.h. */
#if defined(__riscv) && __riscv_xlen == 64
#define FRAME 208

        .text

/* int64_t cos_arch_guard(void *arg a0, int64_t (*fn)(void *) a1, void **sp a2) */
        .globl  cos_arch_guard
        .hidden cos_arch_guard
        .type   cos_arch_guard, %function
        .p2align 4
cos_arch_guard:
        .cfi_startproc
        addi    sp, sp, -FRAME
        .cfi_def_cfa_offset FRAME
        sd      s0, 0(sp)
        .cfi_offset s0, -208
        sd      ra, 8(sp)
        .cfi_offset ra, -200
        sd      s1, 16(sp)
        .cfi_offset s1, -192
        sd      s2, 24(sp)
        .cfi_offset s2, -184
        sd      s3, 32(sp)
        .cfi_offset s3, -176
        sd      s4, 40(sp)
        .cfi_offset s4, -168
        sd      s5, 48(sp)
        .cfi_offset s5, -160
        sd      s6, 56(sp)
        .cfi_offset s6, -152
        sd      s7, 64(sp)
        .cfi_offset s7, -144
        sd      s8, 72(sp)
        .cfi_offset s8, -136
        sd      s9, 80(sp)
        .cfi_offset s9, -128
        sd      s10, 88(sp)
        .cfi_offset s10, -120
        sd      s11, 96(sp)
        .cfi_offset s11, -112
        fsd     fs0, 104(sp)
        .cfi_offset fs0, -104
        fsd     fs1, 112(sp)
        .cfi_offset fs1, -96
        fsd     fs2, 120(sp)
        .cfi_offset fs2, -88
        fsd     fs3, 128(sp)
        .cfi_offset fs3, -80
        fsd     fs4, 136(sp)
        .cfi_offset fs4, -72
        fsd     fs5, 144(sp)
        .cfi_offset fs5, -64
        fsd     fs6, 152(sp)
        .cfi_offset fs6, -56
        fsd     fs7, 160(sp)
        .cfi_offset fs7, -48
        fsd     fs8, 168(sp)
        .cfi_offset fs8, -40
        fsd     fs9, 176(sp)
        .cfi_offset fs9, -32
        fsd     fs10, 184(sp)
        .cfi_offset fs10, -24
        fsd     fs11, 192(sp)
        .cfi_offset fs11, -16
        sd      sp, 0(a2)
        jalr    a1
        ld      ra, 8(sp) /* fn has kept the others */
        addi    sp, sp, FRAME
        .cfi_def_cfa_offset 0
        ret
        .cfi_endproc
        .size   cos_arch_guard, . - cos_arch_guard

/* void cos_arch_throw(void *sp a0, int64_t result a1) */
        .globl  cos_arch_throw
        .hidden cos_arch_throw
        .type   cos_arch_throw, %function
        .p2align 4
cos_arch_throw:
        .cfi_startproc
        .cfi_undefined ra /* between two places: a profiler must not guess */
        mv      sp, a0
        mv      a0, a1
        ld      s0, 0(sp)
        ld      ra, 8(sp)
        ld      s1, 16(sp)
        ld      s2, 24(sp)
        ld      s3, 32(sp)
        ld      s4, 40(sp)
        ld      s5, 48(sp)
        ld      s6, 56(sp)
        ld      s7, 64(sp)
        ld      s8, 72(sp)
        ld      s9, 80(sp)
        ld      s10, 88(sp)
        ld      s11, 96(sp)
        fld     fs0, 104(sp)
        fld     fs1, 112(sp)
        fld     fs2, 120(sp)
        fld     fs3, 128(sp)
        fld     fs4, 136(sp)
        fld     fs5, 144(sp)
        fld     fs6, 152(sp)
        fld     fs7, 160(sp)
        fld     fs8, 168(sp)
        fld     fs9, 176(sp)
        fld     fs10, 184(sp)
        fld     fs11, 192(sp)
        addi    sp, sp, FRAME
        ret
        .cfi_endproc
        .size   cos_arch_throw, . - cos_arch_throw
#endif
        .section .note.GNU-stack, "", %progbits
