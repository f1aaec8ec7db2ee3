// See Residents.h.

#include "Residents.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <stdio.h>
#include <thread>
#include <vector>

static const long mostPauses = 100000;  // in a row, with no block that begins or ends meanwhile

static std::mutex &lock = *new std::mutex;
static std::condition_variable &turnHasCome = *new std::condition_variable;

static unsigned long begun, number;
static unsigned numResidents, most, turn;  // `turn`: whose it is
static std::deque<unsigned> &waiting = *new std::deque<unsigned>;
static std::vector<std::thread> &threads = *new std::vector<std::thread>;
static bool (*run)(unsigned long);
static bool isOver;  // no block goes on
static long pauses;
static char words[160];

static thread_local unsigned own;


static void waitForTurn(std::unique_lock<std::mutex> &held)
{
    turnHasCome.wait(held, [] { return turn == own; });
}


static void giveTurnTo(unsigned resident)
{
    turn = resident;
    turnHasCome.notify_all();
}


static void runBlocks()
{
    while (begun < number && !isOver)
    {
        pauses = 0;
        isOver = !run(begun++) || isOver;
    }
}


static void begin(unsigned resident)
{
    own = resident;
    {
        std::unique_lock<std::mutex> held(lock);
        waitForTurn(held);
    }
    runBlocks();

    std::unique_lock<std::mutex> held(lock);
    const unsigned next = waiting.front();  // there is one, which has begun this thread
    waiting.pop_front();
    --numResidents;
    pauses = 0;
    giveTurnTo(next);
}


void runResidents(unsigned long numBlocks, unsigned mostAtOnce, bool (*runBlock)(unsigned long))
{
    begun = 0, number = numBlocks, most = mostAtOnce, run = runBlock;
    numResidents = 1, turn = own = 0, pauses = 0, isOver = false;
    runBlocks();

    while (numResidents > 1)
    {
        std::unique_lock<std::mutex> held(lock);
        waiting.push_back(own);
        const unsigned next = waiting.front();
        waiting.pop_front();
        giveTurnTo(next);
        waitForTurn(held);
    }
    for (std::thread &thread : threads)
        thread.join();
    threads.clear();
}


const char *pauseBlock()
{
    std::unique_lock<std::mutex> held(lock);
    if (isOver)
        return "another block has failed";
    if (++pauses > mostPauses)
    {
        isOver = true;
        snprintf(
            words, sizeof words, "%u blocks wait for others, for ever; %lu have not begun, and %u "
            "run at once", numResidents, number - begun, most);
        return words;
    }
    waiting.push_back(own);
    if (begun < number && numResidents < most)
    {
        ++numResidents;
        threads.emplace_back(begin, (unsigned)threads.size() + 1);
        giveTurnTo((unsigned)threads.size());
    }
    else
    {
        const unsigned next = waiting.front();
        waiting.pop_front();
        giveTurnTo(next);
    }
    waitForTurn(held);
    return isOver ? "another block has failed" : 0;
}
