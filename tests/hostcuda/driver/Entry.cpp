// The way into the library, and what it tells about itself.

#include <dlfcn.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "Driver.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool initialized = false, forked = false;

bool isForked() { return forked; }

// The names of the entry points without the numbers of their versions.
static std::map<std::string, std::vector<Counter *>> &counters()
{
    static auto &all = *new std::map<std::string, std::vector<Counter *>>;
    return all;
}


static std::string withoutVersion(std::string name)
{
    const size_t end = name.size();
    return end > 3 && name[end - 3] == '_' && name[end - 2] == 'v' ? name.substr(0, end - 3) : name;
}


Counter::Counter(const char *name) : name(name)
{
    counters()[withoutVersion(name)].push_back(this);
}


Guard::Guard(Counter &counter, Need need)
{
    if (forked)
    {
        refused = CUDA_ERROR_NOT_INITIALIZED;
        return;
    }
    pthread_mutex_lock(&lock);
    locked = true;
    ++counter.calls;
    refused = refusal(need);
}


Guard::~Guard()
{
    if (locked)
        pthread_mutex_unlock(&lock);
}


CUresult Guard::refusal(Need need)
{
    RETURN_IF(need != nothing && !initialized, CUDA_ERROR_NOT_INITIALIZED);
    RETURN_IF(need != inContext, CUDA_SUCCESS);
    Context *current = top();
    RETURN_IF(!current, CUDA_ERROR_INVALID_CONTEXT);
    RETURN_IF(!current->alive, CUDA_ERROR_CONTEXT_IS_DESTROYED);
    return current->isTold ? current->fault : CUDA_SUCCESS;
}


void say(const char *format, ...)
{
    va_list values;
    va_start(values, format);
    fprintf(stderr, "hostcuda: ");
    vfprintf(stderr, format, values);
    fprintf(stderr, "\n");
    fflush(stderr);
    va_end(values);
}


size_t setting(const char *name, size_t otherwise)
{
    const char *text = getenv(name);
    return text && *text ? strtoull(text, 0, 10) : otherwise;
}


API CUresult cuInit(unsigned flags)
{
    ENTRY(nothing);
    RETURN_IF(flags, CUDA_ERROR_INVALID_VALUE);
    RETURN_IF(numDevices() == 0, CUDA_ERROR_NO_DEVICE);
    if (!initialized)
        pthread_atfork(0, 0, [] { forked = true; });
    initialized = true;
    return CUDA_SUCCESS;
}


API CUresult cuDriverGetVersion(int *version)
{
    ENTRY(nothing);
    *version = 13000;
    return CUDA_SUCCESS;
}


static const struct { CUresult code; const char *name, *words; } errors[] = {
    {CUDA_SUCCESS, "CUDA_SUCCESS", "no error"},
    {CUDA_ERROR_INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    {CUDA_ERROR_OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
    {CUDA_ERROR_NOT_INITIALIZED, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
    {CUDA_ERROR_DEINITIALIZED, "CUDA_ERROR_DEINITIALIZED", "driver shutting down"},
    {CUDA_ERROR_NO_DEVICE, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
    {CUDA_ERROR_INVALID_DEVICE, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
    {CUDA_ERROR_INVALID_IMAGE, "CUDA_ERROR_INVALID_IMAGE", "device kernel image is invalid"},
    {CUDA_ERROR_INVALID_CONTEXT, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
    {CUDA_ERROR_NO_BINARY_FOR_GPU, "CUDA_ERROR_NO_BINARY_FOR_GPU",
     "no kernel image is available for execution on the device"},
    {CUDA_ERROR_UNSUPPORTED_LIMIT, "CUDA_ERROR_UNSUPPORTED_LIMIT", "limit is not supported"},
    {CUDA_ERROR_PEER_ACCESS_UNSUPPORTED, "CUDA_ERROR_PEER_ACCESS_UNSUPPORTED",
     "peer access is not supported between these two devices"},
    {CUDA_ERROR_FILE_NOT_FOUND, "CUDA_ERROR_FILE_NOT_FOUND", "file not found"},
    {CUDA_ERROR_INVALID_HANDLE, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"},
    {CUDA_ERROR_NOT_FOUND, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
    {CUDA_ERROR_NOT_READY, "CUDA_ERROR_NOT_READY", "device not ready"},
    {CUDA_ERROR_ILLEGAL_ADDRESS, "CUDA_ERROR_ILLEGAL_ADDRESS",
     "an illegal memory access was encountered"},
    {CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES, "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES",
     "too many resources requested for launch"},
    {CUDA_ERROR_CONTEXT_IS_DESTROYED, "CUDA_ERROR_CONTEXT_IS_DESTROYED", "context is destroyed"},
    {CUDA_ERROR_ASSERT, "CUDA_ERROR_ASSERT", "device-side assert triggered"},
    {CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED, "CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED",
     "part or all of the requested memory range is already mapped"},
    {CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED, "CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED",
     "pointer does not correspond to a registered memory region"},
    {CUDA_ERROR_LAUNCH_FAILED, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"},
    {CUDA_ERROR_NOT_SUPPORTED, "CUDA_ERROR_NOT_SUPPORTED", "operation not supported"},
    {CUDA_ERROR_UNKNOWN, "CUDA_ERROR_UNKNOWN", "unknown error"},
};


// These two need no lock, and are the only ones that a forked child may call.
API CUresult cuGetErrorName(CUresult code, const char **name)
{
    for (const auto &error : errors)
        if (error.code == code)
            return *name = error.name, CUDA_SUCCESS;
    return *name = 0, CUDA_ERROR_INVALID_VALUE;
}


API CUresult cuGetErrorString(CUresult code, const char **words)
{
    for (const auto &error : errors)
        if (error.code == code)
            return *words = error.words, CUDA_SUCCESS;
    // PyCUDA makes a string of it in any case.
    return *words = "an error that the stand-in does not know", CUDA_ERROR_INVALID_VALUE;
}


// The newest version of an entry point. cuda-python asks for all that it knows.
API CUresult cuGetProcAddress_v2(
    const char *symbol, void **address, int version, unsigned long long, int *status)
{
    ENTRY(nothing);
    const int newest = version >= 12050 ? 4 : version >= 11040 ? 3 : 2;
    *address = 0;
    for (int i = newest; i >= 2 && !*address; --i)
        *address = dlsym(RTLD_DEFAULT, (std::string(symbol) + "_v" + std::to_string(i)).c_str());
    if (!*address)
        *address = dlsym(RTLD_DEFAULT, symbol);
    if (status)
        *status = *address ? 0 : 1;
    return *address ? CUDA_SUCCESS : CUDA_ERROR_NOT_FOUND;
}


// How often an entry point was called: hostcudaCount("cuMemAlloc").
API long hostcudaCount(const char *name)
{
    long calls = 0;
    for (const Counter *counter : counters()[withoutVersion(name)])
        calls += counter->calls;
    return calls;
}


// How often a kernel was launched; "" for all.
API long hostcudaLaunches(const char *kernel)
{
    return numLaunches(kernel);
}
