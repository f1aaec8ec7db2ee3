"""A plain network with batch normalization, for small images."""

from minidl.Containers import Sequential
from minidl.Models.Nets.Parts import finished
from minidl.Modules import (
    Activation,
    BatchNorm2D,
    Conv2D,
    Flatten,
    Linear,
    MaxPool2D,
    relu,
)


def loadBatchNormCnn(modelpath=None, initscheme="he", name="batchnorm-cnn", *, inmaps=3, size=32,
                     maps=(32, 64, 128), classes=10):
    """
    A network for small images: for each of `maps` two convolutions of 3 x 3, each with batch
    normalization and relu, and a pool that halves the image; then a linear classifier. Its output
    are scores.

    Args:
        modelpath: of a file of its weights, or None.
        initscheme: of the weights.
        inmaps, size: of the images (inmaps, size, size).
        maps: of each stage.
        classes: how many.
    """
    net = Sequential(name=name)
    before = inmaps
    for stage, after in enumerate(maps, 1):
        for part in "ab":
            net.append(Conv2D(before, after, 3, pad=1, useBias=False, initscheme=initscheme,
                              name=f"conv{stage}{part}"))
            net.append(BatchNorm2D(after, name=f"bn{stage}{part}"))
            net.append(Activation(relu, name=f"relu{stage}{part}"))
            before = after
        net.append(MaxPool2D(name=f"pool{stage}"))
        size //= 2
    net.append(Flatten())
    net.append(Linear(before * size * size, classes, initscheme=initscheme, name="fc"))
    return finished(net, modelpath)
