// What CUDA passes to a kernel in hidden ways.

struct dim3
{
    unsigned x, y, z;
    constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
    constexpr dim3(uint3 v) : x(v.x), y(v.y), z(v.z) {}
    constexpr operator uint3() const { return {x, y, z}; }
};

// No constructor, and nobody takes their address: then the compiler knows that no store of a kernel
// changes them.
static __thread uint3 threadIdx, blockIdx, blockDim, gridDim;
