"""Maps through affine grids on the device: outputs and launches for Kernels/SpatialTf.cu."""

from minidl.Backend.Device import elements
from minidl.Backend.gpuarray import empty
from minidl.Backend.KernelFile import KernelFile
from minidl.Backend.Precision import sumType

kernels = KernelFile("SpatialTf")


def forward(data, theta, shape):
    out = empty(shape, data.dtype)
    kernels.spatialTf(planes(shape), data, theta, out, *sizes(data.shape, shape))
    return out


def dataGrad(grad, theta, shape):
    ingrad = empty(shape, grad.dtype)
    kernels.spatialTfDataGrad(planes(shape), theta, grad, ingrad, *sizes(shape, grad.shape))
    return ingrad


def thetaGrad(data, theta, grad):
    parts = empty((planes(data.shape), *theta.shape[1:]), sumType(data.dtype))
    kernels.spatialTfThetaParts(
        planes(data.shape), data, theta, grad, parts, *sizes(data.shape, grad.shape))
    out = empty(theta.shape, theta.dtype)
    kernels.sumParts(elements(theta.size), parts, out, theta.size, data.shape[1])
    return out


def planes(shape):
    return shape[0] * shape[1]


def sizes(shape, outShape):
    return shape[1], *shape[2:], *outShape[2:]
