/* The context switch for x86-64, System V. See arch/context.h and, for the offsets, struct cos_context.
 *
 * Never ends in ret: the return-stack predictor still holds the other flow's addresses, and each ret would be
 * mispredicted (8.6 ns instead of 2.9, PEERS). No notes of control-flow enforcement: user shadow stacks would
 * need a switch of their own, and this kernel has none to test it on. MXCSR and the x87 control word are left
 * alone (arch/fpenv.h). */
#if defined(__x86_64__)
#define CTX_SP 0
#define CTX_PC 8
#define CTX_BP 16

        .section .text.cos_switch, "ax", %progbits

/* void *cos_arch_switch(struct cos_context *from %rdi, struct cos_context *to %rsi, void *message %rdx)
 * A context resumes at its pc with its sp and bp loaded and the message in %rdx. */
        .globl  cos_arch_switch
        .hidden cos_arch_switch
        .type   cos_arch_switch, @function
        .p2align 5
cos_arch_switch:
        .cfi_startproc
        endbr64
        pushq   %rbx
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %rbx, 0
        pushq   %r12
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %r12, 0
        pushq   %r13
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %r13, 0
        pushq   %r14
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %r14, 0
        pushq   %r15
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %r15, 0
        leaq    .Lresume(%rip), %rax
        movq    %rsp, CTX_SP(%rdi)
        movq    %rbp, CTX_BP(%rdi)
        movq    %rax, CTX_PC(%rdi)
        /* Mostly the other side was saved here, too: one indirect jump less to predict. */
        cmpq    %rax, CTX_PC(%rsi)
        jne     .Lelsewhere
        movq    CTX_SP(%rsi), %rsp
        movq    CTX_BP(%rsi), %rbp
        /* The frame rules above hold here too: this is how a debugger unwinds a suspended flow. */
.Lresume:
        movq    %rdx, %rax
        popq    %r15
        .cfi_adjust_cfa_offset -8
        .cfi_restore %r15
        popq    %r14
        .cfi_adjust_cfa_offset -8
        .cfi_restore %r14
        popq    %r13
        .cfi_adjust_cfa_offset -8
        .cfi_restore %r13
        popq    %r12
        .cfi_adjust_cfa_offset -8
        .cfi_restore %r12
        popq    %rbx
        .cfi_adjust_cfa_offset -8
        .cfi_restore %rbx
        popq    %rcx
        .cfi_adjust_cfa_offset -8
        .cfi_register %rip, %rcx
        jmpq    *%rcx
.Lelsewhere:
        .cfi_undefined %rip /* between two flows: a profiler must not guess */
        movq    CTX_SP(%rsi), %rsp
        movq    CTX_BP(%rsi), %rbp
        jmpq    *CTX_PC(%rsi)
        .cfi_endproc
        .size   cos_arch_switch, . - cos_arch_switch

/* The first instructions of a fresh context: bp holds the entry function, %rdx the message, and the stack is
 * 16-byte aligned here, before the call, as the ABI wants it. The second argument, the top of the stack, is for
 * context.c. Unwinding stops: there is no caller. */
        .globl  cos_arch_entry
        .hidden cos_arch_entry
        .type   cos_arch_entry, @function
        .p2align 4
cos_arch_entry:
        .cfi_startproc
        .cfi_undefined %rip
        endbr64
        movq    %rbp, %rax
        xorl    %ebp, %ebp
        movq    %rdx, %rdi
        movq    %rsp, %rsi
        call    *%rax
        ud2
        .cfi_endproc
        .size   cos_arch_entry, . - cos_arch_entry

/* int64_t cos_arch_call(void *stack_hi %rdi, int64_t (*fn)(void *) %rsi, void *arg %rdx)
 * The frame pointer carries the way back over the seam, for the code and for unwinders. gdb takes a caller at a
 * lower address for a corrupt stack, except below a function of gcc's split stacks, which it knows by name: the
 * local label makes its back traces go on. */
        .globl  cos_arch_call
        .hidden cos_arch_call
        .type   cos_arch_call, @function
        .p2align 4
        .type   __morestack, @function
cos_arch_call:
        .cfi_startproc
        endbr64
        .size   cos_arch_call, . - cos_arch_call
__morestack:
        pushq   %rbp
        .cfi_def_cfa_offset 16
        .cfi_offset %rbp, -16
        movq    %rsp, %rbp
        .cfi_def_cfa_register %rbp
        movq    %rdi, %rsp
        andq    $-16, %rsp
        movq    %rdx, %rdi
        call    *%rsi
        movq    %rbp, %rsp
        popq    %rbp
        .cfi_def_cfa %rsp, 8
        ret
        .cfi_endproc
        .size   __morestack, . - __morestack
#endif
        .section .note.GNU-stack, "", %progbits
