"""Batch normalization in training on the GPU: launches of Kernels/Cuda/BatchNorm.cu, by size."""

import functools
import struct
import threading
from math import gcd
from typing import NamedTuple

import numpy as np
import pycuda.driver as drv

from minidl.Backend.Cuda import CudaArray
from minidl.Backend.Cuda.CudaText import block, cudaFile, cudaText

resident = 2  # RESIDENT of the kernel file
narrow = "#define WIDE 1"  # of its two texts, that for rows that are not aligned
reserved = 1024  # bytes of shared memory that a GPU takes for itself, of each block
leastRow, mostRow = 64, 4096  # bytes of a row of neighbouring maps
leastPiece = 32 << 10  # bytes; no group is cut further only to keep more blocks busy

shares = struct.Struct("2P8i")  # Shares of the kernel file
partialWords = 4  # of its Partial
itemSizes = {"f": 4, "e": 2, "E": 2}


class Cut(NamedTuple):
    """How a tensor is cut: the last of the numbers in Shares of the kernel file."""

    channels: int
    rows: int
    columns: int
    across: int
    team: int


class Plan(NamedTuple):
    """The launches for one size."""

    steps: list  # (function, blocks, bytes of dynamic shared memory)
    shares: bytes
    scratch: object  # the array that shares points to: partials, then meetings


class BatchNorm:
    """
    Takes the place of Kernels/BatchNorm.cu for data of type `real`, one of `reals`: `launches` has
    functions of (packed arguments, blocks) by the names of its kernels.

    Args:
        file: its KernelFile.
        threads: of a block; a power of two, at least 32.
        room: bytes that a block may hold; as much as can be if not given.
        atOnce: how many blocks that hold so much the GPU runs at once.
    """

    reals = tuple(itemSizes)

    def __init__(self, device, file, real, threads=block, room=None, atOnce=None):
        self.device, self.real, self.threads, self.room = device, real, threads, room
        self.atOnce = atOnce or resident * device.context.device.multiprocessor_count
        self.inOneGo = threading.Lock()  # the steps of a plan: they share its scratch
        self.functions = functools.cache(self.makeFunctions)
        self.plan = functools.lru_cache(256)(self.makePlan)
        self.launches = {name: self.launcher(file, name) for name in file.declarations}

    @staticmethod
    def text(real, threads=block, isWide=True):
        return cudaText(cudaFile("BatchNorm", "" if isWide else narrow), real, threads)

    def launcher(self, file, name):
        """What launches the plain kernel `name`, with kernels of the twin."""
        way = "train" if name.startswith("train") else "backward"
        arguments = file.declarations[name]
        start = 8 * sum(argument.isArray for argument in arguments)
        numSizes = 3 if name.endswith("Maps") else 2
        end = start + 4 * numSizes
        unpack = struct.Struct(f"{numSizes + 1}i").unpack
        data = [8 * i for i, argument in enumerate(arguments) if argument.type == "real"]

        def launch(packed, blocks):
            sizes = unpack(packed[start:end + 4])
            if not blocks:
                return
            plan = self.plan(way, sizes, not any(packed[place] % 16 for place in data))
            given = packed[:start] + packed[end:]
            given += bytes(-len(given) % 8) + plan.shares
            with self.inOneGo:
                for step, number, shared in plan.steps:
                    step(given, number, shared=shared)

        return launch

    def makePlan(self, way, sizes, isAligned):
        """Of `sizes` the last is whether there is something added, for the way back."""
        batch, maps, *inner, adds = sizes
        inner = inner[0] if inner else 1
        itemSize, held = itemSizes[self.real], 1 if way == "train" else 3 if adds else 2
        wide = 16 // itemSize if isAligned else 1
        wide = wide if fits(maps, inner, wide, itemSize, self.threads) else 1
        functions, room = self.functions(wide > 1)
        cut = cutOf(batch, maps, inner, wide, itemSize, held, room, self.atOnce)

        groups = -(-maps // cut.channels)
        partials = maps * cut.team * partialWords
        scratch = CudaArray.fromHost(np.zeros(partials + groups, np.uint32))
        packed = shares.pack(scratch.ptr, scratch.ptr + 4 * partials, batch, maps, inner, *cut)
        shared = cut.rows * cut.columns * itemSize * held
        # Two teams at least: one loads while another waits.
        if 2 * cut.team <= self.atOnce or cut.team == 1:
            teams = groups if cut.team == 1 else min(groups, self.atOnce // cut.team)
            steps = [(functions[f"{way}Held"], teams * cut.team, shared)]
        else:
            pieces = groups * cut.team
            steps = [(functions[f"{way}Pieces"], pieces, shared if way == "train" else 0),
                     (functions[f"{way}Merge"], groups, 0),
                     (functions[f"{way}Spread"], pieces, 0)]
        return Plan(steps, packed, scratch)

    def makeFunctions(self, isWide):
        """({kernel's name: launcher}, bytes that a block may hold) of one of the two texts."""
        device, attributes = self.device, drv.device_attribute
        module = device.load("BatchNorm", self.text(self.real, self.threads, isWide))
        functions = {
            way + step: module.get_function(way + step)
            for way in ("train", "backward") for step in ("Held", "Pieces", "Merge", "Spread")}
        gpu = device.context.device
        most = min(
            gpu.get_attribute(attributes.MAX_SHARED_MEMORY_PER_BLOCK_OPTIN),
            gpu.get_attribute(attributes.MAX_SHARED_MEMORY_PER_MULTIPROCESSOR) // resident
            - reserved)
        most -= max(function.shared_size_bytes for function in functions.values())
        for name in ("trainHeld", "backwardHeld", "trainPieces"):
            functions[name].set_attribute(
                drv.function_attribute.MAX_DYNAMIC_SHARED_SIZE_BYTES, most)
            functions[name].set_attribute(
                drv.function_attribute.PREFERRED_SHARED_MEMORY_CARVEOUT, 100)
        launchers = {name: device.launcher(function, (self.threads, 1, 1))
                     for name, function in functions.items()}
        return launchers, self.room or most


def neighbours(inner, wide):
    """The fewest maps whose rows are whole vectors of so many numbers."""
    return wide // gcd(wide, inner)


def fits(maps, inner, wide, itemSize, threads):
    """Whether all rows are whole vectors, and those of several maps short enough."""
    row = neighbours(inner, wide) * inner
    isShort = row <= min(mostRow // itemSize, threads * wide)
    return maps * inner % wide == 0 and (row == inner or isShort)


def cutOf(batch, maps, inner, wide, itemSize, held, room, atOnce):
    """
    The Cut of a tensor of which a block holds `held` alike in `room` bytes; `wide` numbers are read
    at once, and `atOnce` blocks run at once.
    """
    step = neighbours(inner, wide)
    channels = min(maps, step * -(-leastRow // (step * inner * itemSize)))
    rowBytes = channels * inner * itemSize * held
    wanted = max(1, min(
        atOnce // -(-maps // channels), batch * rowBytes // leastPiece))  # to keep all busy

    down = -(-batch // max(1, min(room // rowBytes, -(-batch // wanted))))
    most = room // (itemSize * held) // wide * wide
    across = max(-(-inner // most), wanted // down) if channels == 1 else 1
    vectors = channels * inner // wide
    columns = -(-vectors // across) * wide
    across = -(-vectors * wide // columns)
    return Cut(channels, -(-batch // down), columns, across, down * across)
