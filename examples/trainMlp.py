"""
Trains a small network on handwritten digits: 1797 real ones, which come with minidl.

    python examples/trainMlp.py --epochs 30 --save digits.hdf --plot curves.png
    python examples/trainMlp.py --load digits.hdf          # the same accuracy, to the last digit
    python examples/trainMlp.py --resume run               # stop it, and it goes on where it was

It ends with the accuracy on a fifth of the digits that training never sees: 97 % or more. A run
takes some seconds on a laptop, the first one some more, since it compiles the kernels.
"""

import argparse

import minidl
from minidl import Config
from minidl.Backend import gpuarray
from minidl.Containers import Sequential
from minidl.Cost import CrossEntropy
from minidl.Datasets import Digits
from minidl.Handlers import Checkpoint, Trainer, Validator
from minidl.Modules import Activation, BatchNorm, Dropout, Flatten, Linear, relu
from minidl.Optimizers import MomentumSGD


def buildNet():
    net = Sequential(name="digits")
    net.append(Flatten())
    net.append(Linear(64, 256, useBias=False))
    net.append(BatchNorm(256))
    net.append(Activation(relu))
    net.append(Dropout(0.3))
    net.append(Linear(256, 128, useBias=False))
    net.append(BatchNorm(128))
    net.append(Activation(relu))
    net.append(Linear(128, 10))
    return net


def main():
    args = parseArguments()
    Config.backend = args.backend
    minidl.seed(args.seed)

    trainData, trainLabels, testData, testLabels = map(gpuarray.to_gpu, Digits().split())
    net, cost = buildNet(), CrossEntropy()
    validator = Validator(net, cost)
    print(f"device: {gpuarray.getDeviceName()}, parameters: {net.numOfParams()}")

    if args.load:
        net.load(args.load)
        print(f"loaded {args.load}")
    else:
        history = train(net, cost, validator, trainData, trainLabels, testData, testLabels, args)
        if args.plot and history[0]:
            plot(history, args.plot)

    accuracy = 1 - validator.validate(testData, testLabels)
    if args.save:
        net.save(args.save)
        print(f"saved {args.save}")
    print(f"test accuracy: {accuracy:.6f}")


def train(net, cost, validator, trainData, trainLabels, testData, testLabels, args):
    """Returns the loss and the accuracy after each epoch, as two lists."""
    optimizer = MomentumSGD(learnRate=0.1)
    optimizer.setupOn(net, useGlobalState=True)
    trainer, epochs = Trainer(net, cost, optimizer, batchsize=args.batch), range(1, args.epochs + 1)
    if args.resume:
        checkpoint = Checkpoint(args.resume, trainer)
        checkpoint.resume()
        epochs = checkpoint.epochs(args.epochs)

    losses, accuracies = [], []
    for epoch in epochs:
        optimizer.learnRate = 0.1 * (1 - (epoch - 1) / args.epochs)
        trainer.train(trainData, trainLabels)
        losses.append(cost.getMeanError())
        accuracies.append(1 - validator.validate(testData, testLabels))
        print(f"epoch {epoch:3}: loss {losses[-1]:.4f}, accuracy {accuracies[-1]:.4f}")
    return losses, accuracies


def plot(history, path):
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise SystemExit("--plot needs matplotlib: pip install matplotlib") from None

    losses, accuracies = history
    epochs = range(1, len(losses) + 1)
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)

    left.semilogy(epochs, losses, color="tab:red")
    left.set(title="cross entropy in training", xlabel="epoch", ylabel="nats a digit")
    right.plot(epochs, [100 * accuracy for accuracy in accuracies], color="tab:blue")
    right.axhline(97, color="gray", linestyle=":")
    right.set(title="accuracy on digits never seen", xlabel="epoch", ylabel="%")
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.xaxis.get_major_locator().set_params(integer=True)

    figure.savefig(path, dpi=120)
    print(f"drew {path}")


def parseArguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--batch", type=int, default=64, help="samples a step (default 64)")
    parser.add_argument("--seed", type=int, default=1, help="of weights, order and dropout")
    parser.add_argument("--backend", default=Config.backend, help="auto, cpu or cuda")
    parser.add_argument("--save", metavar="FILE", help="write the weights here, as h5")
    parser.add_argument("--load", metavar="FILE", help="read weights, and do not train")
    parser.add_argument("--resume", metavar="FOLDER",
                        help="keep the training in files there, and go on where they end")
    parser.add_argument("--plot", metavar="FILE", help="draw loss and accuracy to a picture")
    return parser.parse_args()


if __name__ == "__main__":
    main()
