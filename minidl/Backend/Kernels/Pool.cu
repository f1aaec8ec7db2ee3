// Pooling: a window slides over each plane of a (planes, size0, size1, size2) tensor, and of what
// it sees comes out the maximum or the mean. All sizes of space are three; for each axis
//
//     place p sees x from p * stride - pad on, `window` numbers or what of them lies in x
//
// One block for each plane. Windows of 2x2 and 3x3 in steps of 2 are what most networks have: there
// the windows that lie in x entirely come first, in loops that run in vectors, where an index is a
// pointer that stays and a multiple of `column`. Then comes what is left, one by one.


struct Axis { int size, window, places, stride, pad; };

#define AXES \
    Axis a0 = {size0, window0, places0, stride0, pad0}; \
    Axis a1 = {size1, window1, places1, stride1, pad1}; \
    Axis a2 = {size2, window2, places2, stride2, pad2};

struct Span { int first, number; };

__device__ Span span(int first, int end)
{
    Span result = {first, end > first ? end - first : 0};
    return result;
}

__device__ bool isIn(Span span, int i) { return i >= span.first && i < span.first + span.number; }

// The elements of x that place p sees.
__device__ Span seenFrom(Axis a, int p)
{
    int first = p * a.stride - a.pad, end = first + a.window;
    return span(first < 0 ? 0 : first, end < a.size ? end : a.size);
}

// The places that see element i of x.
__device__ Span placesOf(Axis a, int i)
{
    int last = i + a.pad, first = last < a.window ? 0 : (last - a.window) / a.stride + 1;
    return span(first, last / a.stride < a.places ? last / a.stride + 1 : a.places);
}

// The places whose windows lie in x entirely.
__device__ Span wholePlaces(Axis a)
{
    int last = a.size + a.pad - a.window;
    return span((a.pad + a.stride - 1) / a.stride, last < 0 ? 0 : last / a.stride + 1);
}

// The side of a square window in a plane, if it moves in steps of 2 and is 2 or 3; else 0.
__device__ int sideOf(Axis a0, Axis a1, Axis a2)
{
    bool isSquare = a0.size == 1 && a1.window == a2.window && a1.stride == 2 && a2.stride == 2;
    return isSquare && (a2.window == 2 || a2.window == 3) ? a2.window : 0;
}


// The maximum so far is `best`, at index `at`. The first of equals stays, and NaN wins.
__device__ void takeMax(accum value, int i, accum &best, int &at)
{
    bool isMore = (value > best) | (value != value);
    best = isMore ? value : best;
    at = isMore ? i : at;
}

// Two or three neighbours of the row that begins at x[start], from its number i on.
__device__ void takeRow(const real *x, int start, int i, int side, accum &best, int &at)
{
    const real *row = x + start;
    takeMax(row[i], start + i, best, at);
    takeMax(row[i + 1], start + i + 1, best, at);
    if (side == 3)
        takeMax(row[i + 2], start + i + 2, best, at);
}

__device__ void maxOfSquares(
    const real *x, real *y, int *mask, Axis a1, Axis a2, Span rows, Span columns, int side,
    bool relu)
{
    if (columns.number == 0)
        return;
    ROW_LOOP(row, column, rows.number, columns.number)
    {
        int start = (2 * (rows.first + row) - a1.pad) * a2.size + 2 * columns.first - a2.pad;
        int first = (rows.first + row) * a2.places + columns.first, at = start + 2 * column;
        accum best = (x + start)[2 * column];
        takeRow(x, start, 2 * column, side, best, at);
        takeRow(x, start + a2.size, 2 * column, side, best, at);
        if (side == 3)
            takeRow(x, start + 2 * a2.size, 2 * column, side, best, at);
        (y + first)[column] = relu && best < 0 ? 0 : best;
        (mask + first)[column] = at;
    }
}

// y = max of what a place sees, and with `relu` the larger of that and 0; mask = the index of the
// max in the plane.
__global__ void maxPool(
    const real *x,
    real *y, int *mask,
    int size0, int size1, int size2, int window0, int window1, int window2,
    int places0, int places1, int places2, int stride0, int stride1, int stride2,
    int pad0, int pad1, int pad2, int relu)
{
    AXES
    int plane = blockIdx.x, places = places0 * places1 * places2, side = sideOf(a0, a1, a2);
    x += plane * size0 * size1 * size2;
    y += plane * places;
    mask += plane * places;

    Span rows = wholePlaces(a1), columns = wholePlaces(a2);
    if (side == 2)
        maxOfSquares(x, y, mask, a1, a2, rows, columns, 2, relu);
    else if (side == 3)
        maxOfSquares(x, y, mask, a1, a2, rows, columns, 3, relu);
    else
        rows.number = 0;
    if (rows.number * columns.number == places)
        return;

    ROW_LOOP(line, p2, places0 * places1, places2)
    {
        if (isIn(rows, line) && isIn(columns, p2))
            continue;
        Span s0 = seenFrom(a0, line / places1), s1 = seenFrom(a1, line % places1);
        Span s2 = seenFrom(a2, p2);
        int at = (s0.first * size1 + s1.first) * size2 + s2.first;
        accum best = x[at];
        for (int i0 = s0.first; i0 < s0.first + s0.number; ++i0)
            for (int i1 = s1.first; i1 < s1.first + s1.number; ++i1)
                for (int i2 = s2.first; i2 < s2.first + s2.number; ++i2)
                {
                    int i = (i0 * size1 + i1) * size2 + i2;
                    takeMax(x[i], i, best, at);
                }
        y[line * places2 + p2] = relu && best < 0 ? 0 : best;
        mask[line * places2 + p2] = at;
    }
}

// y = mean of what a place sees: its sum by the size of the window, or by the number of elements of
// x in it unless `includePad`.
__global__ void avgPool(
    const real *x,
    real *y,
    int size0, int size1, int size2, int window0, int window1, int window2,
    int places0, int places1, int places2, int stride0, int stride1, int stride2,
    int pad0, int pad1, int pad2, int includePad)
{
    AXES
    x += blockIdx.x * size0 * size1 * size2;
    y += blockIdx.x * places0 * places1 * places2;

    ROW_LOOP(line, p2, places0 * places1, places2)
    {
        Span s0 = seenFrom(a0, line / places1), s1 = seenFrom(a1, line % places1);
        Span s2 = seenFrom(a2, p2);
        accum sum = 0;
        for (int i0 = s0.first; i0 < s0.first + s0.number; ++i0)
            for (int i1 = s1.first; i1 < s1.first + s1.number; ++i1)
                for (int i2 = s2.first; i2 < s2.first + s2.number; ++i2)
                    sum += x[(i0 * size1 + i1) * size2 + i2];
        int count = includePad ? window0 * window1 * window2 : s0.number * s1.number * s2.number;
        y[line * places2 + p2] = sum / count;
    }
}


// Backward: dx = sum over the places that see it of
//
//     dy / count, for means          dy where it is the maximum, for maxima, which have a mask
//
// and, with relu, where y > 0.

struct Given
{
    const real *grad;
    const int *mask;  // 0 for means
    const real *out;  // y; 0 without relu
};

// What place start + p gives to element i of x, before the division.
__device__ accum given(Given from, int start, int p, int i)
{
    accum g = (from.grad + start)[p];
    bool isMax = from.mask == 0 || (from.mask + start)[p] == i;
    return isMax && (from.out == 0 || (from.out + start)[p] > 0) ? g : 0;
}

// Element 2 q + r, counted from the beginning of the padding, is seen by place q and, if windows
// overlap and r = 0, by q - 1; on both axes. The four elements of a q have a loop each: in one the
// compiler would see that no two of them equal the same mask, and make branches of that.
__device__ void quarterOfSquares(
    Given from, real *xGrad, Axis a1, Axis a2, Span rows, Span columns,
    accum share, int r1, int r2, bool withAbove, bool withLeft)
{
    ROW_LOOP(row, column, rows.number, columns.number)
    {
        int start = (2 * (rows.first + row) + r1 - a1.pad) * a2.size + 2 * columns.first - a2.pad;
        int first = (rows.first + row) * a2.places + columns.first, i = start + r2 + 2 * column;
        accum sum = given(from, first, column, i);
        if (withLeft)
            sum += given(from, first - 1, column, i);
        if (withAbove)
            sum += given(from, first - a2.places, column, i);
        if (withAbove && withLeft)
            sum += given(from, first - a2.places - 1, column, i);
        (xGrad + start + r2)[2 * column] = share * sum;
    }
}

__device__ void squaresBackward(
    Given from, real *xGrad, Axis a1, Axis a2, Span rows, Span columns,
    accum share, bool overlap)
{
    if (columns.number == 0)
        return;
    quarterOfSquares(from, xGrad, a1, a2, rows, columns, share, 0, 0, overlap, overlap);
    quarterOfSquares(from, xGrad, a1, a2, rows, columns, share, 0, 1, overlap, false);
    quarterOfSquares(from, xGrad, a1, a2, rows, columns, share, 1, 0, false, overlap);
    quarterOfSquares(from, xGrad, a1, a2, rows, columns, share, 1, 1, false, false);
}

// The q all of whose elements are seen by whole windows only, and these elements.
__device__ Span wholePairs(Axis a)
{
    Span whole = wholePlaces(a);
    return span(whole.first + (a.window == 3), whole.first + whole.number);
}

__device__ Span elementsOf(Axis a, Span pairs)
{
    Span result = {2 * pairs.first - a.pad, 2 * pairs.number};
    return result;
}

// For one plane; means have mask = 0.
__device__ void poolBackward(
    Given from, real *xGrad, Axis a0, Axis a1, Axis a2, bool includePad)
{
    int side = sideOf(a0, a1, a2);
    accum share = from.mask ? 1 : (accum)1 / (a0.window * a1.window * a2.window);
    Span rows = wholePairs(a1), columns = wholePairs(a2);
    if (side == 2)
        squaresBackward(from, xGrad, a1, a2, rows, columns, share, false);
    else if (side == 3)
        squaresBackward(from, xGrad, a1, a2, rows, columns, share, true);
    else
        rows.number = 0;
    rows = elementsOf(a1, rows);
    columns = elementsOf(a2, columns);
    if (rows.number * columns.number == a0.size * a1.size * a2.size)
        return;

    ROW_LOOP(line, i2, a0.size * a1.size, a2.size)
    {
        if (isIn(rows, line) && isIn(columns, i2))
            continue;
        Span s0 = placesOf(a0, line / a1.size), s1 = placesOf(a1, line % a1.size);
        Span s2 = placesOf(a2, i2);
        accum sum = 0;
        for (int p0 = s0.first; p0 < s0.first + s0.number; ++p0)
            for (int p1 = s1.first; p1 < s1.first + s1.number; ++p1)
                for (int p2 = s2.first; p2 < s2.first + s2.number; ++p2)
                {
                    int p = (p0 * a1.places + p1) * a2.places + p2;
                    accum g = given(from, 0, p, line * a2.size + i2);
                    sum += includePad ? share * g : g / (
                        seenFrom(a0, p0).number * seenFrom(a1, p1).number
                        * seenFrom(a2, p2).number);
                }
        xGrad[line * a2.size + i2] = sum;
    }
}

__global__ void maxPoolBackward(
    const real *grad, const int *mask, const real *y,
    real *xGrad,
    int size0, int size1, int size2, int window0, int window1, int window2,
    int places0, int places1, int places2, int stride0, int stride1, int stride2,
    int pad0, int pad1, int pad2, int relu)
{
    AXES
    int first = blockIdx.x * places0 * places1 * places2;
    xGrad += blockIdx.x * size0 * size1 * size2;
    Given from = {grad + first, mask + first, relu ? y + first : 0};
    poolBackward(from, xGrad, a0, a1, a2, true);
}

__global__ void avgPoolBackward(
    const real *grad,
    real *xGrad,
    int size0, int size1, int size2, int window0, int window1, int window2,
    int places0, int places1, int places2, int stride0, int stride1, int stride2,
    int pad0, int pad1, int pad2, int includePad)
{
    AXES
    grad += blockIdx.x * places0 * places1 * places2;
    xGrad += blockIdx.x * size0 * size1 * size2;
    Given from = {grad, 0, 0};
    poolBackward(from, xGrad, a0, a1, a2, includePad);
}
