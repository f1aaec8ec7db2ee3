// f and f' of BatchNorm.cu for vectors.

struct Straight
{
    Vector operator()(Vector v) const { return v; }
    Vector back(Vector, Vector g) const { return g; }
};

struct Bent
{
    accum floor, ceiling, leak;
    bool leaks = leak != 0, isCeiled = ceiling - ceiling == 0;

    ALWAYS_INLINE Vector operator()(Vector v) const
    {
        Vector low = leaks ? leak * v : everywhere(floor);
        Vector high = v > ceiling ? everywhere(ceiling) : v;
        return v < floor ? low : high;
    }

    ALWAYS_INLINE Vector back(Vector v, Vector g) const
    {
        Vector zero = {}, low = leaks ? leak * g : zero, high = g;
        if (isCeiled)
            high = v >= ceiling ? zero : g;
        return v > floor ? high : low;
    }
};

// work(f), to be compiled for each.
template <class Work>
WORD void withRamp(accum floor, accum ceiling, accum leak, const Work &work)
{
    if (leak == 1 && ceiling - ceiling != 0)
        work(Straight());
    else
        work(Bent{floor, ceiling, leak});
}
