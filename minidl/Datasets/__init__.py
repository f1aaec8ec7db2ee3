"""Data to train and test on, as numpy arrays."""

from minidl.Datasets.Digits import Digits
