/* Guards for x86-64, System V. See arch/guard.h. */
#if defined(__x86_64__)
        .text

/* int64_t cos_arch_guard(void *arg %rdi, int64_t (*fn)(void *) %rsi, void **sp %rdx) */
        .globl  cos_arch_guard
        .hidden cos_arch_guard
        .type   cos_arch_guard, @function
        .p2align 4
cos_arch_guard: /* called directly only: no endbr64 */
        .cfi_startproc
        pushq   %rbp
        .cfi_def_cfa_offset 16
        .cfi_offset %rbp, -16
        movq    %rsp, %rbp
        .cfi_def_cfa_register %rbp
        pushq   %rbx
        .cfi_offset %rbx, -24
        pushq   %r12
        .cfi_offset %r12, -32
        pushq   %r13
        .cfi_offset %r13, -40
        pushq   %r14
        .cfi_offset %r14, -48
        pushq   %r15
        .cfi_offset %r15, -56
        movq    %rbp, (%rdx)
        subq    $8, %rsp
        call    *%rsi
        leave /* fn has kept the others */
        .cfi_def_cfa %rsp, 8
        ret
        .cfi_endproc
        .size   cos_arch_guard, . - cos_arch_guard

/* void cos_arch_throw(void *sp %rdi, int64_t result %rsi) */
        .globl  cos_arch_throw
        .hidden cos_arch_throw
        .type   cos_arch_throw, @function
        .p2align 4
cos_arch_throw:
        .cfi_startproc
        .cfi_undefined %rip /* between two places: a profiler must not guess */
        endbr64
        movq    %rdi, %rbp
        movq    %rsi, %rax
        movq    -8(%rbp), %rbx
        movq    -16(%rbp), %r12
        movq    -24(%rbp), %r13
        movq    -32(%rbp), %r14
        movq    -40(%rbp), %r15
        leave
        ret
        .cfi_endproc
        .size   cos_arch_throw, . - cos_arch_throw
#endif
        .section .note.GNU-stack, "", %progbits
