// Local response normalization of a contiguous (batch, maps, height, width) tensor, with windows of
// (windowMaps, windowRows, windowColumns) around each number:
//
//     y = x / s^beta,    s = K + alpha * (sum over the window of x^2)
//
// A window of w numbers around i begins at i - (w - 1) / 2; it is cut off at the edges. One block
// for each map.


__global__ void lrn(
    const real *x,
    real *y, accum *strengths,
    int maps, int height, int width, int windowMaps, int windowRows, int windowColumns,
    accum alpha, accum beta, accum K)
{
    int map = blockIdx.x % maps, sample = blockIdx.x - map;
    int firstMap = map - (windowMaps - 1) / 2, endMap = min(firstMap + windowMaps, maps);

    ROW_LOOP(row, i, height, width)
    {
        int firstRow = row - (windowRows - 1) / 2, endRow = min(firstRow + windowRows, height);
        int first = i - (windowColumns - 1) / 2, end = min(first + windowColumns, width);

        accum sum = 0;
        for (int m = max(firstMap, 0); m < endMap; ++m)
            for (int r = max(firstRow, 0); r < endRow; ++r)
                for (int j = max(first, 0); j < end; ++j)
                {
                    accum v = x[((sample + m) * height + r) * width + j];
                    sum += v * v;
                }

        int at = (blockIdx.x * height + row) * width + i;
        accum strength = K + alpha * sum;
        strengths[at] = strength;
        y[at] = x[at] * exp(-beta * log(strength));
    }
}


// dx = dy / s^beta - 2 alpha beta x (sum of dy y / s over all whose window has x in it)
//
// Those begin at i - w / 2: the mirror image of a window.
__global__ void lrnBackward(
    const real *x, const real *y, const accum *strengths, const real *grad,
    real *xGrad,
    int maps, int height, int width, int windowMaps, int windowRows, int windowColumns,
    accum alpha, accum beta)
{
    int map = blockIdx.x % maps, sample = blockIdx.x - map;
    int firstMap = map - windowMaps / 2, endMap = min(firstMap + windowMaps, maps);

    ROW_LOOP(row, i, height, width)
    {
        int firstRow = row - windowRows / 2, endRow = min(firstRow + windowRows, height);
        int first = i - windowColumns / 2, end = min(first + windowColumns, width);

        accum sum = 0;
        for (int m = max(firstMap, 0); m < endMap; ++m)
            for (int r = max(firstRow, 0); r < endRow; ++r)
                for (int j = max(first, 0); j < end; ++j)
                {
                    int k = ((sample + m) * height + r) * width + j;
                    sum += grad[k] * y[k] / strengths[k];
                }

        int at = (blockIdx.x * height + row) * width + i;
        xGrad[at] = grad[at] * exp(-beta * log(strengths[at])) - 2 * alpha * beta * x[at] * sum;
    }
}
