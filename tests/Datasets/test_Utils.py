import numpy as np
import pytest

import minidl
from minidl.Datasets.Utils import splitData

data = np.arange(40).reshape(20, 2)
labels = np.arange(20)


def test_a_tenth_is_held_out_and_nothing_is_lost_or_used_twice():
    train, held = splitData(data)

    assert train.shape == (18, 2) and held.shape == (2, 2)
    both = np.concatenate([train, held])
    np.testing.assert_array_equal(np.sort(both, axis=0), data)


def test_samples_keep_their_labels():
    trainData, trainLabels, heldData, heldLabels = splitData(data, labels, validation=0.25)

    assert len(trainData) == len(trainLabels) == 15 and len(heldData) == len(heldLabels) == 5
    np.testing.assert_array_equal(trainData[:, 0], 2 * trainLabels)
    np.testing.assert_array_equal(heldData[:, 0], 2 * heldLabels)


def test_without_permutation_the_last_ones_are_held_out():
    train, held = splitData(data, permutation=False, validation=0.2)

    np.testing.assert_array_equal(np.concatenate([train, held]), data)


def test_samples_may_lie_on_another_axis():
    train, _, held, heldLabels = splitData(data.T, labels, dim=1)

    assert train.shape == (2, 18)
    np.testing.assert_array_equal(held[0], 2 * heldLabels)


def test_the_seed_repeats_the_split():
    def draw(seed):
        minidl.seed(seed)
        return splitData(labels, validation=0.5)[1].tolist()

    assert draw(1) == draw(1) != draw(2)


@pytest.mark.parametrize("validation", [0, 0.01, 1, 1.5, -0.5])
def test_a_share_that_leaves_nothing_is_refused(validation):
    with pytest.raises(ValueError, match="splitData: validation must leave samples on both sides"):
        splitData(data, validation=validation)


def test_labels_of_another_number_are_refused():
    with pytest.raises(ValueError, match="splitData: data has 20 samples on axis 0, labels 19"):
        splitData(data, labels[1:])
