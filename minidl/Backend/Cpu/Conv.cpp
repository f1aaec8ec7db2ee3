// Convolutions on minidl's pool, without columns: a vector holds neighbouring maps of the result, and
// the numbers of the other factor come in one by one.
//
// A task packs the part of a sample that it reads into a small array with the zeros of the edges, of
// the thread's own, in which the numbers that a tap (an element of the filters) meets lie a fixed
// step further than those of the first tap. What a task does follows from the sizes alone, so the
// bits are the same for any number of threads.

#include <stdlib.h>
#include <string.h>

#if defined(__AVX512F__)
enum { vectorBytes = 64, mostPixels = 14, mostRows = 12 };
#else
enum { vectorBytes = 32, mostPixels = 6, mostRows = 6 };
#endif

template <class real> struct Vectors
{
    typedef real Type __attribute__((vector_size(vectorBytes), aligned(sizeof(real)), may_alias));
    enum { lanes = vectorBytes / sizeof(real), width = 2 * lanes };  // width: maps of a block
};

static inline long least(long a, long b) { return a < b ? a : b; }


// Memory of the thread's own, which grows to what it has needed at most.
static void *scratch(size_t bytes)
{
    static thread_local char *memory = 0;
    static thread_local size_t size = 0;
    if (size < bytes)
    {
        free(memory);
        size = (bytes + 4095) / 4096 * 4096;
        memory = (char *)aligned_alloc(64, size);
        if (!memory)
            abort();
    }
    return memory;
}


// How a task's part of a sample is packed: of each axis `extent` numbers, of which the first one is
// number start * step - low of the sample, or a zero outside of it.
struct Packing { long size[3], extent[3], low[3], step[3]; };

template <class real>
static void packLine(const Packing &p, long from, const real *line, real *packed)
{
    long zeros = from < 0 ? least(-from, p.extent[2]) : 0;
    long end = least(p.size[2] - from, p.extent[2]);
    end = end > zeros ? end : zeros;
    memset(packed, 0, zeros * sizeof(real));
    if (end > zeros)
        memcpy(packed + zeros, line + from + zeros, (end - zeros) * sizeof(real));
    memset(packed + end, 0, (p.extent[2] - end) * sizeof(real));
}

template <class real>
static void pack(const Packing &p, const long *start, const real *maps, long numMaps, real *packed)
{
    long from[3];
    for (int axis = 0; axis < 3; ++axis)
        from[axis] = start[axis] * p.step[axis] - p.low[axis];

    for (long map = 0; map < numMaps; ++map, maps += p.size[0] * p.size[1] * p.size[2])
        for (long i = 0; i < p.extent[0]; ++i)
            for (long j = 0; j < p.extent[1]; ++j, packed += p.extent[2])
            {
                long a = from[0] + i, b = from[1] + j;
                if (a < 0 || a >= p.size[0] || b < 0 || b >= p.size[1])
                    memset(packed, 0, p.extent[2] * sizeof(real));
                else
                    packLine(p, from[2], maps + (a * p.size[1] + b) * p.size[2], packed);
            }
}


// What forward and the gradient of the input have in common: target = filters * source + bias. The
// target's places are taken by phases, those that meet the same taps; of each axis the places
// first, first + spread, ... make one.
struct Phase { int first[3], places[3], firstTap, taps; };
struct Tap { int step, index; };  // step: in the packed part; index: in the filters

template <class real> struct Gather
{
    const real *source, *filters, *bias;  // bias: a number for each map of the target, or null
    real *target, *packed;  // packed: the filters in the order in which they are needed
    const Phase *phases;
    const Tap *taps;
    long samples, groups, sourceMaps, targetMaps;  // maps of a group
    Packing packing;
    long targetSize[3], spread[3], numPhases, numTaps;
    long targetStep, sourceStep;  // in the filters, from map to map
    long stripAxis, stripPlaces, strips;  // a task has so many places of this axis
};

template <class real> static long blocksOf(const Gather<real> &g)
{
    return (g.targetMaps + Vectors<real>::width - 1) / Vectors<real>::width;
}


// Block number `block` of all groups': for each phase the numbers of one source map and tap are a
// row of `width` neighbours, 0 beyond the last map.
template <class real> static void packFilters(const Gather<real> &g, long block)
{
    const long width = Vectors<real>::width, group = block / blocksOf(g);
    const long first = block % blocksOf(g) * width, maps = least(width, g.targetMaps - first);
    real *row = g.packed + block * width * g.sourceMaps * g.numTaps;
    const real *filters = g.filters + group * g.sourceMaps * g.targetMaps * g.numTaps
        + first * g.targetStep;

    for (long phase = 0; phase < g.numPhases; ++phase)
        for (long source = 0; source < g.sourceMaps; ++source)
            for (long t = 0; t < g.phases[phase].taps; ++t, row += width)
            {
                const real *from = filters + source * g.sourceStep
                    + g.taps[g.phases[phase].firstTap + t].index;
                for (long map = 0; map < maps; ++map)
                    row[map] = from[map * g.targetStep];
                for (long map = maps; map < width; ++map)
                    row[map] = 0;
            }
}


// `pixels` neighbouring places of a block of maps: out[place][map].
template <int pixels, class real>
static void tile(const real *x, long step, const Tap *taps, long numTaps, long maps, long mapSize,
                 const real *filters, real *out)
{
    typedef typename Vectors<real>::Type Vector;
    const long lanes = Vectors<real>::lanes;
    Vector sums[pixels][2] = {};

    for (long map = 0; map < maps; ++map, x += mapSize)
        for (long t = 0; t < numTaps; ++t, filters += 2 * lanes)
        {
            const real *at = x + taps[t].step;
            const Vector left = *(const Vector *)filters, right = *(const Vector *)(filters + lanes);
            #pragma GCC unroll 16
            for (int p = 0; p < pixels; ++p)
            {
                sums[p][0] += left * at[p * step];
                sums[p][1] += right * at[p * step];
            }
        }

    #pragma GCC unroll 16
    for (int p = 0; p < pixels; ++p)
    {
        *(Vector *)(out + p * 2 * lanes) = sums[p][0];
        *(Vector *)(out + p * 2 * lanes + lanes) = sums[p][1];
    }
}

template <int pixels, class real, class... Rest>
static inline void tileOf(long number, const real *x, long step, Rest... rest)
{
    if (number < pixels)
    {
        if constexpr (pixels > 1)
            tileOf<pixels - 1>(number, x, step, rest...);
    }
    else if (step == 1)
        tile<pixels>(x, 1, rest...);
    else
        tile<pixels>(x, step, rest...);
}


// One row of places of a block of maps, in tiles of nearly equal size.
template <class real>
static void gatherRow(const Gather<real> &g, const Phase &phase, const real *x, long places,
                      const real *filters, real *out)
{
    const long mapSize = g.packing.extent[0] * g.packing.extent[1] * g.packing.extent[2];
    const long step = g.packing.step[2], tiles = (places + mostPixels - 1) / mostPixels;
    for (long i = 0; i < tiles; ++i)
    {
        long first = places * i / tiles, end = places * (i + 1) / tiles;
        tileOf<mostPixels>(end - first, x + first * step, step, g.taps + phase.firstTap,
                           (long)phase.taps, g.sourceMaps, mapSize, filters,
                           out + first * Vectors<real>::width);
    }
}


// out[place][map] into the target, with the bias.
template <class real>
static void putRow(const real *out, const real *bias, long maps, long places, real *target,
                   long mapSize, long spread)
{
    const long width = Vectors<real>::width;
    for (long map = 0; map < maps; ++map, target += mapSize)
    {
        const real add = bias ? bias[map] : 0;
        if (spread == 1)
            for (long p = 0; p < places; ++p)
                target[p] = out[p * width + map] + add;
        else
            for (long p = 0; p < places; ++p)
                target[p * spread] = out[p * width + map] + add;
    }
}


// A strip of a phase's places for one block of maps.
template <class real>
static void gatherBlock(const Gather<real> &g, const Phase &phase, const long *start,
                        const long *end, const real *x, const real *filters, const real *bias,
                        long maps, real *target, real *out)
{
    const long *extent = g.packing.extent, *step = g.packing.step;
    const long mapSize = g.targetSize[0] * g.targetSize[1] * g.targetSize[2];
    for (long i = start[0]; i < end[0]; ++i)
        for (long j = start[1]; j < end[1]; ++j)
        {
            const real *line = x + ((i - start[0]) * step[0] * extent[1]
                                    + (j - start[1]) * step[1]) * extent[2];
            const long places = end[2] - start[2];
            gatherRow(g, phase, line, places, filters, out);

            const long a = phase.first[0] + i * g.spread[0], b = phase.first[1] + j * g.spread[1];
            const long c = phase.first[2] + start[2] * g.spread[2];
            putRow(out, bias, maps, places,
                   target + (a * g.targetSize[1] + b) * g.targetSize[2] + c, mapSize, g.spread[2]);
        }
}


template <class real> static void gather(const Gather<real> &g, long task)
{
    const long width = Vectors<real>::width, blocks = blocksOf(g);
    const long strip = task % g.strips, group = task / g.strips % g.groups;
    const long sample = task / g.strips / g.groups;
    const long *size = g.packing.size, *extent = g.packing.extent;
    const long packedSize = g.sourceMaps * extent[0] * extent[1] * extent[2];
    const long targetSize = g.targetSize[0] * g.targetSize[1] * g.targetSize[2];
    const long firstMap = (sample * g.groups + group) * g.targetMaps;
    real *x = (real *)scratch((packedSize + width * (g.targetSize[2] + 1)) * sizeof(real));
    real *out = x + (packedSize + width - 1) / width * width;

    long start[3] = {0, 0, 0};
    start[g.stripAxis] = strip * g.stripPlaces;
    pack(g.packing, start, g.source + (sample * g.groups + group) * g.sourceMaps
         * size[0] * size[1] * size[2], g.sourceMaps, x);

    const real *filters = g.packed + group * blocks * width * g.sourceMaps * g.numTaps;
    for (long block = 0; block < blocks; ++block)
        for (long i = 0; i < g.numPhases; ++i)
        {
            const Phase &phase = g.phases[i];
            long end[3] = {phase.places[0], phase.places[1], phase.places[2]};
            end[g.stripAxis] = least(end[g.stripAxis], start[g.stripAxis] + g.stripPlaces);
            const long map = firstMap + block * width;
            gatherBlock(g, phase, start, end, x, filters,
                        g.bias ? g.bias + group * g.targetMaps + block * width : 0,
                        least(width, g.targetMaps - block * width), g.target + map * targetSize, out);
            filters += width * g.sourceMaps * phase.taps;
        }
}


// The gradient of the filters: for a block of maps of grad, a piece of the samples at a time,
//
//     sums[source map, tap][map] = sum over places of x[place + tap's step] grad[place][map]
template <class real> struct FilterGrad
{
    const real *x, *grad;
    real *sums, *out;  // sums: (pieces, groups, blocks, source maps, taps, width)
    double alpha, beta;  // out = alpha sums + beta out
    const Tap *taps;
    long samples, groups, sourceMaps, targetMaps;
    Packing packing;
    long places[3], numTaps, stripAxis, stripPlaces, strips, pieces;
};

template <class real> static long blocksOf(const FilterGrad<real> &f)
{
    return (f.targetMaps + Vectors<real>::width - 1) / Vectors<real>::width;
}


// `rows` rows of sums, whose numbers of x begin at x + steps[row], over the places of a strip.
template <int rows, class real>
static void addProducts(const FilterGrad<real> &f, const real *x, const long *steps,
                        const real *grad, const long *places, real *sums)
{
    typedef typename Vectors<real>::Type Vector;
    const long lanes = Vectors<real>::lanes, *extent = f.packing.extent, *step = f.packing.step;
    Vector total[rows][2] = {};

    for (long i = 0; i < places[0]; ++i)
        for (long j = 0; j < places[1]; ++j)
        {
            const real *at = x + (i * step[0] * extent[1] + j * step[1]) * extent[2];
            for (long p = 0; p < places[2]; ++p, grad += 2 * lanes, at += step[2])
            {
                const Vector left = *(const Vector *)grad, right = *(const Vector *)(grad + lanes);
                #pragma GCC unroll 16
                for (int row = 0; row < rows; ++row)
                {
                    total[row][0] += left * at[steps[row]];
                    total[row][1] += right * at[steps[row]];
                }
            }
        }

    #pragma GCC unroll 16
    for (int row = 0; row < rows; ++row)
    {
        *(Vector *)(sums + row * 2 * lanes) += total[row][0];
        *(Vector *)(sums + row * 2 * lanes + lanes) += total[row][1];
    }
}

template <int rows, class real, class... Rest>
static inline void addProductsOf(long number, const FilterGrad<real> &f, Rest... rest)
{
    if (number == rows)
        addProducts<rows>(f, rest...);
    else if constexpr (rows > 1)
        addProductsOf<rows - 1>(number, f, rest...);
}


// grad[place][map] of a strip, 0 beyond the last map.
template <class real>
static void turnGrad(const FilterGrad<real> &f, const real *grad, long maps, const long *start,
                     const long *places, real *turned)
{
    const long width = Vectors<real>::width;
    for (long i = 0; i < places[0]; ++i)
        for (long j = 0; j < places[1]; ++j, turned += places[2] * width)
        {
            const real *line = grad
                + ((start[0] + i) * f.places[1] + start[1] + j) * f.places[2] + start[2];
            for (long map = 0; map < width; ++map, line += f.places[0] * f.places[1] * f.places[2])
                for (long p = 0; p < places[2]; ++p)
                    turned[p * width + map] = map < maps ? line[p] : 0;
        }
}


template <class real> static void filterGradOf(const FilterGrad<real> &f, long task)
{
    const long width = Vectors<real>::width, blocks = blocksOf(f), rows = f.sourceMaps * f.numTaps;
    const long block = task % blocks, group = task / blocks % f.groups;
    const long piece = task / blocks / f.groups;
    const long *size = f.packing.size, *extent = f.packing.extent;
    const long mapSize = extent[0] * extent[1] * extent[2], packedSize = f.sourceMaps * mapSize;
    const long allPlaces = f.places[0] * f.places[1] * f.places[2];
    const long stripSize = allPlaces / f.places[f.stripAxis] * f.stripPlaces;
    const long maps = least(width, f.targetMaps - block * width);
    real *sums = f.sums + task * rows * width;
    real *x = (real *)scratch((packedSize + width * (stripSize + 1)) * sizeof(real));
    real *turned = x + (packedSize + width - 1) / width * width;
    memset(sums, 0, rows * width * sizeof(real));

    for (long sample = f.samples * piece / f.pieces; sample < f.samples * (piece + 1) / f.pieces;
         ++sample)
        for (long strip = 0; strip < f.strips; ++strip)
        {
            const long map = sample * f.groups + group;
            long start[3] = {0, 0, 0}, places[3] = {f.places[0], f.places[1], f.places[2]};
            start[f.stripAxis] = strip * f.stripPlaces;
            places[f.stripAxis] = least(
                f.stripPlaces, f.places[f.stripAxis] - start[f.stripAxis]);
            pack(f.packing, start, f.x + map * f.sourceMaps * size[0] * size[1] * size[2],
                 f.sourceMaps, x);
            turnGrad(f, f.grad + (map * f.targetMaps + block * width) * allPlaces, maps, start,
                     places, turned);

            for (long row = 0; row < rows; row += mostRows)
            {
                const long number = least(mostRows, rows - row);
                long steps[mostRows];
                for (long i = 0; i < number; ++i)
                    steps[i] = (row + i) / f.numTaps * mapSize + f.taps[(row + i) % f.numTaps].step;
                addProductsOf<mostRows>(number, f, (const real *)x, (const long *)steps,
                                        (const real *)turned, (const long *)places,
                                        sums + row * width);
            }
        }
}


// All pieces of a block's sums, joined in their order.
template <class real> static void joinPieces(const FilterGrad<real> &f, long block)
{
    const long width = Vectors<real>::width, blocks = blocksOf(f), rows = f.sourceMaps * f.numTaps;
    const long first = block % blocks * width, maps = least(width, f.targetMaps - first);
    real *out = f.out + (block / blocks * f.targetMaps + first) * rows;
    const real *sums = f.sums + block * rows * width;
    const long pieceSize = f.groups * blocks * rows * width;

    for (long map = 0; map < maps; ++map, out += rows)
        for (long row = 0; row < rows; ++row)
        {
            real sum = 0;
            for (long piece = 0; piece < f.pieces; ++piece)
                sum += sums[piece * pieceSize + row * width + map];
            out[row] = (real)f.alpha * sum + (f.beta == 0 ? 0 : (real)f.beta * out[row]);
        }
}


#define EXPORTED(name, Arguments, function) \
    extern "C" void name(const char *packed, long first, long last, long) \
    { \
        for (long i = first; i < last; ++i) \
            function(*(const Arguments *)packed, i); \
    }

EXPORTED(packFilters_f, Gather<float>, packFilters)
EXPORTED(packFilters_d, Gather<double>, packFilters)
EXPORTED(gather_f, Gather<float>, gather)
EXPORTED(gather_d, Gather<double>, gather)
EXPORTED(filterGrad_f, FilterGrad<float>, filterGradOf)
EXPORTED(filterGrad_d, FilterGrad<double>, filterGradOf)
EXPORTED(joinPieces_f, FilterGrad<float>, joinPieces)
EXPORTED(joinPieces_d, FilterGrad<double>, joinPieces)

// How many bytes the numbers of a block of maps take.
extern "C" int minidlConvBlockBytes() { return 2 * vectorBytes; }
