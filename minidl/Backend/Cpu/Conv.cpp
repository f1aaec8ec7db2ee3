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
    enum { lanes = vectorBytes / sizeof(real) };
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
// number start * step - low of the sample, or a zero outside of it. Where there are no zeros the
// sample itself serves, and extent is its size.
struct Packing { long size[3], extent[3], low[3], step[3], isDirect; };

// Lines are short: a call of memcpy would take longer than the copy.
template <int bytes, class real> static inline void copy(const real *from, real *to, long number)
{
    if constexpr (bytes > (int)sizeof(real))
    {
        typedef real Part __attribute__((vector_size(bytes), aligned(sizeof(real)), may_alias));
        const long lanes = bytes / sizeof(real);
        for (; number >= lanes; number -= lanes, from += lanes, to += lanes)
            *(Part *)to = *(const Part *)from;
        copy<bytes / 2>(from, to, number);
    }
    else if (number)
        *to = *from;
}

template <class real>
static const real *pack(
    const Packing &p, const long *start, const real *maps, long numMaps, real *packed)
{
    if (p.isDirect)
        return maps + (start[0] * p.step[0] * p.size[1] + start[1] * p.step[1]) * p.size[2]
            + start[2] * p.step[2];

    long from[3], first[3], end[3];  // what is packed at first .. end-1 lies inside of the sample
    for (int axis = 0; axis < 3; ++axis)
    {
        from[axis] = start[axis] * p.step[axis] - p.low[axis];
        first[axis] = from[axis] < 0 ? -from[axis] : 0;
        end[axis] = least(p.extent[axis], p.size[axis] - from[axis]);
    }
    memset(packed, 0, numMaps * p.extent[0] * p.extent[1] * p.extent[2] * sizeof(real));

    for (long map = 0; map < numMaps; ++map)
        for (long i = first[0]; i < end[0]; ++i)
            for (long j = first[1]; j < end[1]; ++j)
                if (first[2] < end[2])
                    copy<vectorBytes>(
                        maps + ((map * p.size[0] + from[0] + i) * p.size[1] + from[1] + j)
                            * p.size[2] + from[2] + first[2],
                        packed + ((map * p.extent[0] + i) * p.extent[1] + j) * p.extent[2]
                            + first[2],
                        end[2] - first[2]);
    return packed;
}


template <class Line> static inline void turnSquare(Line (&lines)[2])
{
    const Line a = lines[0], b = lines[1];
    lines[0] = Line{a[0], b[0]}, lines[1] = Line{a[1], b[1]};
}

template <class Line> static inline void turnSquare(Line (&lines)[4])
{
    const Line a = lines[0], b = lines[1], c = lines[2], d = lines[3];
    for (int i = 0; i < 4; ++i)
        lines[i] = Line{a[i], b[i], c[i], d[i]};
}

// to[column][row] = from[row][column] + add[column], where add may be null; the steps are those from
// row to row of each. Squares of 16 bytes are turned in registers.
template <class real>
static void turn(const real *from, long fromStep, long rows, long columns, const real *add,
                 real *to, long toStep)
{
    typedef real Line __attribute__((vector_size(16), aligned(sizeof(real)), may_alias));
    const int side = 16 / sizeof(real);
    const long squareRows = rows / side * side, squareColumns = columns / side * side;
    for (long c = 0; c < squareColumns; c += side)
        for (long r = 0; r < squareRows; r += side)
        {
            Line lines[side];
            for (int i = 0; i < side; ++i)
                lines[i] = *(const Line *)(from + (r + i) * fromStep + c);
            turnSquare(lines);
            for (int i = 0; i < side; ++i)
                *(Line *)(to + (c + i) * toStep + r) = add ? lines[i] + add[c + i] : lines[i];
        }
    for (long c = 0; c < columns; ++c)
        for (long r = c < squareColumns ? squareRows : 0; r < rows; ++r)
            to[c * toStep + r] = from[r * fromStep + c] + (add ? add[c] : 0);
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
    long width, blocks;  // of a group: so many maps of the target, one or two vectors, make a block
    long chunk;  // source maps whose filters stay in the first-level cache
};


// Block number `block` of all groups': for each phase the numbers of one source map and tap are a
// row of `width` neighbours, 0 beyond the last map.
template <class real> static void packFilters(const Gather<real> &g, long block)
{
    const long width = g.width, group = block / g.blocks;
    const long first = block % g.blocks * width, maps = least(width, g.targetMaps - first);
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


// `pixels` neighbouring places of a block of `vectors` vectors of maps: out[place][map] gets, or has
// added, what so many source maps give. The places are `anyStep` apart in x, or 1 if isDense.
template <int pixels, int vectors, bool isDense, class real>
static void tile(const real *x, long anyStep, const Tap *taps, long numTaps, long maps,
                 long mapSize, const real *filters, bool adds, real *out)
{
    typedef typename Vectors<real>::Type Vector;
    const long lanes = Vectors<real>::lanes, step = isDense ? 1 : anyStep;
    Vector sums[pixels][vectors] = {};
    if (adds)
        #pragma GCC unroll 16
        for (int p = 0; p < pixels; ++p)
            for (int v = 0; v < vectors; ++v)
                sums[p][v] = *(const Vector *)(out + (p * vectors + v) * lanes);

    for (long map = 0; map < maps; ++map, x += mapSize)
        for (long t = 0; t < numTaps; ++t, filters += vectors * lanes)
        {
            const real *at = x + taps[t].step;
            Vector filter[vectors];
            for (int v = 0; v < vectors; ++v)
                filter[v] = *(const Vector *)(filters + v * lanes);
            #pragma GCC unroll 16
            for (int p = 0; p < pixels; ++p)
                for (int v = 0; v < vectors; ++v)
                    sums[p][v] += filter[v] * at[p * step];
        }

    #pragma GCC unroll 16
    for (int p = 0; p < pixels; ++p)
        for (int v = 0; v < vectors; ++v)
            *(Vector *)(out + (p * vectors + v) * lanes) = sums[p][v];
}

template <int pixels, int vectors, class real, class... Rest>
static inline void tileOf(long number, const real *x, long step, Rest... rest)
{
    if (number < pixels)
    {
        if constexpr (pixels > 1)
            tileOf<pixels - 1, vectors>(number, x, step, rest...);
    }
    else if (step == 1)
        tile<pixels, vectors, true>(x, step, rest...);
    else
        tile<pixels, vectors, false>(x, step, rest...);
}


// One row of places of a block of maps, in tiles of nearly equal size.
template <int vectors, class real, class... Rest>
static void gatherRow(long places, const real *x, long step, real *out, const Tap *taps,
                      Rest... rest)
{
    const long tiles = (places + mostPixels - 1) / mostPixels;
    for (long i = 0; i < tiles; ++i)
    {
        const long first = places * i / tiles, end = places * (i + 1) / tiles;
        tileOf<mostPixels, vectors>(end - first, x + first * step, step, taps, rest...,
                                    out + first * vectors * Vectors<real>::lanes);
    }
}


// A strip of a phase's places for one block of maps: out[place][map].
template <int vectors, class real>
static void gatherStrip(const Gather<real> &g, const Phase &phase, const long *places,
                        const real *x, const real *filters, real *out)
{
    const long *extent = g.packing.extent, *step = g.packing.step;
    const long mapSize = extent[0] * extent[1] * extent[2];
    for (long map = 0; map < g.sourceMaps; map += g.chunk)
    {
        const long maps = least(g.chunk, g.sourceMaps - map);
        real *row = out;
        for (long i = 0; i < places[0]; ++i)
            for (long j = 0; j < places[1]; ++j, row += places[2] * g.width)
                gatherRow<vectors>(
                    places[2], x + (i * step[0] * extent[1] + j * step[1]) * extent[2], step[2],
                    row, g.taps + phase.firstTap, (long)phase.taps, maps, mapSize, filters,
                    map > 0);
        x += maps * mapSize;
        filters += maps * phase.taps * g.width;
    }
}


// out[place][map] of a strip into the target, with the bias.
template <class real>
static void putStrip(const Gather<real> &g, const Phase &phase, const long *start,
                     const long *places, const real *out, const real *bias, long maps, real *target)
{
    const long *size = g.targetSize, *spread = g.spread;
    for (long i = 0; i < places[0]; ++i)
        for (long j = 0; j < places[1]; ++j, out += places[2] * g.width)
        {
            const long a = phase.first[0] + (start[0] + i) * spread[0];
            const long b = phase.first[1] + (start[1] + j) * spread[1];
            real *to = target + (a * size[1] + b) * size[2] + phase.first[2] + start[2] * spread[2];
            const long mapSize = size[0] * size[1] * size[2];
            if (spread[2] == 1)
            {
                turn(out, g.width, places[2], maps, bias, to, mapSize);
                continue;
            }
            for (long map = 0; map < maps; ++map, to += mapSize)
                for (long p = 0; p < places[2]; ++p)
                    to[p * spread[2]] = out[p * g.width + map] + (bias ? bias[map] : 0);
        }
}


template <class real> static void gather(const Gather<real> &g, long task)
{
    const long strip = task % g.strips, group = task / g.strips % g.groups;
    const long sample = task / g.strips / g.groups;
    const long *size = g.packing.size, *extent = g.packing.extent;
    const long packedSize = g.packing.isDirect
        ? 0 : g.sourceMaps * extent[0] * extent[1] * extent[2];
    const long targetSize = g.targetSize[0] * g.targetSize[1] * g.targetSize[2];
    const Phase &largest = g.phases[0];
    const long allPlaces = (long)largest.places[0] * largest.places[1] * largest.places[2];
    const long stripSize = allPlaces / largest.places[g.stripAxis] * g.stripPlaces;
    real *out = (real *)scratch((packedSize + stripSize * g.width) * sizeof(real));

    long start[3] = {0, 0, 0};
    start[g.stripAxis] = strip * g.stripPlaces;
    const real *maps = g.source
        + (sample * g.groups + group) * g.sourceMaps * size[0] * size[1] * size[2];
    const real *x = pack(g.packing, start, maps, g.sourceMaps, out + stripSize * g.width);

    const long blockSize = g.width * g.sourceMaps * g.numTaps;
    const real *filters = g.packed + group * g.blocks * blockSize;
    for (long first = 0; first < g.targetMaps; first += g.width)
        for (long i = 0; i < g.numPhases; ++i)
        {
            const Phase &phase = g.phases[i];
            long places[3] = {phase.places[0], phase.places[1], phase.places[2]};
            places[g.stripAxis] = least(g.stripPlaces, places[g.stripAxis] - start[g.stripAxis]);
            if (g.width == Vectors<real>::lanes)
                gatherStrip<1>(g, phase, places, x, filters, out);
            else
                gatherStrip<2>(g, phase, places, x, filters, out);

            const long map = group * g.targetMaps + first;
            putStrip(g, phase, start, places, out, g.bias ? g.bias + map : 0,
                     least(g.width, g.targetMaps - first),
                     g.target + (sample * g.groups * g.targetMaps + map) * targetSize);
            filters += g.width * g.sourceMaps * phase.taps;
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
    long places[3], numTaps, stripAxis, stripPlaces, strips, pieces, width, blocks;
    long blocksOfTask;
};


// `rows` rows of sums, whose numbers of x begin at x + steps[row], over the places of a strip.
template <int rows, int vectors, class real>
static void addProducts(const FilterGrad<real> &f, const real *x, const long *steps,
                        const real *grad, const long *places, real *sums)
{
    typedef typename Vectors<real>::Type Vector;
    const long lanes = Vectors<real>::lanes, *extent = f.packing.extent, *step = f.packing.step;
    Vector total[rows][vectors] = {};

    for (long i = 0; i < places[0]; ++i)
        for (long j = 0; j < places[1]; ++j)
        {
            const real *at = x + (i * step[0] * extent[1] + j * step[1]) * extent[2];
            for (long p = 0; p < places[2]; ++p, grad += vectors * lanes, at += step[2])
            {
                Vector other[vectors];
                for (int v = 0; v < vectors; ++v)
                    other[v] = *(const Vector *)(grad + v * lanes);
                #pragma GCC unroll 16
                for (int row = 0; row < rows; ++row)
                    for (int v = 0; v < vectors; ++v)
                        total[row][v] += other[v] * at[steps[row]];
            }
        }

    #pragma GCC unroll 16
    for (int row = 0; row < rows; ++row)
        for (int v = 0; v < vectors; ++v)
            *(Vector *)(sums + (row * vectors + v) * lanes) += total[row][v];
}

template <int rows, int vectors, class real, class... Rest>
static inline void addProductsOf(long number, const FilterGrad<real> &f, Rest... rest)
{
    if (number == rows)
        addProducts<rows, vectors>(f, rest...);
    else if constexpr (rows > 1)
        addProductsOf<rows - 1, vectors>(number, f, rest...);
}


// grad[place][map] of a strip, 0 beyond the last map.
template <class real>
static void turnGrad(const FilterGrad<real> &f, const real *grad, long maps, const long *start,
                     const long *places, real *turned)
{
    const long mapSize = f.places[0] * f.places[1] * f.places[2];
    if (maps < f.width)
        memset(turned, 0, places[0] * places[1] * places[2] * f.width * sizeof(real));
    for (long i = 0; i < places[0]; ++i)
        for (long j = 0; j < places[1]; ++j, turned += places[2] * f.width)
            turn(grad + ((start[0] + i) * f.places[1] + start[1] + j) * f.places[2] + start[2],
                 mapSize, maps, places[2], (const real *)0, turned, f.width);
}


// Adds a strip's products to the sums of one block of maps.
template <class real>
static void addBlock(const FilterGrad<real> &f, const real *x, const real *turned,
                     const long *places, real *sums)
{
    const long *extent = f.packing.extent, mapSize = extent[0] * extent[1] * extent[2];
    const long rows = f.sourceMaps * f.numTaps;
    for (long row = 0; row < rows; row += mostRows, sums += mostRows * f.width)
    {
        const long number = least(mostRows, rows - row);
        long steps[mostRows];
        for (long i = 0; i < number; ++i)
            steps[i] = (row + i) / f.numTaps * mapSize + f.taps[(row + i) % f.numTaps].step;
        if (f.width == Vectors<real>::lanes)
            addProductsOf<mostRows, 1>(number, f, x, (const long *)steps, turned, places, sums);
        else
            addProductsOf<mostRows, 2>(number, f, x, (const long *)steps, turned, places, sums);
    }
}


template <class real> static void filterGradOf(const FilterGrad<real> &f, long task)
{
    const long parts = (f.blocks + f.blocksOfTask - 1) / f.blocksOfTask;
    const long firstBlock = task % parts * f.blocksOfTask;
    const long endBlock = least(f.blocks, firstBlock + f.blocksOfTask);
    const long group = task / parts % f.groups, piece = task / parts / f.groups;
    const long *size = f.packing.size, *extent = f.packing.extent;
    const long packedSize = f.packing.isDirect
        ? 0 : f.sourceMaps * extent[0] * extent[1] * extent[2];
    const long allPlaces = f.places[0] * f.places[1] * f.places[2];
    const long turnedSize = allPlaces / f.places[f.stripAxis] * f.stripPlaces * f.width;
    const long blockSize = f.sourceMaps * f.numTaps * f.width;
    real *sums = f.sums + (piece * f.groups + group) * f.blocks * blockSize;
    real *turned = (real *)scratch((turnedSize + packedSize) * sizeof(real));
    memset(sums + firstBlock * blockSize, 0, (endBlock - firstBlock) * blockSize * sizeof(real));

    for (long sample = f.samples * piece / f.pieces; sample < f.samples * (piece + 1) / f.pieces;
         ++sample)
        for (long strip = 0; strip < f.strips; ++strip)
        {
            const long maps = sample * f.groups + group;
            long start[3] = {0, 0, 0}, places[3] = {f.places[0], f.places[1], f.places[2]};
            start[f.stripAxis] = strip * f.stripPlaces;
            places[f.stripAxis] = least(
                f.stripPlaces, f.places[f.stripAxis] - start[f.stripAxis]);
            const real *x = pack(
                f.packing, start, f.x + maps * f.sourceMaps * size[0] * size[1] * size[2],
                f.sourceMaps, turned + turnedSize);

            for (long block = firstBlock; block < endBlock; ++block)
            {
                const long map = block * f.width;
                turnGrad(f, f.grad + (maps * f.targetMaps + map) * allPlaces,
                         least(f.width, f.targetMaps - map), start, places, turned);
                addBlock(f, x, (const real *)turned, places, sums + block * blockSize);
            }
        }
}


// All pieces of a block's sums, joined in their order.
template <class real> static void joinPieces(const FilterGrad<real> &f, long block)
{
    const long width = f.width, blocks = f.blocks, rows = f.sourceMaps * f.numTaps;
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

extern "C" int minidlConvVectorBytes() { return vectorBytes; }
