"""Device memory that is kept when an array goes, by PyCUDA's pool."""

import contextlib

import pycuda.driver as drv
import pycuda.tools

from minidl.Backend.Device import OutOfMemoryError

least = 16  # bytes: of the smallest piece


class MemoryPool:
    """The CPU's MemoryPool for device memory; `context` is the one that the memory belongs to."""

    def __init__(self, context, stream):
        self.context, self.stream = context, stream
        self.pool = pycuda.tools.DeviceMemoryPool()
        self.keepOne()

    def keepOne(self):
        # As long as the pool holds a piece, memory comes back to it without a look at the context:
        # arrays may outlive that, at the interpreter's end for instance.
        self.pool.allocate(1)

    def allocate(self, nbytes):
        """Memory of at least `nbytes`; it comes back when the object goes."""
        return self.take(self.pool.allocate, nbytes)

    def take(self, allocate, nbytes):
        try:
            return allocate(max(nbytes, least))
        except drv.MemoryError:
            with contextlib.suppress(drv.MemoryError):
                self.keepOne()  # the pool has let go of all it held
            free, total = drv.mem_get_info()
            raise OutOfMemoryError(
                f"asked for {nbytes} bytes, {free} of the device's {total} are free and "
                f"{self.pool.active_bytes} in use by arrays") from None
        except (drv.Error, RuntimeError) as error:  # the latter where another context is current
            self.context.recover(error)
            return allocate(max(nbytes, least))

    def freeHeld(self):
        """Gives all memory that no array uses back to the system."""
        spare = self.take(self.pool.allocate, least)
        self.pool.free_held()
        del spare  # comes back at once, so that the pool holds a piece again

    def stopHolding(self):
        """From now on memory goes back to the system when its array goes."""
        self.allocate = self.allocatePiece
        self.freeHeld()

    def allocatePiece(self, nbytes):
        return Piece(self.context, self.take(drv.mem_alloc, nbytes))

    def setupDebug(self):
        """
        From now on new arrays of floating point numbers are full of NaN, others of -1 or 255, and
        each lies in a piece of exactly its size.
        """
        self.allocate = self.allocateDirty

    def allocateDirty(self, nbytes):
        memory = self.allocatePiece(nbytes)
        drv.memset_d8_async(int(memory), 0xFF, max(nbytes, least), self.stream)
        return memory

    def getStats(self):
        """(pieces held, bytes held, pieces asked of the driver and not given back)."""
        pool = self.pool
        held = pool.managed_bytes - pool.active_bytes
        return pool.held_blocks, held, pool.held_blocks + pool.active_blocks

    @property
    def systemAllocations(self):
        return self.getStats()[2]


class Piece(drv.PointerHolderBase):
    """Memory past the pool, which goes back to the system in whichever thread its array goes."""

    # Python may collect in any thread; where the context is not current, PyCUDA alone leaks.

    def __init__(self, context, memory):
        super().__init__()
        self.context, self.memory = context, memory

    def get_pointer(self):
        return int(self.memory)

    gpudata = property(get_pointer)  # as which PyCUDA's kernels take it

    def __del__(self):
        with self.context.pushed():
            self.memory.free()
