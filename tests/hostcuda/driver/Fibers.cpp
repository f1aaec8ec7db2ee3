// minidl's own fibers, and before them what turns the numbers of threads into their turns.

#include "Fibers.h"
#include "Switch.h"
#include "Stacks.h"
#include "Block.h"

#include "Simt/Fibers.cpp"

#include "Order.h"
#include "Residents.h"

static const Order *order;

void useOrder(const Order &used) { order = &used; }


// After a fault in a kernel, which has left threads where they were.
void resetFibers()
{
    if (mine)
        for (Thread &thread : mine->threads)
            thread.waits = false;
}


static unsigned moved(unsigned lanesSet, const unsigned *places)
{
    unsigned result = 0;
    for (unsigned left = lanesSet; left; left &= left - 1)
        result |= 1u << places[__builtin_ctz(left)];
    return result;
}


static const char *runInOrder(Threads threads, const void *plan, unsigned)
{
    return minidlFibers.run(threads, plan, ((const hostcuda::Plan *)plan)->count);
}


static unsigned long long meetInOrder(
    unsigned number, Meeting meeting, unsigned mask, unsigned long long value, unsigned source)
{
    if (order->isForward)
        return minidlFibers.meet(number, meeting, mask, value, source);

    const unsigned turn
        = order->turnOfWarp[number / lanes] * lanes + order->turnOfLane[number % lanes];
    const unsigned long long result = minidlFibers.meet(
        turn, meeting, moved(mask, order->turnOfLane), value, order->turnOfLane[source % lanes]);
    if (meeting == atRandom)
        return moved((unsigned)result, order->lanes);
    if (meeting == atBallot)
        return (unsigned long long)moved((unsigned)(result >> 32), order->lanes) << 32
            | moved((unsigned)result, order->lanes);
    return result;
}


static void pauseInTurn()
{
    if (const char *words = pauseBlock())
        fail(words);
}


static const Fibers inOrder = {runInOrder, meetInOrder, fail, pauseInTurn};

// Fills a module's minidlFibers.
void setFibers(const void **place) { *place = &inOrder; }
