// The change from one stack to another: what a function call must keep is put on the old stack, and
// taken off the new.

#if defined(__x86_64__) && !defined(SIMT_UCONTEXT)

__asm__(R"(
    .text
    .p2align 4
    .type simtSwitch, %function
simtSwitch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
    .size simtSwitch, . - simtSwitch
)");

// Leaves this stack, which `*from` then names, for the one named `to`.
extern "C" __attribute__((visibility("hidden"))) void simtSwitch(void **from, void *to);

// A name for the stack that ends at `top`; the first switch to it calls `start`, which never
// returns.
static void *newStack(char *top, void (*start)())
{
    void **kept = (void **)top - 8;  // six registers, where to go on, and one to keep the alignment
    kept[6] = (void *)start;
    return kept;
}

#elif defined(__aarch64__) && !defined(SIMT_UCONTEXT)

__asm__(R"(
    .text
    .p2align 4
    .type simtSwitch, %function
simtSwitch:
    sub sp, sp, #160
    stp x19, x20, [sp]
    stp x21, x22, [sp, #16]
    stp x23, x24, [sp, #32]
    stp x25, x26, [sp, #48]
    stp x27, x28, [sp, #64]
    stp x29, x30, [sp, #80]
    stp d8, d9, [sp, #96]
    stp d10, d11, [sp, #112]
    stp d12, d13, [sp, #128]
    stp d14, d15, [sp, #144]
    mov x9, sp
    str x9, [x0]
    mov sp, x1
    ldp x19, x20, [sp]
    ldp x21, x22, [sp, #16]
    ldp x23, x24, [sp, #32]
    ldp x25, x26, [sp, #48]
    ldp x27, x28, [sp, #64]
    ldp x29, x30, [sp, #80]
    ldp d8, d9, [sp, #96]
    ldp d10, d11, [sp, #112]
    ldp d12, d13, [sp, #128]
    ldp d14, d15, [sp, #144]
    add sp, sp, #160
    ret
    .size simtSwitch, . - simtSwitch
)");

extern "C" __attribute__((visibility("hidden"))) void simtSwitch(void **from, void *to);

static void *newStack(char *top, void (*start)())
{
    void **kept = (void **)top - 20;
    kept[11] = (void *)start;  // x30, the link register
    return kept;
}

#else  // other processors, by the C library, some ten times slower

#include <ucontext.h>

static void simtSwitch(void **from, void *to)
{
    ucontext_t here;
    *from = &here;
    swapcontext(&here, (ucontext_t *)to);
}

static void *newStack(char *top, void (*start)())
{
    ucontext_t *context = (ucontext_t *)((unsigned long)(top - sizeof(ucontext_t)) & ~63ul);
    getcontext(context);
    context->uc_stack.ss_sp = (char *)context - (64 << 10);
    context->uc_stack.ss_size = 64 << 10;
    context->uc_link = 0;
    makecontext(context, start, 0);
    return context;
}

#endif
