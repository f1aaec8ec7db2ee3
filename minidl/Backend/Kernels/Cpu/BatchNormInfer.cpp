// The tuned twin of BatchNormInfer.cu, which has the formulas: one pass over memory.

enum Form { variance, deviation, inverse };

static inline accum inverseOf(accum spread, int form, accum epsilon)
{
    return form == inverse ? spread : 1 / (form == deviation ? spread : sqrt(spread + epsilon));
}


// y may be x, so that no place is written twice.
__global__ void inferMaps(
    const real *x, const real *z, const accum *scale, const accum *bias,
    const accum *mean, const accum *spread,
    real *y,
    int batch, int maps, int inner, int form, int adds,
    accum epsilon, accum floor, accum ceiling, accum leak)
{
    choosingGrid(batch, maps, inner, [&](const auto &grid)
    {
        bool streams = isStreamed(grid, y);
        overSlabs(grid, [&](long block, long slab) { grid.over(block, slab, [&](const auto &part)
        {
            auto mu = part.spread([&](long map) { return mean[map]; });
            auto offset = part.spread([&](long map) { return bias[map]; });
            auto slope = part.spread([&](long map)
            {
                return scale[map] * inverseOf(spread[map], form, epsilon);
            });
            // Copies stay in registers: the originals, for all the compiler knows, are stored to.
            auto along = [&, x = x, z = z, y = y, adds = adds](auto f) ALWAYS_INLINE
            {
                part.overPieces([&](const auto &piece) ALWAYS_INLINE
                {
                    piece.sum(WORK
                    {
                        Vector v = (load(x + j, lanes) - mu[chain]) * slope[chain] + offset[chain];
                        put(y + j, lanes, f(adds ? v + load(z + j, lanes) : v), streams);
                    });
                });
            };
            withRamp(floor, ceiling, leak, along);
        }); });
    });
}

__global__ void inferFeatures(
    const real *x, const real *z, const accum *scale, const accum *bias,
    const accum *mean, const accum *spread,
    real *y,
    int batch, int maps, int form, int adds,
    accum epsilon, accum floor, accum ceiling, accum leak)
{
    inferMaps(x, z, scale, bias, mean, spread, y, batch, maps, 1, form, adds,
              epsilon, floor, ceiling, leak);
}


static inline accum spreadGradient(accum sumGX, accum scale, accum invStd, int form)
{
    accum ofInverse = scale * sumGX, ofDeviation = -invStd * invStd * ofInverse;
    return form == inverse ? ofInverse : form == deviation ? ofDeviation : ofDeviation * invStd / 2;
}

__global__ void inferBackwardMaps(
    const real *x, const real *grad, const accum *scale, const accum *mean, const accum *spread,
    real *xGrad, accum *scaleGrad, accum *biasGrad, accum *meanGrad, accum *spreadGrad,
    int batch, int maps, int inner, int form, accum epsilon)
{
    choosingGrid(batch, maps, inner, [&](const auto &grid)
    {
        bool streams = isStreamed(grid, xGrad);
        Scratch<Products> products(grid.slabs * grid.slots);

        auto gather = [&](long block, long slab) { grid.over(block, slab, [&](const auto &part)
        {
            auto mu = part.spread([&](long map) { return mean[map]; });
            auto slope = part.spread([&](long map)
            {
                return scale[map] * inverseOf(spread[map], form, epsilon);
            });
            Products *found = &products[slab * grid.slots + part.slot];
            for (int i = 0; i < part.slots; ++i)
                found[i] = {};
            part.overPieces([&, x = x, grad = grad, xGrad = xGrad](const auto &piece) ALWAYS_INLINE
            {
                auto sumG = piece.zeros(), sumGX = sumG;
                piece.sum(WORK
                {
                    Vector g = load(grad + j, lanes);
                    sumG[chain] += g;
                    sumGX[chain] += g * (load(x + j, lanes, mu[chain]) - mu[chain]);
                    put(xGrad + j, lanes, slope[chain] * g, streams);
                });
                for (int i = 0; i < part.slots; ++i)
                    found[i].merge({sumG.slot(i), sumGX.slot(i)});
            });
        }); };

        auto finish = [&](long map)
        {
            Products all = merged(grid, products, map);
            accum invStd = inverseOf(spread[map], form, epsilon);
            scaleGrad[map] = all.gx * invStd;
            biasGrad[map] = all.g;
            meanGrad[map] = -scale[map] * invStd * biasGrad[map];
            spreadGrad[map] = spreadGradient(all.gx, scale[map], invStd, form);
        };

        inPhases(grid, gather, finish, [](long, long) {});
    });
}

__global__ void inferBackwardFeatures(
    const real *x, const real *grad, const accum *scale, const accum *mean, const accum *spread,
    real *xGrad, accum *scaleGrad, accum *biasGrad, accum *meanGrad, accum *spreadGrad,
    int batch, int maps, int form, accum epsilon)
{
    inferBackwardMaps(x, grad, scale, mean, spread, xGrad, scaleGrad, biasGrad, meanGrad,
                      spreadGrad, batch, maps, 1, form, epsilon);
}
