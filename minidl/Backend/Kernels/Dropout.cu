// Dropout: an element lives if its random number is below `partition`, and is scaled by 1 / (1 - p)
// then, so that the expected value stays. Backward is the same map, of the gradient. `y` may be
// `x`.
__global__ void dropout(
    const real *x, const unsigned *rands, real *y, int size, unsigned partition, accum scale)
{
    GRID_LOOP(i, size)
        y[i] = rands[i] < partition ? scale * x[i] : 0;
}


// The same with a random number for each map of `inner` elements; one block for each map.
__global__ void dropMaps(
    const real *x, const unsigned *rands, real *y, int inner, unsigned partition, accum scale)
{
    bool isKept = rands[blockIdx.x] < partition;
    x += blockIdx.x * inner;
    y += blockIdx.x * inner;
    BLOCK_LOOP(i, inner)
        y[i] = isKept ? scale * x[i] : 0;
}
