// Convolutions whose groups have few maps of the target, those of single maps above all: here a
// vector holds neighbouring places of a row.
//
// Lines are packed split, so that what neighbouring places meet are neighbours too: first numbers
// 0, step, 2 step, ..., then 1, step + 1, ... What lies beyond a row's last place is computed as
// well, from whatever follows, and thrown away.

enum { rowsAtOnce = 7 };  // of places, whose sums are kept in registers


// 0, 1, 2, ... in the lanes of a comparison.
template <class Vector> static inline auto laneNumbers(Vector v)
{
    decltype(v < v) numbers;
    for (int i = 0; i < (int)(sizeof(v) / sizeof(v[0])); ++i)
        numbers[i] = i;
    return numbers;
}

// Every second number of two vectors, from number `first` on.
template <class Vector> static inline Vector everySecond(Vector low, Vector high, int first)
{
#if defined(__clang__)
    const int lanes = sizeof(Vector) / sizeof(low[0]);
    Vector v;
    for (int i = 0; i < lanes / 2; ++i)
        v[i] = low[2 * i + first], v[lanes / 2 + i] = high[2 * i + first];
    return v;
#else
    return __builtin_shuffle(low, high, 2 * laneNumbers(low) + first);
#endif
}

// The numbers of two vectors in turn, from number `first` of each on.
template <class Vector> static inline Vector inTurn(Vector even, Vector odd, int first)
{
    const int lanes = sizeof(Vector) / sizeof(even[0]);
#if defined(__clang__)
    Vector v;
    for (int i = 0; i < lanes / 2; ++i)
        v[2 * i] = even[first + i], v[2 * i + 1] = odd[first + i];
    return v;
#else
    const auto numbers = laneNumbers(even);
    return __builtin_shuffle(even, odd, first + numbers / 2 + (numbers & 1) * lanes);
#endif
}


// What vectors read and write beyond what they are asked for.
template <class real> static inline long slackOf(const Packing &p)
{
    return 2 * Vectors<real>::lanes * (p.step[2] + 1) + p.extent[2];
}

// The first `number` lanes of v, then zeros.
template <class Vector> static inline Vector firstOf(Vector v, long number)
{
    return laneNumbers(v) < (int)least(number, sizeof(v) / sizeof(v[0])) ? v : Vector{};
}

// A line of `number` numbers, whole and split, with zeros behind up to `length`.
template <class real>
static void splitLine(const real *line, long number, long length, long step, real *to)
{
    typedef typename Vectors<real>::Type Vector;
    const long lanes = Vectors<real>::lanes, part = length / step;
    for (long first = 0; first < step; ++first, to += part)
        if (step == 2)
            for (long i = 0; i < part; i += lanes)
                *(Vector *)(to + i) = firstOf(everySecond(
                    *(const Vector *)(line + 2 * i), *(const Vector *)(line + 2 * i + lanes),
                    first), (number - first + 1) / 2 - i);
        else
            for (long i = 0; i * step + first < number; ++i)
                to[i] = line[i * step + first];
}

// A strip of some maps into packed[0], ..., with room for slackOf(p) numbers more, and behind
// p.lead zeros: those around a line are shared with the line before. The tensor ends at `end`.
template <class real>
static void packPlanes(const Packing &p, const long *start, const real *maps, long numMaps,
                       const real *end, real *packed)
{
    const long lines = numMaps * p.extent[0] * p.extent[1];
    real *line = packed + lines * p.extent[2] + 2 * Vectors<real>::lanes;
    memset(packed - p.lead, 0, p.lead * sizeof(real));
    memset(packed + lines * p.extent[2], 0, slackOf<real>(p) * sizeof(real));
    typedef typename Vectors<real>::Type Vector;
    const long step = p.step[2], length = p.extent[2], lanes = Vectors<real>::lanes;
    if (step == 1 && length % lanes == 0)
        packLines<true>(p, start, maps, numMaps, packed,
                        [=](const real *from, long first, long number, real *to)
        {
            for (long i = 0; i < length; i += lanes)
                if (i < first || i + lanes > first + number)
                    *(Vector *)(to + i) = Vector{};
            copy<vectorBytes>(from, to + first, number);
        });
    else
        packLines<false>(p, start, maps, numMaps, packed,
                         [=](const real *from, long first, long number, real *to)
        {
            if (step > 1 && first == 0 && end - from >= length)
                return splitLine(from, number, length, step, to);
            copy<vectorBytes>(from, (step == 1 ? to : line) + first, number);
            if (step > 1)
                splitLine((const real *)line, first + number, length, step, to);
        });
}


// `rows` rows of `vectors` vectors of places, for one map of the target; x has rows `xStep` apart.
// Of `down` taps one below the other each meets the row that the one before meets a row later.
template <int rows, int vectors, int down, class real>
static void gatherPlaces(const Gather<real> &g, const Phase &phase, const real *x, long xStep,
                         const real *filters, real bias, real *out, long outStep)
{
    typedef typename Vectors<real>::Type Vector;
    const long lanes = Vectors<real>::lanes, across = down > 1 ? phase.across : phase.taps;
    const long mapSize = g.packing.extent[0] * g.packing.extent[1] * g.packing.extent[2];
    const Tap *end = g.taps + phase.firstTap + phase.taps;
    Vector sums[rows][vectors];
    for (int r = 0; r < rows; ++r)
        for (int v = 0; v < vectors; ++v)
            sums[r][v] = Vector{} + bias;
    for (long map = 0; map < g.sourceMaps; ++map, x += mapSize, filters += g.sourceStep)
        for (const Tap *first = g.taps + phase.firstTap; first < end; first += down * across)
            for (const Tap *tap = first; tap < first + across; ++tap)
            {
                real filter[down];
                for (int t = 0; t < down; ++t)
                    filter[t] = filters[tap[t * across].index];
                #pragma GCC unroll 16
                for (int row = 0; row < rows + down - 1; ++row)
                    for (int v = 0; v < vectors; ++v)
                    {
                        const Vector met = *(const Vector *)(
                            x + tap->step + row * xStep + v * lanes);
                        #pragma GCC unroll 16
                        for (int t = 0; t < down; ++t)
                            if (row - t >= 0 && row - t < rows)
                                sums[row - t][v] += filter[t] * met;
                    }
            }
    for (int r = 0; r < rows; ++r)
        for (int v = 0; v < vectors; ++v)
            *(Vector *)(out + r * outStep + v * lanes) = sums[r][v];
}

// The same for a single source map and filters of 3 x 3, which stay in registers.
template <int rows, int vectors, class real>
static void gatherSquares(const Gather<real> &g, const Phase &phase, const real *x, long xStep,
                          const real *filters, real bias, real *out, long outStep)
{
    typedef typename Vectors<real>::Type Vector;
    const long lanes = Vectors<real>::lanes;
    const Tap *tap = g.taps + phase.firstTap;
    real filter[9];
    for (int t = 0; t < 9; ++t)
        filter[t] = filters[tap[t].index];
    Vector sums[rows][vectors];
    for (int r = 0; r < rows; ++r)
        for (int v = 0; v < vectors; ++v)
            sums[r][v] = Vector{} + bias;
    #pragma GCC unroll 16
    for (int column = 0; column < 3; ++column)
        #pragma GCC unroll 16
        for (int row = 0; row < rows + 2; ++row)
            for (int v = 0; v < vectors; ++v)
            {
                const Vector met = *(const Vector *)(
                    x + tap[column].step + row * xStep + v * lanes);
                #pragma GCC unroll 16
                for (int t = 0; t < 3; ++t)
                    if (row - t >= 0 && row - t < rows)
                        sums[row - t][v] += filter[3 * t + column] * met;
            }
    for (int r = 0; r < rows; ++r)
        for (int v = 0; v < vectors; ++v)
            *(Vector *)(out + r * outStep + v * lanes) = sums[r][v];
}

template <int rows, int down, class real>
static void gatherRows(long places, const Gather<real> &g, const Phase &phase, const real *x,
                       long xStep, const real *filters, real bias, real *out, long outStep)
{
    const long lanes = Vectors<real>::lanes;
    if (down == 3 && phase.taps == 9 && g.sourceMaps == 1 && places <= 2 * lanes)
    {
        if (places > lanes)
            return gatherSquares<rows, 2>(g, phase, x, xStep, filters, bias, out, outStep);
        return gatherSquares<rows, 1>(g, phase, x, xStep, filters, bias, out, outStep);
    }
    for (long p = 0; p < places; p += 2 * lanes)
        if (places - p > lanes)
            gatherPlaces<rows, 2, down>(g, phase, x + p, xStep, filters, bias, out + p, outStep);
        else
            gatherPlaces<rows, 1, down>(g, phase, x + p, xStep, filters, bias, out + p, outStep);
}

template <int rows, class real, class... Rest>
static inline void gatherRowsOf(long number, long places, const Gather<real> &g,
                                const Phase &phase, Rest... rest)
{
    if (number < rows)
    {
        if constexpr (rows > 1)
            gatherRowsOf<rows - 1>(number, places, g, phase, rest...);
    }
    else if (phase.down == 3)
        gatherRows<rows, 3>(places, g, phase, rest...);
    else if (phase.down == 5)
        gatherRows<rows, 5>(places, g, phase, rest...);
    else
        gatherRows<rows, 1>(places, g, phase, rest...);
}


// to[i * parts + k] = out[k * outStep + i], for `number` numbers; `line` is room for them.
template <class real>
static inline void joinLine(const real *out, long outStep, long parts, long number, real *line,
                            real *to)
{
    typedef typename Vectors<real>::Type Vector;
    const long lanes = Vectors<real>::lanes;
    if (parts == 1)
        copy<vectorBytes>(out, to, number);
    else if (parts == 2)
        for (long i = 0; i < number; i += lanes)
        {
            const long first = i / (2 * lanes) * lanes;
            const Vector v = inTurn(
                *(const Vector *)(out + first), *(const Vector *)(out + outStep + first),
                i / lanes % 2 ? lanes / 2 : 0);
            if (number - i >= lanes)
                *(Vector *)(to + i) = v;
            else
            {
                *(Vector *)line = v;
                copy<vectorBytes>((const real *)line, to + i, number - i);
            }
        }
    else
        for (long i = 0; i < number; ++i)
            to[i] = out[i % parts * outStep + i / parts];
}

// A strip of the phases `phase`, phase + 1, ... that share their rows, for one map of the target.
template <class real>
static void gatherPlane(const Gather<real> &g, const Phase *phase, long phases, const long *start,
                        const real *x, const real *filters, real bias, real *target, real *out)
{
    const long *extent = g.packing.extent, *step = g.packing.step, *spread = g.spread;
    const long lanes = Vectors<real>::lanes, outStep = (phase->places[2] / lanes + 2) * lanes;
    long places[3] = {phase->places[0], phase->places[1], phase->places[2]}, number = 0;
    places[g.stripAxis] = least(g.stripPlaces, places[g.stripAxis] - start[g.stripAxis]);
    for (long k = 0; k < phases; ++k)
        number += least(places[2], phase[k].places[2] - start[2]);

    for (long i = 0; i < places[0]; ++i)
        for (long j = 0, rows; j < places[1]; j += rows)
        {
            rows = least(rowsAtOnce, places[1] - j);
            const real *from = x + (i * step[0] * extent[1] + j * step[1]) * extent[2];
            const long a = phase->first[0] + (start[0] + i) * spread[0];
            // What is beyond a row's last place the next row overwrites.
            if (spread[0] == 1 && spread[1] == 1 && phases == 1 && places[2] <= 2 * lanes
                && (places[1] - j - rows) * places[2] >= lanes)
            {
                const long line = a * g.targetSize[1] + start[1] + j;
                real *to = target + line * g.targetSize[2] + start[2];
                gatherRowsOf<rowsAtOnce>(rows, places[2], g, *phase, from, step[1] * extent[2],
                                         filters, bias, to, g.targetSize[2]);
                continue;
            }
            for (long k = 0; k < phases; ++k)
                gatherRowsOf<rowsAtOnce>(rows, places[2], g, phase[k], from, step[1] * extent[2],
                                         filters, bias, out + k * rowsAtOnce * outStep, outStep);

            for (long r = 0; r < rows; ++r)
            {
                const long b = phase->first[1] + (start[1] + j + r) * spread[1];
                joinLine((const real *)out + r * outStep, rowsAtOnce * outStep, phases, number,
                         out + phases * rowsAtOnce * outStep,
                         target + (a * g.targetSize[1] + b) * g.targetSize[2]
                             + start[2] * spread[2]);
            }
        }
}


template <class real> static void gatherPlanes(const Gather<real> &g, long task)
{
    const long strip = task % g.strips, group = task / g.strips % g.groups;
    const long sample = task / g.strips / g.groups, lanes = Vectors<real>::lanes;
    const long *size = g.packing.size, *extent = g.packing.extent;
    const long packedSize = g.sourceMaps * extent[0] * extent[1] * extent[2]
        + slackOf<real>(g.packing);
    const long phases = least(g.spread[2], g.targetSize[2]);
    const long lineSize = (g.targetSize[2] / lanes + 4) * lanes;
    real *x = (real *)scratch(
        (g.packing.lead + packedSize + (phases * rowsAtOnce + 1) * lineSize) * sizeof(real));
    x += g.packing.lead;

    long start[3] = {0, 0, 0};
    start[g.stripAxis] = strip * g.stripPlaces;
    const long firstMap = sample * g.groups + group;
    packPlanes(g.packing, start, g.source + firstMap * g.sourceMaps * size[0] * size[1] * size[2],
               g.sourceMaps,
               g.source + g.samples * g.groups * g.sourceMaps * size[0] * size[1] * size[2], x);
    for (long map = 0; map < g.targetMaps; ++map)
        for (long i = 0; i < g.numPhases; i += phases)
            gatherPlane(
                g, g.phases + i, phases, start, (const real *)x,
                g.filters + group * g.sourceMaps * g.targetMaps * g.numTaps + map * g.targetStep,
                g.bias ? g.bias[group * g.targetMaps + map] : 0,
                g.target + (firstMap * g.targetMaps + map) * g.targetSize[0] * g.targetSize[1]
                    * g.targetSize[2],
                x + packedSize);
}


EXPORTED(gatherPlanes_f, Gather<float>, gatherPlanes)
EXPORTED(gatherPlanes_d, Gather<double>, gatherPlanes)
