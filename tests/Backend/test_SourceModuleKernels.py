"""Well-known kernels, as textbooks have them, against numpy."""

import numpy as np
import pytest

from minidl.Backend import SourceModule, gpuarray

MATMUL = """
#define TILE 16

__global__ void matMul(float *c, const float *a, const float *b, int m, int n, int k)
{
    __shared__ float tileA[TILE][TILE];
    __shared__ float tileB[TILE][TILE];
    int row = blockIdx.y * TILE + threadIdx.y, column = blockIdx.x * TILE + threadIdx.x;
    float sum = 0;
    for (int t = 0; t < (k + TILE - 1) / TILE; ++t)
    {
        int x = t * TILE + threadIdx.x, y = t * TILE + threadIdx.y;
        tileA[threadIdx.y][threadIdx.x] = row < m && x < k ? a[row * k + x] : 0.0f;
        tileB[threadIdx.y][threadIdx.x] = y < k && column < n ? b[y * n + column] : 0.0f;
        __syncthreads();
        #pragma unroll
        for (int i = 0; i < TILE; ++i)
            sum += tileA[threadIdx.y][i] * tileB[i][threadIdx.x];
        __syncthreads();
    }
    if (row < m && column < n)
        c[row * n + column] = sum;
}
"""

STENCIL = """
__global__ void laplace(float *y, const float *x, int depth, int height, int width)
{
    __shared__ float tile[6][6][10];
    int i = threadIdx.x + 1, j = threadIdx.y + 1, k = threadIdx.z + 1;
    int column = blockIdx.x * blockDim.x + threadIdx.x;
    int row = blockIdx.y * blockDim.y + threadIdx.y;
    int plane = blockIdx.z * blockDim.z + threadIdx.z;
#define AT(p, r, c) \\
    ((p) >= 0 && (p) < depth && (r) >= 0 && (r) < height && (c) >= 0 && (c) < width \\
        ? x[((p) * height + (r)) * width + (c)] : 0.0f)
    tile[k][j][i] = AT(plane, row, column);
    if (threadIdx.x == 0) tile[k][j][0] = AT(plane, row, column - 1);
    if (threadIdx.x == blockDim.x - 1) tile[k][j][i + 1] = AT(plane, row, column + 1);
    if (threadIdx.y == 0) tile[k][0][i] = AT(plane, row - 1, column);
    if (threadIdx.y == blockDim.y - 1) tile[k][j + 1][i] = AT(plane, row + 1, column);
    if (threadIdx.z == 0) tile[0][j][i] = AT(plane - 1, row, column);
    if (threadIdx.z == blockDim.z - 1) tile[k + 1][j][i] = AT(plane + 1, row, column);
    if (plane >= depth || row >= height || column >= width)
        return;  // some threads of the last blocks never reach the barrier
    __syncthreads();
    y[(plane * height + row) * width + column] = tile[k][j][i - 1] + tile[k][j][i + 1]
        + tile[k][j - 1][i] + tile[k][j + 1][i] + tile[k - 1][j][i] + tile[k + 1][j][i]
        - 6 * tile[k][j][i];
}
"""

HISTOGRAM = """
#define BINS 37

__global__ void histogram(unsigned *counts, const unsigned char *x, int n)
{
    __shared__ unsigned mine[BINS];
    for (int bin = threadIdx.x; bin < BINS; bin += blockDim.x)
        mine[bin] = 0;
    __syncthreads();
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x)
        atomicAdd(&mine[x[i] % BINS], 1);
    __syncthreads();
    for (int bin = threadIdx.x; bin < BINS; bin += blockDim.x)
        atomicAdd(counts + bin, mine[bin]);
}
"""

TRANSPOSE = """
__global__ void transpose(double *y, const double *x, int rows, int columns)
{
    __shared__ double tile[32][32 + 1];
    int column = blockIdx.x * 32 + threadIdx.x, row = blockIdx.y * 32 + threadIdx.y;
    for (int j = 0; j < 32; j += blockDim.y)
        if (row + j < rows && column < columns)
            tile[threadIdx.y + j][threadIdx.x] = x[(row + j) * columns + column];
    __syncthreads();
    column = blockIdx.y * 32 + threadIdx.x;
    row = blockIdx.x * 32 + threadIdx.y;
    for (int j = 0; j < 32; j += blockDim.y)
        if (row + j < columns && column < rows)
            y[(row + j) * rows + column] = tile[threadIdx.x][threadIdx.y + j];
}
"""

FILTER = """
#define RADIUS 3
__constant__ float weights[2 * RADIUS + 1] = {1, -2, 3, 0.5f, -3, 2, -1};

__global__ void __launch_bounds__(256) convolve(float *y, const float *__restrict__ x, int n)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n)
        return;
    float sum = 0;
    for (int k = -RADIUS; k <= RADIUS; ++k)
        if (i + k >= 0 && i + k < n)
            sum += weights[RADIUS + k] * x[i + k];
    y[i] = sum;
}
"""

def blocks(size, block):
    return -(-size // block)


@pytest.mark.parametrize("m, n, k", [(1, 1, 1), (16, 16, 16), (33, 50, 47), (70, 17, 31)])
def test_tiled_matrix_product(rng, m, n, k):
    a, b = rng.standard_normal((m, k), np.float32), rng.standard_normal((k, n), np.float32)
    c = gpuarray.empty((m, n), np.float32)
    SourceModule(MATMUL).get_function("matMul")(
        c, gpuarray.to_gpu(a), gpuarray.to_gpu(b), np.int32(m), np.int32(n), np.int32(k),
        block=(16, 16, 1), grid=(blocks(n, 16), blocks(m, 16)))
    np.testing.assert_allclose(c.get(), a @ b, 1e-4, 1e-4)


@pytest.mark.parametrize("block", [(8, 4, 4), (5, 3, 2), (1, 1, 1), (8, 1, 3)])
def test_stencil_with_halo_and_early_exit(rng, block):
    x = rng.standard_normal((5, 11, 13), np.float32)
    y = gpuarray.empty(x.shape, np.float32)
    SourceModule(STENCIL).get_function("laplace")(
        y, gpuarray.to_gpu(x), *map(np.int32, x.shape), block=block,
        grid=tuple(blocks(size, part) for size, part in zip(x.shape[::-1], block, strict=True)))

    p = np.pad(x, 1)
    expected = sum(np.roll(p, shift, axis) for axis in range(3) for shift in (-1, 1)) - 6 * p
    np.testing.assert_allclose(y.get(), expected[1:-1, 1:-1, 1:-1], 1e-4, 1e-4)


@pytest.mark.parametrize("block, grid", [(32, 1), (100, 7), (256, 30)])
def test_histogram_by_shared_and_global_atomics(rng, block, grid):
    x = rng.integers(0, 256, 50001, np.uint8)
    counts = gpuarray.zeros((37,), np.uint32)
    SourceModule(HISTOGRAM).get_function("histogram")(
        counts, gpuarray.to_gpu(x), np.int32(x.size), block=(block, 1, 1), grid=(grid, 1))
    np.testing.assert_array_equal(counts.get(), np.bincount(x % 37, minlength=37))


@pytest.mark.parametrize("rows, columns", [(32, 32), (45, 70), (1, 100)])
@pytest.mark.parametrize("height", [4, 8, 32])
def test_transpose_by_padded_tiles(rng, rows, columns, height):
    x = rng.standard_normal((rows, columns))
    y = gpuarray.empty((columns, rows), np.float64)
    SourceModule(TRANSPOSE).get_function("transpose")(
        y, gpuarray.to_gpu(x), np.int32(rows), np.int32(columns),
        block=(32, height, 1), grid=(blocks(columns, 32), blocks(rows, 32)))
    np.testing.assert_array_equal(y.get(), x.T)


@pytest.mark.parametrize("block", [1, 64, 250, 256])
def test_filter_with_constant_weights(rng, block):
    x = rng.standard_normal(1001, np.float32)
    y = gpuarray.empty(x.shape, np.float32)
    SourceModule(FILTER).get_function("convolve")(
        y, gpuarray.to_gpu(x), np.int32(x.size), block=(block, 1, 1), grid=(blocks(1001, block), 1))
    weights = np.array([1, -2, 3, 0.5, -3, 2, -1])
    np.testing.assert_allclose(y.get(), np.convolve(x, weights[::-1], "same"), 1e-4, 1e-4)
