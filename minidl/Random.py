"""The one seed of everything random, and the generator that orders and changes samples."""

import numpy as np

from minidl.Backend import gpuarray

shuffler = np.random.default_rng(0)  # orders, splits and augments samples

# The largest values of the words of a state, in getState's order.
word32, word64 = 2 ** 32 - 1, 2 ** 64 - 1
limits = np.array([word32, word32, word64, *[word64] * 4, 1, word32, 624, 1, word64,
                   *[word32] * 624], np.uint64)


def seed(value):
    """Seeds initial weights (numpy's global generator), dropout and noise, and the order."""
    if not 0 <= value < 2 ** 32:
        raise ValueError(f"seed must be from 0 to 2**32 - 1, got {value}")
    global shuffler
    np.random.seed(value)
    gpuarray.globalRng.seed(value)
    shuffler = np.random.default_rng(value)


def getState():
    """The states of all three generators, as one array of 64-bit words for setState."""
    _, keys, position, hasGauss, gauss = np.random.get_state()
    order = shuffler.bit_generator.state
    state, inc = order["state"]["state"], order["state"]["inc"]
    device = gpuarray.globalRng
    head = [*device.key, device.position,
            state >> 64, state & word64, inc >> 64, inc & word64,
            order["has_uint32"], order["uinteger"],
            position, hasGauss, int(np.float64(gauss).view(np.uint64))]
    return np.concatenate([np.array(head, np.uint64), keys.astype(np.uint64)])


def setState(words):
    """Has all three generators go on where getState found them."""
    if not isState(words):
        raise ValueError(f"a state is what getState gives, {limits.size} words of 64 bits")
    (*key, device, stateHigh, stateLow, incHigh, incLow, has32, last32,
     position, hasGauss, gauss) = words[:12].tolist()
    gpuarray.globalRng.key, gpuarray.globalRng.position = tuple(key), device
    shuffler.bit_generator.state = {
        "bit_generator": "PCG64", "has_uint32": has32, "uinteger": last32,
        "state": {"state": stateHigh << 64 | stateLow, "inc": incHigh << 64 | incLow}}
    np.random.set_state(("MT19937", words[12:].astype(np.uint32), position, hasGauss,
                         float(np.uint64(gauss).view(np.float64))))


def isState(words):
    return (words.shape, words.dtype) == (limits.shape, limits.dtype) and (words <= limits).all()
