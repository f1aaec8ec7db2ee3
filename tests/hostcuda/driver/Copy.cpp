// Copies. Each is a box of bytes: rows of `width` bytes, `height` rows in a slice, `depth` slices.

#include <string.h>

#include "Driver.h"

namespace
{

struct Side
{
    char *start;
    size_t pitch, slice;  // bytes from row to row and from slice to slice
};

struct Box { size_t width, height, depth; };

enum Where { host, device, either };

}


static size_t extent(const Side &side, const Box &box)
{
    return (box.depth - 1) * side.slice + (box.height - 1) * side.pitch + box.width;
}


// Whether all bytes of a side are memory of that sort; says it if not.
static bool isFit(const Side &side, const Box &box, Where where, const char *name)
{
    const size_t size = extent(side, box);
    const Allocation *found = find(side.start);
    const bool isInside = found && side.start + size <= found->start + found->size
        && isUsable(*found, current());
    const bool isHost = found ? isInside && found->kind != Kind::device : side.start != 0;
    const bool isDevice = isInside || isVariable(current(), side.start, size);
    if (where == host ? isHost : where == device ? isDevice : isHost || isDevice)
        return true;
    say("%s of %zu bytes: not all are in memory of the %s, from %s on",
        name, size, where == host ? "host" : "device", described(side.start).c_str());
    return false;
}


static void copyNow(const Side &to, const Side &from, const Box &box)
{
    for (size_t z = 0; z < box.depth; ++z)
        for (size_t y = 0; y < box.height; ++y)
            memmove(
                to.start + z * to.slice + y * to.pitch,
                from.start + z * from.slice + y * from.pitch, box.width);
}


static bool isPageable(const Side &side)
{
    return !find(side.start) && !isVariable(current(), side.start, 1);
}


// As CUDA does it: what comes from pageable memory is read at once, and what goes there has
// arrived when the call returns.
static CUresult copy(
    Side to, Where toWhere, Side from, Where fromWhere, Box box, CUstream stream, bool waits,
    const char *name)
{
    if (!box.width || !box.height || !box.depth)
        return waits ? finish(stream) : CUDA_SUCCESS;
    if (!isFit(to, box, toWhere, name) || !isFit(from, box, fromWhere, name))
        return CUDA_ERROR_INVALID_VALUE;

    std::function<void()> work = [=] { copyNow(to, from, box); };
    if (!waits && isPageable(from))
    {
        const auto kept = std::make_shared<std::vector<char>>(box.width * box.height * box.depth);
        const Side keep = {kept->data(), box.width, box.width * box.height};
        copyNow(keep, from, box);
        work = [=] { (void)kept; copyNow(to, keep, box); };
    }
    CUresult result = submit(stream, work);
    waits |= isPageable(to);
    if (!result && waits)
        result = finish(stream);
    return result || !waits ? result : current().outcome();
}


static CUresult copyRow(
    void *to, Where toWhere, const void *from, Where fromWhere, size_t size, CUstream stream,
    bool waits, const char *name)
{
    const Side target = {(char *)to, size, size}, source = {(char *)from, size, size};
    return copy(target, toWhere, source, fromWhere, {size, 1, 1}, stream, waits, name);
}


#define COPY(name, To, toWhere, From, fromWhere) \
    API CUresult name##_v2(To to, From from, size_t size) \
    { \
        ENTRY(inContext); \
        return copyRow((void *)to, toWhere, (const void *)from, fromWhere, size, 0, true, #name); \
    } \
    API CUresult name##Async_v2(To to, From from, size_t size, CUstream stream) \
    { \
        ENTRY(inContext); \
        return copyRow( \
            (void *)to, toWhere, (const void *)from, fromWhere, size, stream, false, \
            #name "Async"); \
    }

COPY(cuMemcpyHtoD, CUdeviceptr, device, const void *, host)
COPY(cuMemcpyDtoH, void *, host, CUdeviceptr, device)
COPY(cuMemcpyDtoD, CUdeviceptr, device, CUdeviceptr, device)


API CUresult cuMemcpy(CUdeviceptr to, CUdeviceptr from, size_t size)
{
    ENTRY(inContext);
    return copyRow((void *)to, either, (const void *)from, either, size, 0, true, "cuMemcpy");
}


API CUresult cuMemcpyAsync(CUdeviceptr to, CUdeviceptr from, size_t size, CUstream stream)
{
    ENTRY(inContext);
    return copyRow(
        (void *)to, either, (const void *)from, either, size, stream, false, "cuMemcpyAsync");
}


static bool isIn(CUdeviceptr address, size_t size, CUcontext context)
{
    const Allocation *found = find((const void *)address);
    return found && address + size <= (CUdeviceptr)found->start + found->size
        && isUsable(*found, *context);
}


static CUresult copyPeer(
    CUdeviceptr to, CUcontext toContext, CUdeviceptr from, CUcontext fromContext, size_t size,
    CUstream stream)
{
    RETURN_IF(!contexts.count(toContext), CUDA_ERROR_INVALID_CONTEXT);
    RETURN_IF(!contexts.count(fromContext), CUDA_ERROR_INVALID_CONTEXT);
    RETURN_IF(!isIn(to, size, toContext), CUDA_ERROR_INVALID_VALUE);
    RETURN_IF(!isIn(from, size, fromContext), CUDA_ERROR_INVALID_VALUE);
    return submit(stream, [=] { memmove((void *)to, (const void *)from, size); });
}


API CUresult cuMemcpyPeer(
    CUdeviceptr to, CUcontext toContext, CUdeviceptr from, CUcontext fromContext, size_t size)
{
    ENTRY(inContext);
    const CUresult result = copyPeer(to, toContext, from, fromContext, size, 0);
    return result ? result : current().outcome();
}


API CUresult cuMemcpyPeerAsync(
    CUdeviceptr to, CUcontext toContext, CUdeviceptr from, CUcontext fromContext, size_t size,
    CUstream stream)
{
    ENTRY(inContext);
    return copyPeer(to, toContext, from, fromContext, size, stream);
}


// Boxes as cuda.h describes them.

static bool isKnown(CUmemorytype type) { return type != CU_MEMORYTYPE_ARRAY; }

static Where where(CUmemorytype type)
{
    return type == CU_MEMORYTYPE_HOST ? host : type == CU_MEMORYTYPE_DEVICE ? device : either;
}


template <class Description>
static CUresult copyBox(
    const Description &d, size_t srcZ, size_t srcHeight, size_t dstZ, size_t dstHeight,
    size_t depth, CUstream stream, bool waits, const char *name)
{
    RETURN_IF(!isKnown(d.srcMemoryType) || !isKnown(d.dstMemoryType), CUDA_ERROR_NOT_SUPPORTED);
    const bool fromHost = d.srcMemoryType == CU_MEMORYTYPE_HOST;
    const bool toHost = d.dstMemoryType == CU_MEMORYTYPE_HOST;
    Side from = {fromHost ? (char *)d.srcHost : (char *)d.srcDevice, d.srcPitch, 0};
    Side to = {toHost ? (char *)d.dstHost : (char *)d.dstDevice, d.dstPitch, 0};
    from.pitch = from.pitch ? from.pitch : d.WidthInBytes;
    to.pitch = to.pitch ? to.pitch : d.WidthInBytes;
    from.slice = from.pitch * (srcHeight ? srcHeight : d.Height);
    to.slice = to.pitch * (dstHeight ? dstHeight : d.Height);
    const bool isWide = from.pitch >= d.WidthInBytes && to.pitch >= d.WidthInBytes;
    RETURN_IF(d.Height > 1 && !isWide, CUDA_ERROR_INVALID_VALUE);
    from.start += srcZ * from.slice + d.srcY * from.pitch + d.srcXInBytes;
    to.start += dstZ * to.slice + d.dstY * to.pitch + d.dstXInBytes;
    return copy(
        to, where(d.dstMemoryType), from, where(d.srcMemoryType),
        {d.WidthInBytes, d.Height, depth}, stream, waits, name);
}


static CUresult copy2D(const CUDA_MEMCPY2D *d, CUstream stream, bool waits)
{
    return copyBox(*d, 0, 0, 0, 0, 1, stream, waits, "cuMemcpy2D");
}


static CUresult copy3D(const CUDA_MEMCPY3D_PEER *d, CUstream stream, bool waits)
{
    return copyBox(
        *d, d->srcZ, d->srcHeight, d->dstZ, d->dstHeight, d->Depth, stream, waits, "cuMemcpy3D");
}


API CUresult cuMemcpy2D_v2(const CUDA_MEMCPY2D *d)
{
    ENTRY(inContext);
    return copy2D(d, 0, true);
}


API CUresult cuMemcpy2DUnaligned_v2(const CUDA_MEMCPY2D *d)
{
    ENTRY(inContext);
    return copy2D(d, 0, true);
}


API CUresult cuMemcpy2DAsync_v2(const CUDA_MEMCPY2D *d, CUstream stream)
{
    ENTRY(inContext);
    return copy2D(d, stream, false);
}


API CUresult cuMemcpy3D_v2(const CUDA_MEMCPY3D_PEER *d)
{
    ENTRY(inContext);
    return copy3D(d, 0, true);
}


API CUresult cuMemcpy3DAsync_v2(const CUDA_MEMCPY3D_PEER *d, CUstream stream)
{
    ENTRY(inContext);
    return copy3D(d, stream, false);
}
