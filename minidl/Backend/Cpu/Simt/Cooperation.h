// What the threads of a block do together. A thread of the CPU runs them as fibers (Fibers.cpp), so
// none is overtaken but where it waits.

extern "C"
{

const simt::Fibers *minidlFibers;
char minidlFailure[256];  // what went wrong in a launch; empty otherwise

}

extern "C" int snprintf(char *text, size_t size, const char *format, ...);

namespace simt
{

// Whether the running thread has waited: its fiber then leaves the threads after it to others.
static __thread bool hasWaited;

static inline void beginThread() { hasWaited = false; }

static inline void noteFailure(const char *words)
{
    static int noted = 0;
    if (__atomic_exchange_n(&noted, 1, __ATOMIC_ACQUIRE))
        return;  // another block fails at this moment, and its words are as good
    if (!minidlFailure[0])
        snprintf(
            minidlFailure, sizeof minidlFailure, "block (%u, %u, %u): %s",
            blockIdx.x, blockIdx.y, blockIdx.z, words);
    __atomic_store_n(&noted, 0, __ATOMIC_RELEASE);
}

static inline void runBlock(Threads threads, const void *arguments)
{
    if (minidlFailure[0])
        return;
    const unsigned count = blockDim.x * blockDim.y * blockDim.z;
    if (const char *words = minidlFibers->run(threads, arguments, count))
        noteFailure(words);
}

static inline unsigned threadNumber()
{
    return threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
}

static inline unsigned lane() { return threadNumber() % 32; }

static __attribute__((noinline)) unsigned long long meet(
    Meeting meeting, unsigned mask = 0, unsigned long long value = 0, unsigned source = 0)
{
    const unsigned x = threadIdx.x, y = threadIdx.y, z = threadIdx.z;
    const unsigned long long result = minidlFibers->meet(
        threadNumber(), meeting, mask, value, source);
    threadIdx.x = x, threadIdx.y = y, threadIdx.z = z;
    hasWaited = true;
    return result;
}

template <class T> static T exchange(unsigned mask, T value, unsigned source)
{
    static_assert(sizeof(T) <= 8, "lanes exchange values of at most 8 bytes");
    unsigned long long bits = 0;
    __builtin_memcpy(&bits, &value, sizeof value);
    bits = meet(atExchange, mask, bits, source);
    __builtin_memcpy(&value, &bits, sizeof value);
    return value;
}

__attribute__((noreturn)) static inline void fail(const char *words)
{
    minidlFibers->fail(words);
    __builtin_unreachable();
}

}

static inline void __nanosleep(unsigned) { minidlFibers->pause(); }
static inline void __syncthreads() { simt::meet(simt::atBarrier); }

static inline int __syncthreads_count(int value)
{
    return (int)(unsigned)simt::meet(simt::atBarrier, 0, value != 0);
}

static inline int __syncthreads_or(int value) { return __syncthreads_count(value) != 0; }
static inline int __syncthreads_and(int value) { return __syncthreads_count(value == 0) == 0; }

static inline void __syncwarp(unsigned mask = 0xFFFFFFFFu) { simt::meet(simt::atExchange, mask); }
static inline unsigned __activemask() { return (unsigned)simt::meet(simt::atRandom); }

static inline unsigned __ballot_sync(unsigned mask, int value)
{
    return (unsigned)simt::meet(simt::atBallot, mask, value != 0);
}

static inline int __any_sync(unsigned mask, int value) { return __ballot_sync(mask, value) != 0; }

static inline int __all_sync(unsigned mask, int value)
{
    return __ballot_sync(mask, value == 0) == 0;
}

template <class T> static T __shfl_sync(unsigned mask, T value, int source, int width = 32)
{
    const unsigned first = simt::lane() & -(unsigned)width;
    return simt::exchange(mask, value, first | (source & ((unsigned)width - 1)));
}

template <class T> static T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32)
{
    const unsigned lane = simt::lane(), within = lane & ((unsigned)width - 1);
    return simt::exchange(mask, value, delta > within ? lane : lane - delta);
}

template <class T> static T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32)
{
    const unsigned lane = simt::lane(), within = lane & ((unsigned)width - 1);
    return simt::exchange(mask, value, within + delta >= (unsigned)width ? lane : lane + delta);
}

template <class T> static T __shfl_xor_sync(unsigned mask, T value, int bits, int width = 32)
{
    const unsigned lane = simt::lane(), last = lane | ((unsigned)width - 1);
    const unsigned source = lane ^ (unsigned)bits;
    return simt::exchange(mask, value, source > last ? lane : source);
}

// The lanes of `mask` whose value is the same as this one's.
template <class T> static unsigned __match_any_sync(unsigned mask, T value)
{
    unsigned same = 0;
    for (unsigned left = (unsigned)(simt::meet(simt::atBallot, mask) >> 32); left; left &= left - 1)
    {
        const unsigned source = (unsigned)__builtin_ctz(left);
        same |= (simt::exchange(mask, value, source) == value) << source;
    }
    return same;
}

#define SIMT_REDUCE(name, result) \
    template <class T> static T name(unsigned mask, T value) \
    { \
        unsigned left = (unsigned)(simt::meet(simt::atBallot, mask) >> 32); \
        T a = simt::exchange(mask, value, (unsigned)__builtin_ctz(left)); \
        while (left &= left - 1) \
        { \
            const T b = simt::exchange(mask, value, (unsigned)__builtin_ctz(left)); \
            a = result; \
        } \
        return a; \
    }

SIMT_REDUCE(__reduce_add_sync, a + b)
SIMT_REDUCE(__reduce_min_sync, a < b ? a : b)
SIMT_REDUCE(__reduce_max_sync, a > b ? a : b)
SIMT_REDUCE(__reduce_and_sync, a & b)
SIMT_REDUCE(__reduce_or_sync, a | b)
SIMT_REDUCE(__reduce_xor_sync, a ^ b)

#define SIMT_WORDS(x) #x
#define SIMT_LINE(x) SIMT_WORDS(x)
#define assert(condition) \
    ((condition) ? (void)0 \
        : simt::fail("line " SIMT_LINE(__LINE__) ": assertion failed: " #condition))
#define __trap() simt::fail("line " SIMT_LINE(__LINE__) ": __trap()")
