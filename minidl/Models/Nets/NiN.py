"""A network in network: convolutions of 1 x 1 in place of linear layers."""

from minidl.Containers import Sequential
from minidl.Models.Nets.Parts import chosen, finished
from minidl.Modules import (
    Activation,
    AvgPool2D,
    Conv2D,
    Dropout,
    Flatten,
    GlobalAvgPool,
    MaxPool2D,
    SoftMax,
    relu,
)

pools = {"max": MaxPool2D, "avg": AvgPool2D}


def loadNiNImageNet(modelpath, poolmode="max", actInplace=False, initscheme="none",
                    name="NiNImageNet"):
    """
    A network for images (3, 224, 224) in 1000 classes without a linear layer, after Lin, Chen, Yan
    2013; its output are probabilities.

    Args:
        modelpath: of a file of its weights, or None.
        poolmode: "max" or "avg".
        actInplace: whether relus overwrite what comes in.
        initscheme: of the weights; "none" leaves them uninitialised, for a file.
    """
    pool = chosen("loadNiNImageNet", "poolmode", poolmode, pools)
    net, before = Sequential(name=name), 3
    stages = [  # maps, window, stride, pad of the convolution; maps of the two behind it
        ((96, 11, 4, 0), (96, 96)), ((256, 5, 1, 2), (256, 256)), ((384, 3, 1, 1), (384, 384)),
        ((1024, 3, 1, 1), (1024, 1000))]
    for stage, ((after, size, stride, pad), inner) in enumerate(stages, 1):
        last = stage == len(stages)
        layers = [(after, size, stride, pad, f"conv{stage}-1024" if last else f"conv{stage}")]
        for number, maps in enumerate(inner, 2 * stage - 1):
            layers.append((maps, 1, 1, 0, f"cccp{number}"))
        for maps, size, stride, pad, word in layers:
            net.append(Conv2D(before, maps, size, stride, pad, initscheme=initscheme, name=word))
            net.append(Activation(relu, inplace=actInplace, name=f"relu_{word}"))
            before = maps
        if not last:
            net.append(pool(3, 2, name=f"pool{stage}"))
        if stage == len(stages) - 1:
            net.append(Dropout(name="drop"))
    net.append(GlobalAvgPool(name="pool4"))
    net.append(Flatten(name="flatten"))
    net.append(SoftMax(name="prob"))
    return finished(net, modelpath, assumeUniqueNames=True)
