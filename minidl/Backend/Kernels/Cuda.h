// The words that kernel files may use beyond plain CUDA C, spelled for nvcc; Host.h spells them for
// the host compiler. BLOCK, a power of two, is the number of threads in a block.

// Unsigned, since the last step of a thread may lead beyond 2^31.
#define GRID_LOOP(i, n) \
    for (unsigned i = blockIdx.x * BLOCK + threadIdx.x; i < (unsigned)(n); i += gridDim.x * BLOCK)

#define BLOCK_LOOP(i, n) \
    for (int i = threadIdx.x; i < (n); i += BLOCK)

// Short rows are taken several at a time; the divisions are done once, before the loop.
#define ROW_LOOP(n, i, rows, length) \
    for (int n##_width = rowWidth(length), n = threadIdx.x / n##_width; \
         n < (rows); n += BLOCK / n##_width) \
        for (int i = threadIdx.x % n##_width; i < (length); i += n##_width)

// A thread has one column of its block, whose rows it shares with others: neighbouring threads
// read neighbours in memory, and a matrix of few columns still keeps many threads busy.
#define LANES 1
#define BLOCK_COLUMNS (BLOCK < 32 ? BLOCK : 32)
#define LANE_LOOP(lane, column, first, columns) \
    for (int lane = 0, column = (first) + threadIdx.x % BLOCK_COLUMNS; \
         lane < 1 && column < (columns); ++lane)
#define COLUMN_ROWS(n, start, end) \
    for (int n = (start) + threadIdx.x / BLOCK_COLUMNS; n < (end); n += BLOCK / BLOCK_COLUMNS)
#define ONCE_A_COLUMN if (threadIdx.x < BLOCK_COLUMNS)

__device__ int rowWidth(int length)
{
    int width = BLOCK;
    while (width / 2 >= length)
        width /= 2;
    return width;
}

// `value` of all threads of a block joined by `+` or by max, in a fixed order, and returned to each
// of them.
#define BLOCK_JOIN(name, joined) \
    __device__ accum name(accum value) \
    { \
        __shared__ accum parts[BLOCK]; \
        parts[threadIdx.x] = value; \
        __syncthreads(); \
        for (int half = BLOCK / 2; half > 0; half /= 2) \
        { \
            if (threadIdx.x < half) \
            { \
                accum a = parts[threadIdx.x], b = parts[threadIdx.x + half]; \
                parts[threadIdx.x] = joined; \
            } \
            __syncthreads(); \
        } \
        accum result = parts[0]; \
        __syncthreads(); /* the next call overwrites parts */ \
        return result; \
    }

// `value` of all threads that share a column, added up in a fixed order and returned to each.
__device__ accum columnSum(accum value)
{
    __shared__ accum parts[BLOCK];
    parts[threadIdx.x] = value;
    __syncthreads();
    for (int half = BLOCK / 2; half >= BLOCK_COLUMNS; half /= 2)
    {
        if (threadIdx.x < half)
            parts[threadIdx.x] += parts[threadIdx.x + half];
        __syncthreads();
    }
    accum result = parts[threadIdx.x % BLOCK_COLUMNS];
    __syncthreads(); // the next call overwrites parts
    return result;
}

// The sums of a thread's columns, joined with those of the threads that it shares them with.
#define COLUMN_SUMS(sums) \
    for (int lane = 0; lane < LANES; ++lane) \
        sums[lane] = columnSum(sums[lane]);

BLOCK_JOIN(blockSum, a + b)
BLOCK_JOIN(blockMax, a < b ? b : a)

// cos(2 pi x) and sin(2 pi x), without the local memory that cos takes for large angles.
__device__ accum cosOfTurns(accum x) { return cospi(2 * x); }
__device__ accum sinOfTurns(accum x) { return sinpi(2 * x); }
