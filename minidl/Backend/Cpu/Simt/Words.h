// The words of CUDA C for the host compiler: what a declaration may say, and the C functions that
// nvcc knows unasked.

#include <limits.h>
#include <math.h>
#include <stdlib.h>

#define index simtIndex  // a name that kernels like, and old functions of strings.h have
#define rindex simtRindex
#include <string.h>
#undef index
#undef rindex

#include <time.h>

extern "C" int printf(const char *format, ...);

#define __CUDACC__ 1
#define __CUDA_ARCH__ 800

#define __global__ inline __attribute__((always_inline))
#define __device__
#define __host__
#define __constant__
#define __managed__
#define __grid_constant__

// A block runs on one thread of the CPU from its first instruction to its last.
#define __shared__ static __thread

#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define __align__(bytes) __attribute__((aligned(bytes)))

static constexpr int warpSize = 32;
