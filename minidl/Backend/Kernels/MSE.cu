// Mean squared error, one block for each row of `length` neighbours:
//
//     error = sum of (target - pred)^2 / (2 batch length)
//     grad = (target - pred) / (batch length)
//
// The gradient is the ascent direction. `errors` has the sum of each row, divided by 2 length.
__global__ void meanSquares(
    const real *pred, const real *target, real *grad, accum *errors, int batch, int length)
{
    accum share = 1 / ((accum)batch * length), squares = 0;
    long long row = (long long)blockIdx.x * length;
    BLOCK_LOOP(i, length)
    {
        accum d = target[row + i] - pred[row + i];
        grad[row + i] = d * share;
        squares += d * d;
    }
    squares = blockSum(squares);

    if (threadIdx.x == 0)
        errors[blockIdx.x] = squares / (2 * (accum)length);
}
