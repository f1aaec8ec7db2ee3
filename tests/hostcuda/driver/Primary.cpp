// The context of each device that all who ask for it share.

#include "Driver.h"


// The primary context of a device stays the same, whether it is alive or not.
static Context *primary(CUdevice device)
{
    for (Context *context : contexts)
        if (context->isPrimary && context->device == device)
            return context;
    Context *made = new Context{device, true, false};
    contexts.insert(made);
    return made;
}


API CUresult cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice device)
{
    ENTRY(initialization);
    RETURN_IF(device < 0 || device >= numDevices(), CUDA_ERROR_INVALID_DEVICE);
    *context = primary(device);
    (*context)->alive = true;
    ++(*context)->uses;
    return CUDA_SUCCESS;
}


API CUresult cuDevicePrimaryCtxRelease_v2(CUdevice device)
{
    ENTRY(initialization);
    RETURN_IF(device < 0 || device >= numDevices(), CUDA_ERROR_INVALID_DEVICE);
    RETURN_IF(primary(device)->uses == 0, CUDA_ERROR_INVALID_CONTEXT);
    leaveUse(*primary(device));
    return CUDA_SUCCESS;
}


API CUresult cuDevicePrimaryCtxReset_v2(CUdevice device)
{
    ENTRY(initialization);
    RETURN_IF(device < 0 || device >= numDevices(), CUDA_ERROR_INVALID_DEVICE);
    const int uses = primary(device)->uses;
    end(*primary(device));
    primary(device)->alive = uses > 0;
    return CUDA_SUCCESS;
}


API CUresult cuDevicePrimaryCtxGetState(CUdevice device, unsigned *flags, int *active)
{
    ENTRY(initialization);
    RETURN_IF(device < 0 || device >= numDevices(), CUDA_ERROR_INVALID_DEVICE);
    *flags = primary(device)->flags;
    *active = primary(device)->alive;
    return CUDA_SUCCESS;
}
