// Windows that slide over planes, for the tuned twin of pooling. A vector holds neighbours of a
// row of places, whatever the size and stride of a window.

// Elements that a place sees, or places that see an element.
struct Seen
{
    int first, end;

    int number() const { return end - first; }
};

struct Axis
{
    int size, window, places, stride, pad;

    // Place p sees these elements.
    Seen seenFrom(int p) const
    {
        return {max(p * stride - pad, 0), min(p * stride - pad + window, size)};
    }
    int seen(int p) const { return seenFrom(p).number(); }

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

enum { blockSize = 1 << 13 };

// work(first, end) for runs of planes, together all of them. `work` has copies of all that it
// needs, and is copied itself: what no store can change stays in registers.
template <class Work>
static inline void overPlanes(const Pool &pool, long planes, const Work &work)
{
    const long blocks = parts(planes, parts(blockSize, pool.size()));
    overBlocks(blocks, [=](long block)
    {
        const Work own = work;
        own(planes * block / blocks, planes * (block + 1) / blocks);
    });
}

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
// which begins at x; reads less than width * stride + window numbers. `inOrder` puts the numbers
// into the order of the places.
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

template <class Row, class Any>
WORD Any inOrder(Row row, Any v) { return row.stride == 2 ? sorted(v) : v; }


// The lines of a plane with what is outside of their ends, and room for what vectors see beyond.
// Where neither is needed, as inside of a tensor without padding, the plane itself serves.
struct Lines
{
    const Pool pool;
    const long length = pool.a2.size + 2l * pool.a2.pad;
    const long reach = (long)width * pool.a2.stride + pool.a2.window;
    const bool isDirect = pool.a2.pad == 0 && pool.size() >= reach;
    const long room;
    Scratch<real> copies;
    const real *x = 0;

    Lines(const Pool &pool, bool hasLast, real outside) :
        pool(pool), room(isDirect && !hasLast ? 0 : pool.lines() * length + reach), copies(room)
    {
        for (long i = 0; i < room; ++i)
            copies[i] = outside;
    }

    void take(const real *plane, bool isLast)
    {
        x = plane;
        if (isDirect && !isLast)
            return;
        x = &copies[0];
        for (long line = 0; line < pool.lines(); ++line, plane += pool.a2.size)
            __builtin_memcpy(
                &copies[line * length + pool.a2.pad], plane, pool.a2.size * sizeof(real));
    }
};

// `width` neighbouring places of a plane's row, which see these lines, from place p2 on; their
// numbers are y[at], .... So many of them are in the row, and so many are the block's.
struct Part
{
    Seen lines0, lines1;
    int p2;
    long at;
    int inRow, inBlock;
};

// work(row, lines, part) for all places. Where a row has more than a vector its last one begins
// so much earlier; numbers of places that are not in the row are overwritten by the next one's.
template <class Work>
static inline void overPlaces(
    const Pool &pool, long planes, const real *x, real outside, const Work &work)
{
    const Axis a0 = pool.a0, a1 = pool.a1, a2 = pool.a2;
    overPlanes(pool, planes, [=](long first, long end)
    {
        Lines lines(pool, end == planes, outside);
        const int last = max(a2.places - width, 0);
        const long numbers = end * pool.places();
        withRow(a2, [&](auto row)
        {
            long at = first * pool.places();
            for (long plane = first; plane < end; ++plane)
            {
                lines.take(x + plane * pool.size(), plane == planes - 1);
                for (int p0 = 0; p0 < a0.places; ++p0)
                    for (int p1 = 0; p1 < a1.places; ++p1, at += a2.places)
                        for (int p2 = 0; p2 < a2.places; p2 += width)
                        {
                            const int p = min(p2, last);
                            work(row, lines, Part{
                                a0.seenFrom(p0), a1.seenFrom(p1), p, at + p,
                                min(a2.places, width), (int)least(numbers - at - p, width)});
                        }
            }
        });
    });
}

// take(numbers, i, isFirst) for what a part's places see, where the first one's index is i more
// than that of what it sees first.
template <class Row, class Take>
WORD void overWindow(Row row, const Lines &lines, const Part &part, const Take &take)
{
    const Seen lines0 = part.lines0, lines1 = part.lines1;
    const int size1 = lines.pool.a1.size, size2 = lines.pool.a2.size;
    const real *x = lines.x + part.p2 * row.stride
        + ((long)lines0.first * size1 + lines1.first) * lines.length;
    auto overLine = [&](int line) ALWAYS_INLINE
    {
        overTaps(x + line * lines.length, row, [&](Vector v, int t) ALWAYS_INLINE
        {
            take(v, line * size2 + t, line == 0 && t == 0);
        });
    };
    if (lines0.number() == 1 && lines1.number() == row.window)
        for (int line = 0; line < row.window; ++line)
            overLine(line);
    else
        for (int i0 = 0; i0 < lines0.number(); ++i0)
            for (int i1 = 0; i1 < lines1.number(); ++i1)
                overLine(i0 * size1 + i1);
}
