// The gradient of the filters: for a block of maps of grad, a piece of the samples at a time,
//
//     sums[source map, tap][map] = sum over places of x[place + tap's step] grad[place][map]
//
// and a row more, if there is a bias: sum over places of grad[place][map].
template <class real> struct FilterGrad
{
    const real *x, *grad;
    real *sums, *out, *bias;  // sums: (pieces, groups, blocks, source maps * taps + 1, width)
    double alpha, beta;  // out = alpha sums + beta out; so bias, which may be null
    const Tap *taps;
    long samples, groups, sourceMaps, targetMaps;
    Packing packing;
    long places[3], numTaps, stripAxis, stripPlaces, strips, pieces, width, blocks;
    long blocksOfTask;
};


// What a sum becomes in the end; for the gradients of all ways.
template <class Grad, class real> static inline void settle(const Grad &g, real sum, real *out)
{
    *out = (real)g.alpha * sum + (g.beta == 0 ? 0 : (real)g.beta * *out);
}


// `rows` rows of sums, whose numbers of x begin at x + steps[row], over the places of a strip.
template <int rows, int vectors, class real>
static void addProducts(const Packing &packing, const real *x, const long *steps,
                        const real *grad, const long *places, real *sums)
{
    typedef typename Vectors<real>::Type Vector;
    const long lanes = Vectors<real>::lanes, *extent = packing.extent, *step = packing.step;
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
static inline void addProductsOf(long number, const Packing &packing, const real *x, Rest... rest)
{
    if (number == rows)
        addProducts<rows, vectors>(packing, x, rest...);
    else if constexpr (rows > 1)
        addProductsOf<rows - 1, vectors>(number, packing, x, rest...);
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
            addProductsOf<mostRows, 1>(
                number, f.packing, x, (const long *)steps, turned, places, sums);
        else
            addProductsOf<mostRows, 2>(
                number, f.packing, x, (const long *)steps, turned, places, sums);
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
    const long rows = f.sourceMaps * f.numTaps, blockSize = (rows + 1) * f.width;
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
                if (f.bias)
                    addPlaces((const real *)turned, places[0] * places[1] * places[2], f.width,
                              sums + block * blockSize + rows * f.width);
            }
        }
}


// All pieces of a block's sums, joined in their order.
template <class real> static void joinPieces(const FilterGrad<real> &f, long block)
{
    const long width = f.width, blocks = f.blocks, rows = f.sourceMaps * f.numTaps;
    const long first = block / blocks * f.targetMaps + block % blocks * width;
    const long maps = least(width, f.targetMaps - block % blocks * width);
    const real *sums = f.sums + block * (rows + 1) * width;
    const long pieceSize = f.groups * blocks * (rows + 1) * width;
    const auto join = [=](long row, long map, real *out)
    {
        real sum = 0;
        for (long piece = 0; piece < f.pieces; ++piece)
            sum += sums[piece * pieceSize + row * width + map];
        settle(f, sum, out);
    };
    for (long map = 0; map < maps; ++map)
    {
        for (long row = 0; row < rows; ++row)
            join(row, map, f.out + (first + map) * rows + row);
        if (f.bias)
            join(rows, map, f.bias + first + map);
    }
}


EXPORTED(filterGrad_f, FilterGrad<float>, filterGradOf)
EXPORTED(filterGrad_d, FilterGrad<double>, filterGradOf)
EXPORTED(joinPieces_f, FilterGrad<float>, joinPieces)
EXPORTED(joinPieces_d, FilterGrad<double>, joinPieces)
