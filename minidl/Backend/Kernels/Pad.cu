// Maps x of (height, width) inside of larger ones y of (outHeight, outWidth), in which they begin
// at (up, left). One block for each map of x.


// y = value around x. A sample has `maps` maps of x, which are those of y from firstMap on.
__global__ void surround(
    const real *x,
    real *y,
    int maps, int height, int width, int firstMap, int outMaps, int outHeight, int outWidth,
    int up, int left, accum value)
{
    int outMap = blockIdx.x / maps * outMaps + firstMap + blockIdx.x % maps;

    ROW_LOOP(p, q, outHeight, outWidth)
    {
        int r = p - up, i = q - left;
        bool isInside = r >= 0 && r < height && i >= 0 && i < width;
        y[(outMap * outHeight + p) * outWidth + q]
            = isInside ? (accum)x[(blockIdx.x * height + r) * width + i] : value;
    }
}

// dx = dy where x is
__global__ void cut(
    const real *grad,
    real *xGrad,
    int maps, int height, int width, int firstMap, int outMaps, int outHeight, int outWidth,
    int up, int left)
{
    int outMap = blockIdx.x / maps * outMaps + firstMap + blockIdx.x % maps;

    ROW_LOOP(r, i, height, width)
        xGrad[(blockIdx.x * height + r) * width + i]
            = grad[(outMap * outHeight + r + up) * outWidth + i + left];
}


// The number that stands at place i, which may be outside of the `size` numbers of a line: mirrored
// at the first and the last of them.
__device__ int mirrored(int i, int size)
{
    int fromStart = i < 0 ? -i : i;
    return fromStart < size ? fromStart : 2 * (size - 1) - fromStart;
}

// y = x mirrored at its edges
__global__ void reflect(
    const real *x,
    real *y,
    int height, int width, int outHeight, int outWidth, int up, int left)
{
    ROW_LOOP(p, q, outHeight, outWidth)
    {
        int r = mirrored(p - up, height), i = mirrored(q - left, width);
        y[(blockIdx.x * outHeight + p) * outWidth + q] = x[(blockIdx.x * height + r) * width + i];
    }
}


// Where number i of a line stands in the longer one: copy 0 is itself, 1 and 2 are its mirror
// images at the first and the last number. Outside, or -1, if there is no such copy.
__device__ int copyOf(int i, int copy, int size, int start)
{
    if (copy == 0)
        return start + i;
    if (copy == 1)
        return i > 0 ? start - i : -1;
    return i < size - 1 ? start + 2 * (size - 1) - i : -1;
}

// dx = sum over the copies of x of dy
__global__ void reflectBackward(
    const real *grad,
    real *xGrad,
    int height, int width, int outHeight, int outWidth, int up, int left)
{
    ROW_LOOP(r, i, height, width)
    {
        accum sum = 0;
        for (int a = 0; a < 3; ++a)
            for (int b = 0; b < 3; ++b)
            {
                int p = copyOf(r, a, height, up), q = copyOf(i, b, width, left);
                if (p >= 0 && p < outHeight && q >= 0 && q < outWidth)
                    sum += grad[(blockIdx.x * outHeight + p) * outWidth + q];
            }
        xGrad[(blockIdx.x * height + r) * width + i] = sum;
    }
}
