import gzip
import struct

import numpy as np
import pytest

from minidl.Containers import Sequential
from minidl.Cost import CrossEntropy
from minidl.Datasets import DatasetError, MnistLoader
from minidl.Handlers import Trainer, Validator
from minidl.Modules import Flatten, Linear
from minidl.Optimizers import MomentumSGD
from tests.Datasets.Files import idx, writeMnist

trainImages, trainLabels = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


def load(folder, **options):
    return MnistLoader().load(folder, log=False, **options)


def refusal(folder):
    """The error's text; there is neither a cache nor a rest of one after it."""
    before = set(folder.iterdir())
    with pytest.raises(DatasetError) as caught:
        load(folder)
    assert set(folder.iterdir()) == before
    return str(caught.value)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("compress", ["gzip", None])
def test_all_images_come_within_zero_and_one_those_for_the_test_first(
        tmp_path, rng, packed, compress):
    pixels, expected = writeMnist(tmp_path, rng, packed=packed)

    data, labels = load(tmp_path, compress=compress)

    assert data.shape == (10, 1, 28, 28) and data.dtype == np.float32
    assert labels.shape == (10,) and labels.dtype == np.int32
    np.testing.assert_array_equal(data[:, 0], pixels.astype(np.float32) / 255)
    np.testing.assert_array_equal(labels[:], expected)
    assert data.compression == compress


def test_black_is_zero_and_white_is_one(tmp_path, rng):
    writeMnist(tmp_path, rng, shape=(2, 1))
    (tmp_path / trainImages).write_bytes(idx(np.full((7, 2, 1), [[0], [255]], np.uint8)))

    data, _ = load(tmp_path)

    np.testing.assert_array_equal(data[9], [[[0], [1]]])


def test_size_of_the_images_is_that_of_the_header(tmp_path, rng):
    pixels, _ = writeMnist(tmp_path, rng, shape=(3, 5))

    data, _ = load(tmp_path)

    np.testing.assert_array_equal(data[:, 0], pixels.astype(np.float32) / 255)


def test_split_gives_the_images_to_train_on_and_those_for_the_test(tmp_path, rng):
    pixels, labels = writeMnist(tmp_path, rng, shape=(2, 2))

    *train, testData, testLabels = MnistLoader().split(tmp_path, log=False)

    assert [len(rows) for rows in (*train, testData, testLabels)] == [7, 7, 3, 3]
    np.testing.assert_array_equal(train[0][:][:, 0], pixels[3:].astype(np.float32) / 255)
    np.testing.assert_array_equal(train[1][:], labels[3:])
    np.testing.assert_array_equal(testLabels[:], labels[:3])


def test_names_with_a_dot_are_found_and_the_content_tells_what_is_gzipped(tmp_path, rng):
    _, expected = writeMnist(tmp_path, rng, packed=True)
    for path in list(tmp_path.iterdir()):
        path.rename(tmp_path / path.stem.replace("-idx", ".idx"))

    np.testing.assert_array_equal(load(tmp_path)[1][:], expected)


def test_large_files_are_read_in_pieces(tmp_path, rng, monkeypatch):
    monkeypatch.setattr("minidl.Datasets.DataLoader.pieceBytes", 9)
    pixels, labels = writeMnist(tmp_path, rng, shape=(2, 2), packed=True)

    data, found = load(tmp_path)

    np.testing.assert_array_equal(data[:, 0], pixels.astype(np.float32) / 255)
    np.testing.assert_array_equal(found[:], labels)


def test_a_network_trains_and_is_validated_macro_batch_by_macro_batch(tmp_path, rng):
    writeMnist(tmp_path, rng)
    trainData, trainTarget, testData, testTarget = MnistLoader().split(tmp_path, log=False)
    net, cost, optimizer = Sequential(), CrossEntropy(), MomentumSGD(learnRate=0.1)
    net.append(Flatten())
    net.append(Linear(784, 10))
    optimizer.setupOn(net)
    trainer = Trainer(net, cost, optimizer, batchsize=2, progress=False)

    for _ in range(30):
        trainer.trainFromHost(trainData, trainTarget, macroBatchSize=3)

    validator = Validator(net, cost, progress=False)
    assert validator.validateFromHost(trainData, trainTarget, macroBatchSize=4) == 0
    assert 0 <= validator.validateFromHost(testData, testTarget, macroBatchSize=2) <= 1


def test_a_missing_file_is_named(tmp_path, rng):
    writeMnist(tmp_path, rng)
    (tmp_path / trainLabels).unlink()

    assert refusal(tmp_path).endswith(
        "missing are train-labels-idx1-ubyte: put them there, or load with download=True")


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(DatasetError, match="MnistLoader: there is no folder .*/nowhere$"):
        load(tmp_path / "nowhere")


@pytest.mark.parametrize("cut, message", [
    (2, "must have 4 bytes, ends after 2"),
    (11, "must have 16 bytes, ends after 11"),
    (100, "must have 5504 bytes by its header, has 100"),
])
def test_a_truncated_file_is_refused(tmp_path, rng, cut, message):
    writeMnist(tmp_path, rng)
    path = tmp_path / trainImages
    path.write_bytes(path.read_bytes()[:cut])

    assert refusal(tmp_path) == f"MnistLoader: {path} {message}"


def test_a_file_that_is_too_long_is_refused(tmp_path, rng):
    writeMnist(tmp_path, rng)
    path = tmp_path / trainLabels
    path.write_bytes(path.read_bytes() + b"\1")

    assert refusal(tmp_path) == f"MnistLoader: {path} must have 15 bytes by its header, has 16"


@pytest.mark.parametrize("change, message", [
    (lambda data: data[:-1], "must have 15 bytes, ends after 14"),
    (lambda data: data + b"\1", "must have 15 bytes, has more"),
])
def test_gzipped_content_must_have_the_length_of_its_header(tmp_path, rng, change, message):
    writeMnist(tmp_path, rng, packed=True)
    path = tmp_path / f"{trainLabels}.gz"
    path.write_bytes(gzip.compress(change(gzip.decompress(path.read_bytes()))))

    assert refusal(tmp_path) == f"MnistLoader: {path} {message}"


@pytest.mark.parametrize("damage", [
    lambda data: data[:len(data) // 2],
    lambda data: data[:40] + bytes(20) + data[60:],
    lambda data: data[:-8] + bytes(8),
])
def test_damaged_gzip_is_refused(tmp_path, rng, damage):
    writeMnist(tmp_path, rng, packed=True)
    path = tmp_path / f"{trainImages}.gz"
    path.write_bytes(damage(path.read_bytes()))

    assert refusal(tmp_path).startswith(f"MnistLoader: {path} ")


@pytest.mark.parametrize("begin", ["00 00 08 01", "00 00 0d 03", "50 4b 03 04"])
def test_a_file_of_another_kind_is_refused(tmp_path, rng, begin):
    writeMnist(tmp_path, rng)
    path = tmp_path / trainImages
    path.write_bytes(bytes.fromhex(begin) + path.read_bytes()[4:])

    assert refusal(tmp_path) == (
        f"MnistLoader: {path} must begin with 00 00 08 03, as IDX files of bytes with 3 axes do, "
        f"begins with {begin}")


@pytest.mark.parametrize("sizes", [
    (0, 28, 28), (7, 0, 28), (1, 5000, 5000), (2 ** 32 - 1, 28, 28), (2 ** 32 - 1,) * 3])
def test_absurd_sizes_are_refused_before_anything_is_read(tmp_path, rng, sizes):
    writeMnist(tmp_path, rng, packed=True)
    path = tmp_path / f"{trainImages}.gz"
    path.write_bytes(gzip.compress(bytes([0, 0, 8, 3]) + struct.pack(">3I", *sizes)))

    assert f"{path} must have 1 to {2 ** 31} bytes of data" in refusal(tmp_path)


def test_images_and_labels_must_be_equally_many(tmp_path, rng):
    writeMnist(tmp_path, rng)
    path = tmp_path / trainLabels
    path.write_bytes(idx(np.zeros(6, np.uint8)))

    assert refusal(tmp_path) == (
        f"MnistLoader: {path} must have a label for each of the 7 images in "
        f"{tmp_path / trainImages}, has 6")


def test_a_label_that_is_no_class_is_refused(tmp_path, rng):
    writeMnist(tmp_path, rng)
    path = tmp_path / trainLabels
    path.write_bytes(idx(np.array([0, 9, 1, 10, 2, 3, 4], np.uint8)))

    assert refusal(tmp_path) == f"MnistLoader: {path} must have labels from 0 to 9, has 10"


def test_images_of_two_sizes_are_refused(tmp_path, rng):
    writeMnist(tmp_path, rng)
    (tmp_path / trainImages).write_bytes(idx(np.zeros((7, 4, 4), np.uint8)))

    assert refusal(tmp_path) == (
        "MnistLoader: all samples must have the shape of the first, (1, 28, 28), got (1, 4, 4)")
