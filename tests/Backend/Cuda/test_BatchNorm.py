"""The tuned twin of batch normalization's training kernels: every form, at small sizes."""

import hashlib
from math import inf

import numpy as np
import pytest

from minidl.Backend import Device, gpuarray
from minidl.Backend.KernelFile import KernelFile
from minidl.Backend.Ops import BatchNorm
from tests.BatchNormReference import Reference, assertClose
from tests.Processes import run

pytest.importorskip("pycuda", reason="tests kernels of the GPU, which make test-cuda runs")
from minidl.Backend.Cuda import BatchNorm as Twin  # noqa: E402
from minidl.Backend.Cuda import CudaText  # noqa: E402

threads = 64
limits = {  # of the launcher, so that small tensors take each form
    "one block": {"atOnce": 1}, "teams": {"room": 4800, "atOnce": 56},
    "pieces": {"room": 4800, "atOnce": 1}}
inThree = {"Pieces", "Merge", "Spread"}  # the kernels of the last, for groups of several pieces
ramps = {
    "none": BatchNorm.noRamp, "relu": (0.0, inf, 0.0), "leaky": (0.0, inf, 0.2),
    "clip": (-0.5, 0.75, 0.0)}
shapes = [  # (batch, maps, inner), for one block of any GPU
    (37, 3, 7), (5, 33, 49), (9, 16, 49), (11, 1, 64), (67, 33, 1), (97, 40, 1), (2, 2, 900),
    (2, 3, 901), (7, 3, 2), (13, 5, 3), (70, 8, 3), (15, 3, 120), (1, 4, 1500), (2, 3, 1)]

everyForm = pytest.mark.parametrize("form", limits)
everyReal = pytest.mark.parametrize("real", Twin.BatchNorm.reals)


def dtypeOf(real):
    return next(np.dtype(dtype) for dtype, _ in gpuarray.dtypesSupported()
                if np.dtype(dtype).char == real)


@pytest.fixture
def use(monkeypatch):
    """A function that has the op use a form of the twin, or the plain text; it gives the twin."""

    def use(form, real):
        device, file = Device.current(), KernelFile("BatchNorm")
        if form == "plain":
            module = device.load("BatchNorm", CudaText.cudaText(file, real, threads))
            file.compiled[real] = {
                name: device.launcher(module.get_function(name), (threads, 1, 1))
                for name in file.declarations}
        else:
            twin = Twin.BatchNorm(device, file, real, threads, **limits[form])
            file.compiled[real] = twin.launches
        monkeypatch.setattr(BatchNorm, "kernels", file)
        return None if form == "plain" else twin

    return use


class Problem:
    """Random data of a shape; unless `aligned`, they begin at no multiple of 16 bytes."""

    def __init__(self, rng, shape, real, adds=False, ramp="none", aligned=True):
        self.shape, self.ramp, self.adds, self.aligned = shape, ramps[ramp], adds, aligned
        self.dtype = dtypeOf(real)
        self.x, self.z, self.g = (
            (rng.standard_normal(shape) * size + size - 1).astype(self.dtype) for size in (2, 1, 1))
        self.scale, self.bias, self.mean = rng.standard_normal((3, shape[1])).astype(np.float32)
        self.var = rng.uniform(0.5, 3, shape[1]).astype(np.float32)

    def onDevice(self, values):
        if self.aligned:
            return gpuarray.to_gpu(values)
        return gpuarray.to_gpu(np.append(values[:1].ravel()[:1], values))[1:].reshape(values.shape)

    def run(self):
        """Host arrays by name, of the way there and back."""
        x, g = self.onDevice(self.x), self.onDevice(self.g)
        z = self.onDevice(self.z) if self.adds else None
        scale, bias, mean, var = map(gpuarray.to_gpu, (self.scale, self.bias, self.mean, self.var))
        runs = {"runs": self.shape, "ramp": self.ramp}
        y, batchMean, invStd = BatchNorm.train(
            x, scale, bias, 1e-5, mean, var, 0.25, added=z, **runs)
        dx, dScale, dBias, dz = BatchNorm.backward(
            x, g, scale, bias, batchMean, invStd, out=y if self.adds else None, **runs)
        arrays = {
            "y": y, "batchMean": batchMean, "invStd": invStd, "mean": mean, "var": var, "dx": dx,
            "dScale": dScale, "dBias": dBias, "dz": dz}
        return {name: array.get() for name, array in arrays.items() if array is not None}

    def expected(self, y):
        """The same in float64; with an added tensor the ramp's slope is that at the device's y."""
        axes, small = (0, 2), (1, -1, 1)
        scale, bias = self.scale.reshape(small), self.bias.reshape(small)
        floor, ceiling, leak = self.ramp
        before = Reference(self.x, axes, scale, bias)
        v = before.out + self.z.astype(np.float64) * self.adds
        decides = y.astype(np.float64) if self.adds else v
        slope = np.where(decides <= floor, leak, np.where(
            (decides >= ceiling) & np.isfinite(ceiling), 0, 1))
        g = self.g.astype(np.float64) * slope
        back = Reference(self.x, axes, scale, bias, g)
        unbiased = before.var * before.count / max(before.count - 1, 1)
        return {
            "y": np.where(v < floor, leak * v if leak else floor, np.minimum(v, ceiling)),
            "batchMean": before.mean, "invStd": before.invStd,
            "mean": 0.75 * self.mean + 0.25 * before.mean.ravel(),
            "var": 0.75 * self.var + 0.25 * unbiased.ravel(), "dx": back.grad,
            "dScale": back.scaleGrad, "dBias": back.biasGrad, **({"dz": g} if self.adds else {})}


def assertRight(problem, results):
    expected = problem.expected(results["y"])
    assert results.keys() == expected.keys()
    for name, value in expected.items():
        wasStored = name in ("y", "dx", "dz")
        assertClose(results[name], value, problem.dtype if wasStored else np.float32, factor=4,
                    size=1)


def noted(twin):
    """A set of (kernel, whether a team has several blocks) for all that it launches from now on."""
    launched, makePlan = set(), twin.plan

    def plan(way, *size):
        made = makePlan(way, *size)
        names = {step: name for isWide in (False, True)
                 for name, step in twin.functions(isWide)[0].items()}
        isTeam = Twin.shares.unpack(made.shares)[-1] > 1
        launched.update((names[step].removeprefix(way), isTeam) for step, _, _ in made.steps)
        return made

    twin.plan = plan
    return launched


@everyForm
@everyReal
@pytest.mark.parametrize("aligned", [True, False], ids=["aligned", "unaligned"])
def test_every_form_computes_the_formulas(form, real, aligned, use, rng):
    launched = noted(use(form, real))
    kinds = [(adds, ramp) for ramp in ramps for adds in (False, True)]
    for place, shape in enumerate(shapes):
        for adds, ramp in kinds if place < 2 else [kinds[place % len(kinds)]]:
            problem = Problem(rng, shape, real, adds, ramp, aligned)
            assertRight(problem, problem.run())
    assert launched == {("Held", False)} | {
        "one block": set(), "teams": {("Held", True)},
        "pieces": {(name, True) for name in inThree}}[form]


@everyForm
@everyReal
def test_every_form_agrees_with_the_plain_text(form, real, use, rng):
    for place, shape in enumerate(shapes):
        problem = Problem(rng, shape, real, place % 2 == 0, list(ramps)[place % len(ramps)])
        use("plain", real)
        expected = problem.run()
        use(form, real)
        results = problem.run()
        for name, value in expected.items():
            assertClose(results[name], value.astype(np.float64), value.dtype, size=1)


@everyForm
@pytest.mark.parametrize("shape", [(23, 3, 120), (400, 8, 1), (400, 5, 3)])
def test_hard_numbers(form, shape, use, rng):
    use(form, "f")
    x = rng.standard_normal(shape).astype(np.float32)
    x[:, 0] = x[:, 0] * 0.5 + 1e6
    x[0, 1, 0] = 1e8
    x[:, 2] = -0.1
    problem = Problem(rng, shape, "f")
    problem.x = x
    results, expected = problem.run(), problem.expected(None)

    np.testing.assert_allclose(results["batchMean"], expected["batchMean"].ravel(), rtol=5e-6)
    np.testing.assert_allclose(results["invStd"], expected["invStd"].ravel(), rtol=2e-4)
    np.testing.assert_array_equal(results["y"][:, 2], np.full_like(x[:, 2], problem.bias[2]))


@everyForm
@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("shape", [(23, 3, 120), (400, 16, 1), (400, 5, 3)])
def test_nan_and_infinity_stay_in_their_channel(form, shape, special, use, rng):
    use(form, "f")
    problem = Problem(rng, shape, "f")
    clean = problem.run()
    problem.x[shape[0] // 2, 1, 0] = special
    spoiled = problem.run()

    for name, value in clean.items():
        axis = value.ndim // 2
        kept = [np.delete(each, 1, axis) for each in (value, spoiled[name])]
        assert np.array_equal(*kept), name
    assert np.isnan(spoiled["y"][:, 1]).all() and np.isnan(spoiled["var"][1])
    np.testing.assert_equal(spoiled["batchMean"][1], np.float32(special))


@everyForm
def test_a_factor_of_0_leaves_the_statistics_alone(form, use, rng):
    use(form, "f")
    x = gpuarray.to_gpu(rng.standard_normal((37, 3, 49)).astype(np.float32))
    one, nothing = gpuarray.to_gpu(np.ones(3, np.float32)), gpuarray.zeros((3,)).fill(np.nan)

    y, _, _ = BatchNorm.train(x, one, one, 1e-5, nothing, nothing, 0)
    assert np.isfinite(y.get()).all() and np.isnan(nothing.get()).all()


script = """
import sys
sys.path.insert(0, ".")
from tests.Backend.Cuda import test_BatchNorm
test_BatchNorm.printDigests()
"""


def printDigests():
    """Of what every form computes: the same bits in each order of threads and blocks."""
    class Patch:
        setattr = staticmethod(setattr)

    for form in limits:
        use.__wrapped__(Patch)(form, "f")
        rng, digest = np.random.default_rng(0), hashlib.sha256()
        for shape in shapes:
            for array in Problem(rng, shape, "f", adds=True, ramp="relu").run().values():
                digest.update(array.tobytes())
        print(form, digest.hexdigest())


@pytest.mark.skipif("stand-in" not in Device.current().describe(), reason="a GPU has its own order")
def test_the_same_bits_in_every_order():
    outcomes = {run(script, HOSTCUDA_ORDER=order)[0]
                for order in ("forward", "forward", "reverse", "shuffle:3")}
    assert len(outcomes) == 1


@everyForm
def test_the_same_bits_twice(form, use, rng):
    use(form, "f")
    for shape in shapes:
        problem = Problem(rng, shape, "f")
        once, again = problem.run(), problem.run()
        assert all(np.array_equal(once[name], again[name]) for name in once)


def test_the_pieces_are_the_tensor(rng):
    for _ in range(3000):
        batch, maps, inner = (int(2 ** rng.uniform(0, most)) for most in (10, 8, 14))
        size, held = int(rng.choice([2, 4])), int(rng.integers(1, 4))
        room, atOnce = int(rng.integers(13000, 110000)), int(rng.integers(1, 300))
        wide = int(rng.choice([1, 16 // size]))
        if not Twin.fits(maps, inner, wide, size, 256):
            continue
        cut = Twin.cutOf(batch, maps, inner, wide, size, held, room, atOnce)

        down, rest = divmod(cut.team, cut.across)
        assert rest == 0 and 1 <= cut.channels <= 32
        assert (down - 1) * cut.rows < batch <= down * cut.rows
        width = cut.channels * inner
        assert (cut.across - 1) * cut.columns < width <= cut.across * cut.columns
        assert cut.rows * cut.columns * size * held <= room
        assert cut.columns % wide == 0 and (cut.channels == 1 or cut.across == 1)
        assert cut.channels == 1 or cut.columns // wide <= 256


@pytest.mark.parametrize("size, shape, held, expected", [
    (2, (32, 1024, 196), 1, (2, 32, 392, 1, 1)),  # 14 x 14 numbers are no multiple of 16 bytes
    (2, (32, 64, 3136), 1, (1, 8, 3136, 1, 4)),
    (2, (32, 64, 12544), 1, (1, 4, 12544, 1, 8)),
    (2, (4, 128, 1 << 20), 1, (1, 1, 55192, 19, 76)),
    (2, (401408, 64, 1), 1, (32, 1753, 32, 1, 229)),
])
def test_cuts_of_a_large_gpu(size, shape, held, expected):
    wide = 16 // size if Twin.fits(*shape[1:], 16 // size, size, 256) else 1
    assert Twin.cutOf(*shape, wide, size, held, 110 << 10, 264) == expected
