// What forward and the gradient of the input have in common: target = filters * source + bias. The
// target's places are taken by phases, those that meet the same taps; of each axis the places
// first, first + spread, ... make one.
struct Phase { int first[3], places[3], firstTap, taps, down, across; };
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


// `pixels` neighbouring places of a block of `vectors` vectors of maps: out[place][map] gets, or
// has added, what so many source maps give. The places are `anyStep` apart in x, or 1 if isDense.
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


EXPORTED(packFilters_f, Gather<float>, packFilters)
EXPORTED(packFilters_d, Gather<double>, packFilters)
EXPORTED(gather_f, Gather<float>, gather)
EXPORTED(gather_d, Gather<double>, gather)
