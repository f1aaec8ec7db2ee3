"""Data to train and test on, as numpy arrays or h5 datasets."""

from minidl.Datasets.Cifar10Loader import Cifar10Loader
from minidl.Datasets.Digits import Digits
from minidl.Datasets.MnistLoader import MnistLoader
from minidl.Datasets.Rows import Rows
from minidl.Datasets.Source import DatasetError
