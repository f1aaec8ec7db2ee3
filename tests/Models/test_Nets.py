import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Containers import Sequential
from minidl.Models.Nets import (
    loadBatchNormCnn,
    loadLeNet,
    loadNiNImageNet,
    loadResNet,
    loadVGG,
)
from minidl.Modules import BatchNorm2D, Conv2D, Linear

nets = {  # (how to make it, shape of an image, numbers of parameters)
    "LeNet": (lambda path=None, **kw: loadLeNet(path, "he", **kw), (1, 28, 28), (
        16 * 9 + 16) + (32 * 16 * 16 + 32) + (800 * 1024 + 1024) + (1024 * 10 + 10)),
    "BatchNormCnn": (
        lambda path=None, **kw: loadBatchNormCnn(path, **kw), (3, 32, 32),
        9 * (3 * 32 + 32 * 32 + 32 * 64 + 64 * 64 + 64 * 128 + 128 * 128)
        + 4 * (32 + 64 + 128) + 2048 * 10 + 10),
    "ResNet-18": (lambda path=None, **kw: loadResNet(
        path, "18", initscheme="he", imageSize=32, classes=10, **kw), (3, 32, 32), 11_173_962),
}
everyNet = pytest.mark.parametrize("name", nets)


def data(shape, batch=2):
    rng = np.random.default_rng(0)
    return gpuarray.to_gpu(rng.standard_normal((batch, *shape)).astype(np.float32))


@everyNet
def test_gives_a_score_for_each_class_and_goes_back(name):
    make, shape, _ = nets[name]
    net, x = make(), data(shape)

    y = net(x)
    net.backward(y.copy())

    assert y.shape == net.dataShapeFrom(x.shape) == (2, 10)
    assert np.isfinite(y.get()).all() and np.isfinite(net.grad.get()).all()
    assert net.grad.shape == x.shape
    assert all(np.abs(var.grad.get()).max() > 0 for var in net.getVarTable())


@everyNet
def test_has_as_many_parameters_as_by_hand(name):
    make, _, number = nets[name]
    assert make().numOfParams() == number


@everyNet
def test_weights_come_back_from_a_file(name, tmp_path):
    make, shape, _ = nets[name]
    net, x = make(), data(shape)
    net(x)  # moves the statistics
    net.evalMode()
    net.save(tmp_path / "net.hdf", assumeUniqueNames=name == "ResNet-18")

    other = make(tmp_path / "net.hdf")
    other.evalMode()

    assert np.array_equal(other(x).get(), net(x).get())


@pytest.mark.parametrize("layers, number", [
    ("50", 25_557_032), ("101", 44_549_160), ("152", 60_192_808), (18, 11_689_512),
    (34, 21_797_672)])
def test_resnets_of_imagenet_have_as_many_parameters_as_their_authors_say(layers, number):
    net = loadResNet(None, layers)

    assert net.numOfParams() == number
    assert net.dataShapeFrom((2, 3, 224, 224)) == (2, 1000)
    assert [mod.name for mod in net][:4] == ["conv1", "bn_conv1", "conv1_relu", "pool1"]
    assert net.getByName("res3a_branch1") is not None


@pytest.mark.parametrize("layers, number", [
    ("11", 132_863_336), ("16", 138_357_544), ("19", 143_667_240)])
def test_vggs_have_as_many_parameters_as_their_authors_say(layers, number, monkeypatch):
    sizes = {"conv": 0, "fc": 0}
    net = loadVGG(None, layers, withLinear=False)
    sizes["conv"] = net.numOfParams()
    sizes["fc"] = 512 * 49 * 4096 + 4096 + 4096 * 4096 + 4096 + 4096 * 1000 + 1000

    assert sum(sizes.values()) == number
    assert net.dataShapeFrom((1, 3, 224, 224)) == (1, 512, 7, 7)
    assert [mod.name for mod in net][:2] == ["conv1_1", "relu1_1"]


def test_nin_has_as_many_parameters_as_by_hand():
    net = loadNiNImageNet(None)

    assert net.dataShapeFrom((1, 3, 224, 224)) == (1, 1000)
    expected = sum(
        ins * outs * size * size + outs for ins, outs, size in [
            (3, 96, 11), (96, 96, 1), (96, 96, 1), (96, 256, 5), (256, 256, 1), (256, 256, 1),
            (256, 384, 3), (384, 384, 1), (384, 384, 1), (384, 1024, 3), (1024, 1024, 1),
            (1024, 1000, 1)])
    assert net.numOfParams() == expected


@pytest.mark.parametrize("call, message", [
    (lambda: loadResNet(None, "20"), "loadResNet: layers must be one of 18, 34, 50, 101, 152"),
    (lambda: loadResNet(None, "18", imageSize=64), "imageSize must be one of 224, 32, got 64"),
    (lambda: loadVGG(None, 12), "loadVGG: layers must be one of 11, 16, 19, got 12"),
    (lambda: loadVGG(None, 11, poolmode="min"), "poolmode must be one of max, avg, got 'min'"),
    (lambda: loadNiNImageNet(None, "sum"), "loadNiNImageNet: poolmode must be one of max, avg"),
])
def test_refuses_what_there_is_not(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_blocks_of_a_resnet_do_their_sums_in_the_last_normalization(monkeypatch):
    from minidl.Modules.FusedNorm import FusedNorm

    fused, update = [], FusedNorm.updateFused
    monkeypatch.setattr(FusedNorm, "updateFused", lambda self, data, followers, added=None: (
        fused.append(added is not None), update(self, data, followers, added)))
    net = loadResNet(None, "18", initscheme="he", imageSize=32, classes=10)

    net(data((3, 32, 32)))

    # A relu behind each normalization but those of shortcuts: 17, of which 8 end a block.
    assert (len(fused), sum(fused)) == (17, 8)
    norms = [mod for _, mod in net.namedModules("") if isinstance(mod, BatchNorm2D)]
    assert len(norms) == 20


def test_weights_are_uninitialised_unless_asked_for():
    net = loadVGG(None, "11", initscheme="he", withLinear=False)
    W = net["conv5_2"].W.get()
    assert abs(W.std() - np.sqrt(2 / (512 * 9))) < 1e-3
    assert isinstance(net, Sequential) and isinstance(net[0], Conv2D)
    assert isinstance(loadLeNet(None)[-1], Linear)
