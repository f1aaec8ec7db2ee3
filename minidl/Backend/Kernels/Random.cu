// Random numbers by Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as
// 1, 2, 3", 2011).
//
// A counter of 128 bits and a key of 64 give four numbers of 32 bits, with no state to pass on:
// number i of a stream is the same on every device and for any grid. The key is the seed, the
// counter (low, high) + i / 4.


struct Four { unsigned a, b, c, d; };

__device__ Four philox(Four counter, unsigned key0, unsigned key1)
{
    for (int round = 0; round < 10; ++round)
    {
        unsigned high0 = __umulhi(0xD2511F53u, counter.a), low0 = 0xD2511F53u * counter.a;
        unsigned high1 = __umulhi(0xCD9E8D57u, counter.c), low1 = 0xCD9E8D57u * counter.c;
        counter.a = high1 ^ counter.b ^ key0;
        counter.b = low1;
        counter.c = high0 ^ counter.d ^ key1;
        counter.d = low0;
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }
    return counter;
}

__device__ Four drawn(int i, unsigned low, unsigned high, unsigned key0, unsigned key1)
{
    unsigned sum = low + (unsigned)i;
    Four counter = {sum, high + (sum < low), 0, 0};
    return philox(counter, key0, key1);
}

// y[position] = FORM of the number at `position`: four at a time, and what is left by the first
// block. The loop over whole fours has no condition in it, so that it runs in vectors.
#define FILL(y, size, FORM) \
    GRID_LOOP(i, (size) / 4) \
    { \
        Four bits = drawn(i, low, high, key0, key1); \
        y[4 * i] = FORM(bits.a); \
        y[4 * i + 1] = FORM(bits.b); \
        y[4 * i + 2] = FORM(bits.c); \
        y[4 * i + 3] = FORM(bits.d); \
    } \
    if (blockIdx.x == 0) \
        BLOCK_LOOP(j, (size) % 4) \
        { \
            Four bits = drawn((size) / 4, low, high, key0, key1); \
            y[(size) / 4 * 4 + j] = FORM(j == 0 ? bits.a : j == 1 ? bits.b : bits.c); \
        }


// The four numbers of each given counter: the form in which the generator's answers are published.
__global__ void philoxAnswers(
    const unsigned *counters, unsigned *y, int count, unsigned key0, unsigned key1)
{
    GRID_LOOP(i, count)
    {
        const unsigned *from = counters + 4 * i;
        Four counter = {from[0], from[1], from[2], from[3]};
        Four answer = philox(counter, key0, key1);
        y[4 * i] = answer.a;
        y[4 * i + 1] = answer.b;
        y[4 * i + 2] = answer.c;
        y[4 * i + 3] = answer.d;
    }
}


// y = 32 random bits each
#define AS_BITS(bits) (bits)
__global__ void randomBits(
    unsigned *y, int size, unsigned low, unsigned high, unsigned key0, unsigned key1)
{
    FILL(y, size, AS_BITS)
}


// The number in [0, 1) whose leading binary digits are those of `bits`: exact in float.
__device__ accum unit(unsigned bits)
{
    return (accum)(int)(bits >> 8) * (accum)(1.0 / 16777216);
}


// y = uniform in [from, from + width)
#define AS_UNIFORM(bits) from + width * unit(bits)
__global__ void randomUniform(
    real *y, int size, unsigned low, unsigned high, unsigned key0, unsigned key1,
    accum from, accum width)
{
    FILL(y, size, AS_UNIFORM)
}


// y = normal with the given mean and sigma, by Box and Muller: for u, v uniform in [0, 1),
// sqrt(-2 log(1 - u)) cos(2 pi v) and sqrt(-2 log(1 - u)) sin(2 pi v) are two independent normals.
__global__ void randomNormal(
    real *y, int size, unsigned low, unsigned high, unsigned key0, unsigned key1,
    accum mean, accum sigma)
{
    GRID_LOOP(i, size / 2 + size % 2)
    {
        Four bits = drawn(i / 2, low, high, key0, key1);
        unsigned u = i % 2 ? bits.c : bits.a, v = i % 2 ? bits.d : bits.b;
        accum radius = sigma * sqrt(-2 * log(1 - unit(u)));
        y[2 * i] = mean + radius * cosOfTurns(unit(v));
        if (2 * i + 1 < size)
            y[2 * i + 1] = mean + radius * sinOfTurns(unit(v));
    }
}
