// What the library and the modules that the nvcc stand-in makes (Run.h) tell each other.

#pragma once

namespace hostcuda
{

struct Place { unsigned x, y, z; };

static const unsigned nobody = 0xFFFFFFFFu;  // the x of a place where no thread is

// How a launch runs the threads of each block: threads[0], threads[1], ... in this order.
struct Plan
{
    Place grid, block;
    const char *arguments;  // packed as CUDA packs them
    unsigned count;
    const Place *threads;
};

// The dynamic shared memory of a module, as its function hostcudaDynamicShared tells it for the
// calling thread of the CPU.
struct Range { char *start; unsigned long size; };

// Of a kernel's parameter: the kinds by numpy's letters, 's' for structs and 'P' for pointers,
// whose `elementSize` tells what they point to.
struct Parameter { char kind, elementKind; int size, elementSize, offset; };

// A kernel of a module, which has an array of these, hostcudaKernels, ended by an empty one.
struct Kernel
{
    const char *name;
    void (*runBlock)(const Plan *plan, Place block);
    const void *address;  // the kernel itself, by which its mangled name is known, or 0
    int numParameters;
    void (*describe)(Parameter *parameters);
};

}
