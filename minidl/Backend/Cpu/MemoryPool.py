"""Memory that is kept when an array goes: fresh pages cost more than the arithmetic."""

import numpy as np

from minidl.Backend.Device import OutOfMemoryError

alignment = 64  # a cache line, and the widest vector register


class Memory(np.ndarray):
    """
    Raw bytes of the pool: their address is `ptr`, and `home` the list that they return to.

    A class of its own, so that numpy never takes it for the base of a view in place of the array
    that holds it: the bytes come back to the pool when that array goes.
    """

    __slots__ = ("ptr", "home")


class MemoryPool:
    """Hands out memory by size; PyCUDA's names for what is held and how to let go of it."""

    def __init__(self):
        self.homes = {}  # rounded size -> memory of that size that nobody uses
        self.homeOf = {}  # size asked for -> the same list
        self.holding = True
        self.systemAllocations = 0  # steady in a steady training step

    def allocate(self, nbytes):
        """Memory of at least `nbytes`; it comes back through `release`."""
        try:
            return self.homeOf[nbytes].pop()
        except (KeyError, IndexError):
            return self.fromSystem(nbytes)

    def release(self, memory):
        if self.holding:
            memory.home.append(memory)

    def fromSystem(self, nbytes):
        if nbytes < 0:
            raise ValueError(f"memory must have a size of zero bytes or more, got {nbytes}")
        size = rounded(nbytes)
        home = self.homeOf[nbytes] = self.homes.setdefault(size, [])
        if home:
            return home.pop()

        try:
            raw = np.empty(size + alignment, np.uint8)
        except MemoryError:
            self.freeHeld()
            try:
                raw = np.empty(size + alignment, np.uint8)
            except MemoryError:
                raise OutOfMemoryError(f"the system has no room for {size} more bytes") from None

        self.systemAllocations += 1
        start = -raw.ctypes.data % alignment
        memory = raw[start:start + size].view(Memory)
        memory.ptr = raw.ctypes.data + start
        memory.home = home
        return memory

    def freeHeld(self):
        """Gives all memory that no array uses back to the system."""
        for home in self.homes.values():
            home.clear()

    def stopHolding(self):
        """From now on memory goes back to the system when its array goes."""
        self.holding = False
        self.freeHeld()

    def setupDebug(self):
        """From now on new arrays of floating point numbers are full of NaN, others of -1 or 255."""
        self.allocate = self.allocateDirty

    def allocateDirty(self, nbytes):
        memory = MemoryPool.allocate(self, nbytes)
        memory.fill(0xFF)
        return memory

    def getStats(self):
        """(pieces held, bytes held, how often the system was asked for memory)."""
        sizes = [(size, len(home)) for size, home in self.homes.items()]
        return sum(n for _, n in sizes), sum(size * n for size, n in sizes), self.systemAllocations


def rounded(nbytes):
    """Sizes come in steps of an eighth of their power of two, so that pieces find new users."""
    step = max(alignment, 1 << max(0, nbytes.bit_length() - 4))
    return max(1, -(-nbytes // step)) * step
