// How a tuned twin of batch normalization launches: grids of Walks.h, in phases.

enum { streamedBytes = 8 << 20, aloneBytes = 1 << 19 };

// A tensor that the caches will not keep is better streamed past them.
template <class Grid>
static inline bool isStreamed(const Grid &grid, const real *y)
{
    return grid.size() * sizeof(real) > streamedBytes && grid.isAligned()
        && (unsigned long)y % vectorBytes == 0;
}

// Two sums for the gradients of a map.
struct Products
{
    double g = 0, gx = 0;

    void merge(const Products &other)
    {
        g += other.g;
        gx += other.gx;
    }
};

// What the slabs have found of a map, and its columns if it has some.
template <class Found, class Grid>
static inline Found merged(const Grid &grid, const Scratch<Found> &found, long map)
{
    Found all;
    for (long slab = 0; slab < grid.slabs; ++slab)
        for (int i = 0; i < grid.slotsOfMap; ++i)
            all.merge(found[slab * grid.slots + map * grid.slotsOfMap + i]);
    return all;
}


// work(0), work(1), ... of a grid. The caller has done all of a small one before others are awake.
template <class Grid, class Work>
static inline void overParts(const Grid &grid, long parts, const Work &work)
{
    if (grid.size() * sizeof(real) > aloneBytes)
        overBlocks(parts, work);
    else
        for (long n = 0; n < parts; ++n)
            work(n);
}

// work(block, slab) for all of a grid
template <class Grid, class Work>
static inline void overSlabs(const Grid &grid, const Work &work)
{
    overParts(grid, grid.blocks * grid.slabs, [&](long n)
    {
        work(n / grid.slabs, n % grid.slabs);
        endStreams();
    });
}

// gather(block, slab) makes the sums, finish(map) finds what follows from them, write(block, slab)
// needs that. A block that is alone with its maps does all three in one go.
template <class Grid, class Gather, class Finish, class Write>
static inline void inPhases(
    const Grid &grid, const Gather &gather, const Finish &finish, const Write &write)
{
    auto finishMaps = [&](long block)
    {
        for (long map = grid.firstMap(block); map < grid.firstMap(block + 1); ++map)
            finish(map);
    };

    if (grid.isAlone())
        overSlabs(grid, [&](long block, long slab)
        {
            gather(block, slab);
            finishMaps(block);
            write(block, slab);
        });
    else
    {
        overSlabs(grid, gather);
        overParts(grid, grid.blocks, finishMaps);
        overSlabs(grid, write);
    }
}
