// minidl's runtime on the CPU: one pool of threads, which runs the blocks of a grid. Kernels,
// matrix products and the user's own kernels all come through here: two pools in one process would
// wait for each other.
//
// The blocks of a grid are shared out by a counter, so a thread that the system holds up does less.
// Which thread runs a block never changes a result: a block's work is fixed by the sizes alone.

#include <pthread.h>
#include <sched.h>
#include <time.h>

// Runs the blocks first .. last-1 of a grid of `blocks` blocks on one packed set of arguments.
typedef void (*Entry)(const char *arguments, long first, long last, long blocks);

static const int mostWorkers = 255;
static const long patience = 200000;  // ns: mostly longer than Python needs between two launches

static pthread_mutex_t busy = PTHREAD_MUTEX_INITIALIZER;  // held while the pool runs a grid
static pthread_mutex_t sleep_ = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER;

static int workers = 0, wantedWorkers = 0;
static int sleepers = 0, active = 0;
static unsigned grids = 0;  // counts the grids; a worker looks for its change

// The grid in work. A worker may read it between `active += 1` and `active -= 1` while `open` is
// set.
static int open = 0;
static Entry entry;
static const char *arguments;
static long blocks, share, next;


static inline void pause()
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("yield");
#endif
}


// Keeps looking, awake, whether isDone() has come true; false if it has not after `patience`.
template <class Condition> static bool spin(const Condition &isDone)
{
    const int looks = 64;  // between two looks at the clock
    timespec start, now;
    clock_gettime(CLOCK_MONOTONIC, &start);
    do
    {
        for (int i = 0; i < looks; ++i)
        {
            if (isDone())
                return true;
            pause();
        }
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while ((now.tv_sec - start.tv_sec) * 1000000000L + now.tv_nsec - start.tv_nsec < patience);
    return false;
}


static void runShares()
{
    for (;;)
    {
        long first = __atomic_fetch_add(&next, share, __ATOMIC_RELAXED);
        if (first >= blocks)
            return;
        long last = first + share < blocks ? first + share : blocks;
        entry(arguments, first, last, blocks);
    }
}


static unsigned awaitGrid(unsigned seen)
{
    const auto isNew = [=] { return __atomic_load_n(&grids, __ATOMIC_SEQ_CST) != seen; };
    if (!spin(isNew))
    {
        pthread_mutex_lock(&sleep_);
        __atomic_add_fetch(&sleepers, 1, __ATOMIC_SEQ_CST);
        while (!isNew())
            pthread_cond_wait(&wake, &sleep_);
        __atomic_sub_fetch(&sleepers, 1, __ATOMIC_SEQ_CST);
        pthread_mutex_unlock(&sleep_);
    }
    return __atomic_load_n(&grids, __ATOMIC_SEQ_CST);
}


static void *work(void *number)
{
    unsigned seen = 0;
    for (;;)
    {
        seen = awaitGrid(seen);
        __atomic_add_fetch(&active, 1, __ATOMIC_SEQ_CST);
        if (__atomic_load_n(&open, __ATOMIC_SEQ_CST) && (long)number < wantedWorkers)
            runShares();
        __atomic_sub_fetch(&active, 1, __ATOMIC_SEQ_CST);
    }
    return 0;
}


static void startWorkers()
{
    pthread_attr_t detached;
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    while (workers < wantedWorkers)
    {
        pthread_t thread;
        if (pthread_create(&thread, &detached, work, (void *)(long)workers))
            break;  // the system gives no more threads: fewer do the same work
        ++workers;
    }
    pthread_attr_destroy(&detached);
}


static void runOnPool(Entry entry_, const char *arguments_, long blocks_)
{
    if (workers < wantedWorkers)
        startWorkers();

    entry = entry_, arguments = arguments_, blocks = blocks_;
    share = blocks_ / (4 * (wantedWorkers + 1));
    share = share > 0 ? share : 1;
    __atomic_store_n(&next, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&open, 1, __ATOMIC_SEQ_CST);
    __atomic_add_fetch(&grids, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&sleepers, __ATOMIC_SEQ_CST))
    {
        pthread_mutex_lock(&sleep_);
        pthread_cond_broadcast(&wake);
        pthread_mutex_unlock(&sleep_);
    }

    runShares();

    // Every block is taken by now. Nobody may join any more, and those at work are waited for.
    __atomic_store_n(&open, 0, __ATOMIC_SEQ_CST);
    const auto isAlone = [] { return __atomic_load_n(&active, __ATOMIC_SEQ_CST) == 0; };
    if (!spin(isAlone))
        while (!isAlone())
            sched_yield();
}


// Runs a whole grid and returns when it is done. When the pool is at work for another thread, the
// caller works alone.
extern "C" void minidlLaunch(Entry entry_, const char *arguments_, long blocks_)
{
    if (blocks_ > 1 && wantedWorkers > 0 && pthread_mutex_trylock(&busy) == 0)
    {
        runOnPool(entry_, arguments_, blocks_);
        pthread_mutex_unlock(&busy);
    }
    else
        entry_(arguments_, 0, blocks_, blocks_);
}


static void afterFork()
{
    // The child has this thread only, and a pool that starts anew.
    workers = sleepers = active = open = 0;
    pthread_mutex_init(&busy, 0);
    pthread_mutex_init(&sleep_, 0);
    pthread_cond_init(&wake, 0);
}


extern "C" void minidlSetThreads(int threads)
{
    static int registered = 0;
    if (!registered)
        registered = pthread_atfork(0, 0, afterFork) == 0;

    pthread_mutex_lock(&busy);
    wantedWorkers = threads - 1 < mostWorkers ? threads - 1 : mostWorkers;
    pthread_mutex_unlock(&busy);
}


extern "C" int minidlWorkers()
{
    return workers;
}
