// The gradient of the filters by the same 36 products: what ConvWinograd.cpp does, backward.
//
//     dw = V' D (sum over squares of (B' x B) * (V dy V')) D V

template <class real> struct WinogradGrad
{
    const real *x, *grad;
    real *sums, *out, *bias;  // sums: (pieces, blocks, elements * source maps + 1, width)
    double alpha, beta;  // out = alpha dw + beta out; so bias, the sum of grad, which may be null
    Images images;
    long width, blocks, blocksOfTask, pieces, rowsAtOnce;
};


// A row of squares of grad: to[element][square][map], elements `step` apart, by way of lines.
template <int window, class real>
static void transformGradRow(const WinogradGrad<real> &w, const real *grad, long maps, long line,
                             real *lines, real *to, long step)
{
    typedef typename Vectors<real>::Type Vector;
    const Cut<window, real> cut(w.images);
    const long across = cut.squares * cut.places;
    const int places = cut.places;
    turnLines(grad, w.images.places, maps, line, places, lines, across * w.width, w.width);

    for (long square = 0; square < cut.squares; ++square)
        for (long map = 0; map < w.width; map += cut.lanes)
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
    const long maps = w.images.sourceMaps;
    const long stepX = apart(squares, roundMaps), stepGrad = apart(squares, w.width);
    for (int e = 0; e < elements; ++e, x += stepX, grad += stepGrad)
        for (long map = 0; map < maps; map += mostRows)
            addProductsOf<mostRows, vectors>(
                least(mostRows, maps - map), packing, x + map, (const long *)steps, grad,
                (const long *)places, sums + (e * maps + map) * w.width);
}


template <int window, class real>
static void winogradGrad(const WinogradGrad<real> &w, long task)
{
    const Images &images = w.images;
    const Cut<window, real> cut(images);
    const long shares = parts(w.blocks, w.blocksOfTask);
    const long piece = task / shares, firstBlock = task % shares * w.blocksOfTask;
    const long endBlock = least(w.blocks, firstBlock + w.blocksOfTask);
    const long rows = images.samples * cut.down, end = rows * (piece + 1) / w.pieces;
    const long most = w.rowsAtOnce * cut.squares;
    const long blockSize = (elements * images.sourceMaps + 1) * w.width;
    const long sizeX = elements * apart(most, cut.roundMaps);
    const long sizeGrad = elements * apart(most, w.width);
    const long sizeLines = cut.squares * cut.places * cut.places * w.width;
    real *x = (real *)scratch((sizeX + sizeGrad + sizeLines + side * cut.across * cut.roundMaps)
                              * sizeof(real));
    real *grad = x + sizeX, *lines = grad + sizeGrad, *packed = lines + sizeLines;
    real *sums = w.sums + piece * w.blocks * blockSize;
    memset(lines, 0, sizeLines * sizeof(real));
    memset(sums + firstBlock * blockSize, 0, (endBlock - firstBlock) * blockSize * sizeof(real));

    for (long first = rows * piece / w.pieces; first < end; first += w.rowsAtOnce)
    {
        const long number = least(w.rowsAtOnce, end - first), all = number * cut.squares;
        transformRows<window>(images, w.x, first, first + number, packed, x);
        for (long block = firstBlock; block < endBlock; ++block)
        {
            const long map = block * w.width, maps = least(w.width, images.targetMaps - map);
            real *blockSums = sums + block * blockSize;
            for (long row = first; row < first + number; ++row)
            {
                transformGradRow<window>(
                    w, w.grad + (row / cut.down * images.targetMaps + map)
                        * images.places[0] * images.places[1],
                    maps, row % cut.down * cut.places, lines,
                    grad + (row - first) * cut.squares * w.width, apart(all, w.width));
                if (w.bias)
                    addPlaces((const real *)lines, sizeLines / w.width, w.width,
                              blockSums + blockSize - w.width);
            }
            if (w.width == cut.lanes)
                addSquares<real, 1>(w, x, grad, all, cut.roundMaps, blockSums);
            else
                addSquares<real, 2>(w, x, grad, all, cut.roundMaps, blockSums);
        }
    }
}


// The filters of one source map for one block, from the sums of all pieces in their order.
template <int window, class real>
static void winogradJoin(const WinogradGrad<real> &w, long task)
{
    enum { taps = window * window };
    typedef typename Vectors<real>::Type Vector;
    const long lanes = Vectors<real>::lanes, sourceMaps = w.images.sourceMaps;
    const long block = task / sourceMaps, source = task % sourceMaps;
    const long blockSize = (elements * sourceMaps + 1) * w.width;

    for (long v = 0; v < w.width; v += lanes)
    {
        const long map = block * w.width + v, maps = least(lanes, w.images.targetMaps - map);
        Vector sum[elements] = {}, half[side * window], tap[taps], ofGrad = {};
        for (long piece = 0; piece < w.pieces; ++piece)
        {
            const real *sums = w.sums + (piece * w.blocks + block) * blockSize + v;
            for (int e = 0; e < elements; ++e)
                sum[e] += *(const Vector *)(sums + (e * sourceMaps + source) * w.width);
            ofGrad += *(const Vector *)(sums + blockSize - w.width);
        }
        scale(sum);
        for (int j = 0; j < side; ++j)
            collect<window>(sum + j, side, half + j, side);
        for (int i = 0; i < window; ++i)
            collect<window>(half + side * i, 1, tap + window * i, 1);
        for (long lane = 0; lane < maps; ++lane)
        {
            for (int t = 0; t < taps; ++t)
                settle(w, (real)tap[t][lane],
                       w.out + ((map + lane) * sourceMaps + source) * taps + t);
            if (w.bias && source == 0)
                settle(w, (real)ofGrad[lane], w.bias + map + lane);
        }
    }
}


EXPORTED(winogradGrad3_f, WinogradGrad<float>, winogradGrad<3>)
EXPORTED(winogradGrad4_f, WinogradGrad<float>, winogradGrad<4>)
EXPORTED(winogradJoin3_f, WinogradGrad<float>, winogradJoin<3>)
EXPORTED(winogradJoin4_f, WinogradGrad<float>, winogradJoin<4>)
