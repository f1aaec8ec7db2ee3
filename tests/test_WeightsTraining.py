"""Files of optimizers and of whole trainings are as guarded as those of modules."""

import io

import h5py
import numpy as np
import pytest

from minidl.Backend import gpuarray
from minidl.Containers import Sequential
from minidl.Cost import MSE
from minidl.GuardedFile import WeightsError
from minidl.Handlers import Trainer
from minidl.Handlers.Checkpoint import Checkpoint
from minidl.Modules import BatchNorm, Dropout, Linear
from minidl.Optimizers import Adam
from tests.Case import stateOf
from tests.HostileFiles import bomb, makeSecrets
from tests.WeightFiles import bare, sealed


class Training:
    def __init__(self, folder, seed=0):
        np.random.seed(seed)
        self.net = Sequential("net").append(Linear(5, 4, name="lin"))
        self.net.append(BatchNorm(4, name="bn")).append(Dropout(name="drop"))
        self.optimizer = Adam()
        self.optimizer.setupOn(self.net)
        self.trainer = Trainer(self.net, MSE(), self.optimizer, batchsize=4)
        self.checkpoint = Checkpoint(folder, self.trainer)
        rng = np.random.default_rng(seed)
        data, target = (rng.standard_normal((12, n)).astype(np.float32) for n in (5, 4))
        self.trainer.train(gpuarray.to_gpu(data), gpuarray.to_gpu(target))

    def state(self):
        optimizer, cost = self.optimizer, self.trainer.cost
        return (stateOf(self.net), dict(self.net.attrs), optimizer.t, optimizer.alpha,
                {key: array.get().tobytes() for key, array in optimizer.stateArrays().items()},
                self.checkpoint.epoch, self.trainer.place, cost.numOfSamples)


def soft(file, path, folder):
    file[path] = h5py.SoftLink("/params/0")


def external(file, path, folder):
    file[path] = h5py.ExternalLink(str(folder / "secret.hdf"), "/params/0")


def pipe(file, path, folder):
    file[path] = h5py.ExternalLink(str(folder / "pipe"), "/params/0")


def circle(file, path, folder):
    file[path] = file["/"]


def kind(file, path, folder):
    file[path] = np.dtype(np.float32)


def text(file, path, folder):
    file[path] = "words"


def pairs(file, path, folder):
    file[path] = np.zeros(3, [("a", "f4")])


def huge(file, path, folder):
    file.create_dataset(path, (2 ** 40,), np.float32, chunks=(1024,))


def nothing(file, path, folder):
    """There is no such dataset any more."""


def outside(file, path, folder, like):
    size = max(1, like.nbytes)
    file.create_dataset(path, like.shape or (1,), like.dtype,
                        external=[(str(folder / "secret.bin"), 0, size)])


def unwritten(file, path, folder, like):
    file.create_dataset(path, like.shape, like.dtype, fillvalue=like.dtype.type(1))


def zipBomb(file, path, folder, like):
    shape = like.shape or (1,)
    dataset = file.create_dataset(path, shape, like.dtype, chunks=shape, compression="gzip")
    dataset.id.write_direct_chunk((0,) * len(shape), bomb(2 ** 20))


def checksum(file, path, folder, like):
    shape = like.shape or (1,)
    file.create_dataset(path, shape, like.dtype, chunks=shape, fletcher32=True)[...] = like


def stretched(file, path, folder, like):
    file[path] = like.ravel()[:1].reshape(1, 1, 1, 1, 1)


alike = outside, unwritten, zipBomb, checksum, stretched
harms = soft, external, pipe, circle, kind, text, pairs, huge, nothing


def spoiled(image, harm, folder, place):
    """The file with one dataset changed, and the dataset's path; None: there are no more."""
    buffer = io.BytesIO(image)
    with h5py.File(buffer, "r+") as file:
        paths = []
        file.visititems(lambda path, each: paths.append(path) if isinstance(each, h5py.Dataset)
                        and each.size else None)
        if place >= len(paths):
            return None, None
        path = paths[place]
        like = file[path][()]
        del file[path]
        harm(file, path, folder, like) if harm in alike else harm(file, path, folder)
    return sealed(buffer.getvalue()), path


def imageOf(training, what, folder):
    if what == "checkpoint":
        return training.checkpoint.save().read_bytes()
    return training.optimizer.save()


def load(training, image, what, folder):
    if what == "checkpoint":
        (folder / "spoiled.hdf").write_bytes(image)
        training.checkpoint.load(folder / "spoiled.hdf")
    else:
        training.optimizer.load(image)


@pytest.mark.parametrize("harm", [*harms, *alike], ids=lambda harm: harm.__name__)
@pytest.mark.parametrize("what", ["optimizer", "checkpoint"])
def test_refuses_each_dataset_spoiled(what, harm, tmp_path):
    makeSecrets(tmp_path)
    image = imageOf(Training(tmp_path / "run"), what, tmp_path)
    training, refused = Training(tmp_path / "other", seed=1), 0
    before = training.state()

    for place in range(100):
        bad, path = spoiled(image, harm, tmp_path, place)
        if bad is None:
            break
        if harm is nothing and path.endswith(("attrs/net.bn.numOfProps", ".attrs/learnRate")):
            continue  # PuzzleLib's files have none, or none of Adam's
        with pytest.raises(WeightsError, match="cannot load"):
            load(training, bad, what, tmp_path)
        assert training.state() == before, path
        refused += 1

    assert refused >= (10 if what == "optimizer" else 25)
    load(training, image, what, tmp_path)
    assert training.state() != before


@pytest.mark.parametrize("value", ["words", ["two", "words"], 1.5, np.zeros(7), np.zeros(32)])
def test_refuses_one_array_of_all_states(value, tmp_path):
    training = Training(tmp_path)
    before, buffer = training.state(), io.BytesIO(training.optimizer.save())
    with h5py.File(buffer, "r+") as file:
        del file[".states"]
        file[".states/<class 'numpy.float32'>.mg"] = value
        file[".states/<class 'numpy.float32'>.ms"] = np.zeros(32, np.float32)

    with pytest.raises(WeightsError, match="float32'>.mg must have shape"):
        training.optimizer.load(sealed(buffer.getvalue()))
    assert training.state() == before


def test_refuses_a_damaged_checkpoint(tmp_path):
    image = imageOf(Training(tmp_path / "run"), "checkpoint", tmp_path)
    training = Training(tmp_path / "other", seed=1)
    before = training.state()

    for place in range(0, len(image), len(image) // 50):
        for bad in (image[:place], image[:place] + bytes([image[place] ^ 16]) + image[place + 1:]):
            with pytest.raises(WeightsError, match="cannot load"):
                load(training, bad, "checkpoint", tmp_path)
            with pytest.raises(WeightsError, match="cannot load"):
                training.optimizer.load(bad, "training")
        assert training.state() == before


def test_a_seal_can_be_required_of_all(tmp_path, monkeypatch):
    from minidl import Config

    training = Training(tmp_path / "run")
    checkpoint = imageOf(training, "checkpoint", tmp_path)
    for what, image in ("checkpoint", checkpoint), ("optimizer", training.optimizer.save()):
        load(training, bare(image), what, tmp_path)
        with monkeypatch.context() as patch, pytest.raises(WeightsError, match="it has no seal"):
            patch.setattr(Config, "requireSeal", True)
            load(training, bare(image), what, tmp_path)
