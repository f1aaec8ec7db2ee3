// How a kernel's threads wait for each other. Fibers.cpp keeps this word; Cooperation.h spells
// CUDA's words in it.

namespace simt
{

enum Meeting
{
    atBarrier,   // all threads of the block; the result is arrived << 32 | the sum of the values
    atExchange,  // the lanes of `mask`; the result is the value of lane `source`
    atBallot,    // the lanes of `mask`; the result is arrived << 32 | lanes whose value is not 0
    atRandom,    // lanes that happen to come until no thread can run; the result is these
};

// Runs the threads from `first` on; returns after the last, or after one that has waited.
typedef void (*Threads)(const void *arguments, unsigned first);

struct Fibers
{
    // Runs a block of `count` threads; the result says what went wrong, or is 0.
    const char *(*run)(Threads threads, const void *arguments, unsigned count);

    // Called on thread `number`: returns when all that the meeting needs have come.
    unsigned long long (*meet)(
        unsigned number, Meeting meeting, unsigned mask, unsigned long long value, unsigned source);

    // Called on a thread: ends the block; `run` returns `words`. Does not return.
    void (*fail)(const char *words);

    // Called on a thread that waits for what another block does: lets that go on.
    void (*pause)();
};

}
