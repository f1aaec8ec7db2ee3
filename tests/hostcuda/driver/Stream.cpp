// Streams and events. A stream's work is run when somebody waits for it, and no earlier: a program
// that forgets to wait finds memory as it was, every time.

#include <stdlib.h>
#include <time.h>

#include "Driver.h"


void Queue::runTo(unsigned long position)
{
    while (done < position)
    {
        const std::function<void()> first = std::move(work.front());
        work.pop_front();
        first();
        ++done;
    }
}


static bool isEach(Context &context, CUstream stream)
{
    return context.streams.count(stream);
}


static CUstream plain(CUstream stream)
{
    const CUstream legacy = (CUstream)1;  // another name of the NULL stream
    return stream == legacy ? 0 : stream;
}


CUresult submit(CUstream stream, std::function<void()> work)
{
    Context &context = current();
    // After a fault nothing more is run.
    const auto guarded = [&context, work] { if (!context.fault) work(); };
    stream = plain(stream);
    if (!stream)
    {
        for (Stream *each : context.streams)
            if (each->queue->blocking)
                each->queue->runAll();
        guarded();
        return CUDA_SUCCESS;
    }
    RETURN_IF(!isEach(context, stream), CUDA_ERROR_INVALID_HANDLE);
    stream->queue->work.push_back(guarded);
    ++stream->queue->pushed;
    static const bool atOnce = setting("CUDA_LAUNCH_BLOCKING", 0);
    if (atOnce)
        stream->queue->runAll();
    return CUDA_SUCCESS;
}


CUresult finish(CUstream stream)
{
    stream = plain(stream);
    if (!stream)
        return submit(stream, [] {});
    RETURN_IF(!isEach(current(), stream), CUDA_ERROR_INVALID_HANDLE);
    stream->queue->runAll();
    return CUDA_SUCCESS;
}


API CUresult cuStreamCreate(CUstream *stream, unsigned flags)
{
    ENTRY(inContext);
    RETURN_IF(flags & ~CU_STREAM_NON_BLOCKING, CUDA_ERROR_INVALID_VALUE);
    *stream = new Stream{std::make_shared<Queue>(), flags};
    (*stream)->queue->blocking = !flags;
    current().streams.insert(*stream);
    return CUDA_SUCCESS;
}


API CUresult cuStreamCreateWithPriority(CUstream *stream, unsigned flags, int)
{
    return cuStreamCreate(stream, flags);
}


API CUresult cuStreamGetFlags(CUstream stream, unsigned *flags)
{
    ENTRY(inContext);
    RETURN_IF(stream && !isEach(current(), stream), CUDA_ERROR_INVALID_HANDLE);
    *flags = stream ? stream->flags : 0;
    return CUDA_SUCCESS;
}


API CUresult cuStreamDestroy_v2(CUstream stream)
{
    ENTRY(inContext);
    RETURN_IF(!isEach(current(), stream), CUDA_ERROR_INVALID_HANDLE);
    stream->queue->runAll();
    current().streams.erase(stream);
    delete stream;
    return CUDA_SUCCESS;
}


API CUresult cuStreamSynchronize(CUstream stream)
{
    ENTRY(inContext);
    const CUresult result = finish(stream);
    return result ? result : current().outcome();
}


API CUresult cuStreamQuery(CUstream stream)
{
    ENTRY(inContext);
    const CUresult result = finish(stream);
    return result ? result : current().outcome();
}


API CUresult cuStreamIsCapturing(CUstream stream, int *status)
{
    ENTRY(inContext);
    RETURN_IF(stream && !isEach(current(), stream), CUDA_ERROR_INVALID_HANDLE);
    *status = 0;
    return CUDA_SUCCESS;
}


API CUresult cuStreamAttachMemAsync(CUstream stream, CUdeviceptr, size_t, unsigned)
{
    ENTRY(inContext);
    RETURN_IF(stream && !isEach(current(), stream), CUDA_ERROR_INVALID_HANDLE);
    return CUDA_SUCCESS;
}


API CUresult cuStreamWaitEvent(CUstream stream, CUevent event, unsigned)
{
    ENTRY(inContext);
    bool known = false;  // it may be another context's
    for (Context *each : contexts)
        known |= each->events.count(event) != 0;
    RETURN_IF(!known, CUDA_ERROR_INVALID_HANDLE);
    const Event asOfNow = *event;
    return submit(stream, [asOfNow] { Event(asOfNow).wait(); });
}


static double now()
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e3 + (double)time.tv_nsec * 1e-6;
}


API CUresult cuEventCreate(CUevent *event, unsigned flags)
{
    ENTRY(inContext);
    *event = new Event{flags};
    current().events.insert(*event);
    return CUDA_SUCCESS;
}


API CUresult cuEventDestroy_v2(CUevent event)
{
    ENTRY(inContext);
    RETURN_IF(!current().events.erase(event), CUDA_ERROR_INVALID_HANDLE);
    delete event;
    return CUDA_SUCCESS;
}


API CUresult cuEventRecord(CUevent event, CUstream stream)
{
    ENTRY(inContext);
    RETURN_IF(!current().events.count(event), CUDA_ERROR_INVALID_HANDLE);
    const auto time = std::make_shared<double>(-1);
    const CUresult result = submit(stream, [time] { *time = now(); });
    if (result)
        return result;
    stream = plain(stream);
    event->time = time;
    event->queue = stream ? stream->queue : nullptr;
    event->position = stream ? stream->queue->pushed : 0;
    return CUDA_SUCCESS;
}


static CUresult wait(CUevent event)
{
    RETURN_IF(!current().events.count(event), CUDA_ERROR_INVALID_HANDLE);
    event->wait();
    return current().outcome();
}


API CUresult cuEventSynchronize(CUevent event)
{
    ENTRY(inContext);
    return wait(event);
}


API CUresult cuEventQuery(CUevent event)
{
    ENTRY(inContext);
    return wait(event);
}


API CUresult cuEventElapsedTime_v2(float *milliseconds, CUevent first, CUevent last)
{
    ENTRY(inContext);
    for (CUevent event : {first, last})
    {
        RETURN_IF(!current().events.count(event), CUDA_ERROR_INVALID_HANDLE);
        RETURN_IF(event->flags & CU_EVENT_DISABLE_TIMING, CUDA_ERROR_INVALID_HANDLE);
        RETURN_IF(!event->time, CUDA_ERROR_INVALID_HANDLE);
        RETURN_IF(*event->time < 0, CUDA_ERROR_NOT_READY);
    }
    *milliseconds = (float)(*last->time - *first->time);
    return CUDA_SUCCESS;
}


API CUresult cuEventElapsedTime(float *milliseconds, CUevent first, CUevent last)
{
    return cuEventElapsedTime_v2(milliseconds, first, last);
}
