"""What a file of weights holds, and that it comes back; what is refused: test_WeightsRefused.py."""

import io
import json

import h5py
import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Containers import Sequential
from minidl.Modules import Activation, BatchNorm, Linear, ModuleError
from tests.Case import stateOf
from tests.WeightFiles import sealed


def make(name="net", innerName="inner", seed=0):
    np.random.seed(seed)
    inner = Sequential(innerName).append(Linear(4, 3, name="lin")).append(BatchNorm(3, name="bn"))
    net = Sequential(name).extend([Linear(5, 4, name="lin"), Activation("relu"), inner])
    net(gpuarray.to_gpu(np.random.standard_normal((7, 5)).astype(np.float32)))
    return net


def tree(source):
    """{path: value} of all datasets, and [paths of all groups]"""
    datasets, groups = {}, []
    note = lambda path, each: (
        groups.append(path) if isinstance(each, h5py.Group) else datasets.update({path: each[()]}))
    with h5py.File(io.BytesIO(source) if isinstance(source, bytes) else source, "r") as file:
        file.visititems(note)
    return datasets, sorted(groups)


def test_layout_of_a_net():
    net = make()

    datasets, groups = tree(net.save())

    links = {path: int(value) for path, value in datasets.items() if path.startswith("links/")}
    assert links == {"links/net.lin.W": 0, "links/net.lin.b": 1, "links/net.inner.lin.W": 2,
                     "links/net.inner.lin.b": 3, "links/net.inner.bn.scale": 4,
                     "links/net.inner.bn.bias": 5}
    for i, var in enumerate(net.getVarTable()):
        assert datasets[f"params/{i}"].tobytes() == var.data.get().tobytes()
    assert {path for path in datasets if not path.startswith(("links", "params"))} == {
        "attrs/net.inner.bn.mean", "attrs/net.inner.bn.var", "attrs/net.inner.bn.numOfProps"}
    assert groups == ["attrs", "attrs.net", "attrs.net.inner", "links", "params"]


def test_links_are_scalars_of_64_bits(tmp_path):
    make().save(tmp_path / "net.hdf")

    with h5py.File(tmp_path / "net.hdf") as file:
        assert file["links/net.lin.W"].dtype == np.int64 and file["links/net.lin.W"].shape == ()
        assert file["params/0"].dtype == np.float32
        assert "blueprint" not in file


def test_layout_of_a_single_module():
    assert set(tree(Linear(3, 2).save())[0]) == {"links/.W", "links/.b", "params/0", "params/1"}
    assert set(tree(Linear(3, 2, name="lin").save())[0]) == {
        "links/lin.W", "links/lin.b", "params/0", "params/1"}
    assert tree(Linear(3, 2).save())[1] == ["links", "params"]


def test_layout_of_a_net_without_a_name():
    datasets, groups = tree(make(name=None).save())

    assert {"links/.lin.W", "links/.inner.lin.W", "attrs/.inner.bn.mean"} <= set(datasets)
    assert {"attrs.", "attrs..inner"} <= set(groups)


def test_layout_with_unique_names():
    datasets, _ = tree(nestedTwice().save(assumeUniqueNames=True))

    assert {"links/net.deep.W", "links/net.deep.b", "links/net.flat.W"} <= set(datasets)


def nestedTwice():
    block = Sequential("block").append(Sequential("core").append(Linear(3, 3, name="deep")))
    return Sequential("net").append(Linear(3, 3, name="flat")).append(block)


def test_unique_names_come_back():
    net, fresh = nestedTwice(), nestedTwice()

    fresh.load(net.save(assumeUniqueNames=True), assumeUniqueNames=True)

    assert stateOf(fresh) == stateOf(net)


def test_names_that_are_not_unique_are_refused():
    with pytest.raises(ModuleError, match=r"/links/net.lin.W: names must differ"):
        make().save(assumeUniqueNames=True)


def test_blueprint_is_json_at_the_root():
    datasets, _ = tree(make().save(withBlueprint=True))

    blueprint = json.loads(datasets["blueprint"])
    assert blueprint["graph"] == ["lin", "1", "inner"]
    assert blueprint["modules"]["lin"]["scheme"]["insize"] == 5


@pytest.mark.parametrize("compress", ["gzip", None])
@pytest.mark.parametrize("where", ["path", "text", "bytes", "file", "group"])
def test_all_comes_back_from_everywhere(where, compress, tmp_path):
    net, fresh = make(), make(seed=1)
    assert stateOf(fresh) != stateOf(net)

    path = tmp_path / "folder" / "net.hdf"
    if where in ("path", "text"):
        target = path if where == "path" else str(path)
        assert net.save(target, compress=compress) is None
        fresh.load(target)
    elif where == "bytes":
        fresh.load(net.save(compress=compress))
    else:
        with h5py.File(tmp_path / "net.hdf", "w") as file:
            group = file if where == "file" else file.create_group("epoch 7")
            net.save(group, compress=compress)
            fresh.load(group)
            assert file["/"] is not None  # still open

    assert stateOf(fresh) == stateOf(net)


def test_special_values_keep_their_bits(rng):
    module, fresh = Linear(4, 4), Linear(4, 4)
    patterns = np.array([0x7FC12345, 0xFF800000, 0x80000000, 0x00000001], np.uint32)
    module.W.set(np.tile(patterns.view(np.float32), (4, 1)))

    fresh.load(module.save())

    assert fresh.W.get().tobytes() == module.W.get().tobytes()


def test_float64_comes_back(rng):
    net, fresh = make(), make(seed=1)
    net.calcMode(np.float64)
    fresh.calcMode(np.float64)

    fresh.load(net.save())

    assert stateOf(fresh) == stateOf(net)


def test_a_file_is_found_under_the_name_it_was_saved_with():
    net, other = make(name="a"), make(name="b", seed=1)

    with pytest.raises(ModuleError, match="links/b.lin.W is missing"):
        other.load(net.save())
    other.load(net.save(), name="a")

    assert [*stateOf(other).values()] == [*stateOf(net).values()]


def test_save_takes_a_name_too():
    net, other = make(name="a"), make(name="b", seed=1)

    other.load(net.save(name="b"))

    assert stateOf(other) == stateOf(net)


def test_half_precision_is_taken_for_single():
    module = Linear(3, 2)
    image = rewritten(module.save(), "params/0", np.full((3, 2), 0.1, np.float16))

    module.load(image)

    assert (module.W.get() == np.float32(np.float16(0.1))).all()


def rewritten(image, path, value):
    """The file with another dataset in one place."""
    buffer = io.BytesIO(image)
    with h5py.File(buffer, "r+") as file:
        del file[path]
        file[path] = value
    return sealed(buffer.getvalue())


def test_a_file_without_the_count_of_batches_keeps_its_statistics():
    module, fresh = BatchNorm(3, name="bn"), BatchNorm(3, name="bn")
    data = gpuarray.to_gpu(np.random.standard_normal((7, 3)).astype(np.float32))
    module(data)
    buffer = io.BytesIO(module.save())
    with h5py.File(buffer, "r+") as file:
        del file["attrs/bn.numOfProps"]

    fresh.load(sealed(buffer.getvalue()))
    fresh(gpuarray.to_gpu(2 * data.get()))

    old, new = module.mean.get().ravel(), 2 * data.get().mean(0)
    np.testing.assert_allclose(fresh.mean.get().ravel(), 0.9 * old + 0.1 * new, rtol=1e-5)


def test_the_schedule_of_statistics_goes_on_after_a_load(rng):
    batches = [gpuarray.to_gpu(each) for each in rng.standard_normal((6, 8, 3)).astype(np.float32)]
    whole, first, second = (BatchNorm(3, name="bn") for _ in range(3))

    for batch in batches:
        whole(batch)
    for batch in batches[:3]:
        first(batch)
    second.load(first.save())
    for batch in batches[3:]:
        second(batch)

    assert second.numOfProps == 6
    assert second.mean.get().tobytes() == whole.mean.get().tobytes()
    assert second.var.get().tobytes() == whole.var.get().tobytes()
