// Maps x of (height, width) seen through an affine grid, as y of (outHeight, outWidth):
//
//     (u, v) = theta (X, Y, 1),    y = x at (u, v), between the four numbers around, 0 outside
//
// Coordinates run from -1 to 1, from the middle of the first number to that of the last, and are
// always 0 along an axis of one number of y. In numbers of x the place is in column
// (u + 1) (width - 1) / 2 and row (v + 1) (height - 1) / 2. One block for each map, of which a
// sample has `maps`.


// X = -1 + 2 p / (size - 1)
__device__ accum coordinateOf(int p, int size)
{
    return (2 * p + 1 - size) / (accum)max(size - 1, 1);
}

// How far apart the coordinates of two neighbours are.
__device__ accum gridStep(int size) { return 2 / (accum)max(size - 1, 1); }

// u or v, from its line of theta, in numbers of x.
__device__ accum placeOf(const real *line, accum X, accum Y, int size)
{
    return (line[0] * X + line[1] * Y + line[2] + 1) * (accum)0.5 * (size - 1);
}

__device__ bool isWithin(accum place, int size) { return place > -1 && place < size; }

// The number at or before a place above -1.
__device__ int floorOf(accum place) { return (int)(place + 1) - 1; }

__device__ accum valueAt(const real *x, int row, int i, int height, int width)
{
    bool isInside = row >= 0 && row < height && i >= 0 && i < width;
    return isInside ? (accum)x[row * width + i] : (accum)0;
}


__global__ void spatialTf(
    const real *x, const real *theta,
    real *y,
    int maps, int height, int width, int outHeight, int outWidth)
{
    x += blockIdx.x * height * width;
    theta += blockIdx.x / maps * 6;
    y += blockIdx.x * outHeight * outWidth;
    accum step = gridStep(outWidth), start = coordinateOf(0, outWidth);

    ROW_LOOP(p, q, outHeight, outWidth)
    {
        accum X = start + q * step, Y = coordinateOf(p, outHeight);
        accum u = placeOf(theta, X, Y, width), v = placeOf(theta + 3, X, Y, height);
        accum sum = 0 * (u + v);  // a place that is no number gives none
        if (isWithin(u, width) && isWithin(v, height))
        {
            int i = floorOf(u), row = floorOf(v);
            accum f = u - i, g = v - row;
            sum = (1 - g) * ((1 - f) * valueAt(x, row, i, height, width)
                             + f * valueAt(x, row, i + 1, height, width))
                + g * ((1 - f) * valueAt(x, row + 1, i, height, width)
                       + f * valueAt(x, row + 1, i + 1, height, width));
        }
        y[p * outWidth + q] = sum;
    }
}


// The weight of number i at a place.
__device__ accum nearness(int i, accum place)
{
    accum weight = 1 - fabs(place - i);
    return weight > 0 ? weight : 0;
}

// Of the numbers 0 .. size-1 between `low` and `high` the first, and the one behind the last; none
// where a bound is NaN.
__device__ int firstOf(accum low, int size)
{
    accum cut = low > 0 ? low : 0;
    return low < size ? (int)cut : size;
}

__device__ int endOf(accum high, int size)
{
    accum cut = high < size - 1 ? high : size - 1;
    return high >= 0 ? (int)cut + 1 : 0;
}

// The same of the numbers q with |distance - slope q| < 1; a slope of 0 gives all or none.
__device__ int firstNear(accum distance, accum slope, int size)
{
    accum a = (distance - 1) / slope, b = (distance + 1) / slope;
    return firstOf(a < b ? a : b, size);
}

__device__ int endNear(accum distance, accum slope, int size)
{
    accum a = (distance - 1) / slope, b = (distance + 1) / slope;
    return endOf(a < b ? b : a, size);
}

// dx = sum over the grid of weight dy
//
// Place (p, q) of the grid is column u0 + up p + uq q and row v0 + vp p + vq q of x. Less than 1
// from a number of x there are few rows p, which lie around the one that these equations give, and
// in each of them few neighbours q.
__global__ void spatialTfDataGrad(
    const real *theta, const real *grad,
    real *xGrad,
    int maps, int height, int width, int outHeight, int outWidth)
{
    theta += blockIdx.x / maps * 6;
    grad += blockIdx.x * outHeight * outWidth;
    xGrad += blockIdx.x * height * width;
    accum step = gridStep(outWidth);
    accum X0 = coordinateOf(0, outWidth), Y0 = coordinateOf(0, outHeight);
    accum u0 = placeOf(theta, X0, Y0, width), v0 = placeOf(theta + 3, X0, Y0, height);
    accum halfWidth = (accum)0.5 * (width - 1), halfHeight = (accum)0.5 * (height - 1);
    accum up = theta[1] * gridStep(outHeight) * halfWidth, uq = theta[0] * step * halfWidth;
    accum vp = theta[4] * gridStep(outHeight) * halfHeight, vq = theta[3] * step * halfHeight;

    accum determinant = uq * vp - up * vq, reach = (fabs(uq) + fabs(vq)) / fabs(determinant);
    bool isSolvable = fabs(determinant) > (accum)1e-20;

    ROW_LOOP(row, i, height, width)
    {
        accum middle = (uq * (row - v0) - vq * (i - u0)) / determinant;
        int firstRow = isSolvable ? firstOf(middle - reach, outHeight) : 0;
        int endRow = isSolvable ? endOf(middle + reach, outHeight) : outHeight;

        accum sum = 0;
        for (int p = firstRow; p < endRow; ++p)
        {
            accum Y = coordinateOf(p, outHeight);
            accum du = i - u0 - up * p, dv = row - v0 - vp * p;
            int first = max(firstNear(du, uq, outWidth), firstNear(dv, vq, outWidth));
            int end = min(endNear(du, uq, outWidth), endNear(dv, vq, outWidth));
            for (int q = first; q < end; ++q)
            {
                accum X = X0 + q * step;
                sum += nearness(i, placeOf(theta, X, Y, width))
                    * nearness(row, placeOf(theta + 3, X, Y, height)) * grad[p * outWidth + q];
            }
        }
        xGrad[row * width + i] = sum;
    }
}


// What each map adds to dtheta: the sum over the grid of dL/du X, dL/du Y, dL/du and the same of v.
__global__ void spatialTfThetaParts(
    const real *x, const real *theta, const real *grad,
    accum *parts,
    int maps, int height, int width, int outHeight, int outWidth)
{
    x += blockIdx.x * height * width;
    theta += blockIdx.x / maps * 6;
    grad += blockIdx.x * outHeight * outWidth;
    accum step = gridStep(outWidth), start = coordinateOf(0, outWidth);

    accum sumUX = 0, sumUY = 0, sumU = 0, sumVX = 0, sumVY = 0, sumV = 0;
    for (int p = 0; p < outHeight; ++p)
    {
        accum Y = coordinateOf(p, outHeight);
        accum lineUX = 0, lineU = 0, lineVX = 0, lineV = 0;
        BLOCK_LOOP(q, outWidth)
        {
            accum X = start + q * step;
            accum u = placeOf(theta, X, Y, width), v = placeOf(theta + 3, X, Y, height);
            if (isWithin(u, width) && isWithin(v, height))
            {
                int i = floorOf(u), row = floorOf(v);
                accum f = u - i, g = v - row, dy = grad[p * outWidth + q];
                accum a = valueAt(x, row, i, height, width);
                accum b = valueAt(x, row, i + 1, height, width);
                accum c = valueAt(x, row + 1, i, height, width);
                accum d = valueAt(x, row + 1, i + 1, height, width);
                accum gradU = dy * ((1 - g) * (b - a) + g * (d - c));
                accum gradV = dy * ((1 - f) * (c - a) + f * (d - b));
                lineUX += gradU * X;
                lineU += gradU;
                lineVX += gradV * X;
                lineV += gradV;
            }
        }
        sumUX += lineUX;
        sumUY += lineU * Y;
        sumU += lineU;
        sumVX += lineVX;
        sumVY += lineV * Y;
        sumV += lineV;
    }

    accum halfWidth = (accum)0.5 * (width - 1), halfHeight = (accum)0.5 * (height - 1);
    sumUX = blockSum(sumUX) * halfWidth;
    sumUY = blockSum(sumUY) * halfWidth;
    sumU = blockSum(sumU) * halfWidth;
    sumVX = blockSum(sumVX) * halfHeight;
    sumVY = blockSum(sumVY) * halfHeight;
    sumV = blockSum(sumV) * halfHeight;
    if (threadIdx.x == 0)
    {
        accum *part = parts + blockIdx.x * 6;
        part[0] = sumUX;
        part[1] = sumUY;
        part[2] = sumU;
        part[3] = sumVX;
        part[4] = sumVY;
        part[5] = sumV;
    }
}

// dtheta = sum over the maps of a sample of its parts; `size` numbers in all
__global__ void sumParts(const accum *parts, real *thetaGrad, int size, int maps)
{
    GRID_LOOP(at, size)
    {
        const accum *first = parts + at / 6 * maps * 6 + at % 6;
        accum sum = 0;
        for (int map = 0; map < maps; ++map)
            sum += first[map * 6];
        thetaGrad[at] = sum;
    }
}
