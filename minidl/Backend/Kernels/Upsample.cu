// Maps x of (size0, size1, size2) made larger by whole factors, to y of (size0 * scale0, ...). One
// block for each map.


// y[p] = x[p / scale], along each axis
__global__ void nearest(
    const real *x,
    real *y,
    int size0, int size1, int size2, int scale0, int scale1, int scale2)
{
    int lines = size0 * scale0 * size1 * scale1;

    ROW_LOOP(line, i2, lines, size2)
    {
        int i0 = line / (size1 * scale1) / scale0, i1 = line % (size1 * scale1) / scale1;
        accum v = x[((blockIdx.x * size0 + i0) * size1 + i1) * size2 + i2];
        for (int t2 = 0; t2 < scale2; ++t2)
            y[((blockIdx.x * lines + line) * size2 + i2) * scale2 + t2] = v;
    }
}

// dx[i] = sum of dy where y is x[i]
__global__ void nearestBackward(
    const real *grad,
    real *xGrad,
    int size0, int size1, int size2, int scale0, int scale1, int scale2)
{
    ROW_LOOP(line, i2, size0 * size1, size2)
    {
        int p0 = (blockIdx.x * size0 + line / size1) * scale0, p1 = line % size1 * scale1;
        const real *from = grad + ((p0 * size1 * scale1 + p1) * size2 + i2) * scale2;
        accum sum = 0;
        for (int t0 = 0; t0 < scale0; ++t0)
            for (int t1 = 0; t1 < scale1; ++t1)
                for (int t2 = 0; t2 < scale2; ++t2)
                    sum += from[(t0 * size1 * scale1 + t1) * size2 * scale2 + t2];
        xGrad[(blockIdx.x * size0 * size1 + line) * size2 + i2] = sum;
    }
}


// How far apart, in x, two neighbours of an axis of y are.
__device__ accum stepOf(int size, int scale)
{
    return size > 1 ? (size - 1) / (accum)(size * scale - 1) : 0;
}

// The number of x at or before `place`. Rounding may put the last place beyond the last number.
__device__ int lowOf(accum place, int size)
{
    return min((int)place, size - 1);
}

// y[p] = (1 - f) x[i] + f x[i + 1],    i + f = p * step, along each axis
__global__ void linear(
    const real *x,
    real *y,
    int size0, int size1, int size2, int scale0, int scale1, int scale2)
{
    int lines = size0 * scale0 * size1 * scale1;
    accum step0 = stepOf(size0, scale0), step1 = stepOf(size1, scale1);
    accum step2 = stepOf(size2, scale2);

    ROW_LOOP(line, p2, lines, size2 * scale2)
    {
        accum place0 = line / (size1 * scale1) * step0, place1 = line % (size1 * scale1) * step1;
        accum place2 = p2 * step2;
        int i0 = lowOf(place0, size0), i1 = lowOf(place1, size1), i2 = lowOf(place2, size2);
        accum f0 = place0 - i0, f1 = place1 - i1, f2 = place2 - i2;
        int next1 = min(i1 + 1, size1 - 1), next2 = min(i2 + 1, size2 - 1);

        accum sum = 0;
        for (int a = 0; a < 2; ++a)
        {
            int plane = (blockIdx.x * size0 + min(i0 + a, size0 - 1)) * size1;
            const real *here = x + (plane + i1) * size2, *behind = x + (plane + next1) * size2;
            sum += (a ? f0 : 1 - f0) * (
                (1 - f1) * ((1 - f2) * here[i2] + f2 * here[next2])
                + f1 * ((1 - f2) * behind[i2] + f2 * behind[next2]));
        }
        y[(blockIdx.x * lines + line) * size2 * scale2 + p2] = sum;
    }
}


// The weight that number i of x has at place p of y.
__device__ accum weightOf(int i, int p, accum step)
{
    accum weight = 1 - fabs(p * step - i);
    return weight > 0 ? weight : 0;
}

// The first place of y, and the one behind the last, where x[i] may have a weight.
__device__ int firstPlace(int i, int size, int scale)
{
    return i > 0 ? (int)((i - 1) / stepOf(size, scale)) : 0;
}

__device__ int endPlace(int i, int size, int scale)
{
    return i < size - 1 ? (int)((i + 1) / stepOf(size, scale)) + 1 : size * scale;
}

// dx[i] = sum over p of weight(i, p) dy[p]
__global__ void linearBackward(
    const real *grad,
    real *xGrad,
    int size0, int size1, int size2, int scale0, int scale1, int scale2)
{
    accum step0 = stepOf(size0, scale0), step1 = stepOf(size1, scale1);
    accum step2 = stepOf(size2, scale2);

    ROW_LOOP(line, i2, size0 * size1, size2)
    {
        int i0 = line / size1, i1 = line % size1;
        int end0 = endPlace(i0, size0, scale0), end1 = endPlace(i1, size1, scale1);
        int first2 = firstPlace(i2, size2, scale2), end2 = endPlace(i2, size2, scale2);

        accum sum = 0;
        for (int p0 = firstPlace(i0, size0, scale0); p0 < end0; ++p0)
            for (int p1 = firstPlace(i1, size1, scale1); p1 < end1; ++p1)
            {
                const real *from = grad
                    + ((blockIdx.x * size0 * scale0 + p0) * size1 * scale1 + p1) * size2 * scale2;
                accum part = 0;
                for (int p2 = first2; p2 < end2; ++p2)
                    part += weightOf(i2, p2, step2) * from[p2];
                sum += weightOf(i0, p0, step0) * weightOf(i1, p1, step1) * part;
            }
        xGrad[(blockIdx.x * size0 * size1 + line) * size2 + i2] = sum;
    }
}
