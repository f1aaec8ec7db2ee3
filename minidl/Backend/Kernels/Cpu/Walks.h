// How tuned twins walk over a contiguous (batch, maps, inner) tensor, and share it out.
//
// `Maps` gives a block one map or, where there are few, a slab of its pieces. `Columns` is for rows
// that are shorter than a vector: each place in a row of all maps is a column then, in a lane of
// its own, and a block has a group of columns, or a slab of their rows. All of this follows from
// the sizes alone.
//
// Both offer `blocks`, `slabs`, `slots`, how many sums a slab has, `slotsOfMap`, and `over`, which
// calls work(part) for the parts of a block's slab. A part has `slot`, the first of its `slots`;
// `spread`, which makes vectors of values that belong to maps; `overPieces`; and `write`, which
// goes backwards, to begin with what the caches still have. A piece stays in the nearest caches; it
// has `size`, the numbers of it in a slot, `zeros`, for its sums, and `sum`. What `sum` and `write`
// take is work(j, lanes, chain).

#define WORK [&](long j, auto lanes, int chain) ALWAYS_INLINE

enum { pieceSize = 32768 / sizeof(real), piecesOfSlab = 8, fewMaps = 16 };
enum { groupColumns = chains * width, pieceRows = 128, slabRows = 4 * pieceRows };

WORD long least(long a, long b) { return a < b ? a : b; }
WORD long parts(long size, long part) { return (size + part - 1) / part; }

// A vector for each chain, which is one column's sum in each lane.
template <int size>
struct Vectors
{
    Vector vectors[size] = {};

    Vector &operator[](int v) { return vectors[v]; }
    real slot(int i) const { return vectors[i / width][i % width]; }

    Vectors means(int count) const
    {
        Vectors found;
        for (int v = 0; v < size; ++v)
            found[v] = vectors[v] / (real)count;
        return found;
    }
};

// One value for all chains, and sums of one map.
struct Same
{
    Vector all;

    Vector operator[](int) const { return all; }
};

struct Sum : Vectors<chains>
{
    real slot(int) const { return total((vectors[0] + vectors[1]) + (vectors[2] + vectors[3])); }
    Same means(int count) const { return {everywhere(slot(0) / count)}; }
};


// Some rows of a map, or a part of a long one; a row has at least `width` numbers.
struct Piece
{
    long start, stride;
    int rows, length, size;

    // The ends of a row, which share a register with its neighbours, come as Ends says: as Some
    // once, to be summed, or as Edge twice, to be written.
    template <class Ends, class Work>
    ALWAYS_INLINE void over(const Work &work) const
    {
        for (int row = 0; row < rows; ++row)
        {
            long j = start + row * stride, end = j + length;
            if (int before = -j & (width - 1))
            {
                work(j, Ends{0, before}, 0);
                j += before;
            }
            for (; end - j >= chains * width; j += chains * width)
            {
                work(j, Whole(), 0);
                work(j + width, Whole(), 1);
                work(j + 2 * width, Whole(), 2);
                work(j + 3 * width, Whole(), 3);
            }
            for (; end - j >= width; j += width)
                work(j, Whole(), 1);
            if (j < end)
                work(end - width, Ends{(int)(j - end) + width, width}, 2);
        }
    }

    Sum zeros() const { return {}; }

    template <class Work>
    ALWAYS_INLINE void sum(const Work &work) const { over<Some>(work); }
};

struct Maps
{
    int batch, maps, inner;
    int rows, across;  // a piece is so many rows, or one of so many parts of a row
    long pieces, blocks, slabs, slots;

    enum { slotsOfMap = 1 };

    Maps(int batch, int maps, int inner) :
        batch(batch), maps(maps), inner(inner), blocks(maps), slots(maps)
    {
        rows = inner < pieceSize ? pieceSize / inner : 1;
        across = parts(inner, pieceSize);
        pieces = parts(batch, rows) * across;
        slabs = maps < fewMaps ? parts(pieces, piecesOfSlab) : 1;
    }

    long size() const { return slots * batch * inner; }
    bool isAlone() const { return slabs == 1; }
    bool isAligned() const { return true; }
    long firstMap(long block) const { return block; }

    long firstColumn(long k) const { return k % across * inner / across; }
    long start(long map, long k) const
    {
        return (k / across * rows * maps + map) * inner + firstColumn(k);
    }

    Piece piece(long map, long k) const
    {
        int size = least(rows, batch - k / across * rows);
        int length = (k % across + 1) * inner / across - firstColumn(k);
        return {start(map, k), (long)maps * inner, size, length, size * length};
    }

    struct Part
    {
        const Maps &grid;
        long slot, first, last;

        enum { slots = 1 };

        template <class Value>
        Same spread(const Value &ofMap) const { return {everywhere(ofMap(slot))}; }

        template <class Work>
        ALWAYS_INLINE void overPieces(const Work &work) const
        {
            for (long k = first; k < last; ++k)
                work(grid.piece(slot, k));
        }

        template <class Work>
        ALWAYS_INLINE void write(const Work &work) const
        {
            for (long k = last; k-- > first;)
                grid.piece(slot, k).over<Edge>(work);
        }
    };

    template <class Work>
    void over(long map, long slab, const Work &work) const
    {
        long size = parts(pieces, slabs);
        work(Part{*this, map, slab * size, least((slab + 1) * size, pieces)});
    }
};


// Some rows of some vectors, from the column `slot` on; part and piece in one.
template <int vectors, class Lanes>
struct Strip
{
    long start, columns, slot;
    int size, inner, slots;
    Lanes lanes;

    Vectors<vectors> zeros() const { return {}; }

    template <class Work>
    ALWAYS_INLINE void sum(const Work &work) const
    {
        for (int row = 0; row < size; ++row)
            for (int v = 0; v < vectors; ++v)
                work(start + row * columns + v * width, lanes, v);
    }

    template <class Value>
    Vectors<vectors> spread(const Value &ofMap) const
    {
        Vectors<vectors> found;
        long map = slot / inner, place = slot % inner;
        for (int i = 0; i < slots; ++i)
        {
            found[i / width][i % width] = ofMap(map);
            if (++place == inner)
                ++map, place = 0;
        }
        return found;
    }

    template <class Work>
    ALWAYS_INLINE void overPieces(const Work &work) const
    {
        for (int row = 0; row < size; row += pieceRows)
            work(rowsFrom(row));
    }

    template <class Work>
    ALWAYS_INLINE void write(const Work &work) const
    {
        for (int row = (size - 1) / pieceRows * pieceRows; row >= 0; row -= pieceRows)
            rowsFrom(row).sum(work);
    }

    Strip rowsFrom(int row) const
    {
        Strip found = *this;
        found.start += row * columns;
        found.size = least(pieceRows, size - row);
        return found;
    }
};

struct Columns
{
    int batch, maps, slotsOfMap;
    long blocks, slabs, slots;

    Columns(int batch, int maps, int inner) :
        batch(batch), maps(maps), slotsOfMap(inner), slots((long)maps * inner)
    {
        blocks = parts(slots, groupColumns);
        slabs = parts(batch, slabRows);
    }

    long size() const { return slots * batch; }
    bool isAlone() const { return slabs == 1 && slotsOfMap == 1; }
    bool isAligned() const { return slots % width == 0; }
    long firstMap(long block) const { return least(block * groupColumns, maps); }

    template <class Work>
    void over(long block, long slab, const Work &work) const
    {
        long column = block * groupColumns, end = least(column + groupColumns, slots);
        long row = slab * slabRows, start = row * slots + column;
        int rows = least(slabRows, batch - row);
        if (end - column == groupColumns)
        {
            work(Strip<chains, Whole>{start, slots, column, rows, slotsOfMap, groupColumns, {}});
            return;
        }
        for (; column < end; column += width, start += width)
        {
            int n = least(width, end - column);
            work(Strip<1, Few>{start, slots, column, rows, slotsOfMap, n, {n}});
        }
    }
};


template <class Work>
static inline void choosingGrid(int batch, int maps, int inner, const Work &work)
{
    if (inner < width)
        work(Columns(batch, maps, inner));
    else
        work(Maps(batch, maps, inner));
}
