// SoftMax over the middle axis of a contiguous (batch, maps, inner) tensor, one block for each of
// the batch:
//
//     y_c = exp(x_c - max) / sum over k of exp(x_k - max),    max taken over the maps
//
// A thread has columns of `inner` to itself; for inner = 1 the maps are one contiguous row, shared
// by the block.


__global__ void softMaxRows(const real *x, real *y, int maps)
{
    x += (long long)blockIdx.x * maps;
    y += (long long)blockIdx.x * maps;

    accum most = x[0];
    BLOCK_LOOP(c, maps)
        most = x[c] > most ? (accum)x[c] : most;
    most = blockMax(most);

    accum sum = 0;
    BLOCK_LOOP(c, maps)
    {
        accum e = exp((accum)x[c] - most);
        y[c] = e;
        sum += e;
    }
    accum inverse = 1 / blockSum(sum);

    BLOCK_LOOP(c, maps)
        y[c] = y[c] * inverse;
}


// dx_c = y_c (g_c - sum over k of g_k y_k)
__global__ void softMaxRowsBackward(const real *y, const real *grad, real *xGrad, int maps)
{
    y += (long long)blockIdx.x * maps;
    grad += (long long)blockIdx.x * maps;
    xGrad += (long long)blockIdx.x * maps;

    accum sum = 0;
    BLOCK_LOOP(c, maps)
        sum += (accum)grad[c] * y[c];
    sum = blockSum(sum);

    BLOCK_LOOP(c, maps)
        xGrad[c] = y[c] * (grad[c] - sum);
}


__global__ void softMaxColumns(const real *x, real *y, int maps, int inner)
{
    x += (long long)blockIdx.x * maps * inner;
    y += (long long)blockIdx.x * maps * inner;

    BLOCK_LOOP(i, inner)
    {
        accum most = x[i], sum = 0;
        for (int c = 1; c < maps; ++c)
            most = x[c * inner + i] > most ? (accum)x[c * inner + i] : most;
        for (int c = 0; c < maps; ++c)
            sum += exp((accum)x[c * inner + i] - most);
        for (int c = 0; c < maps; ++c)
            y[c * inner + i] = exp((accum)x[c * inner + i] - most) / sum;
    }
}


__global__ void softMaxColumnsBackward(
    const real *y, const real *grad, real *xGrad, int maps, int inner)
{
    y += (long long)blockIdx.x * maps * inner;
    grad += (long long)blockIdx.x * maps * inner;
    xGrad += (long long)blockIdx.x * maps * inner;

    BLOCK_LOOP(i, inner)
    {
        accum sum = 0;
        for (int c = 0; c < maps; ++c)
            sum += (accum)grad[c * inner + i] * y[c * inner + i];
        for (int c = 0; c < maps; ++c)
            xGrad[c * inner + i] = y[c * inner + i] * (grad[c * inner + i] - sum);
    }
}
