// Allocations as the pages that hold them. Each lies between pages that nobody may touch, its end
// near the upper one; what is left in between is a red zone, whose pattern a stray write changes.
// Pages are not used again, so that all use of freed memory is found.

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "Driver.h"

// They outlive what C++ ends at exit, as the contexts do.
std::map<const char *, Allocation> &allocations = *new std::map<const char *, Allocation>;

// Where freed allocations began -> their sizes.
static std::map<const char *, size_t> &freed = *new std::map<const char *, size_t>;

static const size_t alignment = 256, page = (size_t)sysconf(_SC_PAGESIZE);
static const size_t guard = 65536;  // bytes between allocations, at least
static const size_t zone = 64;  // bytes that are watched on each side, at least
static const int fresh = 0xFF;  // a NaN in every format

static char *firstPage, *nextPage, *lastPage;

static size_t roundUp(size_t size, size_t unit) { return (size + unit - 1) / unit * unit; }


static bool reserve()
{
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    for (size_t size = 1ul << 44; !nextPage && size >= 1ul << 36; size /= 2)
    {
        void *memory = mmap(0, size, PROT_NONE, flags, -1, 0);
        if (memory != MAP_FAILED)
        {
            // An index far below zero must not reach what lies below all this.
            nextPage = (char *)roundUp((size_t)memory, guard) + size / 4;
            firstPage = (char *)memory, lastPage = firstPage + size;
        }
    }
    return nextPage != 0;
}


static char *makePages(size_t size)
{
    RETURN_IF(!nextPage && !reserve(), nullptr);
    RETURN_IF(size > (size_t)(lastPage - nextPage) - guard, nullptr);
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;
    void *memory = mmap(nextPage, size, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (memory == MAP_FAILED)
    {
        say("no more memory to be had of the system, with %zu allocations", allocations.size());
        return nullptr;
    }
    nextPage += roundUp(size, guard) + guard;
    return (char *)memory;
}


// The red zone's bytes are a NaN as well, but another one than that of fresh memory.
static unsigned char pattern(const char *address)
{
    return (size_t)address % 2 ? 0x7F : 0xFD;
}


static void paint(char *from, char *to)
{
    for (; from < to; ++from)
        *from = (char)pattern(from);
}


// The first byte that is not as painted, or `to`.
static char *firstChanged(char *from, char *to)
{
    for (; from < to; from += 8)
    {
        uint64_t word;
        memcpy(&word, from, 8);
        if (word == 0x7FFD7FFD7FFD7FFDull)
            continue;
        while ((unsigned char)*from == pattern(from))
            ++from;
        return from;
    }
    return to;
}


// The zones begin and end at multiples of 8, but for the bytes right behind the allocation.
static char *lowerZone(const Allocation &a) { return a.start - alignment; }
static char *upperEnd(const Allocation &a) { return a.pages + a.numBytes; }


Allocation *allocate(size_t size, Kind kind, unsigned flags)
{
    const size_t above = roundUp(size + zone, alignment);
    const size_t numBytes = roundUp(above + alignment, page);
    char *pages = makePages(numBytes);
    RETURN_IF(!pages, nullptr);
    char *start = pages + numBytes - above;
    paint(start - alignment, start);
    memset(start, fresh, size);
    paint(start + size, pages + numBytes);
    return &(allocations[start] = {start, size, kind, &current(), pages, numBytes, flags});
}


void release(Allocation &allocation)
{
    isDamaged(allocation, "somebody");
    if (allocation.pages)
    {
        const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;
        mmap(allocation.pages, allocation.numBytes, PROT_NONE, flags, -1, 0);
        freed[allocation.start] = allocation.size;
    }
    allocations.erase(allocation.start);
}


size_t used(CUdevice device)
{
    size_t bytes = 0;
    for (const auto &entry : allocations)
    {
        const Allocation &a = entry.second;
        const bool isThere = a.kind == Kind::device || a.kind == Kind::managed;
        bytes += isThere && a.owner->device == device ? a.size : 0;
    }
    return bytes;
}


Allocation *find(const void *address)
{
    auto next = allocations.upper_bound((const char *)address);
    RETURN_IF(next == allocations.begin(), nullptr);
    Allocation &candidate = (--next)->second;
    return (const char *)address <= candidate.start + candidate.size ? &candidate : nullptr;
}


bool isUsable(const Allocation &allocation, const Context &context)
{
    return allocation.kind != Kind::device || allocation.owner == &context;
}


std::string described(const void *address)
{
    const char *place = (const char *)address;
    const auto live = allocations.upper_bound(place);
    const auto dead = freed.upper_bound(place);
    const Allocation *below = live == allocations.begin() ? 0 : &std::prev(live)->second;
    const bool isDead = dead != freed.begin() && (!below || std::prev(dead)->first > below->start);
    const bool isNear = nextPage && place >= firstPage && place < lastPage;

    char text[100];
    if (isDead && isNear)
        snprintf(text, sizeof text, "byte %ld of a freed allocation of %zu bytes",
                 (long)(place - std::prev(dead)->first), std::prev(dead)->second);
    else if (below && (isNear || place < below->start + below->size))
        snprintf(text, sizeof text, "byte %ld of an allocation of %zu bytes",
                 (long)(place - below->start), below->size);
    else if (isNear && live != allocations.end())
        snprintf(text, sizeof text, "byte %ld of an allocation of %zu bytes",
                 (long)(place - live->second.start), live->second.size);
    else
        snprintf(text, sizeof text, "%p, which is no memory of the device", address);
    for (const Context *context : contexts)
        if (isVariable(*context, address, 0))
            return "a variable of a module";
    return text;
}


bool isDamaged(Allocation &a, const char *who)
{
    if (!a.pages)
        return false;
    char *end = a.start + a.size, *aligned = (char *)roundUp((size_t)end, 8);
    char *changed = firstChanged(lowerZone(a), a.start);
    if (changed == a.start)
    {
        for (changed = end; changed < aligned && (unsigned char)*changed == pattern(changed);)
            ++changed;
        if (changed == aligned)
            changed = firstChanged(aligned, upperEnd(a));
        if (changed == upperEnd(a))
            return false;
    }
    say("%s wrote outside of its memory: at byte %ld of an allocation of %zu bytes",
        who, (long)(changed - a.start), a.size);
    paint(lowerZone(a), a.start);
    paint(end, upperEnd(a));
    return true;
}


bool anyDamaged(const char *who)
{
    bool found = false;
    for (auto &entry : allocations)
        found |= isDamaged(entry.second, who);
    return found;
}
