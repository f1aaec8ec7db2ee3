import numpy as np
import pytest

import minidl
from minidl.Backend import gpuarray
from minidl.Transformers import Augment

shape = 400, 2, 5, 6


@pytest.fixture
def batch(rng):
    return rng.random(shape).astype(np.float32) + 1


def moved(image, down, right):
    """The image (C, H, W) so many pixels lower and further to the right."""
    height, width = image.shape[1:]
    result = np.zeros_like(image)
    for y in range(height):
        for x in range(width):
            if 0 <= y - down < height and 0 <= x - right < width:
                result[:, y, x] = image[:, y - down, x - right]
    return result


def possible(image, shift, flip):
    """{bytes of what may become of an image: (down, right, mirrored)}."""
    distances = range(-shift, shift + 1)
    return {moved(image, down, right)[..., ::-1 if mirrored else 1].tobytes():
            (down, right, mirrored)
            for down in distances for right in distances for mirrored in range(1 + flip)}


@pytest.mark.parametrize("shift", [0, 1, 2])
@pytest.mark.parametrize("flip", [False, True])
def test_each_image_moves_by_itself_in_all_ways_that_there_are(batch, shift, flip):
    minidl.seed(3)

    result = Augment(shift, flip)(batch)

    assert result.shape == shape and result.dtype == np.float32
    ways = [possible(image, shift, flip)[changed.tobytes()]
            for image, changed in zip(batch, result, strict=True)]
    assert len(set(ways)) == (2 * shift + 1) ** 2 * (1 + flip)
    assert all(abs(np.mean(axis)) < 0.3 for axis in list(zip(*ways, strict=True))[:2])


def test_the_seed_repeats_it_and_the_next_call_differs(batch):
    augment = Augment()
    minidl.seed(1)
    first, second = augment(batch), augment(batch)
    minidl.seed(1)

    np.testing.assert_array_equal(augment(batch), first)
    assert not np.array_equal(first, second)


def test_the_batch_itself_stays_as_it_is(batch):
    before = batch.copy()

    for shift in 0, 2:
        Augment(shift)(batch)[:] = 0

    np.testing.assert_array_equal(batch, before)


def test_the_device_takes_what_it_gives(batch):
    result = Augment()(batch)

    np.testing.assert_array_equal(gpuarray.to_gpu(result).get(), result)


def test_an_image_may_move_out_of_sight():
    assert (Augment(shift=9)(np.ones((50, 1, 1, 1), np.float32)) == 0).any()


def test_a_batch_of_no_images_stays_empty():
    assert Augment()(np.empty((0, 3, 4, 4), np.float32)).shape == (0, 3, 4, 4)


def test_other_numbers_of_axes_are_refused():
    with pytest.raises(ValueError, match=r"Augment: takes batches of 4 axes, got \(3, 4, 4\)"):
        Augment()(np.zeros((3, 4, 4), np.float32))


def test_a_negative_shift_is_refused():
    with pytest.raises(ValueError, match="Augment: shift must not be negative, got -1"):
        Augment(shift=-1)
