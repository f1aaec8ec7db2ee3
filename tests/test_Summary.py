"""The table of a net's modules, beside numbers found by hand and by running the net."""

import re

import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Containers import Graph, Parallel, Sequential
from minidl.Models.Nets import loadLeNet, loadResNet
from minidl.Modules import (
    Activation,
    Add,
    BatchNorm2D,
    Conv1D,
    Conv2D,
    Deconv2D,
    Dropout,
    Flatten,
    Identity,
    Linear,
    MaxPool2D,
    ModuleError,
    Replicate,
)
from minidl.Passes import toGraph
from minidl.Summary import readable, summary


def rows(net, shape):
    """[[path, class, output, parameters, memory, operations]]"""
    header, *lines = summary(net, shape).splitlines()
    assert header.split() == ["module", "class", "output", "parameters", "memory", "operations"]
    return [re.split(r"\s{2,}", line) for line in lines]


def test_a_convolutional_net():
    net = Sequential("net").append(Conv2D(3, 8, 3, pad=1, name="conv"))
    net.append(BatchNorm2D(8, name="bn")).append(Activation("relu", inplace=True, name="act"))
    net.append(MaxPool2D(name="pool")).append(Flatten("flat")).append(Linear(128, 10, name="fc"))

    assert rows(net, (4, 3, 8, 8)) == [
        ["net.conv", "Conv2D", "(4, 8, 8, 8)", "224", "8.0 KB", f"{4 * 8 * 64 * 27:,}"],
        ["net.bn", "BatchNorm2D", "(4, 8, 8, 8)", "16", "8.0 KB", "2,048"],
        ["net.act", "Activation", "(4, 8, 8, 8)", "0", "0 B", "2,048"],
        ["net.pool", "MaxPool2D", "(4, 8, 4, 4)", "0", "2.0 KB", "512"],
        ["net.flat", "Flatten", "(4, 128)", "0", "0 B", "0"],
        ["net.fc", "Linear", "(4, 10)", "1,290", "160 B", "5,120"],
        ["total", "1,530", "18.2 KB", f"{4 * 8 * 64 * 27 + 2 * 2048 + 512 + 5120:,}"]]


@pytest.mark.parametrize("module, shape, expected", [
    (Linear(7, 3, transpose=True), (5, 7), 5 * 7 * 3),
    (Linear(7, 3, empty=True), None, None),
    (Conv1D(4, 6, 3, groups=2, stride=2), (2, 4, 9), 2 * 6 * 4 * (2 * 3)),
    (Conv2D(4, 6, [3, 2]), (2, 4, 5, 6), 2 * 6 * 3 * 5 * (4 * 6)),
    (Deconv2D(4, 6, 3, stride=2), (2, 4, 5, 5), 2 * 4 * 25 * (6 * 9)),
    (Deconv2D(4, 6, 3, groups=2), (2, 4, 5, 5), 2 * 4 * 25 * (3 * 9)),
    (Dropout(), (5, 7), 35), (Identity(), (5, 7), 0), (Add(), [(5, 7)] * 3, 35),
], ids=repr)
def test_operations(module, shape, expected):
    if shape is None:
        with pytest.raises(ModuleError, match="has no weights"):
            summary(module, (5, 7))
        return
    *_, total = rows(module, shape)
    assert int(total[-1].replace(",", "")) == expected


@pytest.mark.parametrize("build, shape", [
    (lambda: loadLeNet(None, "he"), (2, 1, 28, 28)),
    (lambda: loadResNet(None, "18", initscheme="he", imageSize=32), (2, 3, 32, 32)),
    (lambda: toGraph(loadResNet(None, "18", initscheme="he", imageSize=32)), (2, 3, 32, 32)),
])
def test_shapes_are_those_of_a_call_and_no_call_is_made(build, shape, rng):
    net = build()
    *found, total = rows(net, shape)
    modules = {path: mod for path, mod in net.namedModules(net.name)}
    assert all(mod.data is None for mod in modules.values())

    net(gpuarray.to_gpu(rng.standard_normal(shape).astype(np.float32)))

    for path, kind, out, params, *_ in found:
        data = modules[path].data
        shapes = [each.shape for each in data] if isinstance(data, list) else [data.shape]
        assert (kind, out) == (type(modules[path]).__name__, ", ".join(map(str, shapes)))
        assert int(params.replace(",", "")) == modules[path].numOfParams()
    assert int(total[1].replace(",", "")) == net.numOfParams()
    assert len(found) == len([mod for mod in modules.values() if not mod.isContainer])


def test_a_graph_within_a_net_and_several_inputs():
    a, b = Linear(3, 5, name="a").node(), Linear(4, 5, name="b").node()
    graph = Graph([a, b], Add("sum").node(a, b), name="graph")
    net = Sequential().append(Parallel("ways").extend([Identity(), Identity()])).append(graph)

    found = rows(net, [(7, 3), (7, 4)])

    assert [row[0] for row in found] == ["ways.0", "ways.1", "graph.a", "graph.b", "graph.sum",
                                         "total"]
    assert found[-1][1:] == ["45", "420 B", f"{7 * 5 * 7 + 35}"]


def test_shared_parameters_count_once_in_the_total():
    one, two = Linear(5, 5, name="one"), Linear(5, 5, name="two", empty=True)
    for name in ("W", "b"):
        two.setVar(name, one.getVar(name))

    found = rows(Sequential("net").append(one).append(two), (2, 5))

    assert [row[-3] for row in found] == ["30", "30", "30"]


def test_a_list_of_outputs_has_all_shapes_and_dtype_counts():
    net = Sequential().append(Linear(5, 4)).append(Replicate(2))
    net.calcMode(np.float64)

    assert rows(net, (2, 5))[1][2] == "(2, 4), (2, 4)" and rows(net, (2, 5))[0][4] == "64 B"


def test_a_shape_that_does_not_fit_is_refused():
    with pytest.raises(ModuleError, match=r"Linear 'fc': data must have shape \(batch, 5\)"):
        summary(Sequential("net").append(Linear(5, 4, name="fc")), (2, 6))


@pytest.mark.parametrize("number, text", [
    (0, "0 B"), (1023, "1023 B"), (1024, "1.0 KB"), (3 * 2 ** 20 // 2, "1.5 MB"),
    (2 ** 30, "1.0 GB"), (2 ** 42, "4096.0 GB")])
def test_memory_is_readable(number, text):
    assert readable(number) == text
