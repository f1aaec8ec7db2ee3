// Memory of the device, and of the host as far as the device may use it.

#include "Driver.h"


static size_t memory() { return setting("HOSTCUDA_MEMORY", 8ul << 30); }


static CUresult make(CUdeviceptr *pointer, size_t size, Kind kind)
{
    RETURN_IF(!size, CUDA_ERROR_INVALID_VALUE);
    const size_t taken = used(current().device), all = memory();
    RETURN_IF(taken > all || size > all - taken, CUDA_ERROR_OUT_OF_MEMORY);
    const Allocation *made = allocate(size, kind);
    RETURN_IF(!made, CUDA_ERROR_OUT_OF_MEMORY);
    *pointer = (CUdeviceptr)made->start;
    return CUDA_SUCCESS;
}


// The live allocation that begins there.
static Allocation *beginning(const void *address)
{
    const auto found = allocations.find((const char *)address);
    return found == allocations.end() ? nullptr : &found->second;
}


static void waitForAll()
{
    for (Context *context : contexts)
        context->runAll();
}


API CUresult cuMemAlloc_v2(CUdeviceptr *pointer, size_t size)
{
    ENTRY(inContext);
    return make(pointer, size, Kind::device);
}


API CUresult cuMemAllocManaged(CUdeviceptr *pointer, size_t size, unsigned)
{
    ENTRY(inContext);
    return make(pointer, size, Kind::managed);
}


API CUresult cuMemAllocPitch_v2(
    CUdeviceptr *pointer, size_t *pitch, size_t width, size_t height, unsigned elementSize)
{
    ENTRY(inContext);
    RETURN_IF(elementSize != 4 && elementSize != 8 && elementSize != 16, CUDA_ERROR_INVALID_VALUE);
    *pitch = (width + 511) / 512 * 512;
    return make(pointer, *pitch * height, Kind::device);
}


API CUresult cuMemFree_v2(CUdeviceptr pointer)
{
    ENTRY(inContext);
    RETURN_IF(!pointer, CUDA_SUCCESS);
    Allocation *found = beginning((const void *)pointer);
    if (!found || found->kind == Kind::pinned || found->kind == Kind::registered)
    {
        say("cuMemFree of %s", described((const void *)pointer).c_str());
        return CUDA_ERROR_INVALID_VALUE;
    }
    waitForAll();
    release(*found);
    return current().outcome();
}


API CUresult cuMemGetInfo_v2(size_t *left, size_t *all)
{
    ENTRY(inContext);
    const size_t taken = used(current().device);
    *all = memory();
    *left = taken < *all ? *all - taken : 0;
    return CUDA_SUCCESS;
}


API CUresult cuMemGetAddressRange_v2(CUdeviceptr *start, size_t *size, CUdeviceptr pointer)
{
    ENTRY(inContext);
    const Allocation *found = find((const void *)pointer);
    RETURN_IF(!found || found->start + found->size == (char *)pointer, CUDA_ERROR_NOT_FOUND);
    if (start)
        *start = (CUdeviceptr)found->start;
    if (size)
        *size = found->size;
    return CUDA_SUCCESS;
}


API CUresult cuMemHostAlloc(void **pointer, size_t size, unsigned flags)
{
    ENTRY(inContext);
    RETURN_IF(!size, CUDA_ERROR_INVALID_VALUE);
    const Allocation *made = allocate(size, Kind::pinned, flags);
    RETURN_IF(!made, CUDA_ERROR_OUT_OF_MEMORY);
    *pointer = made->start;
    return CUDA_SUCCESS;
}


API CUresult cuMemAllocHost_v2(void **pointer, size_t size)
{
    return cuMemHostAlloc(pointer, size, 0);
}


API CUresult cuMemFreeHost(void *pointer)
{
    ENTRY(inContext);
    Allocation *found = beginning(pointer);
    if (!found || found->kind != Kind::pinned)
    {
        say("cuMemFreeHost of %s", described(pointer).c_str());
        return CUDA_ERROR_INVALID_VALUE;
    }
    waitForAll();
    release(*found);
    return current().outcome();
}


API CUresult cuMemHostRegister_v2(void *pointer, size_t size, unsigned flags)
{
    ENTRY(inContext);
    RETURN_IF(!pointer || !size, CUDA_ERROR_INVALID_VALUE);
    char *start = (char *)pointer;
    for (const auto &entry : allocations)
        RETURN_IF(
            start < entry.second.start + entry.second.size && entry.second.start < start + size,
            CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED);
    allocations[start] = {start, size, Kind::registered, &current(), 0, 0, flags};
    return CUDA_SUCCESS;
}


API CUresult cuMemHostUnregister(void *pointer)
{
    ENTRY(inContext);
    Allocation *found = beginning(pointer);
    const bool isFit = found && found->kind == Kind::registered;
    RETURN_IF(!isFit, CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED);
    waitForAll();
    release(*found);
    return current().outcome();
}


static const Allocation *hostMemory(const void *pointer)
{
    const Allocation *found = find(pointer);
    return found && (found->kind == Kind::pinned || found->kind == Kind::registered) ? found : 0;
}


API CUresult cuMemHostGetDevicePointer_v2(CUdeviceptr *address, void *pointer, unsigned)
{
    ENTRY(inContext);
    RETURN_IF(!hostMemory(pointer), CUDA_ERROR_INVALID_VALUE);
    *address = (CUdeviceptr)pointer;
    return CUDA_SUCCESS;
}


API CUresult cuMemHostGetFlags(unsigned *flags, void *pointer)
{
    ENTRY(inContext);
    const Allocation *found = hostMemory(pointer);
    RETURN_IF(!found, CUDA_ERROR_INVALID_VALUE);
    *flags = found->flags;
    return CUDA_SUCCESS;
}
