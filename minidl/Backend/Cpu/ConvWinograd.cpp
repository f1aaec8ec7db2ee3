// Convolutions with filters of 3 x 3 or 4 x 4 at every place, by 36 products instead of 144 for
// each square of 4 x 4 or 3 x 3 places (Winograd 1980; Lavin, Gray 2016):
//
//     y = V' ((D V w V' D) * (B' x B)) V
//
// summed over the source maps, where x is a square of 6 x 6 numbers and * multiplies element by
// element; V finds what a polynomial is at 0, 1, -1, 2, -2 and infinity. A task takes some rows of
// squares: it transforms x, multiplies the 36 matrices (squares x source maps) by those of the
// filters, and transforms the products back.

enum { side = 6, elements = side * side };
template <int window> constexpr int squareSide = side + 1 - window;  // places of a square

// How far the matrices of two elements are apart, in numbers: a little more than their size, which
// may be a power of two that would put all elements of a square in the same places of the cache.
static inline long apart(long squares, long maps) { return squares * maps + 16; }

// A convolution's sizes, and how its places are cut into squares.
struct Images
{
    long samples, sourceMaps, targetMaps, size[2], places[2], pad[2];
};

template <int window, class real> struct Cut
{
    enum { places = squareSide<window>, lanes = Vectors<real>::lanes };
    long down, squares, across, roundMaps;  // squares: of a row; across: numbers of its lines

    explicit Cut(const Images &images) :
        down(parts(images.places[0], places)), squares(parts(images.places[1], places)),
        across(squares * places + window - 1),
        roundMaps(parts(images.sourceMaps, lanes) * lanes) {}
};

template <class real> struct Winograd
{
    const real *source, *filters, *bias;  // bias: a number for each map of the target, or null
    real *target, *packed;  // packed: (blocks, elements, source maps, width) transformed filters
    Images images;
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

// V y: six vectors of n.
template <int n, class Vector>
static inline void evaluate(const Vector *y, int step, Vector *to, int toStep)
{
    Vector even = y[0], odd = y[step], wide = y[0], skew = 2 * y[step];
    if (n > 2)
        even += y[2 * step], wide += 4 * y[2 * step];
    if (n > 3)
        odd += y[3 * step], skew += 8 * y[3 * step];
    to[0] = y[0];
    to[toStep] = even + odd;
    to[2 * toStep] = even - odd;
    to[3 * toStep] = wide + skew;
    to[4 * toStep] = wide - skew;
    to[5 * toStep] = y[(n - 1) * step];
}

// V' m: n vectors of six.
template <int n, class Vector>
static inline void collect(const Vector *m, int step, Vector *to, int toStep)
{
    const Vector a = m[step] + m[2 * step], b = m[step] - m[2 * step];
    const Vector c = m[3 * step] + m[4 * step], d = m[3 * step] - m[4 * step];
    to[0] = m[0] + a + c;
    to[toStep] = b + 2 * d;
    if (n > 2)
        to[2 * toStep] = a + 4 * c;
    if (n > 3)
        to[3 * toStep] = b + 8 * d;
    to[(n - 1) * toStep] += m[5 * step];
}

// D u D
template <class Vector> static inline void scale(Vector *u)
{
    typedef decltype(u[0][0] + u[0][0]) Number;
    const Number factors[] = {
        (Number)1 / 4, (Number)-1 / 6, (Number)-1 / 6, (Number)1 / 24, (Number)1 / 24, 1};
    for (int e = 0; e < elements; ++e)
        u[e] *= factors[e / side] * factors[e % side];
}


// The filters of one source map for one block of maps of the target.
template <int window, class real>
static void winogradFilters(const Winograd<real> &w, long task)
{
    enum { taps = window * window };
    typedef typename Vectors<real>::Type Vector;
    const long lanes = Vectors<real>::lanes, maps = w.images.sourceMaps;
    const long block = task / maps, source = task % maps;
    real *to = w.packed + (block * elements * maps + source) * w.width;

    for (long v = 0; v < w.width; v += lanes)
    {
        const long map = block * w.width + v, used = least(lanes, w.images.targetMaps - map);
        const real *from = w.filters + map * w.targetStep + source * w.sourceStep;
        Vector tap[taps] = {}, half[side * window], whole[elements];
        for (long lane = 0; lane < used; ++lane)
            for (int t = 0; t < taps; ++t)
                tap[t][lane] = from[lane * w.targetStep + (w.isTurned ? taps - 1 - t : t)];
        for (int j = 0; j < window; ++j)
            evaluate<window>(tap + j, window, half + j, window);
        for (int i = 0; i < side; ++i)
            evaluate<window>(half + window * i, 1, whole + side * i, 1);
        scale(whole);
        for (int e = 0; e < elements; ++e)
            *(Vector *)(to + e * maps * w.width + v) = whole[e];
    }
}


// Lines of a sample, first .. first + number - 1, with the maps of a place as neighbours: to[line]
// [place][map], or zeros for a line that the sample does not have. The steps are of `to`.
template <class real>
static void turnLines(const real *maps, const long *size, long numMaps, long first, long number,
                      real *to, long lineStep, long placeStep)
{
    for (long line = first; line < first + number; ++line, to += lineStep)
        if (line >= 0 && line < size[0])
            turn(maps + line * size[1], size[0] * size[1], numMaps, size[1], (const real *)0, to,
                 placeStep);
        else
            memset(to, 0, size[1] * placeStep * sizeof(real));
}


// A row of squares: to[element][square][map], elements `step` apart.
template <int window, class real>
static void transformRow(const real *lines, long across, long squares, long maps, real *to,
                         long step)
{
    typedef typename Vectors<real>::Type Vector;
    for (long square = 0; square < squares; ++square)
        for (long map = 0; map < maps; map += Vectors<real>::lanes)
        {
            const real *corner = lines + square * squareSide<window> * maps + map;
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


// The rows of squares first .. end-1 of all samples: x[element][square][map], by way of `packed`,
// six lines with zeros around.
template <int window, class real>
static void transformRows(const Images &images, const real *source, long first, long end,
                          real *packed, real *x)
{
    const Cut<window, real> cut(images);
    const long lineStep = cut.across * cut.roundMaps;
    const long step = apart((end - first) * cut.squares, cut.roundMaps);
    memset(packed, 0, side * lineStep * sizeof(real));
    for (long row = first; row < end; ++row, x += cut.squares * cut.roundMaps)
    {
        // The last lines of a row of squares are the first ones of that below it.
        const long kept = row > first && row % cut.down ? side - cut.places : 0;
        memcpy(packed, packed + cut.places * lineStep, kept * lineStep * sizeof(real));
        turnLines(source + row / cut.down * images.sourceMaps * images.size[0] * images.size[1],
                  images.size, images.sourceMaps,
                  row % cut.down * cut.places - images.pad[0] + kept, side - kept,
                  packed + kept * lineStep + images.pad[1] * cut.roundMaps, lineStep,
                  cut.roundMaps);
        transformRow<window>(packed, cut.across, cut.squares, cut.roundMaps, x,
                             step);
    }
}


// The way back: from[element][square][map] of a row of squares, into lines out[place][map].
template <int places, class real>
static void restoreRow(const real *from, long step, long squares, long width, real *out)
{
    typedef typename Vectors<real>::Type Vector;
    for (long square = 0; square < squares; ++square)
        for (long map = 0; map < width; map += Vectors<real>::lanes)
        {
            Vector m[elements], half[places * side], y[places * places];
            for (int e = 0; e < elements; ++e)
                m[e] = *(const Vector *)(from + e * step + square * width + map);
            for (int j = 0; j < side; ++j)
                collect<places>(m + j, side, half + j, side);
            for (int i = 0; i < places; ++i)
                collect<places>(half + side * i, 1, y + places * i, 1);
            for (int i = 0; i < places * places; ++i)
                *(Vector *)(out + ((i / places * squares + square) * places + i % places) * width
                            + map) = y[i];
        }
}


// One block of maps for the rows of squares first .. end-1 of all samples: `x` are their
// transformed numbers, `product` and `lines` room for the products and lines of the target.
template <int window, int vectors, class real>
static void winogradBlock(const Winograd<real> &w, long block, long first, long end, const real *x,
                          real *product, real *lines)
{
    const Images &images = w.images;
    const Cut<window, real> cut(images);
    const long all = (end - first) * cut.squares, step = apart(all, w.width);
    const long mapSize = images.places[0] * images.places[1];
    const Tap here = {0, 0};
    for (int e = 0; e < elements; ++e)
        gatherRow<vectors>(
            all, x + e * apart(all, cut.roundMaps), cut.roundMaps, product + e * step, &here, 1l,
            images.sourceMaps, 1l,
            w.packed + (block * elements + e) * images.sourceMaps * w.width, false);

    for (long row = first; row < end; ++row)
    {
        const long map = block * w.width, line = row % cut.down * cut.places;
        real *target = w.target + (row / cut.down * images.targetMaps + map) * mapSize;
        restoreRow<cut.places>(product + (row - first) * cut.squares * w.width, step, cut.squares,
                               w.width, lines);
        for (long i = 0; i < cut.places && line + i < images.places[0]; ++i)
            turn(lines + i * cut.squares * cut.places * w.width, w.width, images.places[1],
                 least(w.width, images.targetMaps - map), w.bias ? w.bias + map : 0,
                 target + (line + i) * images.places[1], mapSize);
    }
}


template <int window, class real> static void winograd(const Winograd<real> &w, long task)
{
    const Cut<window, real> cut(w.images);
    const long first = task * w.rowsOfTask;
    const long end = least(first + w.rowsOfTask, w.images.samples * cut.down);
    const long all = (end - first) * cut.squares;
    const long sizeX = elements * apart(all, cut.roundMaps);
    const long sizeProduct = elements * apart(all, w.width);
    const long sizeLines = cut.places * cut.squares * cut.places * w.width;
    real *x = (real *)scratch((sizeX + sizeProduct + sizeLines + side * cut.across * cut.roundMaps)
                              * sizeof(real));
    real *product = x + sizeX, *lines = product + sizeProduct;

    transformRows<window>(w.images, w.source, first, end, lines + sizeLines, x);
    for (long block = 0; block < w.blocks; ++block)
        if (w.width == cut.lanes)
            winogradBlock<window, 1>(w, block, first, end, x, product, lines);
        else
            winogradBlock<window, 2>(w, block, first, end, x, product, lines);
}


EXPORTED(winogradFilters3_f, Winograd<float>, winogradFilters<3>)
EXPORTED(winogradFilters4_f, Winograd<float>, winogradFilters<4>)
EXPORTED(winograd3_f, Winograd<float>, winograd<3>)
EXPORTED(winograd4_f, Winograd<float>, winograd<4>)
