// The words that kernel files may use, spelled for the host compiler; Cuda.h spells them for nvcc.
//
// A block has one thread, so what the threads of a block do together is done already, and the
// blocks of a grid are shared out among the threads of the CPU. A kernel file becomes the body of a
// struct that inherits from Block.

#define __global__
#define __device__ static inline

#if defined(__clang__)
#define FREE_OF_ALIASES _Pragma("clang loop vectorize(assume_safety)")
#else
#define FREE_OF_ALIASES _Pragma("GCC ivdep")
#endif

struct Index { int x; };

struct Block
{
    Index blockIdx = {0}, gridDim = {1};
    static constexpr Index threadIdx = {0}, blockDim = {1};

    // The first index of this block's share, which is one contiguous run.
    int share(long block, int n) const { return (int)(n * block / gridDim.x); }
};

// Every i of 0 .. n-1 once, shared by all threads of the grid. What one i writes no other i reads.
#define GRID_LOOP(i, n) \
    FREE_OF_ALIASES \
    for (int i = share(blockIdx.x, n), i##_end = share(blockIdx.x + 1l, n); i < i##_end; ++i)

// Every i of 0 .. n-1 once, shared by the threads of a block.
#define BLOCK_LOOP(i, n) \
    FREE_OF_ALIASES \
    for (int i = 0; i < (n); ++i)

// Every (n, i) of `rows` rows of `length` neighbours, shared by the threads of a block.
#define ROW_LOOP(n, i, rows, length) \
    for (int n = 0; n < (rows); ++n) \
        FREE_OF_ALIASES \
        for (int i = 0; i < (length); ++i)

// A block's BLOCK_COLUMNS columns of a matrix, from `first` on: `column` counts the matrix's,
// `lane` one thread's, which keeps arrays of LANES values for them.
#define BLOCK_COLUMNS LANES
#define LANE_LOOP(lane, column, first, columns) \
    FREE_OF_ALIASES \
    for (int lane = 0, column = (first), \
             column##_end = (columns) - (first) < LANES ? (columns) : (first) + LANES; \
         column < column##_end; ++lane, ++column)

// Rows start .. end-1 of a block's columns, shared by the threads of a column; what these have
// summed up, joined; and what is to be done once for each column.
#define COLUMN_ROWS(n, start, end) for (int n = (start); n < (end); ++n)
#define COLUMN_SUMS(sums)
#define ONCE_A_COLUMN

__device__ accum blockSum(accum value) { return value; }
__device__ accum blockMax(accum value) { return value; }


__device__ int min(int a, int b) { return a < b ? a : b; }
__device__ int max(int a, int b) { return a > b ? a : b; }

// Arithmetic. The functions of float are written out where that lets loops over them run in
// vectors.

__device__ unsigned __umulhi(unsigned a, unsigned b)
{
    return (unsigned)(((unsigned long long)a * b) >> 32);
}

__device__ double sqrt(double x) { return __builtin_sqrt(x); }
__device__ double exp(double x) { return __builtin_exp(x); }
__device__ double log(double x) { return __builtin_log(x); }
__device__ double log1p(double x) { return __builtin_log1p(x); }
__device__ double expm1(double x) { return __builtin_expm1(x); }
__device__ double tanh(double x) { return __builtin_tanh(x); }
__device__ double erfc(double x) { return __builtin_erfc(x); }
__device__ double cos(double x) { return __builtin_cos(x); }
__device__ double sin(double x) { return __builtin_sin(x); }
__device__ double fabs(double x) { return __builtin_fabs(x); }
__device__ double fma(double x, double y, double z) { return __builtin_fma(x, y, z); }

__device__ float sqrt(float x) { return __builtin_sqrtf(x); }
__device__ float log(float x) { return __builtin_logf(x); }
__device__ float log1p(float x) { return __builtin_log1pf(x); }
__device__ float cos(float x) { return __builtin_cosf(x); }
__device__ float sin(float x) { return __builtin_sinf(x); }
__device__ float fabs(float x) { return __builtin_fabsf(x); }
__device__ float fma(float x, float y, float z) { return __builtin_fmaf(x, y, z); }

// cos(2 pi x) and sin(2 pi x)
__device__ accum cosOfTurns(accum x) { return cos((accum)6.283185307179586 * x); }
__device__ accum sinOfTurns(accum x) { return sin((accum)6.283185307179586 * x); }

__device__ float powerOfTwo(int n)
{
    int bits = (n + 127) << 23;
    float power;
    __builtin_memcpy(&power, &bits, 4);
    return power;
}

// exp(r) - 1 for |r| <= ln(2) / 2, by its series: the first term left out is below 1e-8 of the
// result.
__device__ float expm1OfSmall(float r)
{
    float p = 1.0f / 5040;
    p = __builtin_fmaf(p, r, 1.0f / 720);
    p = __builtin_fmaf(p, r, 1.0f / 120);
    p = __builtin_fmaf(p, r, 1.0f / 24);
    p = __builtin_fmaf(p, r, 1.0f / 6);
    p = __builtin_fmaf(p, r, 0.5f);
    return __builtin_fmaf(p * r, r, r);
}

// exp(x) = 2^n exp(r), where n ln(2) + r = x. The power is applied in two halves, since it may
// exceed float's range.
__device__ float exp(float x)
{
    x = x < -104 ? -104 : x;
    x = x > 89 ? 89 : x;
    float n = __builtin_rintf(x * 1.44269504f);
    float r = __builtin_fmaf(n, -1.42860677e-6f, __builtin_fmaf(n, -0.693145752f, x));
    int whole = (int)n, half = whole >> 1;
    return (expm1OfSmall(r) + 1) * powerOfTwo(half) * powerOfTwo(whole - half);
}

// exp(x) - 1 = 2^n expm1(r) + (2^n - 1), which cancels nothing near zero, where n is 0.
__device__ float expm1(float x)
{
    x = x < -20 ? -20 : x;
    x = x > 89 ? 89 : x;
    float n = __builtin_rintf(x * 1.44269504f);
    float r = __builtin_fmaf(n, -1.42860677e-6f, __builtin_fmaf(n, -0.693145752f, x));
    int whole = (int)n, half = whole >> 1;
    float lower = powerOfTwo(half), upper = powerOfTwo(whole - half);
    return __builtin_fmaf(expm1OfSmall(r) * lower, upper, __builtin_fmaf(lower, upper, -1.0f));
}

// tanh(x) = expm1(2x) / (expm1(2x) + 2), from |x| so that nothing cancels on either side.
__device__ float tanh(float x)
{
    float size = __builtin_fabsf(x);
    float e = expm1(2 * (size > 20 ? 20 : size));
    return __builtin_copysignf(e / (e + 2), x);
}

// erfc(z) = exp(-z^2) t P(t) for z > 0 and t = 1 / (1 + z / 2). P is the polynomial of its degree
// with the least relative error up to z = 10.5, 5e-8; what z^2 loses in rounding comes back as
// 1 - rest.
__device__ float erfc(float x)
{
    float z = __builtin_fabsf(x);
    z = z > 10.5f ? 10.5f : z;
    float t = 1 / __builtin_fmaf(z, 0.5f, 1.0f);
    float square = z * z, rest = __builtin_fmaf(z, z, -square);
    float p = -0.0591933099f;
    p = __builtin_fmaf(p, t, 0.285182741f);
    p = __builtin_fmaf(p, t, -0.488460735f);
    p = __builtin_fmaf(p, t, 0.279512466f);
    p = __builtin_fmaf(p, t, -0.0276233693f);
    p = __builtin_fmaf(p, t, 0.203109905f);
    p = __builtin_fmaf(p, t, 0.242996616f);
    p = __builtin_fmaf(p, t, 0.282390067f);
    p = __builtin_fmaf(p, t, 0.282085575f);
    float upper = exp(-square) * (1 - rest) * p * t;
    return x < 0 ? 2 - upper : upper;
}
