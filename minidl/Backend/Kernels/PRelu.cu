// A ramp of two slopes, for a contiguous (batch, maps, inner) tensor of batch * maps rows:
//
//     y = x where x > 0, else slope x
//
// There is a slope for each map, or one for all: row r has slopes[r % count].


// A block takes `share` rows.
__global__ void preluForward(
    const real *x, const real *slopes, real *y, int rows, int inner, int count, int share)
{
    int first = blockIdx.x * share, left = rows - first;
    ROW_LOOP(n, i, left < share ? left : share, inner)
    {
        int at = (first + n) * inner + i;
        accum v = x[at], low = slopes[(first + n) % count] * v;
        y[at] = v > 0 ? v : low;
    }
}


// dx = dy where x > 0, else slope dy
__global__ void preluBackward(
    const real *x, const real *grad, const real *slopes,
    real *xGrad,
    int rows, int inner, int count, int share)
{
    int first = blockIdx.x * share, left = rows - first;
    ROW_LOOP(n, i, left < share ? left : share, inner)
    {
        int at = (first + n) * inner + i;
        accum g = grad[at], low = slopes[(first + n) % count] * g;
        xGrad[at] = x[at] > 0 ? g : low;
    }
}


// sums = sum of x dy over the places of a map where x <= 0; one block for each map.
__global__ void preluMapSums(
    const real *x, const real *grad, accum *sums, int batch, int maps, int inner)
{
    int map = blockIdx.x;
    accum sum = 0;
    ROW_LOOP(n, i, batch, inner)
    {
        int at = (n * maps + map) * inner + i;
        accum v = x[at], part = v * grad[at];
        sum += v > 0 ? 0 : part;
    }
    sum = blockSum(sum);

    if (threadIdx.x == 0)
        sums[map] = sum;
}


// slopesGrad = alpha (the sum of its `share` maps) + beta slopesGrad; one block for each slope.
__global__ void preluSlopesGrad(
    const accum *sums, real *slopesGrad, int share, accum alpha, accum beta)
{
    int slope = blockIdx.x;
    accum sum = 0;
    BLOCK_LOOP(i, share)
        sum += sums[slope * share + i];
    sum = blockSum(sum);

    if (threadIdx.x == 0)
        slopesGrad[slope] = alpha * sum + (beta == 0 ? 0 : beta * (accum)slopesGrad[slope]);
}
