// The mean over the `inner` neighbours that make a plane; one block for each plane.


// y = mean(x)
__global__ void planeMeans(const real *x, real *y, int inner)
{
    x += blockIdx.x * inner;
    accum sum = 0;
    BLOCK_LOOP(i, inner)
        sum += x[i];
    sum = blockSum(sum);

    if (threadIdx.x == 0)
        y[blockIdx.x] = sum / inner;
}


// dx = dy / inner
__global__ void planeMeansBackward(const real *grad, real *xGrad, int inner)
{
    accum share = grad[blockIdx.x] / (accum)inner;
    xGrad += blockIdx.x * inner;
    BLOCK_LOOP(i, inner)
        xGrad[i] = share;
}
