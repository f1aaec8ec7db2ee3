import gzip
import tarfile

import numpy as np
import pytest

from minidl.Datasets import Cifar10Loader, DatasetError
from tests.Datasets.Files import cifarBatches, writeTar

folderName = "cifar-10-batches-bin"
archiveName = "cifar-10-binary.tar.gz"


def load(folder):
    return Cifar10Loader().load(folder, log=False)


def refusal(folder):
    before = set(folder.iterdir())
    with pytest.raises(DatasetError) as caught:
        load(folder)
    assert set(folder.iterdir()) == before
    return str(caught.value)


def writeFolder(folder, files):
    folder.mkdir(exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)


def inFolder(files):
    return {f"{folderName}/{name}": data for name, data in files.items()}


ways = {
    "files": lambda folder, files: writeFolder(folder, files),
    "folder": lambda folder, files: writeFolder(folder / folderName, files),
    "tar.gz": lambda folder, files: writeTar(folder / archiveName, inFolder(files)),
    "tar": lambda folder, files: writeTar(folder / "cifar-10-binary.tar", inFolder(files)),
    "flat tar": lambda folder, files: writeTar(folder / archiveName, files),
    "mixed tar": lambda folder, files: writeTar(folder / archiveName, inFolder(
        {"readme.html": b"read me", **dict(reversed(files.items())), "batches.meta.txt": b""})),
}


@pytest.mark.parametrize("way", ways)
def test_all_images_come_within_minus_one_and_one_those_for_the_test_first(tmp_path, rng, way):
    files, pixels, expected = cifarBatches(rng)
    ways[way](tmp_path, files)

    data, labels = load(tmp_path)

    assert data.shape == (12, 3, 32, 32) and data.dtype == np.float32
    assert labels.shape == (12,) and labels.dtype == np.int32
    np.testing.assert_allclose(data[:], pixels / 127.5 - 1, atol=1e-6)
    np.testing.assert_array_equal(labels[:], expected)


def test_zero_is_minus_one_and_255_is_one(tmp_path, rng):
    files, _, _ = cifarBatches(rng)
    files["test_batch.bin"] = b"\3" + bytes(1024) + bytes([255]) * 2048
    writeFolder(tmp_path, files)

    data, labels = load(tmp_path)

    assert (data[0, 0] == -1).all() and (data[0, 1:] == 1).all() and labels[0] == 3


def test_split_gives_the_images_to_train_on_and_those_for_the_test(tmp_path, rng):
    files, _, labels = cifarBatches(rng, count=3)
    writeTar(tmp_path / archiveName, inFolder(files))

    trainData, trainLabels, testData, testLabels = Cifar10Loader().split(tmp_path, log=False)

    assert len(trainData) == 15 and len(testData) == 3
    np.testing.assert_array_equal(trainLabels[:], labels[3:])
    np.testing.assert_array_equal(testLabels[:], labels[:3])


@pytest.mark.parametrize("name", [
    "cifar-10-python.tar.gz", "cifar-10-batches-py", "data_batch_1"])
def test_the_python_version_is_refused_unread(tmp_path, name):
    (tmp_path / name).write_bytes(b"cos\nsystem\n(S'false'\ntR.")

    assert refusal(tmp_path) == (
        f"Cifar10Loader: {tmp_path / name} is the Python version of CIFAR-10, whose files can run "
        f"code when they are read: take the binary version, cifar-10-binary.tar.gz")


def test_the_python_version_under_the_name_of_the_binary_one_is_refused(tmp_path):
    path = tmp_path / archiveName
    writeTar(path, {"cifar-10-batches-py/data_batch_1": b"\x80\2."})

    assert refusal(tmp_path) == (
        f"Cifar10Loader: {path} must hold test_batch.bin, data_batch_1.bin, data_batch_2.bin, "
        f"data_batch_3.bin, data_batch_4.bin, data_batch_5.bin, has "
        f"cifar-10-batches-py/data_batch_1: take the binary version, cifar-10-binary.tar.gz")


def test_an_empty_folder_is_told_what_it_lacks(tmp_path):
    assert refusal(tmp_path).startswith(
        f"Cifar10Loader: {tmp_path} must hold cifar-10-binary.tar.gz or test_batch.bin, ")


@pytest.mark.parametrize("cut", [0, 3072, 3074])
def test_a_truncated_batch_is_refused(tmp_path, rng, cut):
    files, _, _ = cifarBatches(rng)
    files["data_batch_3.bin"] = files["data_batch_3.bin"][:cut]
    writeFolder(tmp_path, files)

    assert refusal(tmp_path) == (
        f"Cifar10Loader: {tmp_path / 'data_batch_3.bin'} must have 3073 bytes an image, has {cut} "
        f"in all")


def test_a_gzipped_batch_is_refused(tmp_path, rng):
    files, _, _ = cifarBatches(rng)
    files["data_batch_3.bin"] = gzip.compress(files["data_batch_3.bin"])
    writeFolder(tmp_path, files)

    assert "data_batch_3.bin must be a plain file, is gzipped" in refusal(tmp_path)


def test_a_label_that_is_no_class_is_refused(tmp_path, rng):
    files, _, _ = cifarBatches(rng)
    files["data_batch_5.bin"] = bytes([10]) + files["data_batch_5.bin"][1:]
    writeTar(tmp_path / archiveName, inFolder(files))

    assert refusal(tmp_path) == (
        f"Cifar10Loader: {tmp_path / archiveName}/{folderName}/data_batch_5.bin must have labels "
        f"from 0 to 9, has 10")


def test_a_link_instead_of_a_batch_is_not_followed(tmp_path, rng):
    files, _, _ = cifarBatches(rng)
    (tmp_path / "secret").write_bytes(files.pop("test_batch.bin"))
    member = tarfile.TarInfo(f"{folderName}/test_batch.bin")
    member.type, member.linkname = tarfile.SYMTYPE, "../secret"
    writeTar(tmp_path / archiveName, inFolder(files), [member])

    assert f"must have plain files only, {member.name} is none" in refusal(tmp_path)
