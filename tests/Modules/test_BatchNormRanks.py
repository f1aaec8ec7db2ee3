"""What the forms of batch normalization for sequences, images and volumes have in common."""

import inspect

import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Modules import (
    BatchNorm,
    BatchNorm1D,
    BatchNorm2D,
    BatchNorm3D,
    BatchNormAxes,
    BatchNormND,
    ModuleError,
)
from tests.BatchNormReference import Reference, assertClose

forms = {  # (shape of parameters for 3 maps, names of data's axes)
    BatchNorm: ((1, 3, 1, 1), "batch, 3"),
    BatchNorm1D: ((1, 3, 1, 1), "batch, 3, length"),
    BatchNorm2D: ((1, 3, 1, 1), "batch, 3, height, width"),
    BatchNorm3D: ((1, 3, 1, 1, 1), "batch, 3, depth, height, width"),
}
everyForm = pytest.mark.parametrize("kind", forms)


def rankOf(kind):
    return len(forms[kind][1].split(","))


@everyForm
def test_parameters_and_statistics_have_the_shape_that_files_expect(kind):  # P17, P21, P31
    module = kind(3)

    for name in ("scale", "bias", "mean", "var"):
        assert getattr(module, name).shape == forms[kind][0]
    assert set(module.vars) == {"scale", "bias"}
    assert set(module.attrs) == {"mean", "var", "numOfProps"}


@everyForm
def test_constructor_takes_its_arguments_in_order(kind):  # P2, P31
    _, *given = inspect.signature(BatchNorm).parameters
    first, *names = inspect.signature(kind).parameters
    values = [0.5, 0.75, 0.25, 0.125, False, "bn", True, False]

    module = kind(3, *values, unbiased=False)

    assert first == ("size" if kind is BatchNorm else "maps")
    assert names == given == ["epsilon", "initFactor", "minFactor", "sscale", "affine", "name",
                              "empty", "inplace", "options"]
    scheme = module.getBlueprint()["scheme"]
    assert [scheme[name] for name in names[:-1]] == values and scheme["unbiased"] is False
    assert module.scale is None and str(module) == f"{kind.__name__} 'bn'"


@everyForm
def test_options_are_taken_by_name_only(kind):
    with pytest.raises(TypeError):
        kind(3, 1e-5, 1.0, 0.1, 0.01, True, None, False, False, True)
    with pytest.raises(TypeError, match="momentum"):
        kind(3, momentum=0.1)


@everyForm
@pytest.mark.parametrize("rank", range(1, 7))
@pytest.mark.parametrize("maps", [3, 4])
def test_refuses_data_of_another_rank_or_number_of_maps(kind, rank, maps):  # P1, P25, T12, T17
    shape = (2, maps, 2, 2, 2, 2)[:rank]
    if rank == rankOf(kind) and maps == 3:
        assert kind(3)(gpuarray.to_gpu(np.ones(shape, np.float32))).shape == shape
        return

    with pytest.raises(ModuleError) as caught:
        kind(3, name="bn")(gpuarray.to_gpu(np.ones(shape, np.float32)))

    assert str(caught.value) == (
        f"{kind.__name__} 'bn': data must have {rankOf(kind)} axes and 3 maps, ({forms[kind][1]}), "
        f"got {shape}")


@everyForm
@pytest.mark.parametrize("maps", [0, -1, 2.5, None, "3", True])
def test_refuses_a_number_of_maps_that_is_none(kind, maps):  # P3
    with pytest.raises(ModuleError, match=f"must be a positive integer, got {maps}"):
        kind(maps)
    with pytest.raises(TypeError):
        kind()


@everyForm
@pytest.mark.parametrize("peer", [BatchNormND, BatchNormAxes])
def test_the_general_forms_give_the_same_bits(kind, peer, rng):  # L2, P31
    shape = (2, 3, 4, 5, 2)[:rankOf(kind)]
    x, g = rng.standard_normal((2, *shape)).astype(np.float32)
    args = (len(shape) - 2, 3) if peer is BatchNormND else ((None, 3, *[None] * (len(shape) - 2)),)
    results = []

    for module in (kind(3, scaleInit=2, biasInit=1), peer(*args, scaleInit=2, biasInit=1)):
        module(gpuarray.to_gpu(x))
        module.backward(gpuarray.to_gpu(g))
        results.append([array.get().tobytes() for array in (
            module.data, module.grad, module.mean, module.var, module.getVar("scale").grad)])

    assert results[0] == results[1]


@everyForm
def test_one_sample_uses_its_space_alone(kind, rng):  # T16, X9
    shape = (1, 3, 5, 7, 3)[:rankOf(kind)]
    x = rng.standard_normal(shape).astype(np.float32) + 4
    module = kind(3, sscale=0)
    if kind is BatchNorm:
        with pytest.raises(ModuleError, match="two or more values a map"):
            module(gpuarray.to_gpu(x))
        return

    out = module(gpuarray.to_gpu(x)).get()

    axes = tuple(range(2, len(shape)))
    assertClose(out, Reference(x, (0, *axes), 1).out, np.float32)
    assertClose(module.mean, x[0].astype(np.float64).mean(tuple(range(1, x.ndim - 1))), np.float32)


@everyForm
def test_train_mode_is_the_first(kind, rng):  # P20
    module, x = kind(3), rng.standard_normal((2, 3, 4, 5, 2)[:rankOf(kind)]).astype(np.float32)
    assert module.train

    module(gpuarray.to_gpu(x))

    axes = (0, *range(2, x.ndim))
    assertClose(module.mean, x.astype(np.float64).mean(axes), np.float32)
    assert module.mean.shape == forms[kind][0]
