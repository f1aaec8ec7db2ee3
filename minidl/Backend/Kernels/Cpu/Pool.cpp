// The tuned twin of Pool.cu, which has the formulas; Windows.h has how windows move.

typedef int Places __attribute__((vector_size(width * sizeof(int))));

__global__ void maxPool(
    const real *x,
    real *y, int *mask,
    int size0, int size1, int size2, int window0, int window1, int window2,
    int places0, int places1, int places2, int stride0, int stride1, int stride2,
    int pad0, int pad1, int pad2, int relu)
{
    POOL
    const real outside = -1 / (real)0;
    overPlaces(pool, planes, x, outside, [=](auto row, const Lines &lines, const Part &part)
    {
        Vector best = {};
        Mask at = {};
        overWindow(row, lines, part, [&](Vector v, int i, bool isFirst) ALWAYS_INLINE
        {
            const Mask isLess = ~(v > best) & (v == v);
            best = isFirst ? v : isLess ? best : v;
            at = isFirst ? Mask{} + i : isLess ? at : Mask{} + i;
        });
        // Where all is -inf, a place has begun with what is outside.
        const Mask column = laneNumbers() * row.stride + (part.p2 * row.stride - pad2);
        if (relu)
            best = best < 0 ? Vector{} : best;
        at = inOrder(row, at);
        at = at < -column ? -column : at;
        at += column + (part.lines0.first * size1 + part.lines1.first) * size2;
        const Places places = __builtin_convertvector(at, Places);
        store(y + part.at, Few{part.inBlock}, inOrder(row, best));
        copy(mask + part.at, (const int *)&places, part.inBlock);
    });
}

__global__ void avgPool(
    const real *x,
    real *y,
    int size0, int size1, int size2, int window0, int window1, int window2,
    int places0, int places1, int places2, int stride0, int stride1, int stride2,
    int pad0, int pad1, int pad2, int includePad)
{
    POOL
    overPlaces(pool, planes, x, 0, [=](auto row, const Lines &lines, const Part &part)
    {
        Vector sum = {}, counts = everywhere(window0 * window1 * window2);
        overWindow(row, lines, part, [&](Vector v, int, bool) ALWAYS_INLINE { sum += v; });
        const int others = part.lines0.number() * part.lines1.number();
        if (!includePad)
            for (int lane = 0; lane < part.inRow; ++lane)
                counts[lane] = others * pool.a2.seen(part.p2 + lane);
        store(y + part.at, Few{part.inBlock}, inOrder(row, sum) / counts);
    });
}


__global__ void maxPoolBackward(
    const real *grad, const int *mask, const real *y,
    real *xGrad,
    int size0, int size1, int size2, int window0, int window1, int window2,
    int places0, int places1, int places2, int stride0, int stride1, int stride2,
    int pad0, int pad1, int pad2, int relu)
{
    POOL
    overPlanes(pool, planes, [=](long firstPlane, long endPlane)
    {
        for (long plane = firstPlane; plane < endPlane; ++plane)
        {
            real *to = xGrad + plane * pool.size();
            const long first = plane * pool.places(), end = first + pool.places();
            const unsigned size = pool.size();
            __builtin_memset(to, 0, size * sizeof(real));
            for (long p = first; p < end; p += width)
            {
                const Few few = {(int)least(end - p, width)};
                Vector g = load(grad + p, few);
                if (relu)
                    g = load(y + p, few) > 0 ? g : Vector{};
                for (int lane = 0; lane < few.n; ++lane)
                    if ((unsigned)mask[p + lane] < size)  // else somebody has changed the mask
                        to[mask[p + lane]] += g[lane];
            }
        }
    });
}


// to[0], to[step], ... = v, with zeros between them
WORD void storeSteps(real *to, int step, Vector v)
{
    if (step == 1)
        store(to, Whole(), v);
    else if (step == 2)
    {
        store(to, Whole(), betweenZeros(v, 0));
        store(to + width, Whole(), betweenZeros(v, width / 2));
    }
    else
        for (int i = 0; i < width; ++i)
            to[i * step] = v[i];
}

// The gradient of means: what a line of xGrad gets from above and below is summed up first, as
// numbers of places with zeros between and around them, and then along the line.
struct Means
{
    Pool pool;
    bool includePad;
    long numbers, length;  // of grad; of a line of sums
    Scratch<real> shares;  // of an element, in what a place has summed up

    Means(const Pool &pool, long planes, bool includePad) :
        pool(pool), includePad(includePad), numbers(planes * pool.places()),
        length(max(pool.a2.size + pool.a2.pad, pool.a2.places * pool.a2.stride) + pool.a2.window),
        shares(pool.a2.places + width)
    {
        const int all = pool.a0.window * pool.a1.window * pool.a2.window;
        for (int p = 0; p < pool.a2.places; ++p)
            shares[p] = 1 / (real)(includePad ? all : pool.a2.seen(p));
        for (int p = pool.a2.places; p < pool.a2.places + width; ++p)
            shares[p] = 0;
    }

    long room() const { return pool.lines() * length + width * (pool.a2.stride + 1l); }

    void sumLines(const real *grad, long firstNumber, real *sums) const
    {
        const Axis &a0 = pool.a0, &a1 = pool.a1, &a2 = pool.a2;
        sums += a2.window - 1;
        for (int i0 = 0; i0 < a0.size; ++i0)
        {
            const Seen seen0 = a0.placesOf(i0);
            for (int i1 = 0; i1 < a1.size; ++i1, sums += length)
            {
                const Seen seen1 = a1.placesOf(i1);
                for (int p = 0; p < a2.places; p += width)
                    storeSteps(sums + p * a2.stride, a2.stride,
                               sum(grad, firstNumber + p, seen0, seen1, a2.places - p)
                                   * load(&shares[p], Whole()));
            }
        }
    }

    // What `width` neighbours of the lines that are seen have together, 0 beyond `left` of them.
    ALWAYS_INLINE Vector sum(
        const real *grad, long first, Seen seen0, Seen seen1, int left) const
    {
        Vector sum = {};
        for (int p0 = seen0.first; p0 < seen0.end; ++p0)
            for (int p1 = seen1.first; p1 < seen1.end; ++p1)
            {
                const long at = first + ((long)p0 * pool.a1.places + p1) * pool.a2.places;
                const Vector g = load(grad + at, Few{(int)least(numbers - at, width)});
                sum += includePad ? g : g / (real)(pool.a0.seen(p0) * pool.a1.seen(p1));
            }
        return chosen(Some{0, left}, sum, Vector{});
    }

    void sumAlong(const real *sums, real *xGrad) const
    {
        withRow(pool.a2, [&](auto row)
        {
            real *to = xGrad, *end = to + pool.size();
            for (long line = 0; line < pool.lines(); ++line, sums += length)
                for (int i = 0, n; i < pool.a2.size; i += n, to += n)
                {
                    n = min(pool.a2.size - i, width);
                    Vector sum = {};
                    for (int t = 0; t < row.window; ++t)
                        sum += load(sums + pool.a2.pad + i + t, Whole());
                    store(to, Few{(int)least(end - to, width)}, sum);
                }
        });
    }
};

__global__ void avgPoolBackward(
    const real *grad,
    real *xGrad,
    int size0, int size1, int size2, int window0, int window1, int window2,
    int places0, int places1, int places2, int stride0, int stride1, int stride2,
    int pad0, int pad1, int pad2, int includePad)
{
    POOL
    const Means means(pool, planes, includePad);
    overPlanes(pool, planes, [&](long first, long end)
    {
        Scratch<real> sums(means.room());
        __builtin_memset(&sums[0], 0, means.room() * sizeof(real));
        for (long plane = first; plane < end; ++plane)
        {
            means.sumLines(grad, plane * pool.places(), &sums[0]);
            means.sumAlong(&sums[0], xGrad + plane * pool.size());
        }
    });
}
