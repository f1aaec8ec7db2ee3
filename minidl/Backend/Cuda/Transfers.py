"""Copies between host and GPU, in the device's stream, through memory that the GPU can reach."""

import sys
import threading

import numpy as np
import pycuda.driver as drv

slotSize = 1 << 20  # bytes: what is copied in one piece
numSlots = 8
setters = {1: drv.memset_d8_async, 2: drv.memset_d16_async, 4: drv.memset_d32_async}


class Transfers:
    """
    Pieces of an array go through a ring of page-locked slots: the host fills (or empties) one while
    the GPU copies another. A slot is used again when its event says that the GPU is done with it.
    """

    def __init__(self, context, stream):
        self.context, self.stream = context, stream
        self.slots = drv.pagelocked_empty((numSlots, slotSize), np.uint8)
        self.events = [drv.Event(drv.event_flags.DISABLE_TIMING) for _ in range(numSlots)]
        self.last = 0
        self.lock = threading.Lock()

    def toDevice(self, array, values):
        """Copies host values into a contiguous array of their shape and dtype."""
        source = np.ascontiguousarray(values).reshape(-1).view(np.uint8)
        self.retried(self.upload, array.ptr, source)

    def toHost(self, array):
        """The values of a contiguous array, when all work before is done."""
        values = np.empty(array.shape, array.dtype)
        self.retried(self.download, values.reshape(-1).view(np.uint8), array.ptr)
        return values

    def retried(self, copy, *args):
        with self.lock:  # the slots are everybody's
            try:
                copy(*args)
            except drv.LogicError as error:
                self.context.recover(error)
                copy(*args)

    def upload(self, ptr, source):
        for start in range(0, source.size, slotSize):
            piece = source[start:start + slotSize]
            slot, event = self.next()
            slot[:piece.size] = piece
            drv.memcpy_htod_async(ptr + start, slot[:piece.size], self.stream)
            event.record(self.stream)

    def download(self, target, ptr):
        pieces = []  # that the GPU is copying
        for start in range(0, target.size, slotSize):
            piece = target[start:start + slotSize]
            slot, event = self.next()
            drv.memcpy_dtoh_async(slot[:piece.size], ptr + start, self.stream)
            event.record(self.stream)
            pieces.append((piece, slot, event))
            if len(pieces) == numSlots // 2:
                self.finish(*pieces.pop(0))
        for piece in pieces:
            self.finish(*piece)

    def finish(self, piece, slot, event):
        event.synchronize()
        piece[:] = slot[:piece.size]

    def next(self):
        self.last = (self.last + 1) % numSlots
        event = self.events[self.last]
        event.synchronize()
        return self.slots[self.last], event

    def fill(self, array, pattern):
        """Fills a contiguous array with one value, if the driver can; returns whether it could."""
        word = pattern.tobytes()
        if word.count(0) == len(word):
            setMemory, number, size = drv.memset_d8_async, 0, array.nbytes
        elif len(word) in setters:
            setMemory, number = setters[len(word)], int.from_bytes(word, sys.byteorder)
            size = array.size
        else:
            return False
        if size:
            self.retried(setMemory, array.ptr, number, size, self.stream)
        return True
