// How the kernels of BatchNorm.cu share their work, and the sums that they all need.
//
// Some neighbouring maps of a (batch, maps, inner) tensor are `batch` rows of numbers, whatever
// `inner` is. So a group of s.channels maps is a matrix; it is cut into pieces of s.rows rows and
// s.columns columns, and across the columns only if it is one map. A block takes a piece, a team of
// blocks a group.
//
// A thread takes WIDE neighbours at once and stays in its columns, so that each of its WIDE lanes
// belongs to one map. The order of all sums follows from the shares alone.

#ifndef WIDE
#define WIDE (16 / (int)sizeof(real)) // 1 where rows begin anywhere
#endif
#define WARP 32
#define MOST_CHANNELS 32
#define RESIDENT 2 // blocks of a multiprocessor that hold pieces: one loads while another computes

#define WIDE_LOOP(l) _Pragma("unroll") for (int l = 0; l < WIDE; ++l)
#define COLUMN_LOOP(v, p) for (int v = threadIdx.x % p.width; v < p.vectors; v += p.width)
#define DOWN_LOOP(n, p) for (int n = threadIdx.x / p.width; n < p.rows; n += BLOCK / p.width)
#define WARP_LOOP(c, p) for (int c = threadIdx.x / WARP; c < p.channels; c += BLOCK / WARP)
#define TEAM_LOOP(group, s) \
    for (int group = blockIdx.x / s.team; group * s.channels < s.maps; group += gridDim.x / s.team)


struct __align__(WIDE * sizeof(real)) Numbers { real at[WIDE]; };
struct Lanes { accum at[WIDE]; };

// Of the numbers of one map in a piece: how many they are, and what Maps has of them.
struct Partial { accum count, mu, sum, products; };

struct Shares
{
    Partial *partials;  // of each map, one for each block of the team
    unsigned *meetings; // of each group; see `meet`
    int batch, maps, inner;
    int channels, rows, columns; // of a group, of a piece
    int across, team; // pieces side by side, and in all
};

struct Piece
{
    int map, channels, member; // of the group, and its place in the team
    int first, pitch;   // where its numbers begin, and the vectors from one row to the next
    int rows, vectors;
    int span;  // numbers of a row that one map has
    int width; // threads side by side on a row
    int fold;  // so many neighbouring threads may have columns of different maps
};


__device__ Piece pieceOf(const Shares &s, int group, int member)
{
    int row = member / s.across * s.rows, column = member % s.across * s.columns;
    Piece p;
    p.map = group * s.channels, p.member = member;
    p.channels = min(s.channels, s.maps - p.map);
    p.first = (row * s.maps + p.map) * s.inner + column;
    p.pitch = s.maps * s.inner / WIDE;
    p.rows = min(s.rows, s.batch - row);
    int columns = min(s.columns, p.channels * s.inner - column);
    p.vectors = columns / WIDE;
    p.span = min(columns, s.inner);
    p.width = rowWidth(p.vectors);
    p.fold = s.channels == 1 ? 1 : p.width;
    return p;
}

// Among those of the group; without a division where there is but one.
__device__ int mapOf(const Piece &p, int v, int lane)
{
    return p.channels == 1 ? 0 : (v * WIDE + lane) / p.span;
}

__device__ accum countOf(const Shares &s) { return (accum)s.batch * s.inner; }


__device__ accum warpSum(accum value)
{
    for (int step = WARP / 2; step > 0; step /= 2)
        value += __shfl_xor_sync(0xFFFFFFFF, value, step);
    return value;
}


// result[c]: the sum of all lanes of all threads that belong to map c.
__device__ void sumByMap(const Lanes &own, const Piece &p, accum *result)
{
    __shared__ accum parts[WIDE][BLOCK];
    WIDE_LOOP(l)
        parts[l][threadIdx.x] = own.at[l];
    __syncthreads();
    for (int half = BLOCK / 2; half >= p.fold; half /= 2)
    {
        if (threadIdx.x < half)
            WIDE_LOOP(l)
                parts[l][threadIdx.x] += parts[l][threadIdx.x + half];
        __syncthreads();
    }
    WARP_LOOP(c, p)
    {
        accum sum = 0;
        int end = min((c + 1) * p.span, p.fold * WIDE);
        for (int i = c * p.span + threadIdx.x % WARP; i < end; i += WARP)
            sum += parts[i % WIDE][i / WIDE];
        result[c] = warpSum(sum);
    }
    __syncthreads();
}


// A copy into shared memory that takes no register while it is on its way.
__device__ void fetch(Numbers *held, const Numbers *source)
{
#if (defined(__NVCC__) || defined(__CUDACC_RTC__)) && __CUDA_ARCH__ >= 800
    if (sizeof(Numbers) == 16)
    {
        unsigned place = (unsigned)__cvta_generic_to_shared(held);
        asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" :: "r"(place), "l"(source));
        return;
    }
#endif
    *held = *source;
}

__device__ void waitForHeld()
{
#if (defined(__NVCC__) || defined(__CUDACC_RTC__)) && __CUDA_ARCH__ >= 800
    asm volatile("cp.async.wait_all;" ::: "memory");
#endif
    __syncthreads();
}

__device__ void hold(Numbers *held, const real *data, const Piece &p)
{
    const Numbers *source = (const Numbers *)(data + p.first);
    COLUMN_LOOP(v, p)
        DOWN_LOOP(n, p)
            fetch(held + n * p.vectors + v, source + n * p.pitch + v);
}


// What a block knows of each of its maps, in shared memory. `sum` is first that of the differences
// from mu, or of g, and `products` that of their squares, or of g * (x - mu).
struct Maps
{
    accum mu[MOST_CHANNELS], slope[MOST_CHANNELS], offset[MOST_CHANNELS];
    accum sum[MOST_CHANNELS], products[MOST_CHANNELS];
};

__device__ void publish(const Maps &m, const Piece &p, const Shares &s)
{
    BLOCK_LOOP(c, p.channels)
        s.partials[(p.map + c) * s.team + p.member] = {
            (accum)p.rows * p.span, m.mu[c], m.sum[c], m.products[c]};
}

// Returns when all blocks of the team have come; then all see what each has published. `meeting`
// counts those who come and those who go, of whom the last sets it to 0.
__device__ void meet(unsigned *meeting, unsigned team)
{
    __syncthreads();
    if (threadIdx.x == 0)
    {
        __threadfence();
        atomicAdd(meeting, 1u);
        while (*(volatile unsigned *)meeting < team)
            __nanosleep(20);
        if (atomicAdd(meeting, 1u) == 2 * team - 1)
            *meeting = 0;
        __threadfence();
    }
    __syncthreads();
}


// Fills the first three from statistics that are kept.
__device__ void takeLines(
    const Piece &p, Maps &m, const accum *scale, const accum *bias, const accum *mean,
    const accum *invStd)
{
    BLOCK_LOOP(c, p.channels)
    {
        m.mu[c] = mean[p.map + c];
        m.slope[c] = scale[p.map + c] * invStd[p.map + c], m.offset[c] = bias[p.map + c];
    }
    __syncthreads();
}

// The same of each lane of a vector.
struct Lines { accum mu[WIDE], slope[WIDE], offset[WIDE], sum[WIDE], products[WIDE]; };

__device__ Lines linesOf(const Maps &m, const Piece &p, int v)
{
    Lines lines;
    WIDE_LOOP(l)
    {
        int c = mapOf(p, v, l);
        lines.mu[l] = m.mu[c], lines.slope[l] = m.slope[c], lines.offset[l] = m.offset[c];
        lines.sum[l] = m.sum[c], lines.products[l] = m.products[c];
    }
    return lines;
}


// Turns the sums of the differences from mu and of their squares into what mu misses of the mean,
// and the sum of squares around the mean. The first of two sweeps moves mu; what it misses then is
// kept apart, since mu might round it away.
__device__ void center(accum &mu, accum &differences, accum &squares, accum count, int sweep)
{
    squares -= differences * differences / count;
    differences /= count;
    if (sweep == 0)
        mu += differences;
}

// Of what a block holds: m.mu + m.sum are the means, m.products the sums of squares around them.
__device__ void statistics(const Numbers *held, const Piece &p, Maps &m)
{
    BLOCK_LOOP(c, p.channels)
        m.mu[c] = finiteOrZero(((const real *)held)[c * p.span]);
    for (int sweep = 0; sweep < 2; ++sweep)
    {
        __syncthreads();
        Lanes differences = {}, squares = {};
        COLUMN_LOOP(v, p)
        {
            accum mu[WIDE];
            WIDE_LOOP(l)
                mu[l] = m.mu[mapOf(p, v, l)];
            DOWN_LOOP(n, p)
            {
                Numbers x = held[n * p.vectors + v];
                WIDE_LOOP(l)
                {
                    accum d = x.at[l] - mu[l];
                    differences.at[l] += d;
                    squares.at[l] += d * d;
                }
            }
        }
        sumByMap(differences, p, m.sum);
        sumByMap(squares, p, m.products);
        BLOCK_LOOP(c, p.channels)
            center(m.mu[c], m.sum[c], m.products[c], (accum)p.rows * p.span, sweep);
    }
    __syncthreads();
}

// The same of whole maps, from what the team has published.
__device__ void mergeStatistics(const Piece &p, const Shares &s, Maps &m)
{
    WARP_LOOP(c, p)
    {
        const Partial *partials = s.partials + (p.map + c) * s.team;
        accum mu = finiteOrZero(__ldcg(&partials->mu)), differences = 0, squares = 0;
        for (int sweep = 0; sweep < 2; ++sweep)
        {
            differences = squares = 0;
            for (int i = threadIdx.x % WARP; i < s.team; i += WARP)
            {
                const Partial &part = partials[i];
                accum size = __ldcg(&part.count);
                accum d = __ldcg(&part.mu) - mu + finiteOrZero(__ldcg(&part.sum));
                differences += size * d;
                squares += __ldcg(&part.products) + size * d * d;
            }
            differences = warpSum(differences);
            squares = warpSum(squares);
            center(mu, differences, squares, countOf(s), sweep);
        }
        m.mu[c] = mu, m.sum[c] = differences, m.products[c] = squares;
    }
    __syncthreads();
}
