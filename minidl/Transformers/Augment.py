import numpy as np

from minidl import Random


class Augment:
    """
    Moves and mirrors each image of a batch at random, so that a network sees more than there is.

    An image moves by up to `shift` pixels up or down and left or right, each distance as likely as
    any other, and zeros take the place of what it leaves. The random numbers come from minidl's
    generator of the order of samples: `minidl.seed` repeats them.

        trainer.trainFromHost(Rows(data, transform=Augment()), labels)

    Args:
        shift: pixels.
        flip: whether every other image, at random, is mirrored left to right.
    """

    def __init__(self, shift=2, flip=True):
        if shift < 0:
            raise ValueError(f"Augment: shift must not be negative, got {shift}")
        self.shift, self.flip = shift, flip

    def __call__(self, batch):
        """A new array for the batch, which is a numpy array of shape (N, C, H, W)."""
        if batch.ndim != 4:
            raise ValueError(f"Augment: takes batches of 4 axes, got {batch.shape}")
        windows = np.lib.stride_tricks.sliding_window_view(
            np.pad(batch, [(0, 0), (0, 0), 2 * (self.shift,), 2 * (self.shift,)]),
            batch.shape[2:], axis=(2, 3))
        down, right = Random.shuffler.integers(2 * self.shift + 1, size=(2, len(batch)))
        result = windows[np.arange(len(batch)), :, down, right]
        if self.flip:
            mirrored = Random.shuffler.random(len(batch)) < 0.5
            result[mirrored] = result[mirrored][..., ::-1]
        return result
