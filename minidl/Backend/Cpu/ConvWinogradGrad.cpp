// The gradient of the filters by the same 36 products: what ConvWinograd.cpp does, backward.
//
//     dw = V' D (sum over squares of (B' x B) * (V dy V')) D V

template <class real> struct WinogradGrad
{
    const real *x, *grad;
    real *sums, *out;  // sums: (pieces, blocks, elements, source maps, width)
    double alpha, beta;  // out = alpha dw + beta out
    long samples, sourceMaps, targetMaps, size[2], places[2], pad[2];
    long width, blocks, blocksOfTask, pieces, rowsAtOnce;
};


// A row of squares of grad: to[element][square][map], elements `step` apart, by way of lines.
template <int places, class real>
static void transformGradRow(const WinogradGrad<real> &w, const real *grad, long maps, long line,
                             long squares, real *lines, real *to, long step)
{
    typedef typename Vectors<real>::Type Vector;
    const long mapSize = w.places[0] * w.places[1], across = squares * places;
    memset(lines, 0, places * across * w.width * sizeof(real));
    for (long i = 0; i < places && line + i < w.places[0]; ++i)
        turn(grad + (line + i) * w.places[1], mapSize, maps, w.places[1], (const real *)0,
             lines + i * across * w.width, w.width);

    for (long square = 0; square < squares; ++square)
        for (long map = 0; map < w.width; map += Vectors<real>::lanes)
        {
            const real *corner = lines + square * places * w.width + map;
            Vector y[places * places], half[places * side], whole[elements];
            for (int i = 0; i < places * places; ++i)
                y[i] = *(const Vector *)(corner + (i / places * across + i % places) * w.width);
            for (int j = 0; j < places; ++j)
                evaluate<places>(y + j, places, half + j, places);
            for (int i = 0; i < side; ++i)
                evaluate<places>(half + places * i, 1, whole + side * i, 1);
            for (int e = 0; e < elements; ++e)
                *(Vector *)(to + e * step + square * w.width + map) = whole[e];
        }
}


// Adds the products of so many squares to the sums of a block.
template <class real, int vectors>
static void addSquares(const WinogradGrad<real> &w, const real *x, const real *grad, long squares,
                       long roundMaps, real *sums)
{
    const Packing packing = {{}, {1, 1, squares}, {}, {0, 0, roundMaps}, 0, 0};
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


template <int window, class real>
static void winogradGrad(const WinogradGrad<real> &w, long task)
{
    const long lanes = Vectors<real>::lanes, places = squareSide<window>;
    const long down = parts(w.places[0], places), squares = parts(w.places[1], places);
    const long across = squares * places + window - 1;
    const long roundMaps = (w.sourceMaps + lanes - 1) / lanes * lanes;
    const long shares = parts(w.blocks, w.blocksOfTask);
    const long piece = task / shares, firstBlock = task % shares * w.blocksOfTask;
    const long endBlock = least(w.blocks, firstBlock + w.blocksOfTask);
    const long rows = w.samples * down, end = rows * (piece + 1) / w.pieces;
    const long most = w.rowsAtOnce * squares, blockSize = elements * w.sourceMaps * w.width;
    const long linesSize = squares * places * places * w.width;
    real *x = (real *)scratch((elements * most * (roundMaps + w.width) + linesSize
                               + side * across * roundMaps) * sizeof(real));
    real *grad = x + elements * most * roundMaps, *lines = grad + elements * most * w.width;
    real *packed = lines + linesSize, *sums = w.sums + piece * w.blocks * blockSize;
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
            packSix(ahead, maps, row % down * places - w.pad[0], across, roundMaps, packed);
            transformRow<window>(packed, across, squares, roundMaps,
                                 x + (row - first) * squares * roundMaps, all * roundMaps);
        }
        for (long block = firstBlock; block < endBlock; ++block)
        {
            const long map = block * w.width, maps = least(w.width, w.targetMaps - map);
            for (long row = first; row < first + number; ++row)
                transformGradRow<squareSide<window>>(
                    w, w.grad + (row / down * w.targetMaps + map) * w.places[0] * w.places[1], maps,
                    row % down * places, squares, lines, grad + (row - first) * squares * w.width,
                    all * w.width);
            if (w.width == lanes)
                addSquares<real, 1>(w, x, grad, all, roundMaps, sums + block * blockSize);
            else
                addSquares<real, 2>(w, x, grad, all, roundMaps, sums + block * blockSize);
        }
    }
}


// The filters of one source map for one block, from the sums of all pieces in their order.
template <int window, class real>
static void winogradJoin(const WinogradGrad<real> &w, long task)
{
    enum { taps = window * window };
    typedef typename Vectors<real>::Type Vector;
    const long lanes = Vectors<real>::lanes, block = task / w.sourceMaps;
    const long source = task % w.sourceMaps;
    const long blockSize = elements * w.sourceMaps * w.width;

    for (long v = 0; v < w.width; v += lanes)
    {
        const long map = block * w.width + v, maps = least(lanes, w.targetMaps - map);
        Vector sum[elements] = {}, half[side * window], tap[taps];
        for (long piece = 0; piece < w.pieces; ++piece)
            for (int e = 0; e < elements; ++e)
                sum[e] += *(const Vector *)(w.sums + (piece * w.blocks + block) * blockSize
                                            + (e * w.sourceMaps + source) * w.width + v);
        scale(sum);
        for (int j = 0; j < side; ++j)
            collect<window>(sum + j, side, half + j, side);
        for (int i = 0; i < window; ++i)
            collect<window>(half + side * i, 1, tap + window * i, 1);
        for (long lane = 0; lane < maps; ++lane)
            for (int t = 0; t < taps; ++t)
            {
                real *out = w.out + ((map + lane) * w.sourceMaps + source) * taps + t;
                *out = (real)w.alpha * tap[t][lane] + (w.beta == 0 ? 0 : (real)w.beta * *out);
            }
    }
}


EXPORTED(winogradGrad3_f, WinogradGrad<float>, winogradGrad<3>)
EXPORTED(winogradGrad4_f, WinogradGrad<float>, winogradGrad<4>)
EXPORTED(winogradJoin3_f, WinogradGrad<float>, winogradJoin<3>)
EXPORTED(winogradJoin4_f, WinogradGrad<float>, winogradJoin<4>)
