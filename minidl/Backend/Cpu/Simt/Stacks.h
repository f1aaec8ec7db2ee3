// The stacks of a CPU thread's fibers. They are only reserved: pages come as they are first written
// to.

#include <sys/mman.h>
#include <unistd.h>

static const long stackSize = 128 << 10;
// A guard costs two of the 65530 pieces that memory may be cut into.
static const int mostGuards = 16384;

static int guards = 0;

struct Stacks
{
    char *memory;
    long size, stride;
    int guarded;  // the first so many stacks have a page below them that cannot be written
};


static bool makeStacks(Stacks &s, int number)
{
    s.stride = stackSize + sysconf(_SC_PAGESIZE);
    s.size = number * s.stride;
    s.memory = (char *)mmap(
        0, s.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (s.memory == MAP_FAILED)
        return false;
#ifdef MADV_NOHUGEPAGE
    madvise(s.memory, s.size, MADV_NOHUGEPAGE);  // else the first word written takes 2 MiB
#endif
    return true;
}


static void freeStacks(Stacks &s)
{
    munmap(s.memory, s.size);
    __atomic_sub_fetch(&guards, s.guarded, __ATOMIC_RELAXED);
}


static char *stackTop(Stacks &s, int number)
{
    char *bottom = s.memory + number * s.stride;
    if (number >= s.guarded && __atomic_load_n(&guards, __ATOMIC_RELAXED) < mostGuards)
    {
        mprotect(bottom, s.stride - stackSize, PROT_NONE);
        __atomic_add_fetch(&guards, 1, __ATOMIC_RELAXED);
        s.guarded = number + 1;
    }
    // Tops at different places within their pages: at one place all would share a few lines of the
    // cache.
    return bottom + s.stride - number % 32 * 128;
}
