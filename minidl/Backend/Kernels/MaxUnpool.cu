// Reads each plane of a (planes, size) tensor at the indices that a mask (planes, places) holds:
//
//     y[plane, p] = x[plane, mask[plane, p]]
//
// One block for each plane. The way back is maxPoolBackward of Pool.cu.
__global__ void readAtMask(const real *x, const int *mask, real *y, int size, int places)
{
    int plane = blockIdx.x;
    x += plane * size;
    BLOCK_LOOP(p, places)
        y[plane * places + p] = x[mask[plane * places + p]];
}
