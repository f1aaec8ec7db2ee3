class Rows:
    """
    Some of the samples of an array or h5 dataset, which are read when they are asked for.

    Handlers take it as they take the dataset: `trainer.trainFromHost(Rows(data, 10000), ...)`
    holds a macro batch of it at a time.

    Args:
        data: array or h5 dataset.
        start, stop: the first sample, and the one behind the last; None: all that follow.
        transform: function of (array), applied to what is read, such as Transformers.Augment.
    """

    def __init__(self, data, start=0, stop=None, transform=None):
        stop = len(data) if stop is None else stop
        if not 0 <= start <= stop <= len(data):
            raise ValueError(
                f"Rows: start and stop must lie in order within 0 and {len(data)}, got {start} and "
                f"{stop}")
        self.data, self.start, self.stop, self.transform = data, start, stop, transform

    def __len__(self):
        return self.stop - self.start

    @property
    def shape(self):
        return (len(self), *self.data.shape[1:])

    @property
    def dtype(self):
        return self.data.dtype

    def __getitem__(self, part):
        """The samples of a slice, as numpy array."""
        if not isinstance(part, slice) or part.step not in (None, 1):
            raise TypeError(f"Rows: takes slices without steps, such as [3:4], got {part!r}")
        start, stop, _ = part.indices(len(self))
        rows = self.data[self.start + start:self.start + max(start, stop)]
        return rows if self.transform is None else self.transform(rows)
