// The tuned twin of BatchNorm.cu, which has the formulas.
//
// The statistics take one pass over memory: a piece is summed around its own mean while it is in
// the nearest caches, so that nothing cancels, and pieces are merged.

// Of some numbers: how many, their mean, and the sum of squares around it.
struct Moments
{
    double count = 0, mean = 0, squares = 0;

    // From sums of the differences from a number near the mean
    static Moments around(real near, double differences, double squares, int count)
    {
        double shift = differences / count;
        squares -= shift * shift * count;
        return {(double)count, shift - shift == 0 ? near + shift : near, squares < 0 ? 0 : squares};
    }

    // Chan's formula
    void merge(const Moments &other)
    {
        if (count == 0)
        {
            *this = other;
            return;
        }
        double delta = other.mean - mean, share = other.count / (count + other.count);
        squares += other.squares + delta * share * count * delta;
        mean += mean - mean == 0 ? delta * share : other.mean;  // infinity stays, or becomes NaN
        count += other.count;
    }
};

template <class Part>
static inline void momentsOf(const real *x, const Part &part, Moments *found)
{
    for (int i = 0; i < part.slots; ++i)
        found[i] = {};
    part.overPieces([&](const auto &piece)
    {
        auto sum = piece.zeros(), differences = sum, squares = sum;
        piece.sum(WORK
        {
            sum[chain] += load(x + j, lanes);
        });
        auto near = sum.means(piece.size);
        piece.sum(WORK
        {
            Vector d = load(x + j, lanes, near[chain]) - near[chain];
            differences[chain] += d;
            squares[chain] += d * d;
        });
        for (int i = 0; i < part.slots; ++i)
            found[i].merge(Moments::around(
                near[i / width][i % width], differences.slot(i), squares.slot(i), piece.size));
    });
}

// What stands before z and f; on the way back it is computed anew, to the same bit.
WORD Vector scaled(Vector d, Vector slope, Vector offset) { return d * slope + offset; }

template <class Grid>
static void train(
    const Grid &grid, const real *x, const real *z, const accum *scale, const accum *bias,
    real *y, accum *batchMean, accum *batchInvStd, accum *mean, accum *var,
    int freedom, int adds,
    accum epsilon, accum factor, accum floor, accum ceiling, accum leak)
{
    Scratch<Moments> moments(grid.slabs * grid.slots);

    auto gather = [&](long block, long slab)
    {
        grid.over(block, slab, [&](const auto &part)
        {
            momentsOf(x, part, &moments[slab * grid.slots + part.slot]);
        });
    };

    auto finish = [&](long map)
    {
        Moments all = merged(grid, moments, map);
        accum mu = all.mean, invStd = 1 / sqrt((accum)(all.squares / all.count) + epsilon);
        batchMean[map] = mu;
        batchInvStd[map] = invStd;
        if (factor == 0)
            return;
        accum spread = freedom == 0 ? invStd : (accum)(all.squares / freedom);
        mean[map] = (1 - factor) * mean[map] + factor * mu;
        var[map] = (1 - factor) * var[map] + factor * spread;
    };

    auto write = [&](long block, long slab)
    {
        grid.over(block, slab, [&](const auto &part)
        {
            auto mu = part.spread([&](long map) { return batchMean[map]; });
            auto slope = part.spread([&](long map) { return scale[map] * batchInvStd[map]; });
            auto offset = part.spread([&](long map) { return bias[map]; });
            bool streams = isStreamed(grid, y);
            // Copies stay in registers: the originals, for all the compiler knows, are stored to.
            auto along = [&, x = x, z = z, y = y, adds = adds](auto f) ALWAYS_INLINE
            {
                part.write(WORK
                {
                    Vector d = load(x + j, lanes) - mu[chain];
                    Vector v = scaled(d, slope[chain], offset[chain]);
                    put(y + j, lanes, f(adds ? v + load(z + j, lanes) : v), streams);
                });
            };
            withRamp(floor, ceiling, leak, along);
        });
    };

    inPhases(grid, gather, finish, write);
}

__global__ void trainMaps(
    const real *x, const real *z, const accum *scale, const accum *bias,
    real *y, accum *batchMean, accum *batchInvStd, accum *mean, accum *var,
    int batch, int maps, int inner, int freedom, int adds,
    accum epsilon, accum factor, accum floor, accum ceiling, accum leak)
{
    choosingGrid(batch, maps, inner, [&](const auto &grid)
    {
        train(grid, x, z, scale, bias, y, batchMean, batchInvStd, mean, var,
              freedom, adds, epsilon, factor, floor, ceiling, leak);
    });
}

__global__ void trainFeatures(
    const real *x, const real *z, const accum *scale, const accum *bias,
    real *y, accum *batchMean, accum *batchInvStd, accum *mean, accum *var,
    int batch, int maps, int freedom, int adds,
    accum epsilon, accum factor, accum floor, accum ceiling, accum leak)
{
    trainMaps(x, z, scale, bias, y, batchMean, batchInvStd, mean, var,
              batch, maps, 1, freedom, adds, epsilon, factor, floor, ceiling, leak);
}


template <class Grid>
static void backward(
    const Grid &grid, const real *x, const real *y, const real *grad,
    const accum *scale, const accum *bias, const accum *batchMean, const accum *batchInvStd,
    real *xGrad, real *zGrad, accum *scaleGrad, accum *biasGrad,
    accum count, int adds, accum floor, accum ceiling, accum leak)
{
    Scratch<Products> products(grid.slabs * grid.slots);
    auto meanOf = [&](long map) { return batchMean[map]; };
    auto slopeOf = [&](long map) { return scale[map] * batchInvStd[map]; };
    auto offsetOf = [&](long map) { return bias[map]; };

    auto gather = [&](long block, long slab)
    {
        grid.over(block, slab, [&](const auto &part)
        {
            auto mu = part.spread(meanOf), slope = part.spread(slopeOf);
            auto offset = part.spread(offsetOf);
            Products *found = &products[slab * grid.slots + part.slot];
            for (int i = 0; i < part.slots; ++i)
                found[i] = {};
            withRamp(floor, ceiling, leak, [&](auto f)
            {
                part.overPieces([&](const auto &piece)
                {
                    auto sumG = piece.zeros(), sumGX = sumG;
                    piece.sum(WORK
                    {
                        Vector d = load(x + j, lanes, mu[chain]) - mu[chain];
                        Vector v = adds ? load(y + j, lanes)
                                        : scaled(d, slope[chain], offset[chain]);
                        Vector g = f.back(v, load(grad + j, lanes));
                        sumG[chain] += g;
                        sumGX[chain] += g * d;
                    });
                    for (int i = 0; i < part.slots; ++i)
                        found[i].merge({sumG.slot(i), sumGX.slot(i)});
                });
            });
        });
    };

    auto finish = [&](long map)
    {
        Products all = merged(grid, products, map);
        scaleGrad[map] = all.gx * batchInvStd[map];
        biasGrad[map] = all.g;
    };

    auto write = [&](long block, long slab)
    {
        grid.over(block, slab, [&](const auto &part)
        {
            auto mu = part.spread(meanOf), slope = part.spread(slopeOf);
            auto offset = part.spread(offsetOf);
            auto meanG = part.spread([&](long map) { return biasGrad[map] / count; });
            auto tilt = part.spread([&](long map)
            {
                return batchInvStd[map] * scaleGrad[map] / count;
            });
            bool streams = isStreamed(grid, xGrad);
            auto along = [&, x = x, y = y, grad = grad, xGrad = xGrad, zGrad = zGrad,
                          adds = adds](auto f) ALWAYS_INLINE
            {
                part.write(WORK
                {
                    Vector d = load(x + j, lanes) - mu[chain];
                    Vector v = adds ? load(y + j, lanes)
                                    : scaled(d, slope[chain], offset[chain]);
                    Vector g = f.back(v, load(grad + j, lanes));
                    put(xGrad + j, lanes,
                        slope[chain] * (g - meanG[chain] - d * tilt[chain]), streams);
                    if (adds)
                        put(zGrad + j, lanes, g, streams);
                });
            };
            withRamp(floor, ceiling, leak, along);
        });
    };

    inPhases(grid, gather, finish, write);
}

__global__ void backwardMaps(
    const real *x, const real *y, const real *grad, const accum *scale, const accum *bias,
    const accum *batchMean, const accum *batchInvStd,
    real *xGrad, real *zGrad, accum *scaleGrad, accum *biasGrad,
    int batch, int maps, int inner, int adds, accum floor, accum ceiling, accum leak)
{
    choosingGrid(batch, maps, inner, [&](const auto &grid)
    {
        backward(grid, x, y, grad, scale, bias, batchMean, batchInvStd,
                 xGrad, zGrad, scaleGrad, biasGrad,
                 (accum)batch * inner, adds, floor, ceiling, leak);
    });
}

__global__ void backwardFeatures(
    const real *x, const real *y, const real *grad, const accum *scale, const accum *bias,
    const accum *batchMean, const accum *batchInvStd,
    real *xGrad, real *zGrad, accum *scaleGrad, accum *biasGrad,
    int batch, int maps, int adds, accum floor, accum ceiling, accum leak)
{
    backwardMaps(x, y, grad, scale, bias, batchMean, batchInvStd,
                 xGrad, zGrad, scaleGrad, biasGrad, batch, maps, 1, adds, floor, ceiling, leak);
}
