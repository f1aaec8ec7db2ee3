"""Files of weights as they should be, changed, and sealed as minidl's own are."""

import hashlib
import io

import h5py
import numpy as np

from minidl.Backend import gpuarray
from minidl.Containers import Sequential
from minidl.Modules import BatchNorm, Linear


def make(seed=0):
    np.random.seed(seed)
    net = Sequential("net").append(Linear(5, 4, name="lin")).append(BatchNorm(4, name="bn"))
    net(gpuarray.to_gpu(np.random.standard_normal((7, 5)).astype(np.float32)))
    net.setAttr("epoch", seed)
    return net


def sealed(image):
    """The bytes of an h5 file under a seal; what stood before its data is gone."""
    body = image[image.index(b"\x89HDF\r\n\x1a\n"):]
    seal = f"MINIDL1\n{hashlib.sha256(body).hexdigest()}\n{len(body)}\n"
    return seal.encode().ljust(512, b"\0") + body


def bare(image):
    """The bytes of a good file, written anew without a seal."""
    buffer = io.BytesIO()
    with h5py.File(io.BytesIO(image)) as old, h5py.File(buffer, "w", libver="earliest") as new:
        for name in old:
            old.copy(name, new)
    return buffer.getvalue()


def changed(change, image=None):
    """The bytes of a good file in which `change` has changed something; sealed."""
    buffer = io.BytesIO(image or make().save())
    with h5py.File(buffer, "r+") as file:
        change(file)
    return sealed(buffer.getvalue())


def put(path, value, **arguments):
    """A change for `changed`: a dataset is put there, whatever was before."""
    def change(file):
        if path in file:
            del file[path]
        file.create_dataset(path, data=value, **arguments)
    return change
