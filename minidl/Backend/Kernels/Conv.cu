// Convolutions as matrix products, an image at a time: the numbers that meet the same element of
// the filters make a row of `columns`, a matrix of (ins, depth, height, width of the window) rows
// and (depth, height, width of places) columns. For each axis
//
//     columns[tap t, place p] = x[p * stride + t * dilation - pad], or 0 outside of x
//
// `x` is (ins, size0, size1, size2), all sizes of space are three.


// One block for each row of `columns`.
__global__ void gatherColumns(
    const real *x,
    real *columns,
    int size0, int size1, int size2, int window0, int window1, int window2,
    int places0, int places1, int places2, int stride0, int stride1, int stride2,
    int pad0, int pad1, int pad2, int dilation0, int dilation1, int dilation2)
{
    int row = blockIdx.x, in = row / (window0 * window1 * window2);
    int start0 = row / (window1 * window2) % window0 * dilation0 - pad0;
    int start1 = row / window2 % window1 * dilation1 - pad1;
    int start2 = row % window2 * dilation2 - pad2;

    ROW_LOOP(line, p2, places0 * places1, places2)
    {
        int i0 = line / places1 * stride0 + start0, i1 = line % places1 * stride1 + start1;
        int i2 = p2 * stride2 + start2;
        bool isInside = i0 >= 0 && i0 < size0 && i1 >= 0 && i1 < size1 && i2 >= 0 && i2 < size2;
        columns[(row * places0 * places1 + line) * places2 + p2]
            = isInside ? (accum)x[((in * size0 + i0) * size1 + i1) * size2 + i2] : (accum)0;
    }
}


// The way back: each number of x gets the sum of what is where it went to. One block for each map.
__global__ void scatterColumns(
    const real *columns,
    real *x,
    int size0, int size1, int size2, int window0, int window1, int window2,
    int places0, int places1, int places2, int stride0, int stride1, int stride2,
    int pad0, int pad1, int pad2, int dilation0, int dilation1, int dilation2)
{
    int in = blockIdx.x;

    ROW_LOOP(line, i2, size0 * size1, size2)
    {
        accum sum = 0;
        for (int t0 = 0; t0 < window0; ++t0)
            for (int t1 = 0; t1 < window1; ++t1)
                for (int t2 = 0; t2 < window2; ++t2)
                {
                    int from0 = line / size1 + pad0 - t0 * dilation0, p0 = from0 / stride0;
                    int from1 = line % size1 + pad1 - t1 * dilation1, p1 = from1 / stride1;
                    int from2 = i2 + pad2 - t2 * dilation2, p2 = from2 / stride2;
                    bool isPlace = from0 >= 0 && from1 >= 0 && from2 >= 0
                        && p0 * stride0 == from0 && p1 * stride1 == from1 && p2 * stride2 == from2
                        && p0 < places0 && p1 < places1 && p2 < places2;
                    int row = ((in * window0 + t0) * window1 + t1) * window2 + t2;
                    if (isPlace)
                        sum += columns[((row * places0 + p0) * places1 + p1) * places2 + p2];
                }
        x[(in * size0 * size1 + line) * size2 + i2] = sum;
    }
}


// y += bias, for a (batch, maps, inner) tensor; one block for each map.
__global__ void addBias(const real *bias, real *y, int batch, int maps, int inner)
{
    int map = blockIdx.x;
    ROW_LOOP(n, i, batch, inner)
        y[(n * maps + map) * inner + i] += (accum)bias[map];
}


// sums = alpha (sum over batch and inner of x) + beta sums; one block for each map.
__global__ void sumMaps(
    const real *x,
    real *sums,
    int batch, int maps, int inner, accum alpha, accum beta)
{
    int map = blockIdx.x;
    accum sum = 0;
    for (int n = 0; n < batch; ++n)
    {
        accum part = 0;
        BLOCK_LOOP(i, inner)
            part += x[(n * maps + map) * inner + i];
        sum += part;
    }
    sum = blockSum(sum);
    if (threadIdx.x == 0)
        sums[map] = alpha * sum + (beta == 0 ? 0 : beta * (accum)sums[map]);
}
