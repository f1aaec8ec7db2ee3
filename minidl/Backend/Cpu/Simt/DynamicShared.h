// The shared memory whose size comes with a launch. All `extern __shared__` arrays of a text are
// names of it.

extern "C" { __attribute__((aligned(128))) __thread char simtShared[232448]; }

#define SIMT_DYNAMIC_SHARED(name) \
    __asm__(".globl " #name "\n.type " #name ", %tls_object\n.set " #name ", simtShared");
