// The gradient of the filters where groups have few maps of the target: vectors of ConvPlanes.cpp,
// in whose lanes the products of all samples of a piece are summed up.

enum { mostTaps = 9 };  // whose sums are kept in registers


// Adds products of `rows` rows of places for some taps of one pair of maps, as gatherPlaces goes
// over them: sums[tap][lane] += x grad.
template <int rows, int down, int across, class real>
static inline void addRows(const FilterGrad<real> &f, const real *x, const Tap *taps,
                           const real *grad, long places, typename Vectors<real>::Type *total)
{
    typedef typename Vectors<real>::Type Vector;
    const long lanes = Vectors<real>::lanes, xStep = f.packing.step[1] * f.packing.extent[2];
    for (long p = 0; p < places; p += lanes)
    {
        Vector g[rows];
        for (int r = 0; r < rows; ++r)
            g[r] = firstOf(*(const Vector *)(grad + r * f.places[2] + p), places - p);
        #pragma GCC unroll 16
        for (int tap = 0; tap < across; ++tap)
            #pragma GCC unroll 16
            for (int row = 0; row < rows + down - 1; ++row)
            {
                const Vector met = *(const Vector *)(x + taps[tap].step + row * xStep + p);
                #pragma GCC unroll 16
                for (int t = 0; t < down; ++t)
                    if (row - t >= 0 && row - t < rows)
                        total[t * across + tap] += g[row - t] * met;
            }
    }
}

template <int down, int across, class real>
static void addTaps(const FilterGrad<real> &f, const real *x, const Tap *taps, const real *grad,
                    const long *places, real *sums)
{
    typedef typename Vectors<real>::Type Vector;
    enum { rows = down > 1 ? 4 : 1, number = down * across };
    const long lanes = Vectors<real>::lanes, *extent = f.packing.extent, *step = f.packing.step;
    Vector total[number];
    for (int t = 0; t < number; ++t)
        total[t] = *(const Vector *)(sums + t * lanes);
    for (long i = 0; i < places[0]; ++i)
    {
        const real *line = x + i * step[0] * extent[1] * extent[2];
        const real *other = grad + i * f.places[1] * f.places[2];
        long j = 0;
        for (; j + rows <= places[1]; j += rows)
            addRows<rows, down, across>(f, line + j * step[1] * extent[2], taps,
                                        other + j * f.places[2], places[2], total);
        for (; j < places[1]; ++j)
            addRows<1, down, across>(f, line + j * step[1] * extent[2], taps,
                                     other + j * f.places[2], places[2], total);
    }
    for (int t = 0; t < number; ++t)
        *(Vector *)(sums + t * lanes) = total[t];
}

// Whether nine taps are those of 3 x 3, which meet a row's numbers again in the next row.
template <class real> static inline bool isSquare(const FilterGrad<real> &f, const Tap *taps)
{
    const long xStep = f.packing.step[1] * f.packing.extent[2];
    for (int t = 3; t < mostTaps; ++t)
        if (taps[t].step != taps[t - 3].step + xStep)
            return false;
    return true;
}

template <int most, class real, class... Rest>
static inline void addTapsOf(long number, const FilterGrad<real> &f, const real *x,
                             const Tap *taps, Rest... rest)
{
    if (number == mostTaps && isSquare(f, taps))
        addTaps<3, 3>(f, x, taps, rest...);
    else if (number == most)
        addTaps<1, most>(f, x, taps, rest...);
    else if constexpr (most > 1)
        addTapsOf<most - 1>(number, f, x, taps, rest...);
}


// sum[lane] += the lane's numbers.
template <class real> static inline void addLanes(const real *numbers, long number, real *sum)
{
    typedef typename Vectors<real>::Type Vector;
    Vector total = {};
    for (long i = 0; i < number; i += Vectors<real>::lanes)
        total += firstOf(*(const Vector *)(numbers + i), number - i);
    *(Vector *)sum += total;
}


// For one group and a piece of the samples: sums[target map][source map, tap][lane], and behind
// these, if there is a bias, those of grad.
template <class real> static void filterGradPlanes(const FilterGrad<real> &f, long task)
{
    const long group = task % f.groups, piece = task / f.groups, lanes = Vectors<real>::lanes;
    const long *size = f.packing.size, *extent = f.packing.extent;
    const long mapSize = extent[0] * extent[1] * extent[2];
    const long packedSize = f.sourceMaps * mapSize + slackOf<real>(f.packing);
    const long allPlaces = f.places[0] * f.places[1] * f.places[2];
    const long filterSize = (f.sourceMaps * f.numTaps + 1) * lanes;
    real *sums = f.sums + task * f.targetMaps * filterSize;
    real *x = (real *)scratch(
        (f.packing.lead + packedSize + allPlaces + lanes) * sizeof(real));
    x += f.packing.lead;
    memset(sums, 0, f.targetMaps * filterSize * sizeof(real));

    for (long sample = f.samples * piece / f.pieces; sample < f.samples * (piece + 1) / f.pieces;
         ++sample)
        for (long strip = 0; strip < f.strips; ++strip)
        {
            const long maps = sample * f.groups + group;
            long start[3] = {0, 0, 0}, places[3] = {f.places[0], f.places[1], f.places[2]};
            start[f.stripAxis] = strip * f.stripPlaces;
            places[f.stripAxis] = least(
                f.stripPlaces, f.places[f.stripAxis] - start[f.stripAxis]);
            packPlanes(f.packing, start, f.x + maps * f.sourceMaps * size[0] * size[1] * size[2],
                       f.sourceMaps,
                       f.x + f.samples * f.groups * f.sourceMaps * size[0] * size[1] * size[2], x);
            for (long target = 0; target < f.targetMaps; ++target)
            {
                const long number = maps * f.targetMaps + target;
                const real *grad = f.grad + number * allPlaces;
                if (number == f.samples * f.groups * f.targetMaps - 1)  // vectors see more
                    grad = (real *)memcpy(x + packedSize, grad, allPlaces * sizeof(real));
                if (f.bias && strip == 0)
                    addLanes(grad, allPlaces, sums + (target + 1) * filterSize - lanes);
                grad += (start[0] * f.places[1] + start[1]) * f.places[2] + start[2];
                for (long map = 0; map < f.sourceMaps; ++map)
                    for (long tap = 0; tap < f.numTaps; tap += mostTaps)
                        addTapsOf<mostTaps>(
                            least(mostTaps, f.numTaps - tap), f,
                            (const real *)x + map * mapSize, f.taps + tap, grad,
                            (const long *)places,
                            sums + target * filterSize + (map * f.numTaps + tap) * lanes);
            }
        }
}


// The sums of one group, all pieces joined in their order.
template <class real> static void joinPlanes(const FilterGrad<real> &f, long group)
{
    typedef typename Vectors<real>::Type Vector;
    const long lanes = Vectors<real>::lanes, rows = f.sourceMaps * f.numTaps;
    for (long target = 0; target < f.targetMaps; ++target)
    {
        const long map = group * f.targetMaps + target;
        for (long row = 0; row < rows + (f.bias != 0); ++row)
        {
            Vector sums = {};
            for (long piece = 0; piece < f.pieces; ++piece)
                sums += *(const Vector *)(
                    f.sums + ((piece * f.groups * f.targetMaps + map) * (rows + 1) + row) * lanes);
            real sum = 0;
            for (int lane = 0; lane < lanes; ++lane)
                sum += sums[lane];
            settle(f, sum, row < rows ? f.out + map * rows + row : f.bias + map);
        }
    }
}


EXPORTED(filterGradPlanes_f, FilterGrad<float>, filterGradPlanes)
EXPORTED(filterGradPlanes_d, FilterGrad<double>, filterGradPlanes)
EXPORTED(joinPlanes_f, FilterGrad<float>, joinPlanes)
EXPORTED(joinPlanes_d, FilterGrad<double>, joinPlanes)
