// The threads of a block as fibers: each thread that waits keeps a stack of its own, and the
// processor goes on with another. A fiber runs one thread after the other until one waits, so a
// block whose threads never wait needs one.

#include <sched.h>
#include <stdio.h>

// Meetings

static void markDone(Block &b, unsigned first, unsigned last)
{
    b.ended += last - first;
    for (; first < last; first = (first / lanes + 1) * lanes)
    {
        const unsigned number = last - first;
        b.done[first / lanes] |= (number < lanes ? (1u << number) - 1 : ~0u) << first % lanes;
    }
}


static void wake(Block &b, unsigned number, unsigned long long result, int current)
{
    Thread &thread = b.threads[number];
    thread.result = result;
    thread.waits = false;
    if ((int)number != current)
        b.ready[(b.firstReady + b.numReady++) % mostThreads] = (int)number;
}


static bool endBarrier(Block &b, int current)
{
    if (b.atBarrier == 0 || b.atBarrier < b.count - b.ended)
        return false;
    const unsigned long long result = (unsigned long long)b.atBarrier << 32 | b.votes;
    b.atBarrier = b.votes = 0;
    for (unsigned i = 0; i < b.begun; ++i)
        if (b.threads[i].waits)
            wake(b, i, result, current);
    return true;
}


static void endWarpMeeting(Block &b, unsigned warp, unsigned group, int current)
{
    Thread *threads = b.threads + warp * lanes;
    unsigned votes = 0;
    for (unsigned i = 0; i < lanes; ++i)
        votes |= (group >> i & 1 && threads[i].value != 0) << i;

    b.waiting[warp] &= ~group;
    for (unsigned left = group; left; left &= left - 1)
    {
        const unsigned i = (unsigned)__builtin_ctz(left);
        const unsigned source = group >> threads[i].source % lanes & 1 ? threads[i].source : i;
        const unsigned long long results[] = {
            0, threads[source].value, (unsigned long long)group << 32 | votes, group};
        wake(b, warp * lanes + i, results[threads[i].meeting], current);
    }
}


// Ends the meeting that thread `number` waits for, if all of its mask who still run have come.
static bool tryWarpMeeting(Block &b, unsigned number, int current)
{
    const unsigned warp = number / lanes, mask = b.threads[number].mask;
    const unsigned group = mask & ~b.done[warp];
    if (group & ~b.waiting[warp])
        return false;
    for (unsigned left = group; left; left &= left - 1)
    {
        const Thread &thread = b.threads[warp * lanes + (unsigned)__builtin_ctz(left)];
        if (thread.mask != mask || thread.meeting == atRandom)
            return false;
    }
    endWarpMeeting(b, warp, group, current);
    return true;
}


// Called when no thread can run: ends what the end of other threads, or this very fact, has made
// complete.
static bool endSomeMeeting(Block &b)
{
    if (endBarrier(b, nobody))
        return true;

    bool found = false;
    for (unsigned warp = 0; warp < mostWarps; ++warp)
    {
        unsigned random = 0;
        for (unsigned i = 0; i < lanes; ++i)
        {
            if (!(b.waiting[warp] >> i & 1))
                continue;
            if (b.threads[warp * lanes + i].meeting == atRandom)
                random |= 1u << i;
            else
                found |= tryWarpMeeting(b, warp * lanes + i, nobody);
        }
        if (random)
            endWarpMeeting(b, warp, random, nobody);
        found |= random != 0;
    }
    return found;
}


// Who runs

static int next(Block &b)
{
    for (;;)
    {
        if (b.numReady)
        {
            const int number = b.ready[b.firstReady];
            b.firstReady = (b.firstReady + 1) % mostThreads;
            --b.numReady;
            return number;
        }
        if (b.begun < b.count)
            return newcomer;
        if (b.ended == b.count)
            return home;
        if (!endSomeMeeting(b))
        {
            snprintf(
                b.words, sizeof b.words,
                "%u threads wait at __syncthreads and %u for lanes of their warp, for ever",
                b.atBarrier, b.count - b.ended - b.atBarrier);
            b.failure = b.words;
            return home;
        }
    }
}


static void runThreads()
{
    Block &b = *mine;
    const int fiber = b.running;
    do
    {
        b.user[fiber] = nobody;
        b.run(b.arguments, b.begun);
        if (b.user[fiber] == nobody)
        {
            markDone(b, b.begun, b.count);
            b.begun = b.count;
        }
        else
            markDone(b, (unsigned)b.user[fiber], (unsigned)b.user[fiber] + 1);
    }
    while (b.numReady == 0 && b.begun < b.count);

    b.spare[b.numSpares++] = fiber;
    const int number = next(b);  // not a newcomer: the loop has taken those
    void *ended;
    simtSwitch(&ended, number == home ? b.homeStack : b.threads[number].stack);
}


static void *newFiber(Block &b)
{
    b.running = b.numSpares ? b.spare[--b.numSpares] : b.numFibers++;
    return newStack(stackTop(b.stacks, b.running), runThreads);
}


static unsigned long long meet(
    unsigned number, Meeting meeting, unsigned mask, unsigned long long value, unsigned source)
{
    Block &b = *mine;
    Thread &thread = b.threads[number];
    if (number >= b.begun)
    {
        markDone(b, b.begun, number);
        b.begun = number + 1;
        b.user[b.running] = (int)number;
        thread.fiber = b.running;
    }

    thread.value = value, thread.mask = mask, thread.source = source;
    thread.meeting = meeting;
    thread.waits = true;
    bool complete;
    if (meeting == atBarrier)
    {
        ++b.atBarrier;
        b.votes += (unsigned)value;
        complete = endBarrier(b, (int)number);
    }
    else
    {
        b.waiting[number / lanes] |= 1u << number % lanes;
        complete = meeting != atRandom && tryWarpMeeting(b, number, (int)number);
    }

    if (!complete)
    {
        const int follower = next(b);
        if (follower != (int)number)
            simtSwitch(
                &thread.stack,
                follower == home ? b.homeStack
                : follower == newcomer ? newFiber(b) : b.threads[follower].stack);
        b.running = thread.fiber;
    }
    return thread.result;
}


static const char *run(Threads threads, const void *arguments, unsigned count)
{
    if (!mine && !(mine = makeBlock()))
        return "no memory for the stacks of its threads";

    Block &b = *mine;
    b.run = threads, b.arguments = arguments, b.count = count;
    b.begun = b.ended = b.atBarrier = b.votes = b.firstReady = b.numReady = 0;
    b.numSpares = b.numFibers = 0;
    b.failure = 0;
    for (unsigned warp = 0; warp < mostWarps; ++warp)
        b.done[warp] = b.waiting[warp] = 0;
    if (count % lanes)
        b.done[count / lanes] = ~0u << count % lanes;  // lanes that the block does not have
    simtSwitch(&b.homeStack, newFiber(b));
    if (b.failure)
        for (Thread &thread : b.threads)
            thread.waits = false;
    return b.failure;
}


static void fail(const char *words)
{
    void *ended;
    mine->failure = words;
    simtSwitch(&ended, mine->homeStack);
}


static void letOthersRun() { sched_yield(); }


extern "C" const Fibers minidlFibers = {run, meet, fail, letOthersRun};
