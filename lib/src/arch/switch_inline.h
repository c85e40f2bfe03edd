/* The switch as inline assembly: three stores, three loads, one jump, at the price of stackless code.
 *
 * The compiler is told that every register dies, so only what is live is spilled, and nothing is written below
 * the stack pointer, so the red zone of a leaf function is safe. It interoperates with cos_arch_switch: a
 * context resumes at its own pc with its sp and bp loaded and the message in rdx, whoever saved it.
 *
 * What the compiler cannot be told, it is given by hand: rbp (gcc refuses it as a clobber). With AVX-512 the
 * high vector registers and the masks count too: gcc kept a loop counter in xmm16 and crashed.
 *
 * Use it only inside functions marked COS_SWITCHES; each site leaves its address in a section that is not
 * loaded, and the lint compares. Sanitizer builds, other machines and shadow stacks take the plain form. */
#ifndef COS_ARCH_SWITCH_INLINE_H
#define COS_ARCH_SWITCH_INLINE_H
#include "arch/context.h"

#if defined(__x86_64__) && !COS_SANITIZED && !defined(COS_NO_INLINE_SWITCH)
#define COS_SWITCH_IS_INLINE 1

#if defined(__AVX512F__)
#define COS_SWITCH_CLOBBER_AVX512                                                                 \
    , "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25",   \
        "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31", "k1", "k2", "k3", "k4", "k5", "k6", \
        "k7"
#else
#define COS_SWITCH_CLOBBER_AVX512
#endif

static inline __attribute__((always_inline)) void *cos_context_switch_inline(
    struct cos_context *from, struct cos_context *to, void *message)
{
    __asm__ volatile("leaq 1f(%%rip), %%rax\n\t"
                     "movq %%rsp, 0(%%rdi)\n\t"
                     "movq %%rax, 8(%%rdi)\n\t"
                     "movq %%rbp, 16(%%rdi)\n\t"
                     "movq 0(%%rsi), %%rsp\n\t"
                     "movq 16(%%rsi), %%rbp\n\t"
                     "jmpq *8(%%rsi)\n"
                     "1:\n\t"
                     ".pushsection .cos_switch_sites, \"\", @progbits\n\t"
                     ".quad 1b\n\t"
                     ".popsection"
                     : "+D"(from), "+S"(to), "+d"(message)
                     :
                     : "memory", "cc", "rax", "rbx", "rcx", "r8", "r9", "r10", "r11", "r12", "r13",
                       "r14", "r15", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
                       "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "mm0",
                       "mm1", "mm2", "mm3", "mm4", "mm5", "mm6", "mm7", "st", "st(1)", "st(2)",
                       "st(3)", "st(4)", "st(5)", "st(6)", "st(7)" COS_SWITCH_CLOBBER_AVX512);
    return message;
}
#else
#define COS_SWITCH_IS_INLINE 0

static inline void *cos_context_switch_inline(struct cos_context *from, struct cos_context *to,
                                              void *message)
{
    return cos_context_switch(from, to, message);
}
#endif
#endif
