/* Guards for aarch64, AAPCS64. See arch/guard.h. */
#if defined(__aarch64__)
#define FRAME 160

        .text

/* int64_t cos_arch_guard(void *arg x0, int64_t (*fn)(void *) x1, void **sp x2) */
        .globl  cos_arch_guard
        .hidden cos_arch_guard
        .type   cos_arch_guard, %function
        .p2align 4
cos_arch_guard:
        .cfi_startproc
        hint    #34 /* bti c */
        stp     x29, x30, [sp, #-FRAME]!
        .cfi_def_cfa_offset FRAME
        .cfi_offset x29, -160
        .cfi_offset x30, -152
        mov     x29, sp
        .cfi_def_cfa_register x29
        stp     x19, x20, [sp, #16]
        .cfi_offset x19, -144
        .cfi_offset x20, -136
        stp     x21, x22, [sp, #32]
        .cfi_offset x21, -128
        .cfi_offset x22, -120
        stp     x23, x24, [sp, #48]
        .cfi_offset x23, -112
        .cfi_offset x24, -104
        stp     x25, x26, [sp, #64]
        .cfi_offset x25, -96
        .cfi_offset x26, -88
        stp     x27, x28, [sp, #80]
        .cfi_offset x27, -80
        .cfi_offset x28, -72
        stp     d8, d9, [sp, #96]
        .cfi_offset d8, -64
        .cfi_offset d9, -56
        stp     d10, d11, [sp, #112]
        .cfi_offset d10, -48
        .cfi_offset d11, -40
        stp     d12, d13, [sp, #128]
        .cfi_offset d12, -32
        .cfi_offset d13, -24
        stp     d14, d15, [sp, #144]
        .cfi_offset d14, -16
        .cfi_offset d15, -8
        str     x29, [x2]
        blr     x1
        .cfi_def_cfa_register sp
        ldp     x29, x30, [sp], #FRAME /* fn has kept the others */
        .cfi_def_cfa_offset 0
        .cfi_restore x29
        .cfi_restore x30
        ret
        .cfi_endproc
        .size   cos_arch_guard, . - cos_arch_guard

/* void cos_arch_throw(void *sp x0, int64_t result x1) */
        .globl  cos_arch_throw
        .hidden cos_arch_throw
        .type   cos_arch_throw, %function
        .p2align 4
cos_arch_throw:
        .cfi_startproc
        .cfi_undefined x30 /* between two places: a profiler must not guess */
        hint    #34 /* bti c */
        mov     x29, x0
        mov     sp, x0
        mov     x0, x1
        ldp     x19, x20, [sp, #16]
        ldp     x21, x22, [sp, #32]
        ldp     x23, x24, [sp, #48]
        ldp     x25, x26, [sp, #64]
        ldp     x27, x28, [sp, #80]
        ldp     d8, d9, [sp, #96]
        ldp     d10, d11, [sp, #112]
        ldp     d12, d13, [sp, #128]
        ldp     d14, d15, [sp, #144]
        ldp     x29, x30, [sp], #FRAME
        ret
        .cfi_endproc
        .size   cos_arch_throw, . - cos_arch_throw
#endif
        .section .note.GNU-stack, "", %progbits
