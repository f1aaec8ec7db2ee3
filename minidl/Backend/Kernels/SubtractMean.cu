// Means over windows of size x size around each number of a map, for odd sizes. Places beyond the
// edges count as zeros with includePad, else not at all. One block for each map.


// How many places of a line of `length` numbers the window around i has.
__device__ int spanOf(int i, int size, int length, int includePad)
{
    return includePad ? size : min(i + size / 2 + 1, length) - max(i - size / 2, 0);
}


__global__ void localMeans(
    const real *x,
    real *means,
    int height, int width, int size, int includePad)
{
    int half = size / 2;
    ROW_LOOP(row, i, height, width)
    {
        accum sum = 0;
        for (int r = max(row - half, 0); r < min(row + half + 1, height); ++r)
            for (int j = max(i - half, 0); j < min(i + half + 1, width); ++j)
                sum += x[(blockIdx.x * height + r) * width + j];

        int rows = spanOf(row, size, height, includePad);
        int columns = spanOf(i, size, width, includePad);
        means[(blockIdx.x * height + row) * width + i] = sum / ((accum)rows * columns);
    }
}


// y = x - means, so dx = dy - (sum over the window of dy, each divided by its own window's number)
__global__ void subtractMeanBackward(
    const real *grad,
    real *xGrad,
    int height, int width, int size, int includePad)
{
    int half = size / 2;
    ROW_LOOP(row, i, height, width)
    {
        accum sum = 0;
        for (int r = max(row - half, 0); r < min(row + half + 1, height); ++r)
        {
            accum part = 0;
            for (int j = max(i - half, 0); j < min(i + half + 1, width); ++j)
                part += grad[(blockIdx.x * height + r) * width + j]
                    / (accum)spanOf(j, size, width, includePad);
            sum += part / spanOf(r, size, height, includePad);
        }

        int at = (blockIdx.x * height + row) * width + i;
        xGrad[at] = grad[at] - sum;
    }
}
