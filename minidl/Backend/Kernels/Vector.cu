// Arithmetic on whole arrays, element by element, and sums over the rows of a matrix.


__global__ void fill(real *y, int size, accum value)
{
    GRID_LOOP(i, size)
        y[i] = value;
}


// y = alpha a + beta b. With beta = 0, b is not read: whatever it holds, NaN included, leaves no
// trace.
__global__ void addScaled(const real *a, const real *b, real *y, int size, accum alpha, accum beta)
{
    if (beta == 0)
        GRID_LOOP(i, size)
            y[i] = alpha * a[i];
    else
        GRID_LOOP(i, size)
            y[i] = alpha * a[i] + beta * b[i];
}


// sums = alpha (sum over the rows of a) + beta sums; a block has BLOCK_COLUMNS columns of the
// (rows, columns) matrix.
__global__ void sumRows(const real *a, real *sums, int rows, int columns, accum alpha, accum beta)
{
    int first = blockIdx.x * BLOCK_COLUMNS;
    accum sum[LANES] = {0};

    COLUMN_ROWS(n, 0, rows)
        LANE_LOOP(lane, column, first, columns)
            sum[lane] += a[n * columns + column];
    COLUMN_SUMS(sum)

    ONCE_A_COLUMN
        LANE_LOOP(lane, column, first, columns)
            sums[column] = alpha * sum[lane] + (beta == 0 ? 0 : beta * sums[column]);
}


// sums[index] = sum of a, in one block
__global__ void sumTo(const real *a, accum *sums, int size, int index)
{
    accum sum = 0;
    BLOCK_LOOP(i, size)
        sum += a[i];
    sum = blockSum(sum);

    if (threadIdx.x == 0)
        sums[index] = sum;
}


// counts[first + block] = how many of the block's `share` elements are NaN or infinite
__global__ void countNotFinite(const real *x, int *counts, int size, int share, int first)
{
    const real *part = x + (long long)blockIdx.x * share;
    int rest = size - blockIdx.x * share;

    accum count = 0;
    BLOCK_LOOP(i, rest < share ? rest : share)
    {
        accum v = part[i];
        count += v - v == 0 ? 0 : 1;
    }
    count = blockSum(count);

    if (threadIdx.x == 0)
        counts[first + blockIdx.x] = (int)count;
}


// Between data and the sums of it, whose type is wider for data of 16 bits
__global__ void toAccum(const real *x, accum *y, int size)
{
    GRID_LOOP(i, size)
        y[i] = x[i];
}

__global__ void fromAccum(const accum *x, real *y, int size)
{
    GRID_LOOP(i, size)
        y[i] = x[i];
}


// Row i of y is row indices[i] of x; a block copies one row of `length` neighbours.
__global__ void gatherRows(const real *x, const int *indices, real *y, int length)
{
    const real *from = x + (long long)indices[blockIdx.x] * length;
    real *to = y + (long long)blockIdx.x * length;
    BLOCK_LOOP(i, length)
        to[i] = from[i];
}

__global__ void gatherLabels(const int *x, const int *indices, int *y, int length)
{
    const int *from = x + (long long)indices[blockIdx.x] * length;
    int *to = y + (long long)blockIdx.x * length;
    BLOCK_LOOP(i, length)
        to[i] = from[i];
}
