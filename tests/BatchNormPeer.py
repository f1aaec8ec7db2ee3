"""Batch normalization of another system, by its formulas in float64, beside a module."""

import numpy as np

from minidl.Backend import gpuarray
from tests.BatchNormReference import Reference


class Peer:
    """State of another system for data of a shape, normalized over axes."""

    def __init__(self, rng, shape, axes):
        self.rng, self.shape, self.axes = rng, shape, axes
        small = tuple(size for at, size in enumerate(shape) if at not in axes)
        self.gamma, self.beta, self.mean = rng.standard_normal((3, *small)).astype(np.float32)
        self.spread = rng.uniform(0.5, 2, small).astype(np.float32)

    def full(self, array):
        return np.expand_dims(array.astype(np.float64), self.axes)

    def batch(self):
        return self.rng.standard_normal((2, *self.shape)) * 2 + 1

    def continues(self, module, epsilon, average, gamma=None, beta=None, inference="var"):
        """
        The module trains and evaluates as the peer, whose mean and spread move by the function
        `average` of the old and of a Reference's; gamma and beta take the place of its own.
        """
        module.calcMode(np.float64)
        gamma = self.full(self.gamma) if gamma is None else gamma
        beta = self.full(self.beta) if beta is None else beta
        mean, spread = self.full(self.mean), self.full(self.spread)

        for _ in range(3):
            x, g = self.batch()
            expected = Reference(x, self.axes, gamma, beta, g, epsilon=epsilon)
            mean, spread = average(mean, spread, expected)
            self.passes(module, x, g, expected)
            assertClose(module.mean, mean)
            assertClose(module.var, spread)

        module.evalMode()
        x, g = self.batch()
        std = np.sqrt(spread + epsilon) if inference == "var" else 1 / spread
        self.passes(module, x, g, Reference(x, self.axes, gamma, beta, g, mean=mean, std=std,
                                            var=spread))
        assertClose(module.mean, mean)
        assertClose(module.var, spread)

    def passes(self, module, x, g, expected):
        assertClose(module(gpuarray.to_gpu(x)), expected.out)
        module.backward(gpuarray.to_gpu(g))
        assertClose(module.grad, expected.grad)
        for name, grad in (("scale", expected.scaleGrad), ("bias", expected.biasGrad)):
            if name in module.vars and module.train:
                fixed = name == "scale" and module.fixScale
                assertClose(module.getVar(name).grad, 0 * grad if fixed else grad)


def assertClose(actual, expected):
    np.testing.assert_allclose(actual.get().ravel(), expected.ravel(), 1e-11, 1e-11)


def torchs(size=3, **others):
    return {"weight": np.ones(size), "bias": np.zeros(size), "running_mean": np.zeros(size),
            "running_var": np.ones(size), "num_batches_tracked": np.int64(7), **others}
