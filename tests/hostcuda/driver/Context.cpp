// Contexts, and the stack of them that each thread has.

#include "Driver.h"

// It outlives what C++ ends at exit: others call until the very last.
std::set<Context *> &contexts = *new std::set<Context *>;

static thread_local std::vector<Context *> &stack = *new std::vector<Context *>;

Context *top() { return stack.empty() ? 0 : stack.back(); }
Context &current() { return *stack.back(); }


static CUresult make(CUcontext *context, unsigned flags, CUdevice device)
{
    RETURN_IF(device < 0 || device >= numDevices(), CUDA_ERROR_INVALID_DEVICE);
    Context *made = new Context{device, false};
    made->flags = flags, made->uses = 1;
    contexts.insert(made);
    stack.push_back(made);
    *context = made;
    return CUDA_SUCCESS;
}


static std::string leaks(const Context &context)
{
    size_t number = 0, bytes = 0;
    for (const auto &entry : allocations)
        if (entry.second.owner == &context)
            ++number, bytes += entry.second.size;
    if (!number && context.streams.empty() && context.events.empty() && context.modules.empty())
        return "";
    return std::to_string(number) + " allocations (" + std::to_string(bytes) + " bytes), "
        + std::to_string(context.streams.size()) + " streams, "
        + std::to_string(context.events.size()) + " events, "
        + std::to_string(context.modules.size()) + " modules";
}


static void sayLeaks(const Context &context)
{
    const std::string found = leaks(context);
    if (context.alive && !found.empty() && setting("HOSTCUDA_LEAKS", 0))
        say("still alive: %s", found.c_str());
}


void end(Context &context)
{
    sayLeaks(context);
    context.runAll();
    std::vector<Allocation> owned;
    for (const auto &entry : allocations)
        if (entry.second.owner == &context)
            owned.push_back(entry.second);
    for (Allocation &allocation : owned)
        release(allocation);
    for (Module *module : context.modules)
        unload(module);
    context.streams.clear();
    context.events.clear();
    context.modules.clear();
    context.fault = CUDA_SUCCESS, context.isTold = false;
    context.alive = false;
}


void leaveUse(Context &context)
{
    if (--context.uses == 0)
        end(context);
}


__attribute__((destructor)) static void sayLastLeaks()
{
    if (!isForked())
        for (const Context *context : contexts)
            sayLeaks(*context);
}


void Context::runAll()
{
    for (Stream *stream : streams)
        stream->queue->runAll();
}


CUresult Context::outcome()
{
    isTold |= fault != CUDA_SUCCESS;
    return fault;
}


API CUresult cuCtxCreate_v2(CUcontext *context, unsigned flags, CUdevice device)
{
    ENTRY(initialization);
    return make(context, flags, device);
}


API CUresult cuCtxCreate_v3(
    CUcontext *context, void *, int numParameters, unsigned flags, CUdevice device)
{
    ENTRY(initialization);
    RETURN_IF(numParameters, CUDA_ERROR_NOT_SUPPORTED);
    return make(context, flags, device);
}


API CUresult cuCtxCreate_v4(CUcontext *context, void *parameters, unsigned flags, CUdevice device)
{
    ENTRY(initialization);
    RETURN_IF(parameters, CUDA_ERROR_NOT_SUPPORTED);
    return make(context, flags, device);
}


API CUresult cuCtxDestroy_v2(CUcontext context)
{
    ENTRY(initialization);
    RETURN_IF(!contexts.count(context) || context->isPrimary, CUDA_ERROR_INVALID_CONTEXT);
    RETURN_IF(!context->alive, CUDA_ERROR_CONTEXT_IS_DESTROYED);
    if (top() == context)
        stack.pop_back();
    end(*context);
    return CUDA_SUCCESS;
}


API CUresult cuCtxAttach(CUcontext *context, unsigned)
{
    ENTRY(inContext);
    *context = top();
    ++(*context)->uses;
    return CUDA_SUCCESS;
}


API CUresult cuCtxDetach(CUcontext context)
{
    ENTRY(initialization);
    RETURN_IF(!contexts.count(context) || top() != context, CUDA_ERROR_INVALID_CONTEXT);
    RETURN_IF(!context->alive, CUDA_ERROR_CONTEXT_IS_DESTROYED);
    leaveUse(*context);
    if (!context->alive)
        stack.pop_back();
    return CUDA_SUCCESS;
}


API CUresult cuCtxPushCurrent_v2(CUcontext context)
{
    ENTRY(initialization);
    RETURN_IF(!contexts.count(context), CUDA_ERROR_INVALID_CONTEXT);
    RETURN_IF(!context->alive, CUDA_ERROR_CONTEXT_IS_DESTROYED);
    stack.push_back(context);
    return CUDA_SUCCESS;
}


API CUresult cuCtxPopCurrent_v2(CUcontext *context)
{
    ENTRY(initialization);
    RETURN_IF(stack.empty(), CUDA_ERROR_INVALID_CONTEXT);
    if (context)
        *context = top();
    stack.pop_back();
    return CUDA_SUCCESS;
}


API CUresult cuCtxSetCurrent(CUcontext context)
{
    ENTRY(initialization);
    RETURN_IF(context && !contexts.count(context), CUDA_ERROR_INVALID_CONTEXT);
    if (!stack.empty())
        stack.pop_back();
    if (context)
        stack.push_back(context);
    return CUDA_SUCCESS;
}


API CUresult cuCtxGetCurrent(CUcontext *context)
{
    ENTRY(initialization);
    *context = top();
    return CUDA_SUCCESS;
}


API CUresult cuCtxGetDevice(CUdevice *device)
{
    ENTRY(initialization);
    RETURN_IF(!top(), CUDA_ERROR_INVALID_CONTEXT);
    *device = top()->device;
    return CUDA_SUCCESS;
}


API CUresult cuCtxGetFlags(unsigned *flags)
{
    ENTRY(inContext);
    *flags = current().flags;
    return CUDA_SUCCESS;
}


API CUresult cuCtxSynchronize()
{
    ENTRY(inContext);
    current().runAll();
    return current().outcome();
}


API CUresult cuCtxGetApiVersion(CUcontext context, unsigned *version)
{
    ENTRY(initialization);
    RETURN_IF(context && !contexts.count(context), CUDA_ERROR_INVALID_CONTEXT);
    *version = 3020;
    return CUDA_SUCCESS;
}


// Stack, printf, heap, device runtime (two), L2 fetches.
static const size_t limits[] = {1024, 1 << 20, 8 << 20, 2, 2048, 128};


API CUresult cuCtxSetLimit(int limit, size_t value)
{
    ENTRY(inContext);
    RETURN_IF(limit < 0 || limit > 5, CUDA_ERROR_UNSUPPORTED_LIMIT);
    current().limits[limit] = value;
    return CUDA_SUCCESS;
}


API CUresult cuCtxGetLimit(size_t *value, int limit)
{
    ENTRY(inContext);
    RETURN_IF(limit < 0 || limit > 5, CUDA_ERROR_UNSUPPORTED_LIMIT);
    const auto found = current().limits.find(limit);
    *value = found == current().limits.end() ? limits[limit] : found->second;
    return CUDA_SUCCESS;
}


// What chooses between cache and shared memory: there is nothing to choose.

API CUresult cuCtxGetCacheConfig(int *value)
{
    ENTRY(inContext);
    *value = 0;
    return CUDA_SUCCESS;
}


API CUresult cuCtxSetCacheConfig(int)
{
    ENTRY(inContext);
    return CUDA_SUCCESS;
}


API CUresult cuCtxGetSharedMemConfig(int *value)
{
    ENTRY(inContext);
    *value = 1;
    return CUDA_SUCCESS;
}


API CUresult cuCtxSetSharedMemConfig(int)
{
    ENTRY(inContext);
    return CUDA_SUCCESS;
}


API CUresult cuCtxEnablePeerAccess(CUcontext, unsigned)
{
    ENTRY(inContext);
    return CUDA_ERROR_PEER_ACCESS_UNSUPPORTED;
}
