/* The context switch for aarch64, AAPCS64. See arch/context.h.
 *
 * Leaves by br, never by ret, which would consume the return predictor of the flow that was left. FPCR is left
 * alone (arch/fpenv.h). */
#if defined(__aarch64__)
#define FRAME 160

        .section .text.cos_switch, "ax", %progbits

/* void *cos_arch_switch(struct cos_context *from x0, struct cos_context *to x1, void *message x2) */
        .globl  cos_arch_switch
        .hidden cos_arch_switch
        .type   cos_arch_switch, %function
        .p2align 5
cos_arch_switch:
        .cfi_startproc
        stp     x29, x30, [sp, #-FRAME]!
        .cfi_def_cfa_offset FRAME
        .cfi_offset x29, -160
        .cfi_offset x30, -152
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
        mov     x9, sp
        str     x9, [x0]
        ldr     x9, [x1]
        mov     sp, x9
        ldp     x19, x20, [sp, #16]
        ldp     x21, x22, [sp, #32]
        ldp     x23, x24, [sp, #48]
        ldp     x25, x26, [sp, #64]
        ldp     x27, x28, [sp, #80]
        ldp     d8, d9, [sp, #96]
        ldp     d10, d11, [sp, #112]
        ldp     d12, d13, [sp, #128]
        ldp     d14, d15, [sp, #144]
        mov     x0, x2
        ldp     x29, x30, [sp], #FRAME
        .cfi_def_cfa_offset 0
        .cfi_restore x29
        .cfi_restore x30
        br      x30
        .cfi_endproc
        .size   cos_arch_switch, . - cos_arch_switch

/* The first instructions of a fresh context: x19 is the entry function, x0 the message; the second argument,
 * the top of the stack, is for context.c. There is no caller. */
        .globl  cos_arch_entry
        .hidden cos_arch_entry
        .type   cos_arch_entry, %function
        .p2align 4
cos_arch_entry:
        .cfi_startproc
        .cfi_undefined x30
        mov     x29, xzr
        mov     x30, xzr
        mov     x1, sp
        blr     x19
        brk     #0x1
        .cfi_endproc
        .size   cos_arch_entry, . - cos_arch_entry

/* int64_t cos_arch_call(void *stack_hi x0, int64_t (*fn)(void *) x1, void *arg x2)
 * The local label is for gdb: see context_x86_64.S. */
        .globl  cos_arch_call
        .hidden cos_arch_call
        .type   cos_arch_call, %function
        .p2align 4
        .type   __morestack, %function
cos_arch_call:
        .cfi_startproc
        hint    #34 /* bti c */
        .size   cos_arch_call, . - cos_arch_call
__morestack:
        stp     x29, x30, [sp, #-16]!
        .cfi_def_cfa_offset 16
        .cfi_offset x29, -16
        .cfi_offset x30, -8
        mov     x29, sp
        .cfi_def_cfa_register x29
        and     x9, x0, #-16
        mov     sp, x9
        mov     x0, x2
        blr     x1
        mov     sp, x29
        .cfi_def_cfa_register sp
        ldp     x29, x30, [sp], #16
        .cfi_def_cfa_offset 0
        .cfi_restore x29
        .cfi_restore x30
        ret
        .cfi_endproc
        .size   __morestack, . - __morestack
#endif
        .section .note.GNU-stack, "", %progbits
