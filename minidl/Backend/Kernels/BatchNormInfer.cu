// Batch normalization with given statistics, of a contiguous (batch, maps, inner) tensor:
//
//     y = f(scale * (x - mean) * invStd + bias + z)
//
// `form` says what `spread` is, and z, f and the two ways to see the tensor are as in BatchNorm.cu.

#define VARIANCE 0   // invStd = 1 / sqrt(spread + epsilon)
#define DEVIATION 1  // invStd = 1 / spread
#define INVERSE 2    // invStd = spread

#define ROWS_OF_PIECE(n, start, batch) \
    COLUMN_ROWS(n, start, (batch) < (start) + 64 ? (batch) : (start) + 64)


__device__ accum inverseOf(accum spread, int form, accum epsilon)
{
    return form == INVERSE ? spread : 1 / (form == DEVIATION ? spread : sqrt(spread + epsilon));
}


// f of BatchNorm.cu.
__device__ accum bent(accum v, accum floor, accum ceiling, accum leak)
{
    accum low = leak == 0 ? floor : leak * v, high = v > ceiling ? ceiling : v;
    return v < floor ? low : high;
}


// `y` may be `x`.
__global__ void inferMaps(
    const real *x, const real *z, const accum *scale, const accum *bias,
    const accum *mean, const accum *spread,
    real *y,
    int batch, int maps, int inner, int form, int adds,
    accum epsilon, accum floor, accum ceiling, accum leak)
{
    int map = blockIdx.x;
    accum mu = mean[map], offset = bias[map];
    accum slope = scale[map] * inverseOf(spread[map], form, epsilon);

    ROW_LOOP(n, i, batch, inner)
    {
        int j = (n * maps + map) * inner + i;
        accum v = fma(x[j] - mu, slope, offset);
        y[j] = bent(adds ? v + z[j] : v, floor, ceiling, leak);
    }
}


__global__ void inferFeatures(
    const real *x, const real *z, const accum *scale, const accum *bias,
    const accum *mean, const accum *spread,
    real *y,
    int batch, int maps, int form, int adds,
    accum epsilon, accum floor, accum ceiling, accum leak)
{
    int first = blockIdx.x * BLOCK_COLUMNS;
    accum mu[LANES], slope[LANES], offset[LANES];
    LANE_LOOP(lane, map, first, maps)
    {
        mu[lane] = mean[map];
        slope[lane] = scale[map] * inverseOf(spread[map], form, epsilon);
        offset[lane] = bias[map];
    }

    COLUMN_ROWS(n, 0, batch)
        LANE_LOOP(lane, map, first, maps)
        {
            int j = n * maps + map;
            accum v = fma(x[j] - mu[lane], slope[lane], offset[lane]);
            y[j] = bent(adds ? v + z[j] : v, floor, ceiling, leak);
        }
}


// Gradients, without z and f:
//
//     dBias = sum(g),    dScale = sum(g * (x - mean)) * invStd,    dx = scale * invStd * g
//     dMean = -scale * invStd * dBias,    dInvStd = scale * sum(g * (x - mean))
//     dDeviation = -scale * invStd * dScale,    dVariance = dDeviation * invStd / 2
__device__ accum spreadGradient(accum sumGX, accum scale, accum invStd, int form)
{
    accum inverse = scale * sumGX, deviation = -invStd * invStd * inverse;
    return form == INVERSE ? inverse : form == DEVIATION ? deviation : deviation * invStd / 2;
}


__global__ void inferBackwardMaps(
    const real *x, const real *grad, const accum *scale, const accum *mean, const accum *spread,
    real *xGrad, accum *scaleGrad, accum *biasGrad, accum *meanGrad, accum *spreadGrad,
    int batch, int maps, int inner, int form, accum epsilon)
{
    int map = blockIdx.x;
    accum mu = mean[map], invStd = inverseOf(spread[map], form, epsilon);
    accum slope = scale[map] * invStd;

    accum sumG = 0, sumGX = 0;
    ROW_LOOP(n, i, batch, inner)
    {
        int j = (n * maps + map) * inner + i;
        sumG += grad[j];
        sumGX += grad[j] * (x[j] - mu);
        xGrad[j] = slope * grad[j];
    }
    sumG = blockSum(sumG);
    sumGX = blockSum(sumGX);

    if (threadIdx.x == 0)
    {
        scaleGrad[map] = sumGX * invStd;
        biasGrad[map] = sumG;
        meanGrad[map] = -slope * sumG;
        spreadGrad[map] = spreadGradient(sumGX, scale[map], invStd, form);
    }
}


__global__ void inferBackwardFeatures(
    const real *x, const real *grad, const accum *scale, const accum *mean, const accum *spread,
    real *xGrad, accum *scaleGrad, accum *biasGrad, accum *meanGrad, accum *spreadGrad,
    int batch, int maps, int form, accum epsilon)
{
    int first = blockIdx.x * BLOCK_COLUMNS;
    accum mu[LANES], invStd[LANES], slope[LANES], sumG[LANES] = {0}, sumGX[LANES] = {0};
    LANE_LOOP(lane, map, first, maps)
    {
        mu[lane] = mean[map];
        invStd[lane] = inverseOf(spread[map], form, epsilon);
        slope[lane] = scale[map] * invStd[lane];
    }

    for (int start = 0; start < batch; start += 64)
    {
        accum sum[LANES] = {0}, sumX[LANES] = {0};
        ROWS_OF_PIECE(n, start, batch)
            LANE_LOOP(lane, map, first, maps)
            {
                int j = n * maps + map;
                accum g = grad[j];
                sum[lane] += g;
                sumX[lane] += g * (x[j] - mu[lane]);
                xGrad[j] = slope[lane] * g;
            }
        LANE_LOOP(lane, map, first, maps)
        {
            sumG[lane] += sum[lane];
            sumGX[lane] += sumX[lane];
        }
    }
    COLUMN_SUMS(sumG)
    COLUMN_SUMS(sumGX)

    LANE_LOOP(lane, map, first, maps)
    {
        scaleGrad[map] = sumGX[lane] * invStd[lane];
        biasGrad[map] = sumG[lane];
        meanGrad[map] = -slope[lane] * sumG[lane];
        spreadGrad[map] = spreadGradient(sumGX[lane], scale[map], invStd[lane], form);
    }
}
