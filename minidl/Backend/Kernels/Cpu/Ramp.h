// f and f' of BatchNorm.cu for vectors: nothing, a clip (relu is one), and what leaks.

struct Straight
{
    Vector operator()(Vector v) const { return v; }
    Vector back(Vector, Vector g) const { return g; }
};

struct Clip
{
    accum floor, ceiling;
    bool isCeiled = ceiling - ceiling == 0;

    ALWAYS_INLINE Vector operator()(Vector v) const
    {
        v = v < floor ? everywhere(floor) : v;
        return v > ceiling ? everywhere(ceiling) : v;
    }

    ALWAYS_INLINE Vector back(Vector v, Vector g) const
    {
        g = v > floor ? g : Vector{};
        return !isCeiled ? g : v >= ceiling ? Vector{} : g;
    }
};

struct Leak
{
    accum leak;
    Clip clip;

    ALWAYS_INLINE Vector operator()(Vector v) const { return v < clip.floor ? leak * v : clip(v); }

    ALWAYS_INLINE Vector back(Vector v, Vector g) const
    {
        return v > clip.floor ? clip.back(v, g) : leak * g;
    }
};

// work(f, adds), which the compiler then knows.
template <class Work>
static inline void choosing(accum floor, accum ceiling, accum leak, bool adds, const Work &work)
{
    choosing(adds, [&](auto adds)
    {
        if (leak == 1 && ceiling - ceiling != 0)
            work(Straight(), adds);
        else if (leak == 0)
            work(Clip{floor, ceiling}, adds);
        else
            work(Leak{leak, {floor, ceiling}}, adds);
    });
}
