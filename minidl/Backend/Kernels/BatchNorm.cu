// Batch normalization of a contiguous (batch, maps, inner) tensor:
//
//     y = scale * xHat + bias,    xHat = (x - mean) * invStd,    invStd = 1 / sqrt(var + epsilon)
//
// Kernels named Maps take one block for each map, whose count = batch * inner values lie in `batch`
// rows of `inner` neighbours. Kernels named Features are for inner = 1, where the maps are
// neighbours: a block takes BLOCK_COLUMNS of them and sweeps over the batch.
//
// The sum of squares is taken around the mean: E[x^2] - E[x]^2 would cancel when the mean is large.
// The mean is that of the differences from a number nearby, so that its error has the size of the
// differences, not of the numbers. What it still misses shows in the sum of the differences from
// it, and is put right from that.


// The Features kernels sum the rows of a piece first, then the pieces: the rounding errors of one
// long sum would add up.
#define PIECE_LOOP(start, batch) for (int start = 0; start < (batch); start += 64)
#define ROWS_OF_PIECE(n, start, batch) \
    COLUMN_ROWS(n, start, (batch) < (start) + 64 ? (batch) : (start) + 64)


__device__ accum finiteOrZero(accum value) { return value - value == 0 ? value : 0; }


// Moves the running statistics towards those of the batch. A factor of 1 replaces them to the last
// bit; `freedom` is what the sum of squares is divided by, count - 1 for the unbiased variance.
__device__ void follow(
    accum &mean, accum &var, accum batchMean, accum squares, int freedom, accum factor)
{
    mean = (1 - factor) * mean + factor * batchMean;
    var = (1 - factor) * var + factor * (squares / freedom);
}


// What x - mean is divided by: `spread` is the variance or, if isStd, the deviation itself.
__device__ accum deviation(accum spread, accum epsilon, int isStd)
{
    return isStd ? spread : sqrt(spread + epsilon);
}


__global__ void trainMaps(
    const real *x, const accum *scale, const accum *bias,
    real *y, accum *batchMean, accum *batchInvStd, accum *mean, accum *var,
    int batch, int maps, int inner, int freedom, accum epsilon, accum factor)
{
    int map = blockIdx.x, count = batch * inner;

    accum near = finiteOrZero(x[map * inner]), sum = 0;
    ROW_LOOP(n, i, batch, inner)
        sum += x[(n * maps + map) * inner + i] - near;
    accum mu = near + blockSum(sum) / count;

    accum differences = 0, squares = 0;
    ROW_LOOP(n, i, batch, inner)
    {
        accum d = x[(n * maps + map) * inner + i] - mu;
        differences += d;
        squares += d * d;
    }
    differences = blockSum(differences);
    squares = blockSum(squares) - differences * differences / count;
    mu += finiteOrZero(differences / count);

    accum invStd = 1 / sqrt(squares / count + epsilon);
    accum slope = scale[map] * invStd, offset = bias[map];
    ROW_LOOP(n, i, batch, inner)
        y[(n * maps + map) * inner + i] = (x[(n * maps + map) * inner + i] - mu) * slope + offset;

    if (threadIdx.x == 0)
    {
        batchMean[map] = mu;
        batchInvStd[map] = invStd;
        follow(mean[map], var[map], mu, squares, freedom, factor);
    }
}


__global__ void trainFeatures(
    const real *x, const accum *scale, const accum *bias,
    real *y, accum *batchMean, accum *batchInvStd, accum *mean, accum *var,
    int batch, int maps, int freedom, accum epsilon, accum factor)
{
    int first = blockIdx.x * BLOCK_COLUMNS;
    accum near[LANES], mu[LANES] = {0}, differences[LANES] = {0}, squares[LANES] = {0};
    accum slope[LANES], offset[LANES];
    LANE_LOOP(lane, map, first, maps)
        near[lane] = finiteOrZero(x[map]);

    PIECE_LOOP(start, batch)
    {
        accum sum[LANES] = {0};
        ROWS_OF_PIECE(n, start, batch)
            LANE_LOOP(lane, map, first, maps)
                sum[lane] += x[n * maps + map] - near[lane];
        LANE_LOOP(lane, map, first, maps)
            mu[lane] += sum[lane];
    }
    COLUMN_SUMS(mu)
    LANE_LOOP(lane, map, first, maps)
        mu[lane] = near[lane] + mu[lane] / batch;

    PIECE_LOOP(start, batch)
    {
        accum sum[LANES] = {0}, sumOfSquares[LANES] = {0};
        ROWS_OF_PIECE(n, start, batch)
            LANE_LOOP(lane, map, first, maps)
            {
                accum d = x[n * maps + map] - mu[lane];
                sum[lane] += d;
                sumOfSquares[lane] += d * d;
            }
        LANE_LOOP(lane, map, first, maps)
        {
            differences[lane] += sum[lane];
            squares[lane] += sumOfSquares[lane];
        }
    }
    COLUMN_SUMS(differences)
    COLUMN_SUMS(squares)

    LANE_LOOP(lane, map, first, maps)
    {
        squares[lane] -= differences[lane] * differences[lane] / batch;
        mu[lane] += finiteOrZero(differences[lane] / batch);

        accum invStd = 1 / sqrt(squares[lane] / batch + epsilon);
        slope[lane] = scale[map] * invStd;
        offset[lane] = bias[map];

        batchMean[map] = mu[lane];
        batchInvStd[map] = invStd;
        ONCE_A_COLUMN
            follow(mean[map], var[map], mu[lane], squares[lane], freedom, factor);
    }

    COLUMN_ROWS(n, 0, batch)
        LANE_LOOP(lane, map, first, maps)
            y[n * maps + map] = (x[n * maps + map] - mu[lane]) * slope[lane] + offset[lane];
}


// Normalizes with given statistics; `y` may be `x`.
__global__ void inferMaps(
    const real *x, const accum *scale, const accum *bias, const accum *mean, const accum *spread,
    real *y,
    int batch, int maps, int inner, int isStd, accum epsilon)
{
    int map = blockIdx.x;
    accum mu = mean[map], offset = bias[map];
    accum slope = scale[map] / deviation(spread[map], epsilon, isStd);

    ROW_LOOP(n, i, batch, inner)
        y[(n * maps + map) * inner + i] = (x[(n * maps + map) * inner + i] - mu) * slope + offset;
}


__global__ void inferFeatures(
    const real *x, const accum *scale, const accum *bias, const accum *mean, const accum *spread,
    real *y,
    int batch, int maps, int isStd, accum epsilon)
{
    int first = blockIdx.x * BLOCK_COLUMNS;
    accum mu[LANES], slope[LANES], offset[LANES];
    LANE_LOOP(lane, map, first, maps)
    {
        mu[lane] = mean[map];
        slope[lane] = scale[map] / deviation(spread[map], epsilon, isStd);
        offset[lane] = bias[map];
    }

    COLUMN_ROWS(n, 0, batch)
        LANE_LOOP(lane, map, first, maps)
            y[n * maps + map] = (x[n * maps + map] - mu[lane]) * slope[lane] + offset[lane];
}


// Gradients of the training pass. With g = dL/dy and <.> the average over a map:
//
//     dBias = sum(g),    dScale = sum(g * xHat)
//     dx = scale * invStd * (g - <g> - xHat * <g * xHat>)
__global__ void backwardMaps(
    const real *x, const real *grad, const accum *scale,
    const accum *batchMean, const accum *batchInvStd,
    real *xGrad, accum *scaleGrad, accum *biasGrad,
    int batch, int maps, int inner)
{
    int map = blockIdx.x, count = batch * inner;
    accum mu = batchMean[map], invStd = batchInvStd[map];

    accum sumG = 0, sumGX = 0;
    ROW_LOOP(n, i, batch, inner)
    {
        int j = (n * maps + map) * inner + i;
        sumG += grad[j];
        sumGX += grad[j] * (x[j] - mu);
    }
    sumG = blockSum(sumG);
    sumGX = blockSum(sumGX) * invStd;

    accum slope = scale[map] * invStd, meanG = sumG / count, tilt = invStd * sumGX / count;
    ROW_LOOP(n, i, batch, inner)
    {
        int j = (n * maps + map) * inner + i;
        xGrad[j] = slope * (grad[j] - meanG - (x[j] - mu) * tilt);
    }

    if (threadIdx.x == 0)
    {
        scaleGrad[map] = sumGX;
        biasGrad[map] = sumG;
    }
}


__global__ void backwardFeatures(
    const real *x, const real *grad, const accum *scale,
    const accum *batchMean, const accum *batchInvStd,
    real *xGrad, accum *scaleGrad, accum *biasGrad,
    int batch, int maps)
{
    int first = blockIdx.x * BLOCK_COLUMNS;
    accum mu[LANES], sumG[LANES] = {0}, sumGX[LANES] = {0}, slope[LANES], meanG[LANES], tilt[LANES];
    LANE_LOOP(lane, map, first, maps)
        mu[lane] = batchMean[map];

    PIECE_LOOP(start, batch)
    {
        accum sum[LANES] = {0}, sumX[LANES] = {0};
        ROWS_OF_PIECE(n, start, batch)
            LANE_LOOP(lane, map, first, maps)
            {
                accum g = grad[n * maps + map];
                sum[lane] += g;
                sumX[lane] += g * (x[n * maps + map] - mu[lane]);
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
        accum invStd = batchInvStd[map], scaled = sumGX[lane] * invStd;
        slope[lane] = scale[map] * invStd;
        meanG[lane] = sumG[lane] / batch;
        tilt[lane] = invStd * scaled / batch;
        scaleGrad[map] = scaled;
        biasGrad[map] = sumG[lane];
    }

    COLUMN_ROWS(n, 0, batch)
        LANE_LOOP(lane, map, first, maps)
        {
            int j = n * maps + map;
            xGrad[j] = slope[lane] * (grad[j] - meanG[lane] - (x[j] - mu[lane]) * tilt[lane]);
        }
}


// Gradients of inference, where the statistics are given. With d = deviation(spread):
//
//     dBias = sum(g),    dScale = sum(g * (x - mean)) / d,    dx = scale / d * g
//     dMean = -scale / d * dBias,    dDeviation = -scale / d * dScale,    dVar = dDeviation / (2 d)
__device__ accum spreadGradient(accum deviationGrad, accum invStd, int isStd)
{
    return isStd ? deviationGrad : deviationGrad * invStd / 2;
}


__global__ void inferBackwardMaps(
    const real *x, const real *grad, const accum *scale, const accum *mean, const accum *spread,
    real *xGrad, accum *scaleGrad, accum *biasGrad, accum *meanGrad, accum *spreadGrad,
    int batch, int maps, int inner, int isStd, accum epsilon)
{
    int map = blockIdx.x;
    accum mu = mean[map], invStd = 1 / deviation(spread[map], epsilon, isStd);
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
    sumGX = blockSum(sumGX) * invStd;

    if (threadIdx.x == 0)
    {
        scaleGrad[map] = sumGX;
        biasGrad[map] = sumG;
        meanGrad[map] = -slope * sumG;
        spreadGrad[map] = spreadGradient(-slope * sumGX, invStd, isStd);
    }
}


__global__ void inferBackwardFeatures(
    const real *x, const real *grad, const accum *scale, const accum *mean, const accum *spread,
    real *xGrad, accum *scaleGrad, accum *biasGrad, accum *meanGrad, accum *spreadGrad,
    int batch, int maps, int isStd, accum epsilon)
{
    int first = blockIdx.x * BLOCK_COLUMNS;
    accum mu[LANES], invStd[LANES], slope[LANES], sumG[LANES] = {0}, sumGX[LANES] = {0};
    LANE_LOOP(lane, map, first, maps)
    {
        mu[lane] = mean[map];
        invStd[lane] = 1 / deviation(spread[map], epsilon, isStd);
        slope[lane] = scale[map] * invStd[lane];
    }

    PIECE_LOOP(start, batch)
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
        accum scaled = sumGX[lane] * invStd[lane];
        scaleGrad[map] = scaled;
        biasGrad[map] = sumG[lane];
        meanGrad[map] = -slope[lane] * sumG[lane];
        spreadGrad[map] = spreadGradient(-slope[lane] * scaled, invStd[lane], isStd);
    }
}
