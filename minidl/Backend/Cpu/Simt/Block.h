// What a thread of the CPU keeps for the blocks that it runs, one at a time.

#include <pthread.h>
#include <stdlib.h>

using namespace simt;

static const unsigned mostThreads = 1024, lanes = 32, mostWarps = mostThreads / lanes;

static const int nobody = -1, newcomer = -2, home = -3;  // beside the numbers of threads

struct Thread
{
    void *stack;  // while it waits
    unsigned long long value, result;
    unsigned mask, source;
    Meeting meeting;
    bool waits;
    int fiber;
};

struct Block
{
    Thread threads[mostThreads];
    // Lanes that have ended, and that wait for lanes of their warp.
    unsigned done[mostWarps], waiting[mostWarps];
    unsigned count, begun, ended, atBarrier, votes;

    int ready[mostThreads];  // threads whose meeting is over, in a ring
    unsigned firstReady, numReady;

    int user[mostThreads];  // fiber -> the thread that has waited on it, or nobody
    int spare[mostThreads], numSpares, numFibers, running;

    Threads run;
    const void *arguments;
    void *homeStack;
    const char *failure;
    char words[160];

    Stacks stacks;
};

static thread_local Block *mine;

static pthread_key_t key;
static pthread_once_t keyIsMade = PTHREAD_ONCE_INIT;


static void release(void *pointer)
{
    Block *b = (Block *)pointer;
    freeStacks(b->stacks);
    free(b);
}


static void makeKey()
{
    pthread_key_create(&key, release);
}


// The Block of a thread that has none yet; it goes with the thread.
static Block *makeBlock()
{
    Block *b = (Block *)calloc(1, sizeof(Block));
    if (b && !makeStacks(b->stacks, mostThreads))
    {
        free(b);
        return 0;
    }
    pthread_once(&keyIsMade, makeKey);
    pthread_setspecific(key, b);
    return b;
}
