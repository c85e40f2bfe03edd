/* uint64_t test_switch_keeping(struct cos_context *from, struct cos_context *to, void *message, uint64_t seed)
 *
 * Fills every callee-saved register with a pattern of seed, switches, and returns a mask of those that came
 * back different; 0 is right. Two flows with different seeds check each other. */
#if defined(__x86_64__)
        .text
        .globl  test_switch_keeping
        .type   test_switch_keeping, @function
test_switch_keeping:
        .cfi_startproc
        pushq   %rbp
        pushq   %rbx
        pushq   %r12
        pushq   %r13
        pushq   %r14
        pushq   %r15
        subq    $24, %rsp
        .cfi_def_cfa_offset 80
        movq    %rcx, (%rsp)
        leaq    1(%rcx), %rbx
        leaq    2(%rcx), %rbp
        leaq    3(%rcx), %r12
        leaq    4(%rcx), %r13
        leaq    5(%rcx), %r14
        leaq    6(%rcx), %r15
        call    cos_arch_switch
        movq    (%rsp), %rcx
        xorl    %eax, %eax
.macro  check reg, n
        leaq    \n(%rcx), %rdx
        cmpq    %rdx, \reg
        je      1f
        orq     $(1 << \n), %rax
1:
.endm
        check   %rbx, 1
        check   %rbp, 2
        check   %r12, 3
        check   %r13, 4
        check   %r14, 5
        check   %r15, 6
        addq    $24, %rsp
        popq    %r15
        popq    %r14
        popq    %r13
        popq    %r12
        popq    %rbx
        popq    %rbp
        .cfi_def_cfa_offset 8
        ret
        .cfi_endproc
        .size   test_switch_keeping, . - test_switch_keeping
#elif defined(__aarch64__)
        .text
        .globl  test_switch_keeping
        .type   test_switch_keeping, %function
test_switch_keeping:
        .cfi_startproc
        stp     x29, x30, [sp, #-176]!
        .cfi_def_cfa_offset 176
        .cfi_offset x29, -176
        .cfi_offset x30, -168
        stp     x19, x20, [sp, #16]
        stp     x21, x22, [sp, #32]
        stp     x23, x24, [sp, #48]
        stp     x25, x26, [sp, #64]
        stp     x27, x28, [sp, #80]
        stp     d8, d9, [sp, #96]
        stp     d10, d11, [sp, #112]
        stp     d12, d13, [sp, #128]
        stp     d14, d15, [sp, #144]
        str     x3, [sp, #160]
.irp n, 19,20,21,22,23,24,25,26,27,28,29
        add     x\n, x3, #\n
.endr
.irp n, 8,9,10,11,12,13,14,15
        add     x9, x3, #\n
        fmov    d\n, x9
.endr
        bl      cos_arch_switch
        ldr     x3, [sp, #160]
        mov     x0, #0
.irp n, 19,20,21,22,23,24,25,26,27,28,29
        add     x9, x3, #\n
        cmp     x9, x\n
        b.eq    1f
        orr     x0, x0, #(1 << \n)
1:
.endr
.irp n, 8,9,10,11,12,13,14,15
        add     x9, x3, #\n
        fmov    x10, d\n
        cmp     x9, x10
        b.eq    1f
        orr     x0, x0, #(1 << \n)
1:
.endr
        ldp     x19, x20, [sp, #16]
        ldp     x21, x22, [sp, #32]
        ldp     x23, x24, [sp, #48]
        ldp     x25, x26, [sp, #64]
        ldp     x27, x28, [sp, #80]
        ldp     d8, d9, [sp, #96]
        ldp     d10, d11, [sp, #112]
        ldp     d12, d13, [sp, #128]
        ldp     d14, d15, [sp, #144]
        ldp     x29, x30, [sp], #176
        .cfi_def_cfa_offset 0
        ret
        .cfi_endproc
        .size   test_switch_keeping, . - test_switch_keeping
#elif defined(__riscv)
        .text
        .globl  test_switch_keeping
        .type   test_switch_keeping, %function
test_switch_keeping:
        .cfi_startproc
        addi    sp, sp, -224
        .cfi_def_cfa_offset 224
        sd      ra, 0(sp)
        .cfi_offset ra, -224
        sd      a3, 8(sp)
.irp n, 0,1,2,3,4,5,6,7,8,9,10,11
        sd      s\n, (16 + 8 * \n)(sp)
        fsd     fs\n, (112 + 8 * \n)(sp)
        addi    s\n, a3, \n
        addi    t0, a3, 32 + \n
        fmv.d.x fs\n, t0
.endr
        call    cos_arch_switch
        ld      a3, 8(sp)
        li      a0, 0
.irp n, 0,1,2,3,4,5,6,7,8,9,10,11
        addi    t0, a3, \n
        xor     t0, t0, s\n
        snez    t0, t0
        slli    t0, t0, \n
        or      a0, a0, t0
        addi    t0, a3, 32 + \n
        fmv.x.d t1, fs\n
        xor     t0, t0, t1
        snez    t0, t0
        slli    t0, t0, 16 + \n
        or      a0, a0, t0
        ld      s\n, (16 + 8 * \n)(sp)
        fld     fs\n, (112 + 8 * \n)(sp)
.endr
        ld      ra, 0(sp)
        addi    sp, sp, 224
        .cfi_def_cfa_offset 0
        ret
        .cfi_endproc
        .size   test_switch_keeping, . - test_switch_keeping
#endif
        .section .note.GNU-stack, "", %progbits
