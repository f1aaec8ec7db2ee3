"""Initial values of weights, from numpy's global generator: np.random.seed repeats them."""

import enum
import math

import numpy as np


class InitScheme(str, enum.Enum):
    none = "none"
    xavierUniform = "xavier_uniform"
    xavierNormal = "xavier_normal"
    xavier = "xavier"
    he = "he"
    gaussian = "gaussian"
    uniform = "uniform"


def createTensorWithScheme(scheme, shape, wscale, factorShape=None, factorTranspose=False,
                           dtype=np.float32):
    """
    A host array of initial weights, or None for the scheme "none".

        None, "xavier_uniform"       uniform in +-sqrt(3 / f)
        "xavier", "xavier_normal"    normal with variance 1 / f   (Glorot, Bengio 2010)
        "he"                         normal with variance 2 / f   (He et al. 2015)
        "gaussian"                   normal with deviation wscale
        "uniform"                    uniform in +-wscale

    Args:
        scheme: a word of the table, or a tuple (word, factor) whose factor chooses f: "in" (the
            default) the number of inputs of a neuron, "out" of its outputs, "avg" their mean.
        factorShape: the shape that f is found from, if not `shape`.
        factorTranspose: swaps inputs and outputs.
    """
    scheme, factor = scheme if isinstance(scheme, (tuple, list)) else (scheme, "in")
    scheme = InitScheme.xavierUniform if scheme is None else InitScheme(scheme)

    outs, ins = inferNeuronsNumber(shape if factorShape is None else factorShape, factorTranspose)
    f = {"in": ins, "out": outs, "avg": (ins + outs) / 2}.get(factor)
    if f is None:
        raise ValueError(f"the factor of an init scheme must be in, out or avg, got {factor}")

    if scheme == InitScheme.none:
        return None
    if scheme in (InitScheme.xavierUniform, InitScheme.uniform):
        bound = wscale if scheme == InitScheme.uniform else math.sqrt(3 / f)
        return np.random.uniform(-bound, bound, shape).astype(dtype)
    sigmas = {InitScheme.he: math.sqrt(2 / f), InitScheme.gaussian: wscale}
    return np.random.normal(0, sigmas.get(scheme, math.sqrt(1 / f)), shape).astype(dtype)


def initialValues(given, shape):
    """
    `given` as a host array of float64 in `shape`: a number, an array, in which axes of size 1 may
    be left out, or a function that makes one of them for `shape`.
    """
    values = np.asarray(given(shape) if callable(given) else given, np.float64)
    if not np.isfinite(values).all():
        raise ValueError("must be finite")
    if values.ndim == 0:
        return np.full(shape, values)
    long, short = ([size for size in each if size != 1] for each in (shape, values.shape))
    if long != short:
        raise ValueError(f"must be a number or have shape {shape}, where axes of size 1 may be "
                         f"left out, got shape {values.shape}")
    return values.reshape(shape)


def inferNeuronsNumber(shape, transpose=False):
    """(outputs, inputs) of a neuron, for weights (n,), (ins, outs) or (outs, ins, *window)."""
    if len(shape) == 1:
        outs = ins = shape[0]
    elif len(shape) == 2:
        ins, outs = shape
    else:
        window = math.prod(shape[2:])
        outs, ins = shape[0] * window, shape[1] * window
    return (ins, outs) if transpose else (outs, ins)
