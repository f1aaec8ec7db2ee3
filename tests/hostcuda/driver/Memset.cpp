// Fills memory of the device with one value.

#include <string.h>

#include "Driver.h"


template <class T>
static CUresult fill(
    CUdeviceptr start, size_t pitch, T value, size_t width, size_t height, CUstream stream,
    const char *name)
{
    if (!width || !height)
        return CUDA_SUCCESS;
    RETURN_IF(start % sizeof(T), CUDA_ERROR_INVALID_VALUE);
    RETURN_IF(height > 1 && pitch < width * sizeof(T), CUDA_ERROR_INVALID_VALUE);

    char *memory = (char *)start;
    const size_t size = (height - 1) * pitch + width * sizeof(T);
    const Allocation *found = find(memory);
    const bool isInside = found && memory + size <= found->start + found->size
        && isUsable(*found, current());
    if (!isInside && !isVariable(current(), memory, size))
    {
        say("%s of %zu bytes: not all are in memory of the device, from %s on",
            name, size, described(memory).c_str());
        return CUDA_ERROR_INVALID_VALUE;
    }
    return submit(stream, [=]
    {
        for (size_t y = 0; y < height; ++y)
            for (size_t x = 0; x < width; ++x)
                ((T *)(memory + y * pitch))[x] = value;
    });
}


#define FILL(T, digits) \
    API CUresult cuMemset##digits##_v2(CUdeviceptr start, T value, size_t width) \
    { \
        ENTRY(inContext); \
        return fill(start, 0, value, width, 1, 0, "cuMemset" #digits); \
    } \
    API CUresult cuMemset##digits##Async( \
        CUdeviceptr start, T value, size_t width, CUstream stream) \
    { \
        ENTRY(inContext); \
        return fill(start, 0, value, width, 1, stream, "cuMemset" #digits "Async"); \
    } \
    API CUresult cuMemsetD2##digits##_v2( \
        CUdeviceptr start, size_t pitch, T value, size_t width, size_t height) \
    { \
        ENTRY(inContext); \
        return fill(start, pitch, value, width, height, 0, "cuMemsetD2" #digits); \
    } \
    API CUresult cuMemsetD2##digits##Async( \
        CUdeviceptr start, size_t pitch, T value, size_t width, size_t height, CUstream stream) \
    { \
        ENTRY(inContext); \
        return fill(start, pitch, value, width, height, stream, "cuMemsetD2" #digits "Async"); \
    }

FILL(unsigned char, D8)
FILL(unsigned short, D16)
FILL(unsigned, D32)
