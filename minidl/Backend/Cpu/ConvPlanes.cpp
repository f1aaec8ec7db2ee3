// Convolutions whose groups have few maps of the target, those of single maps above all: here a
// vector holds neighbouring places of a row.
//
// What lies beyond a row's last place is computed too, from whatever follows, and thrown away.

enum { mostTaps = 9 };  // whose sums are kept in registers


// x[0], x[step], ... as a vector.
template <class real> static inline typename Vectors<real>::Type loadRow(const real *x, long step)
{
    typedef typename Vectors<real>::Type Vector;
    if (step == 1)
        return *(const Vector *)x;
    Vector v;
    for (int lane = 0; lane < Vectors<real>::lanes; ++lane)
        v[lane] = x[lane * step];
    return v;
}


// `vectors` vectors of a row of places, for one map of the target.
template <int vectors, class real>
static inline void gatherPlaces(const Gather<real> &g, const Phase &phase, const real *x,
                                const real *filters, real bias, real *out)
{
    typedef typename Vectors<real>::Type Vector;
    const long lanes = Vectors<real>::lanes, step = g.packing.step[2];
    const long mapSize = g.packing.extent[0] * g.packing.extent[1] * g.packing.extent[2];
    const Tap *taps = g.taps + phase.firstTap;
    Vector sums[vectors];
    for (int v = 0; v < vectors; ++v)
        sums[v] = Vector{} + bias;
    for (long map = 0; map < g.sourceMaps; ++map, x += mapSize, filters += g.sourceStep)
        for (int t = 0; t < phase.taps; ++t)
            for (int v = 0; v < vectors; ++v)
                sums[v] += filters[taps[t].index] * loadRow(
                    x + taps[t].step + v * lanes * step, step);
    for (int v = 0; v < vectors; ++v)
        *(Vector *)(out + v * lanes) = sums[v];
}


template <class real>
static void gatherPlane(const Gather<real> &g, const Phase &phase, const long *start,
                        const long *places, const real *x, const real *filters, real bias,
                        real *target, real *row)
{
    const long *extent = g.packing.extent, *step = g.packing.step, *spread = g.spread;
    const long lanes = Vectors<real>::lanes;
    for (long i = 0; i < places[0]; ++i)
        for (long j = 0; j < places[1]; ++j)
        {
            const real *line = x + (i * step[0] * extent[1] + j * step[1]) * extent[2];
            for (long p = 0; p < places[2]; p += 2 * lanes)
                if (places[2] - p > lanes)
                    gatherPlaces<2>(g, phase, line + p * step[2], filters, bias, row + p);
                else
                    gatherPlaces<1>(g, phase, line + p * step[2], filters, bias, row + p);

            const long a = phase.first[0] + (start[0] + i) * spread[0];
            const long b = phase.first[1] + (start[1] + j) * spread[1];
            real *to = target + (a * g.targetSize[1] + b) * g.targetSize[2] + phase.first[2]
                + start[2] * spread[2];
            if (spread[2] == 1)
                copy<vectorBytes>(row, to, places[2]);
            else
                for (long p = 0; p < places[2]; ++p)
                    to[p * spread[2]] = row[p];
        }
}


template <class real> static void gatherPlanes(const Gather<real> &g, long task)
{
    const long strip = task % g.strips, group = task / g.strips % g.groups;
    const long sample = task / g.strips / g.groups, lanes = Vectors<real>::lanes;
    const long *size = g.packing.size, *extent = g.packing.extent;
    const long packedSize = g.sourceMaps * extent[0] * extent[1] * extent[2];
    const long slack = 2 * lanes * (g.packing.step[2] + 1);
    real *x = (real *)scratch(
        (packedSize + slack + g.targetSize[2] + 2 * lanes) * sizeof(real));
    memset(x + packedSize, 0, slack * sizeof(real));

    long start[3] = {0, 0, 0};
    start[g.stripAxis] = strip * g.stripPlaces;
    const long firstMap = sample * g.groups + group;
    pack(g.packing, start, g.source + firstMap * g.sourceMaps * size[0] * size[1] * size[2],
         g.sourceMaps, x);
    for (long map = 0; map < g.targetMaps; ++map)
        for (long i = 0; i < g.numPhases; ++i)
        {
            const Phase &phase = g.phases[i];
            long places[3] = {phase.places[0], phase.places[1], phase.places[2]};
            places[g.stripAxis] = least(g.stripPlaces, places[g.stripAxis] - start[g.stripAxis]);
            gatherPlane(
                g, phase, start, places, (const real *)x,
                g.filters + group * g.sourceMaps * g.targetMaps * g.numTaps + map * g.targetStep,
                g.bias ? g.bias[group * g.targetMaps + map] : 0,
                g.target + (firstMap * g.targetMaps + map) * g.targetSize[0] * g.targetSize[1]
                    * g.targetSize[2],
                x + packedSize + slack);
        }
}


// Adds a strip's products for `number` taps of one pair of maps: sums[tap] += x grad.
template <int number, class real>
static void addTaps(const FilterGrad<real> &f, const real *x, const Tap *taps, const real *grad,
                    long gradStep, const long *places, real *sums)
{
    typedef typename Vectors<real>::Type Vector;
    const long lanes = Vectors<real>::lanes, *extent = f.packing.extent, *step = f.packing.step;
    Vector total[number] = {};
    for (long i = 0; i < places[0]; ++i)
        for (long j = 0; j < places[1]; ++j, grad += gradStep)
        {
            const real *line = x + (i * step[0] * extent[1] + j * step[1]) * extent[2];
            for (long p = 0; p < places[2]; p += lanes)
            {
                const Vector other = *(const Vector *)(grad + p);
                #pragma GCC unroll 16
                for (int t = 0; t < number; ++t)
                    total[t] += other * loadRow(line + taps[t].step + p * step[2], step[2]);
            }
        }
    for (int t = 0; t < number; ++t)
        for (int lane = 0; lane < lanes; ++lane)
            sums[t] += total[t][lane];
}

template <int most, class real, class... Rest>
static inline void addTapsOf(long number, const FilterGrad<real> &f, Rest... rest)
{
    if (number == most)
        addTaps<most>(f, rest...);
    else if constexpr (most > 1)
        addTapsOf<most - 1>(number, f, rest...);
}


// For one group and a piece of the samples: sums[target map][source map][tap].
template <class real> static void filterGradPlanes(const FilterGrad<real> &f, long task)
{
    const long group = task % f.groups, piece = task / f.groups, lanes = Vectors<real>::lanes;
    const long *size = f.packing.size, *extent = f.packing.extent;
    const long mapSize = extent[0] * extent[1] * extent[2], packedSize = f.sourceMaps * mapSize;
    const long slack = lanes * (f.packing.step[2] + 1);
    const long gradStep = (f.places[2] + lanes - 1) / lanes * lanes;
    const long lines = f.places[0] * f.places[1], filterSize = f.sourceMaps * f.numTaps;
    real *sums = f.sums + task * f.targetMaps * filterSize;
    real *x = (real *)scratch((packedSize + slack + lines * gradStep) * sizeof(real));
    real *grad = x + packedSize + slack;
    memset(sums, 0, f.targetMaps * filterSize * sizeof(real));
    memset(x + packedSize, 0, (slack + lines * gradStep) * sizeof(real));

    for (long sample = f.samples * piece / f.pieces; sample < f.samples * (piece + 1) / f.pieces;
         ++sample)
        for (long strip = 0; strip < f.strips; ++strip)
        {
            const long maps = sample * f.groups + group;
            long start[3] = {0, 0, 0}, places[3] = {f.places[0], f.places[1], f.places[2]};
            start[f.stripAxis] = strip * f.stripPlaces;
            places[f.stripAxis] = least(
                f.stripPlaces, f.places[f.stripAxis] - start[f.stripAxis]);
            pack(f.packing, start, f.x + maps * f.sourceMaps * size[0] * size[1] * size[2],
                 f.sourceMaps, x);
            for (long target = 0; target < f.targetMaps; ++target)
            {
                const real *from = f.grad + (maps * f.targetMaps + target) * lines * f.places[2];
                for (long line = 0; line < places[0] * places[1]; ++line)
                {
                    const long a = start[0] + line / places[1], b = start[1] + line % places[1];
                    real *to = grad + line * gradStep;
                    if (places[2] < f.places[2])  // of a longer strip something may be left
                        memset(to, 0, gradStep * sizeof(real));
                    copy<vectorBytes>(
                        from + (a * f.places[1] + b) * f.places[2] + start[2], to, places[2]);
                }
                for (long map = 0; map < f.sourceMaps; ++map)
                    for (long tap = 0; tap < f.numTaps; tap += mostTaps)
                        addTapsOf<mostTaps>(
                            least(mostTaps, f.numTaps - tap), f,
                            (const real *)x + map * mapSize, f.taps + tap, (const real *)grad,
                            gradStep, (const long *)places,
                            sums + target * filterSize + map * f.numTaps + tap);
            }
        }
}


// The sums of one group, all pieces joined in their order.
template <class real> static void joinPlanes(const FilterGrad<real> &f, long group)
{
    const long size = f.targetMaps * f.sourceMaps * f.numTaps;
    real *out = f.out + group * size;
    for (long i = 0; i < size; ++i)
    {
        real sum = 0;
        for (long piece = 0; piece < f.pieces; ++piece)
            sum += f.sums[(piece * f.groups + group) * size + i];
        out[i] = (real)f.alpha * sum + (f.beta == 0 ? 0 : (real)f.beta * out[i]);
    }
}


EXPORTED(gatherPlanes_f, Gather<float>, gatherPlanes)
EXPORTED(gatherPlanes_d, Gather<double>, gatherPlanes)
EXPORTED(filterGradPlanes_f, FilterGrad<float>, filterGradPlanes)
EXPORTED(filterGradPlanes_d, FilterGrad<double>, filterGradPlanes)
EXPORTED(joinPlanes_f, FilterGrad<float>, joinPlanes)
EXPORTED(joinPlanes_d, FilterGrad<double>, joinPlanes)
