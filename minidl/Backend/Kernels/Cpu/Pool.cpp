// The tuned twin of Pool.cu, which has the formulas. A vector holds neighbours of a row, whatever
// the size and stride of a window.

struct Seen { int first, end; };  // places that see an element

struct Axis
{
    int size, window, places, stride, pad;

    // Place p sees the elements begin(p) .. end(p) - 1.
    int begin(int p) const { return max(p * stride - pad, 0); }
    int end(int p) const { return min(p * stride - pad + window, size); }
    int seen(int p) const { return end(p) - begin(p); }

    Seen placesOf(int i) const
    {
        const int first = i + pad < window ? 0 : (i + pad - window) / stride + 1;
        return {first, min((i + pad) / stride + 1, places)};
    }
};

struct Pool
{
    Axis a0, a1, a2;

    long lines() const { return (long)a0.size * a1.size; }
    long size() const { return lines() * a2.size; }
    long places() const { return (long)a0.places * a1.places * a2.places; }
};

#define POOL \
    const Pool pool = { \
        {size0, window0, places0, stride0, pad0}, {size1, window1, places1, stride1, pad1}, \
        {size2, window2, places2, stride2, pad2}}; \
    const long planes = gridDim.x;

enum { mostBlocks = 64 };

typedef int Places __attribute__((vector_size(width * sizeof(int))));

// What windows have in a row: so many elements, so many steps apart.
struct AnyRow { int window, stride; };
template <int window_, int stride_> struct Row
{
    static constexpr int window = window_, stride = stride_;
};

// work(row) for the row of a pool's windows; the most frequent ones are compiled for themselves.
template <class Work>
static inline void withRow(const Axis &a, const Work &work)
{
    if (a.window == 2 && a.stride == 2)
        work(Row<2, 2>());
    else if (a.window == 3 && a.stride == 2)
        work(Row<3, 2>());
    else if (a.window == 3 && a.stride == 1)
        work(Row<3, 1>());
    else
        work(AnyRow{a.window, a.stride});
}

// take(numbers, t) for each element t of the rows of `width` neighbouring places, the first of
// which begins at x; reads less than width * stride + window numbers.
template <class Row, class Take>
WORD void overTaps(const real *x, Row row, const Take &take)
{
    if (row.stride == 1)
        for (int t = 0; t < row.window; ++t)
            take(load(x + t, Whole()), t);
    else if (row.stride == 2)
        for (int t = 0; t < row.window; t += 2)
        {
            const Vector low = load(x + t, Whole()), high = load(x + t + width, Whole());
            take(everySecond(low, high, 0), t);
            if (t + 1 < row.window)
                take(everySecond(low, high, 1), t + 1);
        }
    else
        for (int t = 0; t < row.window; ++t)
        {
            Vector v;
            for (int i = 0; i < width; ++i)
                v[i] = x[t + i * row.stride];
            take(v, t);
        }
}


// The lines of a plane with what is outside of their ends, and room for what vectors see beyond.
// Where neither is needed, as inside of a tensor without padding, the plane itself serves.
struct Lines
{
    const real *x;
    long length;
    Scratch<real> copies;

    Lines(const Pool &pool, const real *plane, bool isLast, real outside) :
        x(plane), length(pool.a2.size),
        copies(isDirect(pool, isLast) ? 0 : pool.lines() * padded(pool.a2) + reach(pool.a2))
    {
        if (isDirect(pool, isLast))
            return;
        length = padded(pool.a2);
        for (long i = 0; i < pool.lines() * length + reach(pool.a2); ++i)
            copies[i] = outside;
        for (long line = 0; line < pool.lines(); ++line)
            for (long i = 0; i < pool.a2.size; ++i)
                copies[line * length + pool.a2.pad + i] = x[line * pool.a2.size + i];
        x = &copies[0];
    }

    static long reach(const Axis &a) { return (long)width * a.stride + a.window; }
    static long padded(const Axis &a) { return a.size + 2l * a.pad; }
    static bool isDirect(const Pool &pool, bool isLast)
    {
        return pool.a2.pad == 0 && !isLast && pool.size() >= reach(pool.a2);
    }
};

// `width` neighbouring places (p0, p1, p2), ... of a plane, whose numbers are y[at], ...; so many
// of them are in the line, and so many in the plane.
struct Part
{
    int p0, p1, p2;
    long at;
    int inLine, inPlane;
};

// work(row, lines, part) for all places.
template <class Work>
static inline void overPlaces(
    const Pool &pool, long planes, const real *x, real outside, const Work &work)
{
    overBlocks(planes, [&](long plane)
    {
        const Lines lines(pool, x + plane * pool.size(), plane == planes - 1, outside);
        withRow(pool.a2, [&](auto row)
        {
            const int places = pool.a2.places;
            long at = plane * pool.places(), end = at + pool.places();
            for (int p0 = 0; p0 < pool.a0.places; ++p0)
                for (int p1 = 0; p1 < pool.a1.places; ++p1)
                    for (int p2 = 0, n; p2 < places; p2 += n, at += n)
                    {
                        n = min(places - p2, width);
                        work(row, lines, Part{p0, p1, p2, at, n, (int)least(end - at, width)});
                    }
        });
    });
}

// take(numbers, i) for what a part's places see; the first one's number is x[i].
template <class Row, class Take>
WORD void overWindow(
    const Pool &pool, Row row, const Lines &lines, const Part &part, const Take &take)
{
    const int first = part.p2 * row.stride;
    for (int i0 = pool.a0.begin(part.p0); i0 < pool.a0.end(part.p0); ++i0)
        for (int i1 = pool.a1.begin(part.p1); i1 < pool.a1.end(part.p1); ++i1)
        {
            const int line = i0 * pool.a1.size + i1, i = line * pool.a2.size + first - pool.a2.pad;
            overTaps(lines.x + line * lines.length + first, row, [&](Vector v, int t) ALWAYS_INLINE
            {
                take(v, i + t);
            });
        }
}


// Numbers of places that are not in the line are overwritten by the next one's.

__global__ void maxPool(
    const real *x,
    real *y, int *mask,
    int size0, int size1, int size2, int window0, int window1, int window2,
    int places0, int places1, int places2, int stride0, int stride1, int stride2,
    int pad0, int pad1, int pad2)
{
    POOL
    const real outside = -1 / (real)0;
    overPlaces(pool, planes, x, outside, [&](auto row, const Lines &lines, const Part &part)
    {
        const Mask steps = laneNumbers() * row.stride;
        const Mask column = steps + (part.p2 * row.stride - pad2);
        const int line = pool.a0.begin(part.p0) * size1 + pool.a1.begin(part.p1);
        Vector best = everywhere(outside);
        Mask at = (column < 0 ? 0 : column) + line * size2;
        overWindow(pool, row, lines, part, [&](Vector v, int i) ALWAYS_INLINE
        {
            const Mask isMore = (v > best) | (v != v);
            best = isMore ? v : best;
            at = isMore ? steps + i : at;
        });
        const Places places = __builtin_convertvector(at, Places);
        store(y + part.at, Few{part.inPlane}, best);
        copy(mask + part.at, (const int *)&places, part.inPlane);
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
    overPlaces(pool, planes, x, 0, [&](auto row, const Lines &lines, const Part &part)
    {
        Vector sum = {}, counts = everywhere(window0 * window1 * window2);
        overWindow(pool, row, lines, part, [&](Vector v, int) ALWAYS_INLINE { sum += v; });
        const int others = pool.a0.seen(part.p0) * pool.a1.seen(part.p1);
        if (!includePad)
            for (int lane = 0; lane < part.inLine; ++lane)
                counts[lane] = others * pool.a2.seen(part.p2 + lane);
        store(y + part.at, Few{part.inPlane}, sum / counts);
    });
}


__global__ void maxPoolBackward(
    const real *grad, const int *mask,
    real *xGrad,
    int size0, int size1, int size2, int window0, int window1, int window2,
    int places0, int places1, int places2, int stride0, int stride1, int stride2,
    int pad0, int pad1, int pad2)
{
    POOL
    overBlocks(planes, [&](long plane)
    {
        real *to = xGrad + plane * pool.size();
        const long first = plane * pool.places();
        __builtin_memset(to, 0, pool.size() * sizeof(real));
        for (long p = first; p < first + pool.places(); ++p)
            if ((unsigned)mask[p] < (unsigned)pool.size())  // else somebody has changed the mask
                to[mask[p]] += grad[p];
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
    const long blocks = least(planes, mostBlocks);
    overBlocks(blocks, [&](long block)
    {
        Scratch<real> sums(means.room());
        __builtin_memset(&sums[0], 0, means.room() * sizeof(real));
        for (long plane = planes * block / blocks; plane < planes * (block + 1) / blocks; ++plane)
        {
            means.sumLines(grad, plane * pool.places(), &sums[0]);
            means.sumAlong(&sums[0], xGrad + plane * pool.size());
        }
    });
}
