"""Deep stacks of small filters."""

from minidl.Containers import Sequential
from minidl.Models.Nets.Parts import chosen, finished
from minidl.Modules import (
    Activation,
    AvgPool2D,
    Conv2D,
    Dropout,
    Flatten,
    Linear,
    MaxPool2D,
    SoftMax,
    relu,
)

stages = {  # how many convolutions before each pool
    "11": (1, 1, 2, 2, 2), "16": (2, 2, 3, 3, 3), "19": (2, 2, 4, 4, 4)}
pools = {"max": MaxPool2D, "avg": AvgPool2D}


def loadVGG(modelpath, layers, poolmode="max", initscheme="none", withLinear=True, actInplace=False,
            name=None):
    """
    A network for images (3, 224, 224) in 1000 classes, after Simonyan, Zisserman 2014; its output
    are probabilities.

    Args:
        modelpath: of a file of its weights, or None.
        layers: "11", "16" or "19".
        poolmode: "max" or "avg".
        initscheme: of the weights; "none" leaves them uninitialised, for a file.
        withLinear: whether the linear layers follow; else the net gives maps of any image.
        actInplace: whether relus overwrite what comes in.
        name: of the net; "VGG" and the number of layers if None.
    """
    counts = chosen("loadVGG", "layers", layers, stages)
    pool = chosen("loadVGG", "poolmode", poolmode, pools)
    net, before = Sequential(name=name or f"VGG{layers}"), 3
    for stage, (count, after) in enumerate(zip(counts, (64, 128, 256, 512, 512), strict=True), 1):
        for number in range(1, count + 1):
            net.append(Conv2D(before, after, 3, pad=1, initscheme=initscheme,
                              name=f"conv{stage}_{number}"))
            net.append(Activation(relu, inplace=actInplace, name=f"relu{stage}_{number}"))
            before = after
        net.append(pool(name=f"pool{stage}"))
    if withLinear:
        addLinear(net, initscheme, actInplace)
    return finished(net, modelpath, assumeUniqueNames=True)


def addLinear(net, initscheme, actInplace):
    net.append(Flatten(name="flatten"))
    insize = 512 * 7 * 7
    for number in (6, 7):
        net.append(Linear(insize, 4096, initscheme=initscheme, name=f"fc{number}"))
        net.append(Activation(relu, inplace=actInplace, name=f"relu{number}"))
        net.append(Dropout(name=f"drop{number}"))
        insize = 4096
    net.append(Linear(insize, 1000, initscheme=initscheme, name="fc8"))
    net.append(SoftMax(name="prob"))
