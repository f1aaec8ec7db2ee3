// Convolutions on minidl's pool, without columns: a vector holds neighbouring maps of the result,
// and the numbers of the other factor come in one by one.
//
// A task packs the part of a sample that it reads into a small array with the zeros of the edges,
// of the thread's own, in which the numbers that a tap (an element of the filters) meets lie a
// fixed step further than those of the first tap. What a task does follows from the sizes alone, so
// the bits are the same for any number of threads.

#include <stdlib.h>
#include <string.h>

#if defined(__AVX512F__)
enum { vectorBytes = 64, mostPixels = 14, mostRows = 12 };
#else
enum { vectorBytes = 32, mostPixels = 6, mostRows = 6 };
#endif

template <class real> struct Vectors
{
    typedef real Type __attribute__((vector_size(vectorBytes), aligned(sizeof(real)), may_alias));
    enum { lanes = vectorBytes / sizeof(real) };
};

static inline long least(long a, long b) { return a < b ? a : b; }
static inline long parts(long size, long part) { return (size + part - 1) / part; }

extern "C" int minidlConvVectorBytes() { return vectorBytes; }

// What Python launches: function(arguments, i) for each i of some tasks.
#define EXPORTED(name, Arguments, function) \
    extern "C" void name(const char *packed, long first, long last, long) \
    { \
        for (long i = first; i < last; ++i) \
            function(*(const Arguments *)packed, i); \
    }


// Memory of the thread's own, which grows to what it has needed at most.
static void *scratch(size_t bytes)
{
    static thread_local char *memory = 0;
    static thread_local size_t size = 0;
    if (size < bytes)
    {
        free(memory);
        size = (bytes + 4095) / 4096 * 4096;
        memory = (char *)aligned_alloc(64, size);
        if (!memory)
            abort();
    }
    return memory;
}


// How a task's part of a sample is packed: of each axis `extent` numbers, of which the first one is
// number start * step - low of the sample, or a zero outside of it. Where there are no zeros the
// sample itself serves, and extent is its size.
struct Packing { long size[3], extent[3], low[3], step[3], isDirect, lead; };

// Lines are short: a call of memcpy would take longer than the copy.
template <int bytes, class real> static inline void copy(const real *from, real *to, long number)
{
    if constexpr (bytes > (int)sizeof(real))
    {
        typedef real Part __attribute__((vector_size(bytes), aligned(sizeof(real)), may_alias));
        const long lanes = bytes / sizeof(real);
        if (number < lanes)
            return copy<bytes / 2>(from, to, number);
        for (long i = 0; i < number - lanes; i += lanes)
            *(Part *)(to + i) = *(const Part *)(from + i);
        *(Part *)(to + number - lanes) = *(const Part *)(from + number - lanes);
    }
    else if (number)
        *to = *from;
}

// put(numbers, first, number, line) for what lies inside of the sample: so many numbers, of which
// the first one is the line's number `first`. It finds zeros there, unless it puts a `wholeLine`.
template <bool wholeLine, class real, class Put>
static inline void packLines(Packing p, const long *start, const real *maps, long numMaps,
                             real *packed, const Put &put)
{
    long from[3], first[3], end[3];  // what is packed at first .. end-1 lies inside of the sample
    for (int axis = 0; axis < 3; ++axis)
    {
        from[axis] = start[axis] * p.step[axis] - p.low[axis];
        first[axis] = from[axis] < 0 ? -from[axis] : 0;
        end[axis] = least(p.extent[axis], p.size[axis] - from[axis]);
    }
    const long across = p.extent[2], depth = p.extent[1] * across;
    if (!wholeLine || end[1] <= first[1] || end[2] <= first[2])
        memset(packed, 0, numMaps * p.extent[0] * depth * sizeof(real));
    if (end[1] <= first[1] || end[2] <= first[2])
        return;

    for (long map = 0; map < numMaps; ++map)
        for (long i = 0; i < p.extent[0]; ++i, packed += depth)
        {
            if (i < first[0] || i >= end[0])
            {
                memset(packed, 0, depth * sizeof(real));
                continue;
            }
            const long lineNumber
                = (map * p.size[0] + from[0] + i) * p.size[1] + from[1] + first[1];
            const real *line = maps + lineNumber * p.size[2] + from[2] + first[2];
            real *to = packed + first[1] * across;
            for (long j = first[1]; j < end[1]; ++j, line += p.size[2], to += across)
                put(line, first[2], end[2] - first[2], to);
            if (wholeLine)
            {
                memset(packed, 0, first[1] * across * sizeof(real));
                memset(to, 0, (packed + depth - to) * sizeof(real));
            }
        }
}

template <class real>
static const real *pack(
    const Packing &p, const long *start, const real *maps, long numMaps, real *packed)
{
    if (p.isDirect)
        return maps + (start[0] * p.step[0] * p.size[1] + start[1] * p.step[1]) * p.size[2]
            + start[2] * p.step[2];
    packLines<false>(p, start, maps, numMaps, packed,
                     [](const real *from, long first, long number, real *line)
    {
        copy<vectorBytes>(from, line + first, number);
    });
    return packed;
}


template <class Line> static inline void turnSquare(Line (&lines)[2])
{
    const Line a = lines[0], b = lines[1];
    lines[0] = Line{a[0], b[0]}, lines[1] = Line{a[1], b[1]};
}

// In steps of two lines each, for which processors have instructions.
template <class Line> static inline void turnSquare(Line (&lines)[4])
{
    const Line a = lines[0], b = lines[1], c = lines[2], d = lines[3];
    const Line ab = {a[0], b[0], a[1], b[1]}, cd = {c[0], d[0], c[1], d[1]};
    const Line abEnd = {a[2], b[2], a[3], b[3]}, cdEnd = {c[2], d[2], c[3], d[3]};
    lines[0] = Line{ab[0], ab[1], cd[0], cd[1]};
    lines[1] = Line{ab[2], ab[3], cd[2], cd[3]};
    lines[2] = Line{abEnd[0], abEnd[1], cdEnd[0], cdEnd[1]};
    lines[3] = Line{abEnd[2], abEnd[3], cdEnd[2], cdEnd[3]};
}

template <class real>
static inline void turnAt(const real *from, long fromStep, const real *add, real *to, long toStep)
{
    typedef real Line __attribute__((vector_size(16), aligned(sizeof(real)), may_alias));
    const int side = 16 / sizeof(real);
    Line lines[side];
    for (int i = 0; i < side; ++i)
        lines[i] = *(const Line *)(from + i * fromStep);
    turnSquare(lines);
    for (int i = 0; i < side; ++i)
        *(Line *)(to + i * toStep) = add ? lines[i] + add[i] : lines[i];
}

// visit(first) for parts that cover `size` numbers; the last one ends there, and may begin early.
template <int part, class Visit> static inline void cover(long size, const Visit &visit)
{
    for (long first = 0; first < size - part; first += part)
        visit(first);
    visit(size - part);
}

// to[column][row] = from[row][column] + add[column], where add may be null; the steps are those
// from row to row of each. Squares of 16 bytes are turned in registers, one behind the other along
// the longer step: lines of maps may lie where they drive each other out of the cache.
template <class real>
static void turn(const real *from, long fromStep, long rows, long columns, const real *add,
                 real *to, long toStep)
{
    const int side = 16 / sizeof(real);
    const auto turnPart = [=](long r, long c)
    {
        turnAt(from + r * fromStep + c, fromStep, add ? add + c : add, to + c * toStep + r, toStep);
    };
    if (rows < side || columns < side)
        for (long c = 0; c < columns; ++c)
            for (long r = 0; r < rows; ++r)
                to[c * toStep + r] = from[r * fromStep + c] + (add ? add[c] : 0);
    else if (fromStep > toStep)
        cover<side>(rows, [=](long r) { cover<side>(columns, [=](long c) { turnPart(r, c); }); });
    else
        cover<side>(columns, [=](long c) { cover<side>(rows, [=](long r) { turnPart(r, c); }); });
}


// sums[map] += numbers[place][map] over so many places, which have whole vectors of maps.
template <class real>
static inline void addPlaces(const real *numbers, long places, long maps, real *sums)
{
    typedef typename Vectors<real>::Type Vector;
    for (long map = 0; map < maps; map += Vectors<real>::lanes)
    {
        Vector sum = {};
        for (long place = 0; place < places; ++place)
            sum += *(const Vector *)(numbers + place * maps + map);
        *(Vector *)(sums + map) += sum;
    }
}
