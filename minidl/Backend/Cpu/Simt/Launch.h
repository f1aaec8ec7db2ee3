// How a kernel is run: the loops over blocks and threads, and what Python must know of its
// arguments.

#if defined(__clang__)
#define SIMT_THREAD_LOOP _Pragma("clang loop vectorize(assume_safety)")
#else
#define SIMT_THREAD_LOOP _Pragma("GCC ivdep")
#endif

namespace simt
{

// The head of a packed call; the arguments follow it.
struct Call { unsigned grid[3], block[3], shared, reserved; };

template <class... T> struct Arguments {};
template <class First, class... Rest> struct Arguments<First, Rest...>
{
    First first;
    Arguments<Rest...> rest;
};

template <auto kernel, class... Done>
static __forceinline__ void apply(const Arguments<> &, const Done &...done)
{
    kernel(done...);
}

template <auto kernel, class First, class... Rest, class... Done>
static __forceinline__ void apply(const Arguments<First, Rest...> &left, const Done &...done)
{
    apply<kernel>(left.rest, done..., left.first);
}

// `Near`: the first index of all threads of the grid is below 2^31. GCC vectorises on this word
// only: without it int(blockIdx.x * blockDim.x + threadIdx.x) may wrap around, and what it indexes
// need not be contiguous.
template <bool Near, auto kernel, class All>
static void runThreads(const void *arguments, unsigned first)
{
    const All all = *(const All *)arguments;
    const unsigned width = blockDim.x, height = blockDim.y, depth = blockDim.z;
    if (width > 1024 || (Near && blockIdx.x * width > 0x7FFFFFFFu - 1024))
        __builtin_unreachable();

    unsigned z = first / width / height, y = first / width % height, begin = first % width;
    for (; z < depth; ++z, y = 0)
        for (; y < height; ++y, begin = 0)
        {
            if (begin > 1023)
                __builtin_unreachable();
            SIMT_THREAD_LOOP
            for (unsigned x = begin; x < width; ++x)
            {
                threadIdx.x = x, threadIdx.y = y, threadIdx.z = z;
                beginThread();
                apply<kernel>(all);
                if (hasWaited)
                    return;
            }
        }
}

template <auto kernel> struct Kernel;
template <class... T, void (*kernel)(T...)> struct Kernel<kernel>
{
    typedef Arguments<T...> All;

    static void run(const char *packed, long first, long last, long)
    {
        Call call;
        All all;
        __builtin_memcpy(&call, packed, sizeof call);
        __builtin_memcpy((void *)&all, packed + sizeof call, sizeof all);
        // One by one, since an assignment of the whole takes the address (Grid.h).
        gridDim.x = call.grid[0], gridDim.y = call.grid[1], gridDim.z = call.grid[2];
        blockDim.x = call.block[0], blockDim.y = call.block[1], blockDim.z = call.block[2];
        const bool near = (unsigned long)call.grid[0] * call.block[0] < 1ul << 31;
        const Threads threads = near
            ? runThreads<true, kernel, All> : runThreads<false, kernel, All>;

        for (unsigned long block = (unsigned long)first; block < (unsigned long)last; ++block)
        {
            const unsigned long row = block / call.grid[0];
            blockIdx.x = (unsigned)(block % call.grid[0]);
            blockIdx.y = (unsigned)(row % call.grid[1]);
            blockIdx.z = (unsigned)(row / call.grid[1]);
            runBlock(threads, &all);
        }
    }
};


// For Python: the kinds by numpy's letters, 's' for structs and 'P' for pointers, whose `element`
// they point to.
struct Parameter { char kind, elementKind; int size, elementSize, offset; };

template <char letter_, int size_> struct Is
{
    static constexpr char letter = letter_;
    static constexpr int size = size_;
};

template <class T> struct Kind : Is<'s', 0> {};
template <class T> struct Kind<T *> : Is<'P', sizeof(T *)> {};
template <class T> struct Kind<const T> : Kind<T> {};
template <class T> struct Kind<volatile T> : Kind<T> {};
template <class T> struct Kind<const volatile T> : Kind<T> {};

#define SIMT_KIND(T, letter) template <> struct Kind<T> : Is<letter, sizeof(T)> {};

SIMT_KIND(bool, 'b') SIMT_KIND(float, 'f') SIMT_KIND(double, 'f')
SIMT_KIND(char, 'c') SIMT_KIND(signed char, 'i') SIMT_KIND(unsigned char, 'u')
SIMT_KIND(short, 'i') SIMT_KIND(unsigned short, 'u') SIMT_KIND(int, 'i') SIMT_KIND(unsigned, 'u')
SIMT_KIND(long, 'i') SIMT_KIND(unsigned long, 'u') SIMT_KIND(long long, 'i')
SIMT_KIND(unsigned long long, 'u')

template <class T> struct Element { typedef void type; };
template <class T> struct Element<T *> { typedef T type; };

static inline void describe(const Arguments<> *, Parameter *, int) {}

template <class First, class... Rest>
static void describe(const Arguments<First, Rest...> *, Parameter *parameter, int offset)
{
    typedef Kind<typename Element<First>::type> Pointed;
    typedef Arguments<First, Rest...> All;
    *parameter = {Kind<First>::letter, Pointed::letter, sizeof(First), Pointed::size, offset};
    const int next = offset + (int)__builtin_offsetof(All, rest);
    describe((const Arguments<Rest...> *)0, parameter + 1, next);
}

// What Python finds in a library: `address` is that of the kernel itself, by which mangled names
// are known.
struct Record
{
    const char *name;
    void (*run)(const char *, long, long, long);
    const void *address;
    long packedSize, numParameters;
    void (*describe)(Parameter *);
};

template <class... T> static void describeKernel(Parameter *parameters)
{
    describe((const Arguments<T...> *)0, parameters, sizeof(Call));
}

template <auto kernel, class... T>
static constexpr Record record(const char *name, const void *address, void (*)(T...))
{
    return {
        name, Kernel<kernel>::run, address,
        sizeof(Call) + sizeof(Arguments<T...>), sizeof...(T), describeKernel<T...>};
}

}
