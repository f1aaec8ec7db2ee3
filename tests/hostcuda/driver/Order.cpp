// See Order.h.

#include "Order.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <random>
#include <stdlib.h>
#include <string>
#include <tuple>

#include "Driver.h"

using hostcuda::Place;


unsigned long Order::block(unsigned long turn, unsigned long number) const
{
    if (isForward)
        return turn;
    if (isReverse)
        return number - 1 - turn;
    // A factor without common divisors meets each block once.
    unsigned long own = factor % number;
    while (std::gcd(own, number) != 1)
        ++own;
    return (unsigned long)(((unsigned __int128)turn * own + shift) % number);
}


static void fillThreads(Order &order, Place block, unsigned numWarps)
{
    const unsigned count = block.x * block.y * block.z;
    for (unsigned warp = 0; warp < mostWarpsOfBlock; ++warp)
        order.turnOfWarp[order.warps[warp]] = warp;
    for (unsigned lane = 0; lane < lanesOfWarp; ++lane)
        order.turnOfLane[order.lanes[lane]] = lane;

    for (unsigned turn = 0; turn < numWarps * lanesOfWarp; ++turn)
    {
        const unsigned number
            = order.warps[turn / lanesOfWarp] * lanesOfWarp + order.lanes[turn % lanesOfWarp];
        if (number < count)
            order.threads.push_back(
                {number % block.x, number / block.x % block.y, number / block.x / block.y});
        else
            order.threads.push_back({hostcuda::nobody, 0, 0});
    }
    if (order.isForward)
        order.threads.resize(count);
}


static Order make(Place block, const std::string &name, unsigned long seed)
{
    Order order = {};
    order.isForward = name == "forward";
    order.isReverse = name == "reverse";
    const unsigned numWarps = (block.x * block.y * block.z + lanesOfWarp - 1) / lanesOfWarp;
    std::iota(order.warps, order.warps + mostWarpsOfBlock, 0u);
    std::iota(order.lanes, order.lanes + lanesOfWarp, 0u);
    if (order.isReverse)
    {
        std::reverse(order.warps, order.warps + numWarps);
        std::reverse(order.lanes, order.lanes + lanesOfWarp);
    }
    else if (!order.isForward)
    {
        std::mt19937_64 random(seed);
        std::shuffle(order.warps, order.warps + numWarps, random);
        std::shuffle(order.lanes, order.lanes + lanesOfWarp, random);
        order.factor = random() >> 32, order.shift = random() >> 32;
    }
    fillThreads(order, block, numWarps);
    return order;
}


// Shuffled, no two launches have the same order, and all have the same in the next process.
const Order &orderOf(Place block)
{
    static const char *named = getenv("HOSTCUDA_ORDER");
    static const std::string name = named && *named ? named : "forward";
    static const bool isShuffled = name.compare(0, 8, "shuffle:") == 0;
    static unsigned long seed = isShuffled ? strtoul(name.c_str() + 8, 0, 10) << 32 : 0;
    static Order shuffled;
    static std::map<std::tuple<unsigned, unsigned, unsigned>, Order> kept;

    if (isShuffled)
        return shuffled = make(block, name, seed++);
    if (name != "forward" && name != "reverse")
    {
        say("HOSTCUDA_ORDER must be forward, reverse or shuffle:SEED, not %s", name.c_str());
        abort();
    }
    const auto key = std::make_tuple(block.x, block.y, block.z);
    const auto found = kept.find(key);
    return found == kept.end() ? kept[key] = make(block, name, 0) : found->second;
}
