/* The floating-point environment (rounding mode, exception masks) of the running thread. A switch leaves it
 * alone; a task that asks for its own has it saved before and restored after each of its switches. */
#ifndef COS_ARCH_FPENV_H
#define COS_ARCH_FPENV_H
#include <stdint.h>

struct cos_fpenv {
#if defined(__x86_64__)
    uint32_t mxcsr;
    uint16_t x87_control;
#elif defined(__aarch64__)
    uint64_t fpcr;
#elif defined(__riscv)
    uint64_t fcsr; /* with the exception flags, as mxcsr */
#endif
};

static inline void cos_arch_fpenv_save(struct cos_fpenv *env)
{
#if defined(__x86_64__)
    __asm__ volatile("stmxcsr %0\n\tfnstcw %1"
                     : "=m"(env->mxcsr), "=m"(env->x87_control)::"memory");
#elif defined(__aarch64__)
    __asm__ volatile("mrs %0, fpcr" : "=r"(env->fpcr)::"memory");
#elif defined(__riscv)
    __asm__ volatile("frcsr %0" : "=r"(env->fcsr)::"memory");
#endif
}

static inline void cos_arch_fpenv_restore(const struct cos_fpenv *env)
{
#if defined(__x86_64__)
    __asm__ volatile("ldmxcsr %0\n\tfldcw %1" ::"m"(env->mxcsr), "m"(env->x87_control) : "memory");
#elif defined(__aarch64__)
    __asm__ volatile("msr fpcr, %0" ::"r"(env->fpcr) : "memory");
#elif defined(__riscv)
    __asm__ volatile("fscsr %0" ::"r"(env->fcsr) : "memory");
#endif
}
#endif
