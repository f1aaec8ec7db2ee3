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
    for (int n = (start); n < (batch) && n < (start) + 64; ++n)


__device__ accum finiteOrZero(accum value) { return value - value == 0 ? value : 0; }


// Moves the running statistics towards those of the batch, the variance to its unbiased estimate.
__device__ void follow(
    accum &mean, accum &var, accum batchMean, accum squares, int count, accum factor)
{
    mean += factor * (batchMean - mean);
    var += factor * (squares / (count > 1 ? count - 1 : 1) - var);
}


__global__ void trainMaps(
    const real *x, const accum *scale, const accum *bias,
    real *y, accum *batchMean, accum *batchInvStd, accum *mean, accum *var,
    int batch, int maps, int inner, accum epsilon, accum factor)
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
        follow(mean[map], var[map], mu, squares, count, factor);
    }
}


__global__ void trainFeatures(
    const real *x, const accum *scale, const accum *bias,
    real *y, accum *batchMean, accum *batchInvStd, accum *mean, accum *var,
    int batch, int maps, accum epsilon, accum factor)
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

    LANE_LOOP(lane, map, first, maps)
    {
        squares[lane] -= differences[lane] * differences[lane] / batch;
        mu[lane] += finiteOrZero(differences[lane] / batch);

        accum invStd = 1 / sqrt(squares[lane] / batch + epsilon);
        slope[lane] = scale[map] * invStd;
        offset[lane] = bias[map];

        batchMean[map] = mu[lane];
        batchInvStd[map] = invStd;
        follow(mean[map], var[map], mu[lane], squares[lane], batch, factor);
    }

    for (int n = 0; n < batch; ++n)
        LANE_LOOP(lane, map, first, maps)
            y[n * maps + map] = (x[n * maps + map] - mu[lane]) * slope[lane] + offset[lane];
}


// Normalizes with the running statistics; `y` may be `x`.
__global__ void inferMaps(
    const real *x, const accum *scale, const accum *bias, const accum *mean, const accum *var,
    real *y,
    int batch, int maps, int inner, accum epsilon)
{
    int map = blockIdx.x;
    accum mu = mean[map], slope = scale[map] / sqrt(var[map] + epsilon), offset = bias[map];

    ROW_LOOP(n, i, batch, inner)
        y[(n * maps + map) * inner + i] = (x[(n * maps + map) * inner + i] - mu) * slope + offset;
}


__global__ void inferFeatures(
    const real *x, const accum *scale, const accum *bias, const accum *mean, const accum *var,
    real *y,
    int batch, int maps, accum epsilon)
{
    int first = blockIdx.x * BLOCK_COLUMNS;
    accum mu[LANES], slope[LANES], offset[LANES];
    LANE_LOOP(lane, map, first, maps)
    {
        mu[lane] = mean[map];
        slope[lane] = scale[map] / sqrt(var[map] + epsilon);
        offset[lane] = bias[map];
    }

    for (int n = 0; n < batch; ++n)
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

    LANE_LOOP(lane, map, first, maps)
    {
        accum invStd = batchInvStd[map], scaled = sumGX[lane] * invStd;
        slope[lane] = scale[map] * invStd;
        meanG[lane] = sumG[lane] / batch;
        tilt[lane] = invStd * scaled / batch;
        scaleGrad[map] = scaled;
        biasGrad[map] = sumG[lane];
    }

    for (int n = 0; n < batch; ++n)
        LANE_LOOP(lane, map, first, maps)
        {
            int j = n * maps + map;
            xGrad[j] = slope[lane] * (grad[j] - meanG[lane] - (x[j] - mu[lane]) * tilt[lane]);
        }
}


// Gradients of inference: the running statistics are constants, so dx = scale * g / sqrt(var +
// epsilon).
__global__ void inferBackwardMaps(
    const real *x, const real *grad, const accum *scale, const accum *mean, const accum *var,
    real *xGrad, accum *scaleGrad, accum *biasGrad,
    int batch, int maps, int inner, accum epsilon)
{
    int map = blockIdx.x;
    accum mu = mean[map], invStd = 1 / sqrt(var[map] + epsilon), slope = scale[map] * invStd;

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
    }
}
