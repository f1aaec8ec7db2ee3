// C++ knows the functions of C's math.h for double; CUDA C knows them for every type of number.

#define SIMT_FLOAT1(name) \
    static inline float name(float x) { return __builtin_##name##f(x); } \
    template <class T> static inline double name(T x) { return __builtin_##name((double)x); }

#define SIMT_FLOAT2(name) \
    static inline float name(float x, float y) { return __builtin_##name##f(x, y); } \
    template <class A, class B> static inline double name(A x, B y) \
    { \
        return __builtin_##name((double)x, (double)y); \
    }

SIMT_FLOAT1(sqrt) SIMT_FLOAT1(cbrt) SIMT_FLOAT1(exp) SIMT_FLOAT1(exp2) SIMT_FLOAT1(expm1)
SIMT_FLOAT1(log) SIMT_FLOAT1(log2) SIMT_FLOAT1(log10) SIMT_FLOAT1(log1p) SIMT_FLOAT1(logb)
SIMT_FLOAT1(sin) SIMT_FLOAT1(cos) SIMT_FLOAT1(tan) SIMT_FLOAT1(asin) SIMT_FLOAT1(acos)
SIMT_FLOAT1(atan)
SIMT_FLOAT1(sinh) SIMT_FLOAT1(cosh) SIMT_FLOAT1(tanh) SIMT_FLOAT1(asinh) SIMT_FLOAT1(acosh)
SIMT_FLOAT1(atanh)
SIMT_FLOAT1(erf) SIMT_FLOAT1(erfc) SIMT_FLOAT1(tgamma) SIMT_FLOAT1(lgamma)
SIMT_FLOAT1(floor) SIMT_FLOAT1(ceil) SIMT_FLOAT1(trunc) SIMT_FLOAT1(round) SIMT_FLOAT1(rint)
SIMT_FLOAT1(nearbyint)
SIMT_FLOAT1(fabs)
SIMT_FLOAT2(pow) SIMT_FLOAT2(atan2) SIMT_FLOAT2(hypot) SIMT_FLOAT2(fmod) SIMT_FLOAT2(remainder)
SIMT_FLOAT2(fdim)
SIMT_FLOAT2(fmin) SIMT_FLOAT2(fmax) SIMT_FLOAT2(copysign) SIMT_FLOAT2(nextafter)

static inline float fma(float x, float y, float z) { return __builtin_fmaf(x, y, z); }
static inline float ldexp(float x, int n) { return __builtin_ldexpf(x, n); }
static inline float frexp(float x, int *n) { return __builtin_frexpf(x, n); }
static inline float modf(float x, float *whole) { return __builtin_modff(x, whole); }
static inline long lround(float x) { return __builtin_lroundf(x); }
static inline long lrint(float x) { return __builtin_lrintf(x); }
static inline float pow(float x, int n) { return __builtin_powf(x, (float)n); }
static inline double pow(double x, int n) { return __builtin_pow(x, (double)n); }

static inline float rsqrtf(float x) { return 1 / __builtin_sqrtf(x); }
static inline float rsqrt(float x) { return rsqrtf(x); }
static inline double rsqrt(double x) { return 1 / __builtin_sqrt(x); }
static inline float rcbrtf(float x) { return 1 / __builtin_cbrtf(x); }
static inline double rcbrt(double x) { return 1 / __builtin_cbrt(x); }
static inline float fdividef(float x, float y) { return x / y; }
static inline float sinpif(float x) { return __builtin_sinf(3.14159265f * __builtin_fmodf(x, 2)); }
static inline float cospif(float x) { return __builtin_cosf(3.14159265f * __builtin_fmodf(x, 2)); }

static inline double sinpi(double x)
{
    return __builtin_sin(3.14159265358979324 * __builtin_fmod(x, 2));
}

static inline double cospi(double x)
{
    return __builtin_cos(3.14159265358979324 * __builtin_fmod(x, 2));
}

static inline float normcdff(float x) { return 0.5f * __builtin_erfcf(-0.707106781f * x); }
static inline double normcdf(double x) { return 0.5 * __builtin_erfc(-0.707106781186547524 * x); }

static inline void sincos(float x, float *sine, float *cosine)
{
    *sine = __builtin_sinf(x);
    *cosine = __builtin_cosf(x);
}

static inline float abs(float x) { return __builtin_fabsf(x); }
static inline double abs(double x) { return __builtin_fabs(x); }
static inline long abs(long x) { return __builtin_labs(x); }
static inline long long abs(long long x) { return __builtin_llabs(x); }

// The smaller or larger of two numbers; of a number and a NaN, the number.
template <class A, class B> static inline decltype(A() + B()) min(A first, B second)
{
    typedef decltype(A() + B()) Both;
    const Both a = first, b = second;
    return b != b || a < b ? a : b;
}

template <class A, class B> static inline decltype(A() + B()) max(A first, B second)
{
    typedef decltype(A() + B()) Both;
    const Both a = first, b = second;
    return b != b || a > b ? a : b;
}
