// The devices: as many as HOSTCUDA_DEVICES says, each with the bytes of memory that HOSTCUDA_MEMORY
// says, and of the compute capability that HOSTCUDA_CAPABILITY says (80 is 8.0).

#include <stdio.h>
#include <string.h>

#include "Driver.h"

static const struct { int attribute, value; } attributes[] = {
    {1, 1024},  // threads in a block, and below along x, y, z
    {2, 1024}, {3, 1024}, {4, 64},
    {5, 0x7FFFFFFF}, {6, 65535}, {7, 65535},  // blocks along x, y, z
    {8, 48 << 10},  // bytes of shared memory
    {9, 64 << 10},  // bytes of constant memory
    {10, 32},  // threads in a warp
    {11, 0x7FFFFFFF},  // largest pitch
    {12, 65536},  // registers of a block
    {13, 1000000},  // kHz
    {14, 512},  // alignment of textures
    {15, 1},  // copies overlap with kernels
    {processors, 4},
    {19, 1},  // kernels can use host memory
    {30, 512}, {31, 1},
    {36, 1000000}, {37, 256}, {38, 4 << 20},  // memory: kHz, bits of the bus, cache
    {threadsOfProcessor, 2048},
    {40, 1}, {41, 1}, {51, 32},
    {78, 1}, {79, 1}, {80, 1},
    {sharedOfProcessor, 164 << 10}, {82, 65536},  // and registers
    {83, 1},  // managed memory
    {87, 2}, {89, 1}, {90, 1}, {91, 1},
    {97, 163 << 10},  // shared memory of a block that asks for more
    {99, 1},  // host memory can be registered
    {106, 32}, {111, 1024},
};


unsigned attributeOf(Attribute attribute)
{
    for (const auto &known : attributes)
        if (known.attribute == attribute)
            return (unsigned)known.value;
    return 0;
}


int numDevices() { return (int)setting("HOSTCUDA_DEVICES", 1); }

static int capability() { return (int)setting("HOSTCUDA_CAPABILITY", 80); }

static bool isDevice(CUdevice device) { return device >= 0 && device < numDevices(); }


API CUresult cuDeviceGetCount(int *count)
{
    ENTRY(initialization);
    *count = numDevices();
    return CUDA_SUCCESS;
}


API CUresult cuDeviceGet(CUdevice *device, int number)
{
    ENTRY(initialization);
    RETURN_IF(!isDevice(number), CUDA_ERROR_INVALID_DEVICE);
    *device = number;
    return CUDA_SUCCESS;
}


API CUresult cuDeviceGetName(char *name, int size, CUdevice device)
{
    ENTRY(initialization);
    RETURN_IF(!isDevice(device), CUDA_ERROR_INVALID_DEVICE);
    snprintf(name, (size_t)size, "host stand-in");
    return CUDA_SUCCESS;
}


API CUresult cuDeviceGetUuid_v2(char *uuid, CUdevice device)
{
    ENTRY(initialization);
    RETURN_IF(!isDevice(device), CUDA_ERROR_INVALID_DEVICE);
    memcpy(uuid, "hostcuda device", 16);
    uuid[15] = (char)device;
    return CUDA_SUCCESS;
}


API CUresult cuDeviceGetAttribute(int *value, int attribute, CUdevice device)
{
    ENTRY(initialization);
    RETURN_IF(!isDevice(device), CUDA_ERROR_INVALID_DEVICE);
    RETURN_IF(attribute < 1 || attribute > 147, CUDA_ERROR_INVALID_VALUE);
    const int numberOnBus = 34, major = 75, minor = 76;
    *value = attribute == numberOnBus ? device
        : attribute == major ? capability() / 10
        : attribute == minor ? capability() % 10 : 0;
    for (const auto &known : attributes)
        if (known.attribute == attribute)
            *value = known.value;
    return CUDA_SUCCESS;
}


API CUresult cuDeviceComputeCapability(int *major, int *minor, CUdevice device)
{
    ENTRY(initialization);
    RETURN_IF(!isDevice(device), CUDA_ERROR_INVALID_DEVICE);
    *major = capability() / 10, *minor = capability() % 10;
    return CUDA_SUCCESS;
}


API CUresult cuDeviceTotalMem_v2(size_t *bytes, CUdevice device)
{
    ENTRY(initialization);
    RETURN_IF(!isDevice(device), CUDA_ERROR_INVALID_DEVICE);
    *bytes = setting("HOSTCUDA_MEMORY", 8ul << 30);
    return CUDA_SUCCESS;
}


API CUresult cuDeviceGetPCIBusId(char *name, int size, CUdevice device)
{
    ENTRY(initialization);
    RETURN_IF(!isDevice(device), CUDA_ERROR_INVALID_DEVICE);
    snprintf(name, (size_t)size, "0000:00:%02x.0", (unsigned)device);
    return CUDA_SUCCESS;
}


API CUresult cuDeviceGetByPCIBusId(CUdevice *device, const char *name)
{
    ENTRY(initialization);
    unsigned number = 0;
    const bool isRead = sscanf(name, "0000:00:%x.0", &number) == 1;
    RETURN_IF(!isRead || !isDevice((int)number), CUDA_ERROR_INVALID_DEVICE);
    *device = (int)number;
    return CUDA_SUCCESS;
}


API CUresult cuDeviceCanAccessPeer(int *can, CUdevice device, CUdevice peer)
{
    ENTRY(initialization);
    RETURN_IF(!isDevice(device) || !isDevice(peer), CUDA_ERROR_INVALID_DEVICE);
    *can = 0;
    return CUDA_SUCCESS;
}
