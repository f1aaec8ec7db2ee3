// Functions and their launches.

#include <string.h>

#include "Driver.h"

using hostcuda::Place;

static std::map<std::string, long> &launches = *new std::map<std::string, long>;

static const int mostStatic = 48 << 10, mostDynamic = 163 << 10;  // bytes of shared memory


long numLaunches(const std::string &kernel)
{
    long number = 0;
    for (const auto &entry : launches)
        number += kernel.empty() || entry.first == kernel ? entry.second : 0;
    return number;
}


static bool isKnown(CUfunction function)
{
    for (const Module *module : current().modules)
        for (const auto &entry : module->functions)
            if (&entry.second == function)
                return true;
    return false;
}


static bool isWithin(const Place &place, unsigned x, unsigned y, unsigned z)
{
    return place.x && place.y && place.z && place.x <= x && place.y <= y && place.z <= z;
}


static CUresult refusal(const Launch &launch)
{
    const Function &function = *launch.function;
    const Place &block = launch.block;
    RETURN_IF(!isWithin(launch.grid, 0x7FFFFFFF, 65535, 65535), CUDA_ERROR_INVALID_VALUE);
    RETURN_IF(!isWithin(block, 1024, 1024, 64), CUDA_ERROR_INVALID_VALUE);
    RETURN_IF(block.x * block.y * block.z > 1024, CUDA_ERROR_INVALID_VALUE);
    if (launch.shared > (unsigned)function.mostShared)
    {
        say("kernel %s: %u bytes of dynamic shared memory, and %d are allowed",
            function.name.c_str(), launch.shared, function.mostShared);
        return CUDA_ERROR_INVALID_VALUE;
    }
    // PyCUDA's own packing ends with the last argument; a struct's would end at its alignment.
    const size_t wanted = (size_t)function.packedSize, given = launch.arguments.size();
    if (given < wanted || given > (wanted + 15) / 16 * 16 || (!wanted && given))
    {
        say("kernel %s: its arguments take %zu bytes, and %zu were given",
            function.name.c_str(), wanted, given);
        return CUDA_ERROR_INVALID_VALUE;
    }
    return CUDA_SUCCESS;
}


static CUresult start(const Launch &launch, CUstream stream)
{
    const CUresult refused = refusal(launch);
    if (refused)
        return refused;
    Context &context = current();
    const CUresult result = submit(stream, [&context, launch] { run(context, launch); });
    launches[launch.function->name] += result == CUDA_SUCCESS;
    return result;
}


static void fromList(void **extra, std::vector<char> &arguments)
{
    const char *buffer = 0;
    size_t size = 0;
    for (; *extra != CU_LAUNCH_PARAM_END; extra += 2)
    {
        if (*extra == CU_LAUNCH_PARAM_BUFFER_POINTER)
            buffer = (const char *)extra[1];
        else if (*extra == CU_LAUNCH_PARAM_BUFFER_SIZE)
            size = *(const size_t *)extra[1];
    }
    if (buffer)
        arguments.assign(buffer, buffer + size);
}


static void fromPointers(
    void **pointers, const Function &function, std::vector<char> &arguments)
{
    arguments.resize((size_t)function.packedSize);
    for (const hostcuda::Parameter &parameter : function.parameters)
        memcpy(arguments.data() + parameter.offset, *pointers++, (size_t)parameter.size);
}


API CUresult cuLaunchKernel(
    CUfunction function, unsigned gridX, unsigned gridY, unsigned gridZ,
    unsigned blockX, unsigned blockY, unsigned blockZ, unsigned shared, CUstream stream,
    void **pointers, void **extra)
{
    ENTRY(inContext);
    RETURN_IF(!isKnown(function), CUDA_ERROR_INVALID_HANDLE);
    RETURN_IF(pointers && extra, CUDA_ERROR_INVALID_VALUE);
    Launch launch = {function, {gridX, gridY, gridZ}, {blockX, blockY, blockZ}, shared, {}};
    if (extra)
        fromList(extra, launch.arguments);
    else if (pointers)
        fromPointers(pointers, *function, launch.arguments);
    return start(launch, stream);
}


API CUresult cuFuncGetAttribute(int *value, int attribute, CUfunction function)
{
    ENTRY(inContext);
    RETURN_IF(!isKnown(function), CUDA_ERROR_INVALID_HANDLE);
    RETURN_IF(attribute < 0 || attribute > 15, CUDA_ERROR_INVALID_VALUE);
    // Threads; bytes of shared, constant and local memory; registers; ptx's and binary's version;
    // caching; dynamic shared memory; how much of the cache is shared memory.
    const int values[] = {1024, 0, 0, 0, 32, 80, 80, 0, function->mostShared, -1};
    *value = attribute < 10 ? values[attribute] : 0;
    return CUDA_SUCCESS;
}


API CUresult cuFuncSetAttribute(CUfunction function, int attribute, int value)
{
    ENTRY(inContext);
    RETURN_IF(!isKnown(function), CUDA_ERROR_INVALID_HANDLE);
    const int dynamicShared = 8, carveout = 9;
    RETURN_IF(attribute == carveout, CUDA_SUCCESS);
    RETURN_IF(attribute != dynamicShared, CUDA_ERROR_INVALID_VALUE);
    RETURN_IF(value < 0 || value > mostDynamic, CUDA_ERROR_INVALID_VALUE);
    function->mostShared = value > mostStatic ? value : mostStatic;
    return CUDA_SUCCESS;
}


API CUresult cuFuncSetCacheConfig(CUfunction function, int)
{
    ENTRY(inContext);
    return isKnown(function) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}


// How kernels were launched before cuLaunchKernel.

API CUresult cuFuncSetBlockShape(CUfunction function, int x, int y, int z)
{
    ENTRY(inContext);
    RETURN_IF(!isKnown(function), CUDA_ERROR_INVALID_HANDLE);
    function->block = {(unsigned)x, (unsigned)y, (unsigned)z};
    return CUDA_SUCCESS;
}


API CUresult cuFuncSetSharedSize(CUfunction function, unsigned bytes)
{
    ENTRY(inContext);
    RETURN_IF(!isKnown(function), CUDA_ERROR_INVALID_HANDLE);
    function->shared = bytes;
    return CUDA_SUCCESS;
}


API CUresult cuParamSetSize(CUfunction function, unsigned bytes)
{
    ENTRY(inContext);
    RETURN_IF(!isKnown(function), CUDA_ERROR_INVALID_HANDLE);
    function->arguments.resize(bytes);
    return CUDA_SUCCESS;
}


static CUresult set(CUfunction function, int offset, const void *value, size_t size)
{
    RETURN_IF(!isKnown(function), CUDA_ERROR_INVALID_HANDLE);
    const bool isFit = offset >= 0 && (size_t)offset + size <= 4096;
    RETURN_IF(!isFit, CUDA_ERROR_INVALID_VALUE);
    if (function->arguments.size() < (size_t)offset + size)
        function->arguments.resize((size_t)offset + size);
    memcpy(function->arguments.data() + offset, value, size);
    return CUDA_SUCCESS;
}


API CUresult cuParamSeti(CUfunction function, int offset, unsigned value)
{
    ENTRY(inContext);
    return set(function, offset, &value, sizeof value);
}


API CUresult cuParamSetf(CUfunction function, int offset, float value)
{
    ENTRY(inContext);
    return set(function, offset, &value, sizeof value);
}


API CUresult cuParamSetv(CUfunction function, int offset, const void *value, unsigned size)
{
    ENTRY(inContext);
    return set(function, offset, value, size);
}


static CUresult startOld(CUfunction function, int width, int height, CUstream stream)
{
    RETURN_IF(!isKnown(function), CUDA_ERROR_INVALID_HANDLE);
    return start(
        {function, {(unsigned)width, (unsigned)height, 1}, function->block, function->shared,
         function->arguments}, stream);
}


API CUresult cuLaunch(CUfunction function)
{
    ENTRY(inContext);
    return startOld(function, 1, 1, 0);
}


API CUresult cuLaunchGrid(CUfunction function, int width, int height)
{
    ENTRY(inContext);
    return startOld(function, width, height, 0);
}


API CUresult cuLaunchGridAsync(CUfunction function, int width, int height, CUstream stream)
{
    ENTRY(inContext);
    return startOld(function, width, height, stream);
}
