// The end of every text that the nvcc stand-in makes, after Simt's headers, the kernels and Plan.h:
// runs a block of a kernel, its threads in the order of a plan.

namespace hostcuda
{

template <class... T> struct Types {};

constexpr int aligned(int offset, int alignment)
{
    return (offset + alignment - 1) / alignment * alignment;
}

template <auto kernel, int end, class... Done>
static __forceinline__ void call(const char *, Types<>, const Done &...done)
{
    kernel(done...);
}

template <auto kernel, int end, class First, class... Rest, class... Done>
static __forceinline__ void call(const char *packed, Types<First, Rest...>, const Done &...done)
{
    constexpr int offset = aligned(end, alignof(First));
    const First &first = *(const First *)(packed + offset);
    call<kernel, offset + (int)sizeof(First)>(packed, Types<Rest...>(), done..., first);
}

template <auto kernel> struct Runner;
template <class... T, void (*kernel)(T...)> struct Runner<kernel>
{
    static void runThreads(const void *pointer, unsigned first)
    {
        const Plan &plan = *(const Plan *)pointer;
        for (unsigned i = first; i < plan.count; ++i)
        {
            const Place &place = plan.threads[i];
            if (place.x == nobody)
                continue;
            threadIdx.x = place.x, threadIdx.y = place.y, threadIdx.z = place.z;
            simt::beginThread();
            call<kernel, 0>(plan.arguments, Types<T...>());
            if (simt::hasWaited)
                return;
        }
    }

    static void runBlock(const Plan *plan, Place block)
    {
        gridDim.x = plan->grid.x, gridDim.y = plan->grid.y, gridDim.z = plan->grid.z;
        blockDim.x = plan->block.x, blockDim.y = plan->block.y, blockDim.z = plan->block.z;
        blockIdx.x = block.x, blockIdx.y = block.y, blockIdx.z = block.z;
        simt::runBlock(runThreads, plan);
    }
};

static inline void describe(Types<>, Parameter *, int) {}

template <class First, class... Rest>
static void describe(Types<First, Rest...>, Parameter *parameter, int end)
{
    typedef simt::Kind<First> Own;
    typedef simt::Kind<typename simt::Element<First>::type> Pointed;
    const int offset = aligned(end, alignof(First));
    *parameter = {Own::letter, Pointed::letter, sizeof(First), Pointed::size, offset};
    describe(Types<Rest...>(), parameter + 1, offset + (int)sizeof(First));
}

template <class... T> static void describeKernel(Parameter *parameters)
{
    describe(Types<T...>(), parameters, 0);
}

template <auto kernel, class... T>
static constexpr Kernel entry(const char *name, const void *address, void (*)(T...))
{
    return {name, Runner<kernel>::runBlock, address, sizeof...(T), describeKernel<T...>};
}

}
