// Runs launches: block by block, thread by thread, in the order that HOSTCUDA_ORDER names:
// "forward", "reverse" or "shuffle:SEED". A kernel is right in all of them or it is wrong.

#include <algorithm>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "Driver.h"
#include "Order.h"
#include "Residents.h"

using hostcuda::Place;

extern "C" void *__tls_get_addr(const Module::ThreadMemory *);  // the C library's

static __thread sigjmp_buf home;
static __thread volatile bool isRunning = false;
static __thread int faultSignal, faultCode;
static __thread const void *faultAddress;

// A trap is what the compiler's checks of indices and alignments end in.
static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
static const int numSignals = sizeof signals / sizeof *signals;
static struct sigaction others[numSignals];


static void onFault(int signal, siginfo_t *information, void *)
{
    if (!isRunning)
    {
        for (int i = 0; i < numSignals; ++i)  // another thread's: not ours to answer
            if (signals[i] == signal)
                sigaction(signal, &others[i], 0);
        return;
    }
    faultSignal = signal;
    faultCode = information->si_code;
    faultAddress = information->si_addr;
    siglongjmp(home, 1);
}


// Between `watch` and `unwatch` a fault ends the kernel and not the process.
static void watch()
{
    struct sigaction own = {};
    own.sa_sigaction = onFault;
    own.sa_flags = SA_SIGINFO | SA_NODEFER;
    for (int i = 0; i < numSignals; ++i)
        sigaction(signals[i], &own, &others[i]);
}


static void unwatch()
{
    for (int i = 0; i < numSignals; ++i)
        sigaction(signals[i], &others[i], 0);
}


static const size_t sharedZone = 128;  // bytes behind the dynamic shared memory that are watched


// Fills all that the module keeps for a thread of the CPU with NaN, its shared memory above all: a
// block finds there what others have left. What else there is, is set anew for each block.
static void spoil(const Module &module, const hostcuda::Range &shared, unsigned used)
{
    if (!module.threadSize)
        return;
    char *start = (char *)__tls_get_addr(&module.threadMemory), *end = start + module.threadSize;
    if (!shared.start)
    {
        memset(start, 0xFF, module.threadSize);
        return;
    }
    memset(start, 0xFF, (size_t)(shared.start - start));
    memset(shared.start, 0xFF, used);
    char *rest = shared.start + shared.size;
    memset(rest, 0xFF, (size_t)(end - rest));
}


static bool isOverrun(const char *end)
{
    for (size_t i = 0; i < sharedZone; ++i)
        if ((unsigned char)end[i] != 0xFF)
            return true;
    return false;
}


static std::string fault()
{
    switch (faultSignal)
    {
    case SIGFPE:
        return "divides a whole number by zero";
    case SIGILL: case SIGTRAP:
        return "uses an index beyond its array, or an address that is not aligned for its type";
    default:
        if (faultCode == SI_KERNEL)  // the processor does not tell the address
            return "reads or writes an address that is not aligned for its type, or is none at all";
        return "reads or writes " + described(faultAddress);
    }
}


// What the blocks of the launch need, each on a thread of the CPU that may be another's.
static const Launch *launch;
static const hostcuda::Plan *plan;
static const Order *order;
static CUresult result;


static Place placeOf(unsigned long number)
{
    const Place &grid = launch->grid;
    return {
        (unsigned)(number % grid.x), (unsigned)(number / grid.x % grid.y),
        (unsigned)(number / grid.x / grid.y)};
}


// A thread that has ended by a fault returns here a second time: what must outlive that is static.
static bool runBlock(unsigned long turn)
{
    const Function &function = *launch->function;
    const auto dynamicShared = function.module->dynamicShared;
    const hostcuda::Range shared = dynamicShared ? dynamicShared() : hostcuda::Range{0, 0};
    static __thread Place block;

    if (sigsetjmp(home, 0))
    {
        isRunning = false;
        resetFibers();
        say("kernel %s, block (%u, %u, %u): %s", launch->function->name.c_str(), block.x, block.y,
            block.z, fault().c_str());
        result = faultSignal == SIGFPE ? CUDA_ERROR_LAUNCH_FAILED : CUDA_ERROR_ILLEGAL_ADDRESS;
        return false;
    }
    isRunning = true;
    block = placeOf(order->block(turn, (unsigned long)launch->grid.x * launch->grid.y
                                 * launch->grid.z));
    spoil(*function.module, shared, launch->shared + sharedZone);
    function.kernel->runBlock(plan, block);
    isRunning = false;
    if (function.module->failure && function.module->failure[0])
        return false;
    if (!shared.start || !isOverrun(shared.start + launch->shared))
        return true;
    say("kernel %s, block (%u, %u, %u): wrote beyond its %u bytes of dynamic shared memory",
        function.name.c_str(), block.x, block.y, block.z, launch->shared);
    result = CUDA_ERROR_ILLEGAL_ADDRESS;
    return false;
}


// How many blocks the device has at work at once, as far as threads and dynamic shared memory go.
static unsigned mostAtOnce(const Launch &launch)
{
    const unsigned threads = launch.block.x * launch.block.y * launch.block.z;
    const unsigned byThreads = attributeOf(threadsOfProcessor) / threads;
    const unsigned byMemory = attributeOf(sharedOfProcessor) / (launch.shared + 1024);
    return attributeOf(processors) * std::min({byThreads, byMemory, 32u});
}


// What the module says of a launch, unless that is known to have failed otherwise.
static CUresult failure(const Function &function, CUresult known)
{
    char *words = function.module->failure;
    if (!words || !words[0])
        return known;
    if (known)
        return words[0] = 0, known;
    const bool isAssertion = strstr(words, "assertion failed") != 0;
    say("kernel %s: %s", function.name.c_str(), words);
    words[0] = 0;
    return isAssertion ? CUDA_ERROR_ASSERT : CUDA_ERROR_LAUNCH_FAILED;
}


// Whether all that the kernel gets as pointers may be used by it.
static bool arePointersFit(const Context &context, const Launch &launch)
{
    int number = 0;
    for (const hostcuda::Parameter &parameter : launch.function->parameters)
    {
        ++number;
        if (parameter.kind != 'P')
            continue;
        const void *pointer;
        memcpy(&pointer, launch.arguments.data() + parameter.offset, sizeof pointer);
        const Allocation *found = find(pointer);
        if (!pointer || (found ? isUsable(*found, context) : isVariable(context, pointer, 0)))
            continue;
        say("kernel %s: argument %d points to %s%s", launch.function->name.c_str(), number,
            described(pointer).c_str(), found ? ", which is another context's" : "");
        return false;
    }
    return true;
}


void run(Context &context, const Launch &given)
{
    if (!arePointersFit(context, given))
        return context.fail(CUDA_ERROR_ILLEGAL_ADDRESS);

    const Order &used = orderOf(given.block);
    const hostcuda::Plan made = {
        given.grid, given.block, given.arguments.data(), (unsigned)used.threads.size(),
        used.threads.data()};
    launch = &given, plan = &made, order = &used, result = CUDA_SUCCESS;
    useOrder(used);
    watch();
    runResidents(
        (unsigned long)given.grid.x * given.grid.y * given.grid.z, mostAtOnce(given), runBlock);
    unwatch();
    fflush(stdout);
    result = failure(*given.function, result);
    if (anyDamaged(("kernel " + given.function->name).c_str()) && !result)
        result = CUDA_ERROR_ILLEGAL_ADDRESS;
    if (result)
        context.fail(result);
}
