from pathlib import Path

import numpy as np

from minidl.GuardedFile import readArrays

path = Path(__file__).with_name("digits.hdf")


class Digits:
    """
    1797 handwritten digits of 13 people, 8x8 pixels each: real data that comes with minidl.

    They are the test set of "Optical Recognition of Handwritten Digits" by E. Alpaydin and
    C. Kaynak (UCI Machine Learning Repository, 1998, https://doi.org/10.24432/C50P49, licence
    CC BY 4.0), in the order of scikit-learn's `load_digits`. digits.hdf keeps its numbers as they
    are: `data`, uint8 of shape (1797, 1, 8, 8) from 0 to 16, and `labels`, uint8.
    """

    def load(self):
        """(data, labels): float32 of shape (1797, 1, 8, 8) in [0, 1] and int32 of shape (1797,)."""
        pixels, labels = readArrays(path, "Digits", {
            "data": ((1797, 1, 8, 8), np.dtype(np.uint8)), "labels": ((1797,), np.dtype(np.uint8))})
        return pixels.astype(np.float32) / 16, labels.astype(np.int32)

    def split(self, holdOut=0.2):
        """
        (trainData, trainLabels, testData, testLabels); `holdOut` is the share of the test samples.

        The split is always the same: the first samples of the permutation that numpy's RandomState
        of seed 0 draws are for the test, the others for training. Numpy keeps that stream for ever.
        """
        if not 0 < holdOut < 1:
            raise ValueError(f"Digits: holdOut must lie between 0 and 1, got {holdOut}")

        data, labels = self.load()
        order = np.random.RandomState(0).permutation(len(data))
        test, train = np.split(order, [round(holdOut * len(data))])
        return data[train], labels[train], data[test], labels[test]
