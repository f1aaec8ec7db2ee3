import hashlib

import h5py
import numpy as np
import pytest

from minidl.Datasets import Digits
from minidl.Datasets.Digits import path


def asRows(data):
    return {image.tobytes() for image in data}


def test_all_images_come_as_one_channel_within_zero_and_one():
    data, labels = Digits().load()

    assert data.shape == (1797, 1, 8, 8) and data.dtype == np.float32
    assert labels.shape == (1797,) and labels.dtype == np.int32
    assert data.min() == 0 and data.max() == 1


def test_values_are_those_of_the_published_set():
    data, labels = Digits().load()

    assert np.bincount(labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert (16 * data.astype(np.float64)).sum() == 561718
    # The first row of the published table, a zero.
    assert (16 * data[0, 0, :3]).tolist() == [
        [0, 0, 5, 13, 9, 1, 0, 0], [0, 0, 13, 15, 10, 15, 5, 0], [0, 3, 15, 2, 0, 11, 8, 0]]
    assert labels[:10].tolist() == list(range(10))


def test_file_names_its_authors_and_licence():
    import h5py

    with h5py.File(path, "r") as file:
        assert file.attrs["license"] == "CC BY 4.0"
        assert "Alpaydin" in file.attrs["authors"] and file.attrs["doi"] == "10.24432/C50P49"
    assert path.stat().st_size < 80_000


def test_a_fifth_is_held_out_and_nothing_is_lost_or_used_twice():
    data, _ = Digits().load()

    trainData, trainLabels, testData, testLabels = Digits().split()

    assert len(trainData) == len(trainLabels) == 1438
    assert len(testData) == len(testLabels) == 359
    assert asRows(trainData).isdisjoint(asRows(testData))
    assert asRows(trainData) | asRows(testData) == asRows(data)


def test_images_keep_their_labels():
    data, labels = Digits().load()
    labelOf = {image.tobytes(): label for image, label in zip(data, labels, strict=True)}

    trainData, trainLabels, testData, testLabels = Digits().split()

    for images, given in (trainData, trainLabels), (testData, testLabels):
        assert [labelOf[image.tobytes()] for image in images] == given.tolist()


def test_held_out_samples_never_change():
    # Accuracies are comparable between versions only while this digest stands.
    *_, testData, testLabels = Digits().split()
    pixels = (16 * testData).astype(np.uint8)

    digest = hashlib.sha256(pixels.tobytes() + testLabels.astype(np.uint8).tobytes()).hexdigest()

    assert digest == "2934525cebc8b7024d4d82c97db6fe0c1cad56b4a0c335276c03b0f2dea2ca8a"


def test_split_does_not_depend_on_the_global_generator():
    first = Digits().split()
    np.random.seed(5)
    second = Digits().split()

    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("holdOut, expected", [(0.5, 898), (0.1, 180)])
def test_another_share_can_be_held_out(holdOut, expected):
    assert len(Digits().split(holdOut)[2]) == expected


@pytest.mark.parametrize("holdOut", [0, 1, -0.5, 2])
def test_a_share_that_leaves_nothing_is_refused(holdOut):
    with pytest.raises(ValueError, match="holdOut must lie between 0 and 1"):
        Digits().split(holdOut)


def test_the_file_keeps_the_numbers_as_published():
    with h5py.File(path) as file:
        assert file["data"].dtype == np.uint8 and file["data"][:].max() == 16
