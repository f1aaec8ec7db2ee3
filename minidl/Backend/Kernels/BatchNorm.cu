// Batch normalization of a contiguous (batch, maps, inner) tensor, and what may follow it:
//
//     y = f(scale * xHat + bias + z),   xHat = (x - mean) * invStd,   invStd = 1 / sqrt(var + eps)
//
// z, a tensor like x, counts where `adds`, and may else be anything. f is nothing, relu, leaky relu
// or clip, by three numbers: see `bent`.
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


// Moves the running statistics towards those of the batch; a factor of 1 replaces them to the last
// bit, with 0 they stay. `freedom` is what the sum of squares is divided by, count - 1 for the
// unbiased variance; with 0, invStd takes the variance's place.
__device__ void follow(
    accum &mean, accum &var,
    accum batchMean, accum squares, accum invStd, int freedom, accum factor)
{
    if (factor == 0)
        return;
    mean = (1 - factor) * mean + factor * batchMean;
    var = (1 - factor) * var + factor * (freedom == 0 ? invStd : squares / freedom);
}


// f(v): `floor` (or leak v, unless leak is 0) below floor, `ceiling` above ceiling, else v.
// Infinite bounds let all pass; NaN stays NaN.
__device__ accum bent(accum v, accum floor, accum ceiling, accum leak)
{
    accum low = leak == 0 ? floor : leak * v, high = v > ceiling ? ceiling : v;
    return v < floor ? low : high;
}

// f'(v) g, which is leak g at the floor and 0 at a ceiling that is finite.
__device__ accum bentBack(accum v, accum g, accum floor, accum ceiling, accum leak)
{
    accum low = leak == 0 ? 0 : leak * g, high = v >= ceiling && ceiling - ceiling == 0 ? 0 : g;
    return v > floor ? high : low;
}


__global__ void trainMaps(
    const real *x, const real *z, const accum *scale, const accum *bias,
    real *y, accum *batchMean, accum *batchInvStd, accum *mean, accum *var,
    int batch, int maps, int inner, int freedom, int adds,
    accum epsilon, accum factor, accum floor, accum ceiling, accum leak)
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
    {
        int j = (n * maps + map) * inner + i;
        accum v = fma(x[j] - mu, slope, offset);
        y[j] = bent(adds ? v + z[j] : v, floor, ceiling, leak);
    }

    if (threadIdx.x == 0)
    {
        batchMean[map] = mu;
        batchInvStd[map] = invStd;
        follow(mean[map], var[map], mu, squares, invStd, freedom, factor);
    }
}


__global__ void trainFeatures(
    const real *x, const real *z, const accum *scale, const accum *bias,
    real *y, accum *batchMean, accum *batchInvStd, accum *mean, accum *var,
    int batch, int maps, int freedom, int adds,
    accum epsilon, accum factor, accum floor, accum ceiling, accum leak)
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
            follow(mean[map], var[map], mu[lane], squares[lane], invStd, freedom, factor);
    }

    COLUMN_ROWS(n, 0, batch)
        LANE_LOOP(lane, map, first, maps)
        {
            int j = n * maps + map;
            accum v = fma(x[j] - mu[lane], slope[lane], offset[lane]);
            y[j] = bent(adds ? v + z[j] : v, floor, ceiling, leak);
        }
}


// Gradients of the training pass. With g = f' dL/dy and <.> the average over a map:
//
//     dBias = sum(g),    dScale = sum(g * xHat),    dz = g
//     dx = scale * invStd * (g - <g> - xHat * <g * xHat>)
//
// f' is found from y where z was added, for which zGrad gets g; else from what stood before f,
// computed anew, so that nobody has to keep it. Then y and zGrad may be anything.
__global__ void backwardMaps(
    const real *x, const real *y, const real *grad, const accum *scale, const accum *bias,
    const accum *batchMean, const accum *batchInvStd,
    real *xGrad, real *zGrad, accum *scaleGrad, accum *biasGrad,
    int batch, int maps, int inner, int adds, accum floor, accum ceiling, accum leak)
{
    int map = blockIdx.x, count = batch * inner;
    accum mu = batchMean[map], invStd = batchInvStd[map];
    accum slope = scale[map] * invStd, offset = bias[map];

    accum sumG = 0, sumGX = 0;
    ROW_LOOP(n, i, batch, inner)
    {
        int j = (n * maps + map) * inner + i;
        accum v = adds ? (accum)y[j] : fma(x[j] - mu, slope, offset);
        accum g = bentBack(v, grad[j], floor, ceiling, leak);
        sumG += g;
        sumGX += g * (x[j] - mu);
    }
    sumG = blockSum(sumG);
    sumGX = blockSum(sumGX) * invStd;

    accum meanG = sumG / count, tilt = invStd * sumGX / count;
    ROW_LOOP(n, i, batch, inner)
    {
        int j = (n * maps + map) * inner + i;
        accum v = adds ? (accum)y[j] : fma(x[j] - mu, slope, offset);
        accum g = bentBack(v, grad[j], floor, ceiling, leak);
        xGrad[j] = slope * (g - meanG - (x[j] - mu) * tilt);
        if (adds)
            zGrad[j] = g;
    }

    if (threadIdx.x == 0)
    {
        scaleGrad[map] = sumGX;
        biasGrad[map] = sumG;
    }
}


__global__ void backwardFeatures(
    const real *x, const real *y, const real *grad, const accum *scale, const accum *bias,
    const accum *batchMean, const accum *batchInvStd,
    real *xGrad, real *zGrad, accum *scaleGrad, accum *biasGrad,
    int batch, int maps, int adds, accum floor, accum ceiling, accum leak)
{
    int first = blockIdx.x * BLOCK_COLUMNS;
    accum mu[LANES], slope[LANES], offset[LANES], meanG[LANES], tilt[LANES];
    accum sumG[LANES] = {0}, sumGX[LANES] = {0};
    LANE_LOOP(lane, map, first, maps)
    {
        mu[lane] = batchMean[map];
        slope[lane] = scale[map] * batchInvStd[map];
        offset[lane] = bias[map];
    }

    PIECE_LOOP(start, batch)
    {
        accum sum[LANES] = {0}, sumX[LANES] = {0};
        ROWS_OF_PIECE(n, start, batch)
            LANE_LOOP(lane, map, first, maps)
            {
                int j = n * maps + map;
                accum v = adds ? (accum)y[j] : fma(x[j] - mu[lane], slope[lane], offset[lane]);
                accum g = bentBack(v, grad[j], floor, ceiling, leak);
                sum[lane] += g;
                sumX[lane] += g * (x[j] - mu[lane]);
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
        meanG[lane] = sumG[lane] / batch;
        tilt[lane] = invStd * scaled / batch;
        scaleGrad[map] = scaled;
        biasGrad[map] = sumG[lane];
    }

    COLUMN_ROWS(n, 0, batch)
        LANE_LOOP(lane, map, first, maps)
        {
            int j = n * maps + map;
            accum v = adds ? (accum)y[j] : fma(x[j] - mu[lane], slope[lane], offset[lane]);
            accum g = bentBack(v, grad[j], floor, ceiling, leak);
            xGrad[j] = slope[lane] * (g - meanG[lane] - (x[j] - mu[lane]) * tilt[lane]);
            if (adds)
                zGrad[j] = g;
        }
}
