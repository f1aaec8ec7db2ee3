"""What the tests of batch normalization's tuned twins share: shapes, data, the plain kernels."""

import numpy as np
import pytest

from minidl.Backend import Device
from minidl.Backend.Cpu import HostCompiler
from minidl.Backend.Cpu.HostText import plainText, realNames
from minidl.Backend.KernelFile import KernelFile
from minidl.Backend.Ops.BatchNorm import noRamp

columns = [  # (outer, channels, inner): rows shorter than a vector
    (2, 3, 1), (64, 5, 1), (3, 64, 1), (40, 130, 1), (129, 80, 1), (700, 3, 1), (1030, 70, 1),
    (1, 3, 2), (5, 3, 2), (64, 7, 9), (600, 2, 15), (8, 100, 4)]
maps = [
    (3, 4, 16), (3, 4, 17), (2, 5, 33), (7, 3, 49), (6, 17, 196), (50, 2, 200), (2, 3, 784),
    (1, 2, 8193), (1, 1, 100003), (3, 2, 70001), (200, 3, 700)]
streamed = [(2100, 1024, 1), (2100, 1000, 1), (3, 20, 37000), (2, 17, 65001)]  # above 8 MB
everyRun = pytest.mark.parametrize("runs", columns + maps)

ramps = {
    "none": noRamp, "relu": (0, np.inf, 0), "clip": (-0.5, 1, 0),
    "leak": (0, np.inf, 0.1)}
everyRamp = pytest.mark.parametrize("ramp", ramps)
everyReal = pytest.mark.parametrize("dtype", [np.float32, np.float64])
tolerance = {np.float32: 2e-5, np.float64: 1e-12}


def plainKernels(stem):
    device, file = Device.current(), KernelFile(stem)
    for real in realNames:
        library = HostCompiler.load(stem, *plainText(file, real))
        file.compiled[real] = {
            name: device.function(library[f"{name}Blocks"]) for name in file.declarations}
    return file


def draw(rng, runs, dtype):
    """Three tensors, of which the first is far from normal, then two vectors of the channels."""
    outer, channels, inner = runs
    tensors = rng.standard_normal((3, outer, channels, inner)).astype(dtype)
    tensors[0] = 3 * tensors[0] + 2
    return [*tensors, *rng.standard_normal((2, channels)).astype(dtype)]


def check(found, expected):
    close = tolerance[expected[0].dtype.type]
    for one, other in zip(found, expected, strict=True):
        size = np.abs(other[np.isfinite(other)]).max(initial=1)
        np.testing.assert_allclose(one, other, rtol=close, atol=close * size)
