// Blocks that wait for what others of their grid do, as a GPU has some of them at work at once. A
// block that waits says so by __nanosleep: then it is another's turn, on a thread of the CPU of its
// own, since that is what has a block's shared memory. Only one runs at a time.

#pragma once

// Calls run(i) for all i below `number`, in this order, as long as the result is true. No more than
// `most` have begun and not ended.
void runResidents(unsigned long number, unsigned most, bool (*run)(unsigned long));

// In a block: lets others go on, until it is this one's turn again. The result says why the block
// must end, or is 0.
const char *pauseBlock();
