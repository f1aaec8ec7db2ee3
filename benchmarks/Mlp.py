"""The MLP 784-512-512-10: a training step at batch 128, and the answer to one sample."""

import numpy as np

from benchmarks.Timer import Row, alternate
from minidl.Backend import Device, gpuarray
from minidl.Containers import Sequential
from minidl.Cost import CrossEntropy
from minidl.Modules import Activation, Linear, relu
from minidl.Optimizers import MomentumSGD

sizes = 784, 512, 512, 10
batch = 128


def measure():
    rng = np.random.default_rng(0)
    data = rng.standard_normal((batch, sizes[0])).astype(np.float32)
    labels = rng.integers(0, sizes[-1], batch).astype(np.int32)

    step, infer = ours(data, labels)
    peers = theirs(data, labels)
    if peers is None:
        (stepTime,), (inferTime,) = alternate(step), alternate(infer)
        return [Row("MLP training step, batch 128", stepTime, goal=1.3),
                Row("MLP inference, one sample", inferTime, goal=3)]
    return [Row("MLP training step, batch 128", *alternate(step, peers[0]), goal=1.3),
            Row("MLP inference, one sample", *alternate(infer, peers[1]), goal=3)]


def buildNet():
    net = Sequential()
    for i in range(3):
        net.append(Linear(sizes[i], sizes[i + 1]))
        if i < 2:
            net.append(Activation(relu, inplace=True))
    return net


def ours(data, labels):
    net, cost, optimizer = buildNet(), CrossEntropy(), MomentumSGD(1e-3, 0.9)
    optimizer.setupOn(net, useGlobalState=True)
    data, labels = gpuarray.to_gpu(data), gpuarray.to_gpu(labels)

    def step():
        grad = cost(net(data), labels, queryError=False)
        optimizer.zeroGradParams()
        net.backward(grad, updGrad=False)
        optimizer.update()

    inferNet, sample = buildNet(), data[:1]
    inferNet.evalMode()
    return step, lambda: inferNet(sample)


def theirs(data, labels):
    try:
        import torch
    except ImportError:
        return None

    def buildPeer():
        layers = []
        for i in range(3):
            layers += [torch.nn.Linear(sizes[i], sizes[i + 1]), torch.nn.ReLU()]
        return torch.nn.Sequential(*layers[:-1])

    place = Device.current().name  # PyTorch's words are the same
    net, cost = buildPeer().to(place), torch.nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(net.parameters(), 1e-3, momentum=0.9, fused=True)
    data = torch.from_numpy(data).to(place)
    labels = torch.from_numpy(labels.astype(np.int64)).to(place)

    def step():
        optimizer.zero_grad(set_to_none=True)
        cost(net(data), labels).backward()
        optimizer.step()

    inferNet, sample = buildPeer().to(place).eval(), data[:1]

    def infer():
        with torch.inference_mode():
            inferNet(sample)

    return step, infer
