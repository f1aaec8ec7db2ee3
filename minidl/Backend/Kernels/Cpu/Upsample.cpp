// The tuned twin of Upsample.cu, which has the formulas. One axis comes after the other: a line of
// x is widened once, and then whole lines are weighted and summed up.

// Where place p lies between two numbers of x: weights 1 - f of `low` and f of `next`.
struct Blend
{
    int low, next;
    accum f;
};

struct Blends
{
    int places;
    Scratch<Blend> blends;

    Blends(int size, int scale) : places(size * scale), blends(size * scale)
    {
        const accum step = size > 1 ? (size - 1) / (accum)(size * scale - 1) : 0;
        for (int p = 0; p < places; ++p)
        {
            const int low = min((int)(p * step), size - 1);
            blends[p] = {low, min(low + 1, size - 1), p * step - low};
        }
    }

    const Blend &operator[](int p) const { return blends[p]; }
};

// The lines of x, or of what stands for it, that a line of y is made of: those with a weight.
struct Parts
{
    int number = 0, lines[4];
    accum weights[4];

    Parts(const Blend &one, const Blend &two, int size1)
    {
        for (int a = 0; a < 4; ++a)
        {
            const accum weight = (a / 2 ? one.f : 1 - one.f) * (a % 2 ? two.f : 1 - two.f);
            if (a > 0 && weight == 0)
                continue;
            lines[number] = (a / 2 ? one.next : one.low) * size1 + (a % 2 ? two.next : two.low);
            weights[number++] = weight;
        }
    }
};

// work(parts, line) for the lines of y.
template <class Work>
static inline void overLines(const Blends &b0, const Blends &b1, int size1, const Work &work)
{
    for (int p0 = 0; p0 < b0.places; ++p0)
        for (int p1 = 0; p1 < b1.places; ++p1)
            work(Parts(b0[p0], b1[p1], size1), (long)p0 * b1.places + p1);
}

static inline void addLine(const real *from, int length, accum weight, real *to)
{
    FREE_OF_ALIASES
    for (int i = 0; i < length; ++i)
        to[i] += weight * from[i];
}

// to = the sum of `parts.number` lines, `length` numbers each.
template <int number>
static inline void sumLines(const Parts &parts, const real *from, int length, real *to)
{
    if (parts.number != number)
        return sumLines<number - 1>(parts, from, length, to);
    const Parts p = parts;
    FREE_OF_ALIASES
    for (int i = 0; i < length; ++i)
    {
        accum sum = 0;
        for (int k = 0; k < number; ++k)
            sum += p.weights[k] * from[(long)p.lines[k] * length + i];
        to[i] = sum;
    }
}

template <>
inline void sumLines<0>(const Parts &, const real *, int, real *) {}

__global__ void linear(
    const real *x,
    real *y,
    int size0, int size1, int size2, int scale0, int scale1, int scale2)
{
    const Blends b0(size0, scale0), b1(size1, scale1), b2(size2, scale2);
    const long lines = (long)size0 * size1, length = b2.places;
    overBlocks(gridDim.x, [&](long plane)
    {
        Scratch<real> wide(lines * length);
        const real *from = x + plane * lines * size2;
        for (long line = 0; line < lines; ++line, from += size2)
            for (int p = 0; p < length; ++p)
                wide[line * length + p]
                    = (1 - b2[p].f) * from[b2[p].low] + b2[p].f * from[b2[p].next];

        real *to = y + plane * b0.places * b1.places * length;
        overLines(b0, b1, size1, [&](const Parts &parts, long line)
        {
            sumLines<4>(parts, &wide[0], length, to + line * length);
        });
    });
}

__global__ void linearBackward(
    const real *grad,
    real *xGrad,
    int size0, int size1, int size2, int scale0, int scale1, int scale2)
{
    const Blends b0(size0, scale0), b1(size1, scale1), b2(size2, scale2);
    const long lines = (long)size0 * size1, length = b2.places;
    overBlocks(gridDim.x, [&](long plane)
    {
        Scratch<real> sums(lines * length);
        __builtin_memset(&sums[0], 0, lines * length * sizeof(real));
        const real *from = grad + plane * b0.places * b1.places * length;
        overLines(b0, b1, size1, [&](const Parts &parts, long line)
        {
            for (int k = 0; k < parts.number; ++k)
                addLine(from + line * length, length, parts.weights[k],
                        &sums[parts.lines[k] * length]);
        });

        real *to = xGrad + plane * lines * size2;
        __builtin_memset(to, 0, lines * size2 * sizeof(real));
        for (long line = 0; line < lines; ++line, to += size2)
            for (int p = 0; p < length; ++p)
            {
                to[b2[p].low] += (1 - b2[p].f) * sums[line * length + p];
                to[b2[p].next] += b2[p].f * sums[line * length + p];
            }
    });
}


// to[i * scale + t] = from[i], and the way back, sums; compiled for a scale of 2 by itself.
template <int known>
static inline void widen(const real *from, int size, int scale, real *to)
{
    for (int i = 0; i < size; ++i)
        for (int t = 0; t < (known ? known : scale); ++t)
            to[i * (known ? known : scale) + t] = from[i];
}

template <int known>
static inline void narrow(const real *from, int size, int scale, real *to)
{
    for (int i = 0; i < size; ++i)
    {
        real sum = 0;
        for (int t = 0; t < (known ? known : scale); ++t)
            sum += from[i * (known ? known : scale) + t];
        to[i] = sum;
    }
}

__global__ void nearest(
    const real *x,
    real *y,
    int size0, int size1, int size2, int scale0, int scale1, int scale2)
{
    const long lines = (long)size0 * size1, length = (long)size2 * scale2;
    overBlocks(gridDim.x, [&](long plane)
    {
        real *to = y + plane * lines * scale0 * scale1 * length;
        for (int p0 = 0; p0 < size0 * scale0; ++p0)
            for (int i1 = 0; i1 < size1; ++i1)
            {
                const real *from
                    = x + ((plane * size0 + p0 / scale0) * size1 + i1) * size2;
                const real *first = to;
                if (scale2 == 2)
                    widen<2>(from, size2, scale2, to);
                else
                    widen<0>(from, size2, scale2, to);
                to += length;
                for (int t = 1; t < scale1; ++t, to += length)
                    __builtin_memcpy(to, first, length * sizeof(real));
            }
    });
}

__global__ void nearestBackward(
    const real *grad,
    real *xGrad,
    int size0, int size1, int size2, int scale0, int scale1, int scale2)
{
    const long length = (long)size2 * scale2;
    overBlocks(gridDim.x, [&](long plane)
    {
        Scratch<real> sums(length);
        const real *from = grad + plane * size0 * scale0 * size1 * scale1 * length;
        for (int i0 = 0; i0 < size0; ++i0)
            for (int i1 = 0; i1 < size1; ++i1)
            {
                __builtin_memset(&sums[0], 0, length * sizeof(real));
                for (int t0 = 0; t0 < scale0; ++t0)
                    for (int t1 = 0; t1 < scale1; ++t1)
                        addLine(
                            from + (((long)i0 * scale0 + t0) * size1 * scale1 + i1 * scale1 + t1)
                                * length, length, 1, &sums[0]);
                real *to = xGrad + ((plane * size0 + i0) * size1 + i1) * size2;
                if (scale2 == 2)
                    narrow<2>(&sums[0], size2, scale2, to);
                else
                    narrow<0>(&sums[0], size2, scale2, to);
            }
    });
}
