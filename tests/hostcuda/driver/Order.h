// The order in which the blocks of a grid and the threads of a block are run.

#pragma once

#include <vector>

#include "Plan.h"

static const unsigned lanesOfWarp = 32, mostWarpsOfBlock = 32;

// A permutation of warps and one of the lanes of each warp: then a warp stays together, and the
// fibers, which know threads by their turn, need to be told of lanes only.
struct Order
{
    bool isForward;
    unsigned warps[mostWarpsOfBlock], lanes[lanesOfWarp];  // turn -> warp or lane
    unsigned turnOfWarp[mostWarpsOfBlock], turnOfLane[lanesOfWarp];
    std::vector<hostcuda::Place> threads;  // in their turns; those the block lacks are nobody

    unsigned long factor, shift;  // of the blocks, when shuffled
    bool isReverse;
    unsigned long block(unsigned long turn, unsigned long number) const;
};

const Order &orderOf(hostcuda::Place block);

// Fibers.cpp
void useOrder(const Order &order);
void resetFibers();
