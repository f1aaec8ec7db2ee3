import numpy as np
import pytest

from minidl.Backend.SharedArray import SharedArray

shapes = {"W": (4, 3), "b": (5,), "scale": (1, 17, 1, 1), "number": (), "nothing": (0, 2)}


@pytest.fixture(params=[np.float32, np.float64])
def shared(request):
    shared = SharedArray(request.param)
    for name, shape in shapes.items():
        shared.register(shape, request.param, name)
    shared.build()
    return shared


def test_arrays_are_views_of_one_flat_array(shared):
    for number, (name, shape) in enumerate(shapes.items(), 1):
        assert shared[name].shape == shape and shared[name].dtype == shared.dtype
        assert shared[name].layout == shared.ary.layout
        shared[name].fill(number)

    sizes = [int(np.prod(shape)) for shape in shapes.values()]
    held = shared.ary.get()
    assert [(held == number).sum() for number in range(1, len(sizes) + 1)] == sizes


def test_what_belongs_to_no_array_is_zero(shared):
    assert not shared.ary.get().any()


def test_each_array_begins_at_a_cache_line(shared):
    assert all(shared[name].ptr % 64 == 0 for name in shapes)


def test_another_dtype_is_refused():
    with pytest.raises(ValueError, match="SharedArray of float32: cannot register W of"):
        SharedArray().register(3, np.float64, "W")


def test_a_name_is_taken_once():
    shared = SharedArray()
    shared.register((3,), np.float32, "W")
    with pytest.raises(ValueError, match="cannot register W"):
        shared.register((4,), np.float32, "W")


def test_nothing_is_registered_after_build(shared):
    with pytest.raises(RuntimeError, match="late comes after build"):
        shared.register((3,), shared.dtype, "late")
