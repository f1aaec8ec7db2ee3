"""The network that began it, for handwritten digits."""

from minidl.Containers import Sequential
from minidl.Models.Nets.Parts import finished
from minidl.Modules import Activation, Conv2D, Flatten, Linear, MaxPool2D, relu


def loadLeNet(modelpath, initscheme="none", name="lenet-5-like"):
    """
    A small network for images (1, 28, 28) in 10 classes, after LeCun et al. 1998; its output are
    scores.

    Args:
        modelpath: of a file of its weights, or None.
        initscheme: of the weights; "none" leaves them uninitialised, for a file.
    """
    net = Sequential(name=name)
    net.append(Conv2D(1, 16, 3, initscheme=initscheme))
    net.append(MaxPool2D())
    net.append(Activation(relu))
    net.append(Conv2D(16, 32, 4, initscheme=initscheme))
    net.append(MaxPool2D())
    net.append(Activation(relu))
    net.append(Flatten())
    net.append(Linear(32 * 5 * 5, 1024, initscheme=initscheme))
    net.append(Activation(relu))
    net.append(Linear(1024, 10, initscheme=initscheme))
    return finished(net, modelpath)
