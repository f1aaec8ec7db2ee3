// The words that tuned twins for the CPU may use beside those of Host.h.
//
// A twin launches itself: its kernel is called once, and shares its work out by `overBlocks`. It
// reckons in vectors as wide as the processor's registers, and says itself in which order it sums.

typedef void (*Entry)(const char *arguments, long first, long last, long blocks);
static void (*launch)(Entry, const char *arguments, long blocks);

static thread_local Index gridDim;  // the blocks that the caller has asked for

extern "C" void useLaunch(void (*launch_)(Entry, const char *, long)) { launch = launch_; }

// work(block) for every block of a grid, on minidl's threads.
template <class Work>
static inline void overBlocks(long blocks, const Work &work)
{
    Entry entry = [](const char *work, long first, long last, long)
    {
        for (long block = first; block < last; ++block)
            (*(const Work *)work)(block);
    };
    launch(entry, (const char *)&work, blocks);
}

// Room for some numbers while a kernel runs.
template <class Item>
struct Scratch
{
    Item *items;

    Scratch(long size) : items((Item *)__builtin_malloc(size * sizeof(Item))) {}
    ~Scratch() { __builtin_free(items); }
    Item &operator[](long i) const { return items[i]; }
};

#define ALWAYS_INLINE __attribute__((always_inline))
#define WORD ALWAYS_INLINE static inline


#if defined(__AVX512F__)
enum { vectorBytes = 64 };
#elif defined(__AVX__)
enum { vectorBytes = 32 };
#else
enum { vectorBytes = 16 };
#endif

typedef real Vector __attribute__((vector_size(vectorBytes)));
typedef real Anywhere __attribute__((vector_size(vectorBytes), aligned(sizeof(real)), may_alias));
typedef decltype(Vector() < Vector()) Mask;

enum { width = vectorBytes / sizeof(real), chains = 4 };

WORD Vector everywhere(real value) { return Vector{} + value; }

template <int n>
static inline real total(const real *x) { return total<n / 2>(x) + total<n / 2>(x + n / 2); }
template <>
inline real total<1>(const real *x) { return *x; }

WORD real total(Vector v) { return total<width>((const real *)&v); }

// 0, 1, 2, ...
WORD Mask laneNumbers()
{
    Mask numbers;
    for (int i = 0; i < width; ++i)
        numbers[i] = i;
    return numbers;
}

// Lane i becomes number from[i] of `low` or, beyond its end, of `high`.
template <class Any>
WORD Any shuffled(Any low, Any high, Mask from)
{
#if defined(__clang__)
    Any v;
    for (int i = 0; i < width; ++i)
        v[i] = from[i] < width ? low[from[i]] : high[from[i] - width];
    return v;
#else
    return __builtin_shuffle(low, high, from);
#endif
}

enum { shuffleSize = 16 / sizeof(real) };  // numbers that registers shuffle most cheaply

// Every second number of two vectors, from number `first` on, in an order that `sorted` undoes:
// each 16 bytes are those that come from the same 16 bytes of `low`, then of `high`.
WORD Vector everySecond(Vector low, Vector high, int first)
{
    Mask from;
    for (int i = 0; i < width; ++i)
    {
        const int start = i / shuffleSize * shuffleSize, n = 2 * (i - start);
        from[i] = start + (n < shuffleSize ? n : width + n - shuffleSize) + first;
    }
    return shuffled(low, high, from);
}

template <class Any>
WORD Any sorted(Any v)
{
    Mask from;
    for (int i = 0; i < width; ++i)
    {
        const int n = 2 * i % width, start = n / shuffleSize * shuffleSize;
        from[i] = start + (n - start + (2 * i < width ? 0 : shuffleSize)) / 2;
    }
    return shuffled(v, v, from);
}

// Half of a vector's numbers, from number `first` on, with zeros between them.
WORD Vector betweenZeros(Vector v, int first)
{
    const Mask numbers = laneNumbers();
    return shuffled(v, Vector{}, first + numbers / 2 + (numbers & 1) * (int)width);
}


// What of a vector is meant, at a place in memory.
struct Whole {};                   // all of it
struct Edge { int first, last; };  // all of it, and some of that a neighbour means as well
struct Some { int first, last; };  // the lanes first .. last-1; the others are the same block's
struct Few { int n; };             // the lanes 0 .. n-1; the others may not be there

WORD Vector chosen(Some lanes, Vector v, Vector others)
{
    const Mask number = laneNumbers();
    return number < lanes.first ? others : number < lanes.last ? v : others;
}

// Lanes that are not meant become those of `filling`.
WORD Vector load(const real *x, Whole, Vector = Vector{}) { return *(const Anywhere *)x; }
WORD Vector load(const real *x, Edge, Vector = Vector{}) { return *(const Anywhere *)x; }
WORD Vector load(const real *x, Some lanes, Vector filling = Vector{})
{
    return chosen(lanes, load(x, Whole()), filling);
}

// n numbers, at most as many as a vector has
template <class Number>
static inline void copy(Number *to, const Number *from, int n)
{
    for (int size = width; size; size /= 2)
        if (n & size)
        {
            __builtin_memcpy(to, from, size * sizeof(Number));
            to += size, from += size;
        }
}

static inline Vector load(const real *x, Few few, Vector filling = Vector{})
{
    if (few.n == width)
        return load(x, Whole());
    copy((real *)&filling, x, few.n);
    return filling;
}

WORD void store(real *y, Whole, Vector v) { *(Anywhere *)y = v; }
WORD void store(real *y, Edge, Vector v) { *(Anywhere *)y = v; }
WORD void store(real *y, Some lanes, Vector v)
{
    store(y, Whole(), chosen(lanes, v, load(y, Whole())));
}

static inline void store(real *y, Few few, Vector v)
{
    if (few.n == width)
        store(y, Whole(), v);
    else
        copy(y, (const real *)&v, few.n);
}

// Stores past the caches, which saves reading the lines that are overwritten; `y` is aligned.
WORD void stream(real *y, Vector v)
{
#if defined(__clang__)
    __builtin_nontemporal_store(v, (Vector *)y);
#elif defined(__SSE__)
    typedef float Floats __attribute__((vector_size(vectorBytes)));
#if defined(__AVX512F__)
    __builtin_ia32_movntps512((float *)y, (Floats)v);
#elif defined(__AVX__)
    __builtin_ia32_movntps256((float *)y, (Floats)v);
#else
    __builtin_ia32_movntps((float *)y, (Floats)v);
#endif
#else
    *(Vector *)y = v;
#endif
}

// What was streamed is in memory before anything that is stored later.
WORD void endStreams()
{
#if defined(__SSE__)
    __builtin_ia32_sfence();
#endif
}

WORD void put(real *y, Whole, Vector v, bool streams)
{
    if (streams)
        stream(y, v);
    else
        store(y, Whole(), v);
}

WORD void put(real *y, Few few, Vector v, bool) { store(y, few, v); }

// Edge or Some. No line that is streamed may be written twice: that would wait for the memory.
template <class Ends>
WORD void put(real *y, Ends lanes, Vector v, bool streams)
{
    if (streams)
        copy(y + lanes.first, (const real *)&v + lanes.first, lanes.last - lanes.first);
    else
        store(y, lanes, v);
}
