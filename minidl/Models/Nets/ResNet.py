"""Residual networks."""

from minidl.Containers import Parallel, Sequential
from minidl.Models.Nets.Parts import chosen, finished
from minidl.Modules import (
    Activation,
    Add,
    BatchNorm2D,
    Conv2D,
    Flatten,
    GlobalAvgPool,
    Identity,
    Linear,
    MaxPool2D,
    Replicate,
    SoftMax,
    relu,
)

stages = {  # how many blocks in each stage
    "18": (2, 2, 2, 2), "34": (3, 4, 6, 3), "50": (3, 4, 6, 3), "101": (3, 4, 23, 3),
    "152": (3, 8, 36, 3)}


def loadResNet(modelpath, layers, actInplace=False, bnInplace=False, initscheme="none", name=None,
               *, imageSize=224, classes=1000):
    """
    A network of blocks with a shortcut around them, after He et al. 2015; its output are
    probabilities, with images of 32 scores.

    Args:
        modelpath: of a file of its weights, or None.
        layers: "18" and "34", of blocks of two convolutions, or "50", "101" and "152", of three.
        actInplace: whether relus overwrite what comes in.
        bnInplace: whether batch normalizations do, in evaluation mode.
        initscheme: of the weights; "none" leaves them uninitialised, for a file.
        name: of the net; "ResNet-" and the number of layers if None.
        imageSize: 224, or 32: then the first convolution is of 3 x 3, and no pool follows it.
        classes: how many.
    """
    counts = chosen("loadResNet", "layers", layers, stages)
    isSmall = chosen("loadResNet", "imageSize", imageSize, {"224": False, "32": True})
    make = Maker(actInplace, bnInplace, initscheme)
    net = Sequential(name=name or f"ResNet-{layers}")
    make.layer(net, 3, 64, *(3, 1, 1) if isSmall else (7, 2, 3), "conv1", "bn_conv1")
    net.append(make.relu("conv1_relu"))
    if not isSmall:
        net.append(MaxPool2D(3, 2, 1, name="pool1"))

    before, isDeep = 64, int(layers) >= 50
    for stage, (count, maps) in enumerate(zip(counts, (64, 128, 256, 512), strict=True), 2):
        for number in range(count):
            stride = 2 if stage > 2 and number == 0 else 1
            word = f"{stage}{blockLetter(number, count)}"
            net.append(make.block(before, maps, stride, isDeep, word))
            before = maps * 4 if isDeep else maps
    net.append(GlobalAvgPool(name="pool5"))
    net.append(Flatten(name="flatten"))
    net.append(Linear(before, classes, initscheme=initscheme, name=f"fc{classes}"))
    if not isSmall:
        net.append(SoftMax(name="prob"))
    return finished(net, modelpath, assumeUniqueNames=True)


def blockLetter(number, count):
    """a, b, c; in long stages a, b1, b2, ..."""
    return "abcdefgh"[number] if count <= 8 else "a" if number == 0 else f"b{number}"


class Maker:
    """The parts of a net, made with the same options."""

    def __init__(self, actInplace, bnInplace, initscheme):
        self.actInplace, self.bnInplace, self.initscheme = actInplace, bnInplace, initscheme

    def relu(self, name):
        return Activation(relu, inplace=self.actInplace, name=name)

    def layer(self, net, before, after, size, stride, pad, convName, normName):
        net.append(Conv2D(before, after, size, stride, pad, useBias=False,
                          initscheme=self.initscheme, name=convName))
        net.append(BatchNorm2D(after, inplace=self.bnInplace, name=normName))

    def block(self, before, maps, stride, isDeep, word):
        """relu(way(x) + shortcut(x))"""
        after = maps * 4 if isDeep else maps
        layers = [(maps, 1, stride, 0), (maps, 3, 1, 1), (after, 1, 1, 0)] if isDeep else [
            (maps, 3, stride, 1), (after, 3, 1, 1)]
        way, inner = Sequential(name=f"way{word}"), before
        for letter, (outer, size, step, pad) in zip("abc", layers, strict=False):
            if letter != "a":
                way.append(self.relu(f"res{word}_branch2{'ab'['abc'.index(letter) - 1]}_relu"))
            branch = f"{word}_branch2{letter}"
            self.layer(way, inner, outer, size, step, pad, f"res{branch}", f"bn{branch}")
            inner = outer

        shortcut = Identity(name=f"shortcut{word}")
        if stride > 1 or before != after:
            shortcut = Sequential(name=f"shortcut{word}")
            branch = f"{word}_branch1"
            self.layer(shortcut, before, after, 1, stride, 0, f"res{branch}", f"bn{branch}")

        block = Sequential(name=f"block{word}").append(Replicate(2, name=f"copies{word}"))
        block.append(Parallel(name=f"branches{word}").append(way).append(shortcut))
        return block.append(Add(name=f"sum{word}")).append(self.relu(f"res{word}_relu"))
