// The gradient of the filters by the same 36 products: what ConvWinograd.cpp does, backward.
//
//     dw = G' (sum over squares of (B' x B) * (A dy A')) G

template <class real> struct WinogradGrad
{
    const real *x, *grad;
    real *sums, *out;  // sums: (pieces, blocks, elements, source maps, width)
    double alpha, beta;  // out = alpha dw + beta out
    long samples, sourceMaps, targetMaps, size[2], places[2], pad[2];
    long width, blocks, blocksOfTask, pieces, rowsAtOnce;
};


// A y: six vectors of four.
template <class Vector>
static inline void transformGrad(const Vector *y, int step, Vector *to, int toStep)
{
    const Vector even = y[0] + y[2 * step], odd = y[step] + y[3 * step];
    const Vector wide = y[0] + 4 * y[2 * step], skew = 2 * y[step] + 8 * y[3 * step];
    to[0] = y[0];
    to[toStep] = even + odd;
    to[2 * toStep] = even - odd;
    to[3 * toStep] = wide + skew;
    to[4 * toStep] = wide - skew;
    to[5 * toStep] = y[3 * step];
}

// G' u: three vectors of six.
template <class Vector>
static inline void restoreFilters(const Vector *u, int step, Vector *to, int toStep)
{
    const auto sixth = 1 / (u[0][0] * 0 + 6);
    const Vector near = sixth * (u[step] + u[2 * step]), far = sixth * (u[3 * step] + u[4 * step]);
    to[0] = u[0] / 4 - near + far / 4;
    to[toStep] = sixth * (u[2 * step] - u[step]) + sixth * (u[3 * step] - u[4 * step]) / 2;
    to[2 * toStep] = far - near + u[5 * step];
}


// A row of squares of grad: to[element][square][map], elements `step` apart, by way of four lines.
template <class real>
static void transformGradRow(const WinogradGrad<real> &w, const real *grad, long maps, long line,
                             long squares, real *lines, real *to, long step)
{
    typedef typename Vectors<real>::Type Vector;
    const long mapSize = w.places[0] * w.places[1], across = squares * 4;
    memset(lines, 0, 4 * across * w.width * sizeof(real));
    for (long i = 0; i < 4 && line + i < w.places[0]; ++i)
        turn(grad + (line + i) * w.places[1], mapSize, maps, w.places[1], (const real *)0,
             lines + i * across * w.width, w.width);

    for (long square = 0; square < squares; ++square)
        for (long map = 0; map < w.width; map += Vectors<real>::lanes)
        {
            const real *corner = lines + square * 4 * w.width + map;
            Vector y[16], half[4 * side], whole[elements];
            for (int i = 0; i < 16; ++i)
                y[i] = *(const Vector *)(corner + (i / 4 * across + i % 4) * w.width);
            for (int j = 0; j < 4; ++j)
                transformGrad(y + j, 4, half + j, 4);
            for (int i = 0; i < side; ++i)
                transformGrad(half + 4 * i, 1, whole + side * i, 1);
            for (int e = 0; e < elements; ++e)
                *(Vector *)(to + e * step + square * w.width + map) = whole[e];
        }
}


// Adds the products of so many squares to the sums of a block.
template <class real, int vectors>
static void addSquares(const WinogradGrad<real> &w, const real *x, const real *grad, long squares,
                       long roundMaps, real *sums)
{
    const Packing packing = {{}, {1, 1, squares}, {}, {0, 0, roundMaps}, 0};
    const long places[3] = {1, 1, squares};
    long steps[mostRows];
    for (long i = 0; i < mostRows; ++i)
        steps[i] = i;
    for (int e = 0; e < elements; ++e, x += squares * roundMaps, grad += squares * w.width)
        for (long map = 0; map < w.sourceMaps; map += mostRows)
            addProductsOf<mostRows, vectors>(
                least(mostRows, w.sourceMaps - map), packing, x + map, (const long *)steps, grad,
                (const long *)places, sums + (e * w.sourceMaps + map) * w.width);
}


template <class real> static void winogradGrad(const WinogradGrad<real> &w, long task)
{
    const long lanes = Vectors<real>::lanes;
    const long down = (w.places[0] + 3) / 4, squares = (w.places[1] + 3) / 4;
    const long across = squares * 4 + 2, roundMaps = (w.sourceMaps + lanes - 1) / lanes * lanes;
    const long parts = (w.blocks + w.blocksOfTask - 1) / w.blocksOfTask;
    const long piece = task / parts, firstBlock = task % parts * w.blocksOfTask;
    const long endBlock = least(w.blocks, firstBlock + w.blocksOfTask);
    const long rows = w.samples * down, end = rows * (piece + 1) / w.pieces;
    const long most = w.rowsAtOnce * squares, blockSize = elements * w.sourceMaps * w.width;
    real *x = (real *)scratch((elements * most * (roundMaps + w.width) + squares * 16 * w.width
                               + side * across * roundMaps) * sizeof(real));
    real *grad = x + elements * most * roundMaps, *lines = grad + elements * most * w.width;
    real *packed = lines + squares * 16 * w.width, *sums = w.sums + piece * w.blocks * blockSize;
    memset(sums + firstBlock * blockSize, 0, (endBlock - firstBlock) * blockSize * sizeof(real));

    const Winograd<real> ahead = {
        w.x, 0, 0, 0, 0, w.samples, w.sourceMaps, w.targetMaps, {w.size[0], w.size[1]},
        {w.places[0], w.places[1]}, {w.pad[0], w.pad[1]}, 0, 0, 0, w.width, w.blocks, 0};
    for (long first = rows * piece / w.pieces; first < end; first += w.rowsAtOnce)
    {
        const long number = least(w.rowsAtOnce, end - first), all = number * squares;
        for (long row = first; row < first + number; ++row)
        {
            const real *maps = w.x + row / down * w.sourceMaps * w.size[0] * w.size[1];
            packLines(ahead, maps, row % down * 4 - w.pad[0], across, roundMaps, packed);
            transformRow(packed, across, squares, roundMaps,
                         x + (row - first) * squares * roundMaps, all * roundMaps);
        }
        for (long block = firstBlock; block < endBlock; ++block)
        {
            const long map = block * w.width, maps = least(w.width, w.targetMaps - map);
            for (long row = first; row < first + number; ++row)
                transformGradRow(
                    w, w.grad + (row / down * w.targetMaps + map) * w.places[0] * w.places[1], maps,
                    row % down * 4, squares, lines, grad + (row - first) * squares * w.width,
                    all * w.width);
            if (w.width == lanes)
                addSquares<real, 1>(w, x, grad, all, roundMaps, sums + block * blockSize);
            else
                addSquares<real, 2>(w, x, grad, all, roundMaps, sums + block * blockSize);
        }
    }
}


// The filters of one source map for one block, from the sums of all pieces in their order.
template <class real> static void winogradJoin(const WinogradGrad<real> &w, long task)
{
    typedef typename Vectors<real>::Type Vector;
    const long lanes = Vectors<real>::lanes, block = task / w.sourceMaps;
    const long source = task % w.sourceMaps;
    const long blockSize = elements * w.sourceMaps * w.width;

    for (long v = 0; v < w.width; v += lanes)
    {
        const long map = block * w.width + v, maps = least(lanes, w.targetMaps - map);
        Vector sum[elements] = {}, half[18], taps[9];
        for (long piece = 0; piece < w.pieces; ++piece)
            for (int e = 0; e < elements; ++e)
                sum[e] += *(const Vector *)(w.sums + (piece * w.blocks + block) * blockSize
                                            + (e * w.sourceMaps + source) * w.width + v);
        for (int j = 0; j < side; ++j)
            restoreFilters(sum + j, side, half + j, side);
        for (int i = 0; i < 3; ++i)
            restoreFilters(half + side * i, 1, taps + 3 * i, 1);
        for (long lane = 0; lane < maps; ++lane)
            for (int tap = 0; tap < 9; ++tap)
            {
                real *out = w.out + ((map + lane) * w.sourceMaps + source) * 9 + tap;
                *out = (real)w.alpha * taps[tap][lane] + (w.beta == 0 ? 0 : (real)w.beta * *out);
            }
    }
}


EXPORTED(winogradGrad_f, WinogradGrad<float>, winogradGrad)
EXPORTED(winogradJoin_f, WinogradGrad<float>, winogradJoin)
