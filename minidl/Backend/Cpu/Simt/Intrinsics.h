// CUDA's intrinsics: the fast functions, conversions with a stated rounding, and whole numbers as
// bits.

// glibc keeps these names to itself, so they cannot be functions.
#define __expf expf
#define __exp10f exp10f
#define __logf logf
#define __log2f log2f
#define __log10f log10f
#define __powf powf
#define __sinf sinf
#define __cosf cosf
#define __tanf tanf
#define __sincosf sincosf

static inline float __fdividef(float x, float y) { return x / y; }
static inline float __frsqrt_rn(float x) { return 1 / __builtin_sqrtf(x); }
static inline float __saturatef(float x) { return x > 0 ? (x < 1 ? x : 1) : 0; }

// These never become parts of a multiply-add: a volatile value is rounded.
static inline float __fmul_rn(float x, float y) { volatile float product = x * y; return product; }

static inline double __dmul_rn(double x, double y)
{
    volatile double product = x * y;
    return product;
}

static inline float __fadd_rn(float x, float y) { volatile float a = x; return a + y; }
static inline double __dadd_rn(double x, double y) { volatile double a = x; return a + y; }
static inline float __fsub_rn(float x, float y) { return __fadd_rn(x, -y); }
static inline double __dsub_rn(double x, double y) { return __dadd_rn(x, -y); }
static inline float __fdiv_rn(float x, float y) { return x / y; }
static inline double __ddiv_rn(double x, double y) { return x / y; }
static inline float __frcp_rn(float x) { return 1 / x; }
static inline double __drcp_rn(double x) { return 1 / x; }
static inline float __fsqrt_rn(float x) { return __builtin_sqrtf(x); }
static inline double __dsqrt_rn(double x) { return __builtin_sqrt(x); }
static inline float __fmaf_rn(float x, float y, float z) { return __builtin_fmaf(x, y, z); }
static inline double __fma_rn(double x, double y, double z) { return __builtin_fma(x, y, z); }

// Real to whole numbers, to the nearest (rn), towards zero (rz), down (rd) and up (ru), within the
// whole number's range.
namespace simt
{

template <class T> T whole(double x, T least, T most)
{
    return x != x ? 0 : x <= (double)least ? least : x >= (double)most ? most : (T)x;
}

}

#define SIMT_WHOLE(name, T, least, most) \
    static inline T name##_rz(double x) { return simt::whole<T>(x, least, most); } \
    static inline T name##_rn(double x) { return name##_rz(__builtin_rint(x)); } \
    static inline T name##_rd(double x) { return name##_rz(__builtin_floor(x)); } \
    static inline T name##_ru(double x) { return name##_rz(__builtin_ceil(x)); }

SIMT_WHOLE(__float2int, int, INT_MIN, INT_MAX)
SIMT_WHOLE(__float2uint, unsigned, 0, UINT_MAX)
SIMT_WHOLE(__float2ll, long long, LLONG_MIN, LLONG_MAX)
SIMT_WHOLE(__float2ull, unsigned long long, 0, ULLONG_MAX)
SIMT_WHOLE(__double2int, int, INT_MIN, INT_MAX)
SIMT_WHOLE(__double2uint, unsigned, 0, UINT_MAX)
SIMT_WHOLE(__double2ll, long long, LLONG_MIN, LLONG_MAX)
SIMT_WHOLE(__double2ull, unsigned long long, 0, ULLONG_MAX)

static inline float __int2float_rn(int x) { return (float)x; }
static inline float __uint2float_rn(unsigned x) { return (float)x; }
static inline float __ll2float_rn(long long x) { return (float)x; }
static inline float __ull2float_rn(unsigned long long x) { return (float)x; }
static inline double __int2double_rn(int x) { return x; }
static inline double __uint2double_rn(unsigned x) { return x; }
static inline double __ll2double_rn(long long x) { return (double)x; }
static inline double __ull2double_rn(unsigned long long x) { return (double)x; }
static inline float __double2float_rn(double x) { return (float)x; }

#define SIMT_SAME_BITS(name, From, To) \
    static inline To name(From x) { To y; __builtin_memcpy(&y, &x, sizeof y); return y; }

SIMT_SAME_BITS(__int_as_float, int, float)
SIMT_SAME_BITS(__uint_as_float, unsigned, float)
SIMT_SAME_BITS(__float_as_int, float, int)
SIMT_SAME_BITS(__float_as_uint, float, unsigned)
SIMT_SAME_BITS(__longlong_as_double, long long, double)
SIMT_SAME_BITS(__double_as_longlong, double, long long)

static inline int __double2hiint(double x) { return (int)(__double_as_longlong(x) >> 32); }
static inline int __double2loint(double x) { return (int)__double_as_longlong(x); }

static inline double __hiloint2double(int high, int low)
{
    const unsigned long long bits = (unsigned long long)(unsigned)high << 32 | (unsigned)low;
    return __longlong_as_double((long long)bits);
}

static inline int __popc(unsigned x) { return __builtin_popcount(x); }
static inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
static inline int __clz(int x) { return x ? __builtin_clz((unsigned)x) : 32; }
static inline int __clzll(long long x) { return x ? __builtin_clzll((unsigned long long)x) : 64; }
static inline int __ffs(int x) { return __builtin_ffs(x); }
static inline int __ffsll(long long x) { return __builtin_ffsll(x); }

static inline unsigned __brev(unsigned x)
{
    x = (x >> 1 & 0x55555555u) | (x & 0x55555555u) << 1;
    x = (x >> 2 & 0x33333333u) | (x & 0x33333333u) << 2;
    x = (x >> 4 & 0x0F0F0F0Fu) | (x & 0x0F0F0F0Fu) << 4;
    return __builtin_bswap32(x);
}

static inline unsigned long long __brevll(unsigned long long x)
{
    return (unsigned long long)__brev((unsigned)x) << 32 | __brev((unsigned)(x >> 32));
}

static inline unsigned __byte_perm(unsigned x, unsigned y, unsigned selector)
{
    const unsigned long long bytes = (unsigned long long)y << 32 | x;
    unsigned result = 0;
    for (int i = 0; i < 4; ++i)
        result |= (unsigned)(bytes >> 8 * (selector >> 4 * i & 7) & 0xFF) << 8 * i;
    return result;
}

static inline unsigned __funnelshift_l(unsigned low, unsigned high, unsigned shift)
{
    return (unsigned)(((unsigned long long)high << 32 | low) << (shift & 31) >> 32);
}

static inline unsigned __funnelshift_r(unsigned low, unsigned high, unsigned shift)
{
    return (unsigned)(((unsigned long long)high << 32 | low) >> (shift & 31));
}

static inline int __mul24(int x, int y)
{
    return (int)((unsigned)(x << 8 >> 8) * (unsigned)(y << 8 >> 8));
}

static inline unsigned __umul24(unsigned x, unsigned y)
{
    return (x & 0xFFFFFFu) * (y & 0xFFFFFFu);
}

static inline int __mulhi(int x, int y) { return (int)((long long)x * y >> 32); }

static inline unsigned __umulhi(unsigned x, unsigned y)
{
    return (unsigned)((unsigned long long)x * y >> 32);
}

static inline long long __mul64hi(long long x, long long y)
{
    return (long long)((__int128)x * y >> 64);
}

static inline unsigned long long __umul64hi(unsigned long long x, unsigned long long y)
{
    return (unsigned long long)((unsigned __int128)x * y >> 64);
}

static inline unsigned __sad(int x, int y, unsigned z)
{
    return (unsigned)(x < y ? y - x : x - y) + z;
}

static inline unsigned __usad(unsigned x, unsigned y, unsigned z)
{
    return (x < y ? y - x : x - y) + z;
}

static inline int __hadd(int x, int y) { return (int)(((long long)x + y) >> 1); }
static inline int __rhadd(int x, int y) { return (int)(((long long)x + y + 1) >> 1); }

static inline unsigned __uhadd(unsigned x, unsigned y)
{
    return (unsigned)(((unsigned long long)x + y) >> 1);
}


// Reads and writes that tell the GPU's caches what to keep.
template <class T> static inline T __ldg(const T *address) { return *address; }
template <class T> static inline T __ldca(const T *address) { return *address; }
template <class T> static inline T __ldcg(const T *address) { return *address; }
template <class T> static inline T __ldcs(const T *address) { return *address; }
template <class T> static inline void __stwb(T *address, T value) { *address = value; }
template <class T> static inline void __stcg(T *address, T value) { *address = value; }
template <class T> static inline void __stcs(T *address, T value) { *address = value; }

static inline long long clock64()
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000ll + now.tv_nsec;
}

static inline void __threadfence() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
static inline void __threadfence_block() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
static inline void __threadfence_system() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
