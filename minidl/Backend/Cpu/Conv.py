"""Convolutions on the CPU: plans the tasks of Conv*.cpp and launches them."""

import functools
import struct
from itertools import pairwise, product
from math import prod
from typing import NamedTuple

import numpy as np

from minidl import Config
from minidl.Backend.Cpu.MatMul import loadWithBlas

texts = ["ConvPacking.h", "ConvGather.cpp", "ConvFilterGrad.cpp", "ConvWinograd.cpp",
         "ConvWinogradGrad.cpp", "ConvPlanes.cpp", "ConvPlanesGrad.cpp", "Blas.h",
         "ConvPointwise.cpp"]
mostPacked = 1 << 18  # bytes of what a task packs at once: a part of the second-level cache
filtersInCache = 1 << 14  # bytes of filters that a task goes over the places of a strip with
mostTransformed = 1 << 19  # bytes of transformed numbers of a task, with the products of a block
mostSums = 1 << 22  # bytes of gradients of filters, of all pieces of the samples together
leastMaps = 8  # of a group's target, for a vector to hold neighbouring ones
leastTasks = 8  # that share the work, where there is enough of it
winogradWindows = 3, 4  # sides of filters
leastPointwise = 32  # maps and places that make products worth BLAS

packGather, packFilterGrad = struct.Struct("5P").pack, struct.Struct("5P2d").pack


class Conv:
    """The `conv` of a device (Ops/Conv.py); shapes and dtypes are checked by the caller."""

    def __init__(self, device):
        self.device = device
        self.gatherPlan = functools.lru_cache(1 << 10)(self.gatherPlan)
        self.filterGradPlan = functools.lru_cache(1 << 10)(self.filterGradPlan)

    @functools.cached_property
    def library(self):
        """Compiled by the first convolution."""
        return loadWithBlas("Conv", texts)

    @functools.cached_property
    def launch(self):
        names = [f"{name}_{real}" for real in "fd"
                 for name in ("packFilters", "gather", "filterGrad", "joinPieces", "gatherPlanes",
                              "filterGradPlanes", "joinPlanes", "pointwise")]
        names += [f"{name}{window}_f" for window in winogradWindows
                  for name in ("winogradFilters", "winograd", "winogradGrad", "winogradJoin")]
        return {name: self.device.function(self.library[name]) for name in names}

    def forward(self, data, filters, bias, g, out):
        """out = conv(data, filters) + bias, where bias may be None"""
        plan = self.gatherPlan(g, False, data.dtype, Config.exactConvolution)
        self.gather(data, filters, bias, out, plan)

    def inputGrad(self, grad, filters, bias, g, out):
        """out = dL/d(data) + bias for grad = dL/d(conv(data, filters)), where bias may be None"""
        plan = self.gatherPlan(g, True, grad.dtype, Config.exactConvolution)
        self.gather(grad, filters, bias, out, plan)

    def gather(self, source, filters, bias, target, plan):
        packed, real = self.device.empty(plan.packedSize, source.dtype), source.dtype.char
        arguments = packGather(source.ptr, filters.ptr, bias.ptr if bias is not None else 0,
                               target.ptr, packed.ptr) + plan.sizes
        if plan.filters:
            self.launch[f"{plan.filters}_{real}"](arguments, plan.blocks)
        self.launch[f"{plan.work}_{real}"](arguments, plan.tasks)

    def filterGrad(self, data, grad, g, out, alpha, beta, bias):
        """
        out = alpha dL/d(filters) + beta out for grad = dL/d(conv(data, filters)), and the same of
        `bias`, unless that is None
        """
        plan, real = self.filterGradPlan(g, data.dtype, Config.exactConvolution), data.dtype.char
        sums = self.device.empty(plan.packedSize, data.dtype)
        arguments = packFilterGrad(
            data.ptr, grad.ptr, sums.ptr, out.ptr, bias.ptr if bias is not None else 0,
            alpha, beta) + plan.sizes
        self.launch[f"{plan.work}_{real}"](arguments, plan.tasks)
        self.launch[f"{plan.filters}_{real}"](arguments, plan.blocks)

    def gatherPlan(self, g, isBack, dtype, exact):
        if not exact and isForWinograd(g, isBack, dtype):
            return self.winogradPlan(g, isBack, dtype)
        if isPointwise(g):
            return pointwisePlan(g, isBack)
        axes = [Back(g, axis) if isBack else Ahead(g, axis) for axis in range(3)]
        targetMaps, sourceMaps = (g.ins, g.outs) if isBack else (g.outs, g.ins)
        numTaps, width = prod(g.window), self.widthOf(targetMaps, dtype)
        inPlanes = targetMaps < leastMaps
        strips = Strips(axes, sourceMaps * dtype.itemsize, g.batch * g.groups,
                        self.lanes(dtype) * inPlanes)
        phases, taps = [], []
        for phase in product(*(axis.phases() for axis in axes)):
            first, places, met = zip(*phase, strict=True)
            phases += [*first, *places, len(taps), prod(map(len, met)),
                       axes[1].tapsInStep(met[1]), len(met[2])]
            taps += [strips.tap(way, g.window) for way in product(*met)]

        taps, phases = np.array(taps, np.int32), np.array(phases, np.int32)
        blocks = -(-targetMaps // width)
        back, ahead = numTaps, g.ins * numTaps  # steps in the filters from map to map
        target = g.size if isBack else g.places
        sizes = struct.pack(
            "2P4l14l3l3l2l2l3l3l", phases.ctypes.data, taps.ctypes.data, g.batch, g.groups,
            sourceMaps, targetMaps, *strips.packing, *target,
            *(axis.spread for axis in axes), len(phases) // 10, numTaps,
            *((back, ahead) if isBack else (ahead, back)), strips.axis, strips.places,
            strips.number, width, blocks,
            max(filtersInCache // (numTaps * width * dtype.itemsize), 1))
        tasks = g.batch * g.groups * strips.number
        if inPlanes:
            return Plan(sizes, 0, tasks, 0, "", "gatherPlanes", (phases, taps))
        return Plan(sizes, g.groups * blocks, tasks,
                    g.groups * blocks * width * sourceMaps * numTaps, "packFilters", "gather",
                    (phases, taps))

    def filterGradPlan(self, g, dtype, exact):
        # Its sums are less exact, which shows in small ones that cancel; and they take room.
        if (not exact and isForWinograd(g, False, dtype) and g.batch * prod(g.places) >= 2048
                and g.ins * g.outs <= 1 << 16):
            return self.winogradGradPlan(g, dtype)
        axes, width = [Ahead(g, axis) for axis in range(3)], self.widthOf(g.outs, dtype)
        inPlanes = g.outs < leastMaps
        strips = Strips(axes, (g.ins + width) * dtype.itemsize, leastTasks,
                        self.lanes(dtype) * inPlanes)
        taps = np.array([strips.tap(way, g.window)
                         for way in product(*(next(axis.phases())[2] for axis in axes))], np.int32)
        blocks, numTaps = -(-g.outs // width), prod(g.window)
        size = g.groups * (g.outs * self.lanes(dtype) if inPlanes else blocks * width)
        size *= g.ins * numTaps + 1
        pieces = min(g.batch, leastTasks, max(mostSums // (size * dtype.itemsize), 1))
        blocksOfTask = max(blocks * g.groups * pieces // leastTasks, 1)
        blocksOfTask = min(blocksOfTask, blocks)
        sizes = struct.pack(
            "P4l14l3l5l3l", taps.ctypes.data, g.batch, g.groups, g.ins, g.outs, *strips.packing,
            *g.places, numTaps, strips.axis, strips.places, strips.number, pieces, width, blocks,
            blocksOfTask)
        if inPlanes:
            return Plan(sizes, g.groups, g.groups * pieces, pieces * size, "joinPlanes",
                        "filterGradPlanes", (taps,))
        tasks = -(-blocks // blocksOfTask) * g.groups * pieces
        return Plan(sizes, g.groups * blocks, tasks, pieces * size, "joinPieces", "filterGrad",
                    (taps,))

    def winogradPlan(self, g, isBack, dtype):
        (targetMaps, places), (sourceMaps, size) = (g.outs, g.places), (g.ins, g.size)
        window, pad = g.window[2], g.pad[1:]
        back, ahead = window**2, g.ins * window**2  # steps in the filters from map to map
        if isBack:
            targetMaps, places, sourceMaps, size = sourceMaps, size, targetMaps, places
            pad = [window - 1 - each for each in pad]
        width = self.widthOf(targetMaps, dtype)
        down, squares = squaresOf(places, window)
        blocks, rows = -(-targetMaps // width), g.batch * down
        bytesOfRow = 36 * squares * (sourceMaps + width) * dtype.itemsize
        rowsOfTask = max(min(mostTransformed // bytesOfRow, -(-rows // leastTasks)), 1)
        sizes = struct.pack(
            "15l", g.batch, sourceMaps, targetMaps, *size[1:], *places[1:], *pad,
            *((back, ahead) if isBack else (ahead, back)), isBack, width, blocks, rowsOfTask)
        return Plan(sizes, blocks * sourceMaps, -(-rows // rowsOfTask),
                    blocks * 36 * sourceMaps * width, f"winogradFilters{window}",
                    f"winograd{window}")

    def winogradGradPlan(self, g, dtype):
        width, window = self.widthOf(g.outs, dtype), g.window[2]
        blocks, (down, squares) = -(-g.outs // width), squaresOf(g.places, window)
        size = blocks * (36 * g.ins + 1) * width  # of one piece's sums
        rows = g.batch * down
        pieces = min(rows, leastTasks, max(mostSums // (size * dtype.itemsize), 1))
        blocksOfTask = min(max(blocks * pieces // leastTasks, 1), blocks)
        bytesOfRow = 36 * squares * (g.ins + width) * dtype.itemsize
        sizes = struct.pack(
            "14l", g.batch, g.ins, g.outs, *g.size[1:], *g.places[1:], *g.pad[1:], width, blocks,
            blocksOfTask, pieces, max(mostTransformed // bytesOfRow, 1))
        return Plan(sizes, blocks * g.ins, -(-blocks // blocksOfTask) * pieces, pieces * size,
                    f"winogradJoin{window}", f"winogradGrad{window}")

    def widthOf(self, maps, dtype):
        """How many maps are computed together: two vectors of them, unless one wastes less."""
        lanes = self.lanes(dtype)
        vectors = -(-maps // lanes)
        return lanes if vectors in (1, 3) else 2 * lanes

    def lanes(self, dtype):
        return self.library.minidlConvVectorBytes() // dtype.itemsize


def isForWinograd(g, isBack, dtype):
    """Whether ConvWinograd.cpp takes a convolution, and is faster than ConvGather.cpp."""
    _, window, across = g.window
    isFit = (dtype.char == "f" and window == across in winogradWindows
             and g.groups == g.size[0] == g.window[0] == 1
             and g.stride == g.dilation == (1, 1, 1) and g.pad[0] == 0)
    return (isFit and (not isBack or max(g.pad) < window)
            and 16 <= min(g.ins, g.outs) and max(g.ins, g.outs) <= 256
            and min(*g.places[1:], *g.size[1:]) >= 4)


def squaresOf(places, window):
    """How many squares of places Winograd's products make of an image, down and across."""
    return [-(-number // (7 - window)) for number in places[1:]]


def isPointwise(g):
    """Whether ConvPointwise.cpp takes a convolution, and is faster than ConvGather.cpp."""
    return (g.window == g.stride == (1, 1, 1) and g.pad == (0, 0, 0)
            and min(g.ins, g.outs) >= leastPointwise and prod(g.places) >= leastPointwise)


def pointwisePlan(g, isBack):
    targetMaps, sourceMaps = (g.ins, g.outs) if isBack else (g.outs, g.ins)
    matrices = g.batch * g.groups
    rows = -(-targetMaps // -(-leastTasks // matrices))
    blocks = -(-targetMaps // rows)
    sizes = struct.pack(
        "7l", g.groups, sourceMaps, targetMaps, prod(g.places), isBack, rows, blocks)
    return Plan(sizes, 0, matrices * blocks, 0, "", "pointwise")


class Plan(NamedTuple):
    sizes: bytes  # packed
    blocks: int  # of filters, which `filters` packs or joins
    tasks: int  # that `work` has
    packedSize: int  # numbers in a buffer
    filters: str
    work: str
    kept: tuple = ()  # arrays that `sizes` points to


class Axis:
    """How places and data meet along an axis."""

    def tapsInStep(self, met):
        """How many taps there are, if each is one place further than the one before; else 1."""
        steps = [step for step, _ in met]
        isEven = all(b - a == self.step for a, b in pairwise(steps))
        return len(steps) if steps and isEven else 1


class Ahead(Axis):
    """An axis forward: places are `step` apart in data."""

    spread = 1

    def __init__(self, g, axis):
        self.size, self.places, self.step = g.size[axis], g.places[axis], g.stride[axis]
        self.low, self.window, self.dilation = g.pad[axis], g.window[axis], g.dilation[axis]

    def extent(self, places):
        """How many numbers of data so many places meet."""
        return (places - 1) * self.step + (self.window - 1) * self.dilation + 1

    def phases(self):
        """(first place, number of places, [(step in what is packed, index) of each tap])"""
        yield 0, self.places, [(t * self.dilation, t) for t in range(self.window)]


class Back(Axis):
    """An axis backward: data's numbers that are `spread` apart meet the same taps."""

    step = 1

    def __init__(self, g, axis):
        stride, pad, dilation = g.stride[axis], g.pad[axis], g.dilation[axis]
        self.size, self.spread = g.places[axis], stride
        taps = range(g.window[axis])[::-1]  # so that their steps rise
        self.met = [[((first + pad - t * dilation) // stride, t) for t in taps
                     if (first + pad - t * dilation) % stride == 0]
                    for first in range(min(stride, g.size[axis]))]
        self.numbers = [-(-(g.size[axis] - first) // stride) for first in range(len(self.met))]
        steps = [step for met in self.met for step, _ in met]
        self.low, self.high = max(0, -min(steps, default=0)), max(0, max(steps, default=0))
        self.places = self.numbers[0]

    def extent(self, places):
        return places + self.low + self.high

    def phases(self):
        for first, (number, met) in enumerate(zip(self.numbers, self.met, strict=True)):
            yield first, number, [(step + self.low, t) for step, t in met]


class Strips:
    """
    How the places of the first axis that has several are shared out among tasks, and what a task
    packs (ConvPacking.h), for so many bytes a number of space and so many samples. `lanes` are a
    vector's for ConvPlanes.cpp, which packs in any case and by lines, else 0.
    """

    def __init__(self, axes, bytesOfPlace, samples, lanes):
        self.axis = next((i for i, axis in enumerate(axes) if axis.places > 1), 2)
        along = axes[self.axis]
        others = prod(axis.extent(axis.places) for axis in axes if axis is not along)
        fitting = max(mostPacked // (bytesOfPlace * others), 1)
        places = along.places
        while places > 1 and along.extent(places) > fitting:
            places = -(-places // 2)
        wanted = -(-leastTasks // samples)
        self.places = max(min(places, -(-along.places // wanted)), 1)
        self.number = -(-along.places // self.places)
        self.extent = [axis.extent(self.places if axis is along else axis.places) for axis in axes]
        isDirect = not lanes and all(
            axis.low == 0 and axis.extent(axis.places) <= axis.size for axis in axes)
        if isDirect:
            self.extent = [axis.size for axis in axes]
        low, lead, self.split, self.shift = [axis.low for axis in axes], 0, 1, 0
        if lanes:
            self.split = axes[2].step
            part = -(-self.extent[2] // self.split)
            if self.axis < 2 or self.number == 1:  # lines begin aligned, and share their zeros
                self.shift, low[2], lead = low[2], 0, -(-low[2] // lanes) * lanes
                part = -(-max(self.extent[2] - self.shift, axes[2].size) // self.split)
                part = -(-(part - (-self.shift // self.split)) // lanes) * lanes
            self.extent[2] = part * self.split
        self.packing = [*(axis.size for axis in axes), *self.extent, *low,
                        *(axis.step for axis in axes), isDirect, lead]

    def tap(self, way, window):
        """(step in what is packed, index in the filters) of a tap, from those of its axes."""
        steps, indices = zip(*way, strict=True)
        x = steps[2] - self.shift
        across = x // self.split + x % self.split * (self.extent[2] // self.split)
        step = (steps[0] * self.extent[1] + steps[1]) * self.extent[2] + across
        return step, (indices[0] * window[1] + indices[1]) * window[2] + indices[2]
