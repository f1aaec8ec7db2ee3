// out = alpha a b + beta out + bias,    relu = max(out, 0)
//
// a is m x k and b is k x n, with `down` elements from row to row and `right` from column to
// column; out has contiguous rows `outDown` apart. `bias`, one number a column, and `relu` may be
// null, and relu may be out. A block of 256 threads has one TILE x TILE part of out, a thread 4 x 4
// numbers of it; DEPTH columns of a and rows of b are kept in shared memory at a time.

#define TILE 64
#define DEPTH 16
#define EACH 4

struct Product
{
    const real *a, *b, *bias;
    real *out, *relu;
    long long aDown, aRight, bDown, bRight, outDown;
    int m, n, k, tilesAcross;
    double alpha, beta;
};

__global__ void matMul(Product p)
{
    __shared__ __align__(16) accum aTile[DEPTH][TILE + EACH], bTile[DEPTH][TILE + EACH];
    const int firstRow = blockIdx.x / p.tilesAcross * TILE;
    const int firstColumn = blockIdx.x % p.tilesAcross * TILE;
    const int row = threadIdx.x / (TILE / EACH) * EACH;
    const int column = threadIdx.x % (TILE / EACH) * EACH;
    accum sum[EACH][EACH] = {};

    for (int start = 0; start < p.k; start += DEPTH)
    {
        for (int t = threadIdx.x; t < TILE * DEPTH; t += BLOCK)
        {
            // Neighbouring threads read neighbours in memory, whichever way the matrix lies.
            int d = p.aRight == 1 ? t % DEPTH : t / TILE;
            int i = p.aRight == 1 ? t / DEPTH : t % TILE;
            bool inside = firstRow + i < p.m && start + d < p.k;
            aTile[d][i] = inside
                ? (accum)p.a[(firstRow + i) * p.aDown + (start + d) * p.aRight] : (accum)0;

            d = p.bDown == 1 ? t % DEPTH : t / TILE;
            i = p.bDown == 1 ? t / DEPTH : t % TILE;
            inside = firstColumn + i < p.n && start + d < p.k;
            bTile[d][i] = inside
                ? (accum)p.b[(start + d) * p.bDown + (firstColumn + i) * p.bRight] : (accum)0;
        }
        __syncthreads();

        #pragma unroll
        for (int d = 0; d < DEPTH; ++d)
            for (int i = 0; i < EACH; ++i)
                for (int j = 0; j < EACH; ++j)
                    sum[i][j] += aTile[d][row + i] * bTile[d][column + j];
        __syncthreads();
    }

    for (int i = 0; i < EACH; ++i)
        for (int j = 0; j < EACH; ++j)
        {
            int down = firstRow + row + i, right = firstColumn + column + j;
            if (down >= p.m || right >= p.n)
                continue;
            long long at = down * p.outDown + right;
            accum value = (accum)p.alpha * sum[i][j];
            if (p.beta != 0)
                value += (accum)p.beta * (accum)p.out[at];
            if (p.bias)
                value += (accum)p.bias[right];
            p.out[at] = value;
            if (p.relu)
                p.relu[at] = value < 0 ? (accum)0 : value;
        }
}
