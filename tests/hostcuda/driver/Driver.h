// What the parts of the stand-in share.

#pragma once

#include <functional>
#include <map>
#include <memory>
#include <deque>
#include <set>
#include <string>
#include <vector>

#include "Cuda.h"
#include "Plan.h"

#define API extern "C" __attribute__((visibility("default")))


// Entry.cpp: every entry point starts with ENTRY, which counts the call, takes the library's lock
// and returns what stands against the call.

enum Need { nothing, initialization, inContext };

struct Counter
{
    explicit Counter(const char *name);
    std::string name;
    long calls = 0;
};

class Guard
{
public:
    Guard(Counter &counter, Need need);
    ~Guard();
    CUresult refused;

private:
    CUresult refusal(Need need);
    bool locked = false;
};

#define ENTRY(need) \
    static Counter counter(__func__); \
    Guard guard(counter, need); \
    if (guard.refused) \
        return guard.refused

#define RETURN_IF(condition, error) \
    do { if (condition) return error; } while (0)

// A line on stderr.
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

// The environment's number of this name.
size_t setting(const char *name, size_t otherwise);

// Whether this process is the child of one that has used the driver, which does not work then.
bool isForked();

int numDevices();
enum Attribute { processors = 16, threadsOfProcessor = 39, sharedOfProcessor = 81 };
unsigned attributeOf(Attribute attribute);


// Work in the order in which it came; it is run when somebody waits for it (Stream.cpp).

struct Queue
{
    bool blocking;  // the NULL stream and this one wait for each other
    unsigned long pushed = 0, done = 0;
    std::deque<std::function<void()>> work;

    void runTo(unsigned long position);
    void runAll() { runTo(pushed); }
};

struct Stream { std::shared_ptr<Queue> queue; unsigned flags; };

struct Event
{
    unsigned flags;
    std::shared_ptr<Queue> queue;  // of the last record, and its place there
    unsigned long position = 0;
    std::shared_ptr<double> time;  // in milliseconds; negative until the record is run
    void wait() { if (queue) queue->runTo(position); }
};

struct Function
{
    const hostcuda::Kernel *kernel;
    Module *module;
    std::string name;
    std::vector<hostcuda::Parameter> parameters;
    int packedSize = 0, alignment = 1;
    int mostShared = 48 << 10;

    // What the calls from before cuLaunchKernel have set.
    hostcuda::Place block = {1, 1, 1};
    unsigned shared = 0;
    std::vector<char> arguments;
};

struct Module
{
    void *library;
    const void *base;  // where it was loaded
    const hostcuda::Kernel *kernels;
    char *failure;  // what went wrong in a launch; 0 if nothing can
    hostcuda::Range (*dynamicShared)();

    // The memory that each thread of the CPU has for it, named as __tls_get_addr takes it.
    struct ThreadMemory { unsigned long module, offset; } threadMemory;
    size_t threadSize;

    std::map<std::string, Function> functions;
};

struct Context
{
    CUdevice device;
    bool isPrimary, alive = true;
    int uses = 0;
    unsigned flags = 0;

    // The first thing that went wrong in work; calls tell it from the first on that waits.
    CUresult fault = CUDA_SUCCESS;
    bool isTold = false;

    std::set<Stream *> streams;
    std::set<Event *> events;
    std::set<Module *> modules;
    std::map<int, size_t> limits;

    void runAll();
    CUresult outcome();  // to be returned by calls that have waited
    void fail(CUresult what) { fault = fault ? fault : what; }
};

// Context.cpp
extern std::set<Context *> &contexts;
Context *top();  // of the calling thread's stack, or 0
Context &current();
// Ends the context with all that is in it. Its handle stays known as that of a dead context.
void end(Context &context);
void leaveUse(Context &context);


// Stream.cpp: hands work to a stream of the current context. The NULL stream's is run at once.
CUresult submit(CUstream stream, std::function<void()> work);
// Runs what a stream of the current context has.
CUresult finish(CUstream stream);


// Pages.cpp

enum class Kind { device, managed, pinned, registered };

struct Allocation
{
    char *start;
    size_t size;
    Kind kind;
    Context *owner;
    char *pages;
    size_t numBytes;  // of the pages
    unsigned flags;
};

extern std::map<const char *, Allocation> &allocations;

Allocation *allocate(size_t size, Kind kind, unsigned flags = 0);
void release(Allocation &allocation);
size_t used(CUdevice device);

// The allocation that has the address or ends there, or 0.
Allocation *find(const void *address);
// Whether the context's kernels may touch the allocation.
bool isUsable(const Allocation &allocation, const Context &context);
// In words, for messages: where an address lies.
std::string described(const void *address);
// Whether something was written around an allocation, since this was last asked; says so, with
// `who` as its subject.
bool isDamaged(Allocation &allocation, const char *who);
bool anyDamaged(const char *who);


// Module.cpp: whether bytes are a variable of one of the context's modules, or lie in one.
bool isVariable(const Context &context, const void *address, size_t size);
void unload(Module *module);


// Run.cpp

struct Launch
{
    Function *function;
    hostcuda::Place grid, block;
    unsigned shared;
    std::vector<char> arguments;
};

void run(Context &context, const Launch &launch);

// Launch.cpp
long numLaunches(const std::string &kernel);
