// Local contrast normalization of maps of (height, width), with windows of size x size around each
// number, for odd sizes, cut off at the edges:
//
//     y = x / s^beta,    s = K + alpha * (sum over the window of (x_j - mean)^2)
//
// One block for each map.


// For backward, pivots = mean + (sum over the window of x_j - mean) / size^2. That sum is zero but
// where the mean counts zeros beyond the edges, size^2 places in all.
__global__ void lcn(
    const real *x, const real *means,
    real *y, accum *strengths, accum *pivots,
    int height, int width, int size, accum alpha, accum beta, accum K)
{
    int half = size / 2;
    ROW_LOOP(row, i, height, width)
    {
        int at = (blockIdx.x * height + row) * width + i;
        accum mean = means[at], sum = 0, squares = 0;
        for (int r = max(row - half, 0); r < min(row + half + 1, height); ++r)
            for (int j = max(i - half, 0); j < min(i + half + 1, width); ++j)
            {
                accum d = x[(blockIdx.x * height + r) * width + j] - mean;
                sum += d;
                squares += d * d;
            }

        accum strength = K + alpha * squares;
        y[at] = x[at] * exp(-beta * log(strength));
        strengths[at] = strength;
        pivots[at] = mean + sum / ((accum)size * size);
    }
}


// dx = dy / s^beta - 2 alpha beta (sum over the window of dy_c y_c / s_c (x - pivot_c))
//
// The strength s_c changes with x by 2 alpha (x - mean_c), and with mean_c, a mean over as many
// places as its window counts, by -2 alpha (sum over its window of x_j - mean_c).
__global__ void lcnBackward(
    const real *x, const real *y, const accum *strengths, const accum *pivots, const real *grad,
    real *xGrad,
    int height, int width, int size, accum alpha, accum beta)
{
    int half = size / 2;
    ROW_LOOP(row, i, height, width)
    {
        int at = (blockIdx.x * height + row) * width + i;
        accum v = x[at], sum = 0;
        for (int r = max(row - half, 0); r < min(row + half + 1, height); ++r)
            for (int j = max(i - half, 0); j < min(i + half + 1, width); ++j)
            {
                int c = (blockIdx.x * height + r) * width + j;
                sum += grad[c] * y[c] / strengths[c] * (v - pivots[c]);
            }

        xGrad[at] = grad[at] * exp(-beta * log(strengths[at])) - 2 * alpha * beta * sum;
    }
}
