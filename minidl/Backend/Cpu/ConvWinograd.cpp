// Convolutions with filters of 3 x 3 at every place, by 36 products instead of 144 for each square
// of 4 x 4 places (Winograd 1980; Lavin, Gray 2016):
//
//     y = A' ((G w G') * (B' x B)) A
//
// summed over the source maps, where x is a square of 6 x 6 numbers and * multiplies element by
// element. A task takes some rows of squares: it transforms x, multiplies the 36 matrices
// (squares x source maps) by those of the filters, and transforms the products back.

enum { side = 6, elements = side * side };

template <class real> struct Winograd
{
    const real *source, *filters, *bias;  // bias: a number for each map of the target, or null
    real *target, *packed;  // packed: (blocks, elements, source maps, width) transformed filters
    long samples, sourceMaps, targetMaps, size[2], places[2], pad[2];
    long targetStep, sourceStep, isTurned;  // in the filters, from map to map; last tap first
    long width, blocks, rowsOfTask;
};


// B' d of six vectors that are `step` apart, into six that are `toStep` apart.
template <class Vector>
static inline void transformX(const Vector *d, int step, Vector *to, int toStep)
{
    const Vector a = d[4 * step] - 4 * d[2 * step], b = d[3 * step] - 4 * d[step];
    const Vector c = d[4 * step] - d[2 * step], e = 2 * (d[3 * step] - d[step]);
    to[0] = 4 * d[0] - 5 * d[2 * step] + d[4 * step];
    to[toStep] = a + b;
    to[2 * toStep] = a - b;
    to[3 * toStep] = c + e;
    to[4 * toStep] = c - e;
    to[5 * toStep] = 4 * d[step] - 5 * d[3 * step] + d[5 * step];
}

// A' m: four vectors of six.
template <class Vector>
static inline void transformY(const Vector *m, int step, Vector *to, int toStep)
{
    const Vector a = m[step] + m[2 * step], b = m[step] - m[2 * step];
    const Vector c = m[3 * step] + m[4 * step], d = m[3 * step] - m[4 * step];
    to[0] = m[0] + a + c;
    to[toStep] = b + 2 * d;
    to[2 * toStep] = a + 4 * c;
    to[3 * toStep] = b + 8 * d + m[5 * step];
}

// G g: six vectors of three.
template <class Vector>
static inline void transformW(const Vector *g, int step, Vector *to, int toStep)
{
    typedef decltype(g[0][0] + g[0][0]) Number;
    const Number sixth = (Number)1 / 6, twelfth = (Number)1 / 12, twentyFourth = (Number)1 / 24;
    const Vector even = sixth * (g[0] + g[2 * step]), odd = sixth * g[step];
    const Vector wide = twentyFourth * g[0] + sixth * g[2 * step], skew = twelfth * g[step];
    to[0] = g[0] / 4;
    to[toStep] = -even - odd;
    to[2 * toStep] = odd - even;
    to[3 * toStep] = wide + skew;
    to[4 * toStep] = wide - skew;
    to[5 * toStep] = g[2 * step];
}


// The filters of one source map for one block of maps of the target.
template <class real> static void winogradFilters(const Winograd<real> &w, long task)
{
    typedef typename Vectors<real>::Type Vector;
    const long lanes = Vectors<real>::lanes, block = task / w.sourceMaps;
    const long source = task % w.sourceMaps;
    real *to = w.packed + (block * elements * w.sourceMaps + source) * w.width;

    for (long v = 0; v < w.width; v += lanes)
    {
        const long map = block * w.width + v, maps = least(lanes, w.targetMaps - map);
        const real *from = w.filters + map * w.targetStep + source * w.sourceStep;
        Vector taps[9] = {}, half[18], whole[elements];
        for (long lane = 0; lane < maps; ++lane)
            for (int tap = 0; tap < 9; ++tap)
                taps[tap][lane] = from[lane * w.targetStep + (w.isTurned ? 8 - tap : tap)];
        for (int j = 0; j < 3; ++j)
            transformW(taps + j, 3, half + j, 3);
        for (int i = 0; i < side; ++i)
            transformW(half + 3 * i, 1, whole + side * i, 1);
        for (int e = 0; e < elements; ++e)
            *(Vector *)(to + e * w.sourceMaps * w.width + v) = whole[e];
    }
}


// Six lines of a sample with zeros around, the maps of a place as neighbours: (6, across, maps).
template <class real>
static void packLines(const Winograd<real> &w, const real *maps, long firstLine, long across,
                      long roundMaps, real *packed)
{
    const long mapSize = w.size[0] * w.size[1];
    memset(packed, 0, side * across * roundMaps * sizeof(real));
    for (long i = 0; i < side; ++i)
        if (firstLine + i >= 0 && firstLine + i < w.size[0])
            turn(maps + (firstLine + i) * w.size[1], mapSize, w.sourceMaps, w.size[1],
                 (const real *)0, packed + (i * across + w.pad[1]) * roundMaps, roundMaps);
}


// A row of squares: to[element][square][map], elements `step` apart.
template <class real>
static void transformRow(const real *lines, long across, long squares, long maps, real *to,
                         long step)
{
    typedef typename Vectors<real>::Type Vector;
    for (long square = 0; square < squares; ++square)
        for (long map = 0; map < maps; map += Vectors<real>::lanes)
        {
            const real *corner = lines + square * 4 * maps + map;
            Vector x[elements], half[elements];
            for (int i = 0; i < side; ++i)
                for (int j = 0; j < side; ++j)
                    x[i * side + j] = *(const Vector *)(corner + (i * across + j) * maps);
            for (int j = 0; j < side; ++j)
                transformX(x + j, side, half + j, side);
            for (int i = 0; i < side; ++i)
                transformX(half + side * i, 1, x + side * i, 1);
            for (int e = 0; e < elements; ++e)
                *(Vector *)(to + e * step + square * maps + map) = x[e];
        }
}


// The way back: from[element][square][map] of a row of squares, into four lines out[place][map].
template <class real>
static void restoreRow(const real *from, long step, long squares, long width, real *out)
{
    typedef typename Vectors<real>::Type Vector;
    for (long square = 0; square < squares; ++square)
        for (long map = 0; map < width; map += Vectors<real>::lanes)
        {
            Vector m[elements], half[4 * side], y[16];
            for (int e = 0; e < elements; ++e)
                m[e] = *(const Vector *)(from + e * step + square * width + map);
            for (int j = 0; j < side; ++j)
                transformY(m + j, side, half + j, side);
            for (int i = 0; i < 4; ++i)
                transformY(half + side * i, 1, y + 4 * i, 1);
            for (int i = 0; i < 16; ++i)
                *(Vector *)(out + ((i / 4 * squares + square) * 4 + i % 4) * width + map) = y[i];
        }
}


// One block of maps for the rows of squares first .. end-1 of all samples: `x` are their
// transformed numbers, `product` and `lines` room for the products and four lines of the target.
template <class real, int vectors>
static void winogradBlock(const Winograd<real> &w, long block, long first, long end, const real *x,
                          long roundMaps, real *product, real *lines)
{
    const long down = (w.places[0] + 3) / 4, squares = (w.places[1] + 3) / 4;
    const long all = (end - first) * squares, mapSize = w.places[0] * w.places[1];
    const Tap here = {0, 0};
    for (int e = 0; e < elements; ++e)
        gatherRow<vectors>(
            all, x + e * all * roundMaps, roundMaps, product + e * all * w.width, &here, 1l,
            w.sourceMaps, 1l, w.packed + (block * elements + e) * w.sourceMaps * w.width, false);

    for (long row = first; row < end; ++row)
    {
        const long map = block * w.width, line = row % down * 4;
        real *target = w.target + (row / down * w.targetMaps + map) * mapSize;
        restoreRow(product + (row - first) * squares * w.width, all * w.width, squares, w.width,
                   lines);
        for (long i = 0; i < 4 && line + i < w.places[0]; ++i)
            turn(lines + i * squares * 4 * w.width, w.width, w.places[1],
                 least(w.width, w.targetMaps - map), w.bias ? w.bias + map : 0,
                 target + (line + i) * w.places[1], mapSize);
    }
}


template <class real> static void winograd(const Winograd<real> &w, long task)
{
    const long lanes = Vectors<real>::lanes;
    const long down = (w.places[0] + 3) / 4, squares = (w.places[1] + 3) / 4;
    const long across = squares * 4 + 2, roundMaps = (w.sourceMaps + lanes - 1) / lanes * lanes;
    const long first = task * w.rowsOfTask;
    const long end = least(first + w.rowsOfTask, w.samples * down), all = (end - first) * squares;
    const long lineSize = squares * 4 * w.width;
    real *x = (real *)scratch((elements * all * (roundMaps + w.width) + 4 * lineSize
                               + side * across * roundMaps) * sizeof(real));
    real *product = x + elements * all * roundMaps, *lines = product + elements * all * w.width;
    real *packed = lines + 4 * lineSize;

    for (long row = first; row < end; ++row)
    {
        const real *maps = w.source + row / down * w.sourceMaps * w.size[0] * w.size[1];
        packLines(w, maps, row % down * 4 - w.pad[0], across, roundMaps, packed);
        transformRow(packed, across, squares, roundMaps, x + (row - first) * squares * roundMaps,
                     all * roundMaps);
    }
    for (long block = 0; block < w.blocks; ++block)
        if (w.width == lanes)
            winogradBlock<real, 1>(w, block, first, end, x, roundMaps, product, lines);
        else
            winogradBlock<real, 2>(w, block, first, end, x, roundMaps, product, lines);
}


EXPORTED(winogradFilters_f, Winograd<float>, winogradFilters)
EXPORTED(winograd_f, Winograd<float>, winograd)
