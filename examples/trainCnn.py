"""
Trains a convolutional network with batch normalization on small images.

    python examples/trainCnn.py --plot digits.png           # 1797 digits, which come with minidl
    python examples/trainCnn.py --resume run --epochs 5
    python examples/trainCnn.py --resume run --epochs 20    # up to the 20th; so after Ctrl-C, too
    python examples/trainCnn.py --save net.hdf
    python examples/trainCnn.py --load net.hdf              # the same accuracy, to the last digit
    python examples/trainCnn.py --data mnist --folder PATH  # or fashion, cifar10: from their files

It ends with the accuracy on images that training never sees. With the digits that is 98.5 % or
more, after some seconds on two cores; the first run takes some more, since it compiles the kernels.
"""

import argparse

import numpy as np

import minidl
from minidl import Config
from minidl.Backend import gpuarray
from minidl.Config import ConfigError
from minidl.Cost import CrossEntropy
from minidl.Datasets import Cifar10Loader, DatasetError, Digits, MnistLoader, Rows
from minidl.Handlers import Calculator, Checkpoint, Trainer, Validator
from minidl.Handlers.Handler import HandlerError
from minidl.Models.Nets import loadBatchNormCnn
from minidl.Modules import ModuleError
from minidl.Optimizers import MomentumSGD
from minidl.Transformers import Augment

shapes = {  # of an image, and how far and whether it may be moved and mirrored
    "digits": ((1, 8, 8), Augment(1, flip=False)), "mnist": ((1, 28, 28), Augment(2, flip=False)),
    "fashion": ((1, 28, 28), Augment(2)), "cifar10": ((3, 32, 32), Augment(4))}


def main():
    args = parseArguments()
    Config.backend = args.backend
    minidl.seed(args.seed)

    trainData, trainLabels, testData, testLabels = readData(args)
    net, cost = buildNet(args.data), CrossEntropy()
    print(f"device: {gpuarray.getDeviceName()}, parameters: {net.numOfParams()}")

    if args.load:
        net.load(args.load)
        print(f"loaded {args.load}")
    validator, history = Validator(net, cost), []
    if not args.load:
        if args.augment:
            trainData = Rows(trainData, transform=shapes[args.data][1])
        history = train(net, cost, validator, trainData, trainLabels, testData, testLabels, args)

    accuracy = 1 - validator.validateFromHost(testData, testLabels)
    if args.save:
        net.save(args.save)
        print(f"saved {args.save}")
    if args.plot:
        scores = Calculator(net).calcFromHost(testData)
        plot(history, confusion(scores, testLabels[:]), net["conv1a"].W.get(), args.plot)
    print(f"test accuracy: {accuracy:.6f}")


def readData(args):
    """(trainData, trainLabels, testData, testLabels), arrays or what reads as they do"""
    if args.data == "digits":
        return Digits().split()
    if args.folder is None:
        raise SystemExit(f"--data {args.data} needs --folder, where its files are")
    if args.data == "fashion" and args.download:
        raise SystemExit("--download knows where MNIST and CIFAR-10 are: put the files of "
                         "Fashion-MNIST, which have the names of MNIST's, into --folder")
    loader = Cifar10Loader() if args.data == "cifar10" else MnistLoader()
    return loader.split(args.folder, download=args.download)


def buildNet(data):
    shape, _ = shapes[data]
    maps = (32, 64) if data == "digits" else (32, 64, 128)
    return loadBatchNormCnn(name=data, inmaps=shape[0], size=shape[1], maps=maps)


def train(net, cost, validator, trainData, trainLabels, testData, testLabels, args):
    """Returns (epoch, loss, accuracy) after each epoch."""
    optimizer = MomentumSGD()
    optimizer.setupOn(net, useGlobalState=True)
    trainer, epochs = Trainer(net, cost, optimizer, batchsize=args.batch), range(1, args.epochs + 1)
    if args.resume:
        epochs = resumed(Checkpoint(args.resume, trainer), args.epochs)

    history = []
    for epoch in epochs:
        optimizer.learnRate = 0.01 * (1 - (epoch - 1) / args.epochs)
        trainer.trainFromHost(trainData, trainLabels)
        loss = cost.getMeanError()
        accuracy = 1 - validator.validateFromHost(testData, testLabels)
        history.append((epoch, loss, accuracy))
        print(f"epoch {epoch:3}: loss {loss:.4f}, accuracy {accuracy:.4f}")
    return history


def resumed(checkpoint, epochs):
    """The numbers of the epochs that are to do."""
    path = checkpoint.resume()
    if path is not None:
        print(f"goes on at {path}, after epoch {checkpoint.epoch}")
    return checkpoint.epochs(epochs)


def confusion(scores, labels):
    """How many samples of each class (rows) were taken for which (columns)."""
    counts = np.zeros((scores.shape[1],) * 2, int)
    np.add.at(counts, (labels, scores.argmax(1)), 1)
    return counts


def plot(history, counts, filters, path):
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise SystemExit("--plot needs matplotlib: pip install matplotlib") from None

    figure = Figure(figsize=(13, 4.4), layout="constrained")
    curves, matrix, grid = figure.subplots(1, 3)
    plotCurves(curves, history)

    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    matrix.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        if count:
            matrix.text(column, row, count, ha="center", va="center", fontsize=8,
                        color="white" if shares[row, column] > 0.5 else "black")
    matrix.set(title="test samples: class, and what it was taken for", xlabel="taken for",
               ylabel="class", xticks=range(len(counts)), yticks=range(len(counts)))

    grid.imshow(mosaic(filters), cmap="gray")
    grid.set(title="filters of the first layer")
    grid.axis("off")
    figure.savefig(path, dpi=120)
    print(f"drew {path}")


def plotCurves(axes, history):
    if not history:
        axes.set(title="loaded, not trained")
        axes.axis("off")
        return
    axes.set(title="training", xlabel="epoch", ylabel="cross entropy (nats a sample)")
    epochs, losses, accuracies = zip(*history, strict=True)
    lines = axes.semilogy(epochs, losses, color="tab:red", label="loss")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(alpha=0.3)
    right = axes.twinx()
    lines += right.plot(epochs, [100 * each for each in accuracies], label="accuracy")
    right.set_ylabel("accuracy on unseen images (%)")
    axes.legend(handles=lines, loc="center right")


def mosaic(filters, across=8):
    """All filters (n, maps, height, width) side by side, as one picture of values from 0 to 1."""
    low, high = (edge(axis=(1, 2, 3), keepdims=True) for edge in (filters.min, filters.max))
    tiles = (filters - low) / (high - low)
    # Three maps are the colours; of any other number the first one is shown.
    tiles = tiles.transpose(0, 2, 3, 1) if tiles.shape[1] == 3 else tiles[:, 0, :, :, None]
    tiles = np.pad(tiles, [(0, -len(tiles) % across), (1, 0), (1, 0), (0, 0)], constant_values=1)
    n, height, width, colours = tiles.shape
    rows = tiles.reshape(n // across, across, height, width, colours).swapaxes(1, 2)
    return rows.reshape(n // across * height, across * width, colours)


def parseArguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", choices=shapes, default="digits")
    parser.add_argument("--folder", metavar="PATH", help="of mnist's, fashion's or cifar10's files")
    parser.add_argument("--download", action="store_true", help="fetch the files that are missing")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch", type=int, default=64, help="samples a step (default 64)")
    parser.add_argument("--no-augment", dest="augment", action="store_false",
                        help="show the images as they are, neither moved nor mirrored")
    parser.add_argument("--seed", type=int, default=1, help="of weights, order and augmentation")
    parser.add_argument("--backend", default=Config.backend, help="auto, cpu or cuda")
    parser.add_argument("--save", metavar="FILE", help="write the weights here, as h5")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--load", metavar="FILE", help="read weights, and do not train")
    source.add_argument("--resume", metavar="FOLDER",
                        help="keep the training in files there, and go on where they end")
    parser.add_argument("--plot", metavar="FILE",
                        help="draw curves, confusion matrix and first filters to a picture")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        main()
    except (ConfigError, DatasetError, HandlerError, ModuleError, OSError) as error:
        raise SystemExit(str(error)) from None
