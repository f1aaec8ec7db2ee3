// Dropout: an element lives if its random number is below `partition`, and is scaled by 1 / (1 - p)
// then, so that the expected value stays. Backward is the same map, of the gradient. `y` may be
// `x`.
__global__ void dropout(
    const real *x, const unsigned *rands, real *y, int size, unsigned partition, accum scale)
{
    GRID_LOOP(i, size)
        y[i] = rands[i] < partition ? scale * x[i] : 0;
}
