"""
Convolutions on the device: by its library, `conv` of the device, or where that is None by
Kernels/Conv.cu and matrix products, an image at a time.

`g` is the ConvGeometry of the convolution. All arrays are contiguous and of one dtype.
"""

from math import prod

from minidl.Backend import Device
from minidl.Backend.gpuarray import empty
from minidl.Backend.KernelFile import KernelFile
from minidl.Backend.Ops.MatMul import matMul

kernels = KernelFile("Conv")


def forward(data, filters, bias, g):
    """conv(data, filters) + bias, where bias may be None"""
    out, library = empty(g.outShape, data.dtype), Device.current().conv
    if library is not None:
        library.forward(data, filters, bias, g, out)
        return out

    columns = columnsFor(g, data)
    for x, w, y in parts(g, data, filters, out):
        matMul(w, gathered(x, columns, g), out=y)
    return out if bias is None else addBias(out, bias)


def inputGrad(grad, filters, g, bias=None):
    """dL/d(data) for grad = dL/d(conv(data, filters)); with a bias for data's maps, added to it."""
    ingrad, library = empty(g.dataShape, grad.dtype), Device.current().conv
    if library is not None:
        library.inputGrad(grad, filters, bias, g, ingrad)
        return ingrad

    for x, w, y in parts(g, ingrad, filters, grad):
        kernels.scatterColumns(g.ins, matMul(w, y, transA=True), x, *sizes(g))
    return ingrad if bias is None else addBias(ingrad, bias)


def filterGrad(data, grad, g, out, alpha=1.0, beta=0.0, bias=None):
    """
    out = alpha dL/d(filters) + beta out for grad = dL/d(conv(data, filters)), and the same of
    `bias`, unless that is None
    """
    library = Device.current().conv
    if library is not None:
        library.filterGrad(data, grad, g, out, alpha, beta, bias)
        return
    if bias is not None:
        biasGrad(grad, bias, alpha, beta)

    columns = columnsFor(g, data)
    for i, (x, w, y) in enumerate(parts(g, data, out, grad)):
        matMul(y, gathered(x, columns, g), out=w, transB=True, alpha=alpha,
               beta=beta if i < g.groups else 1.0)


def biasGrad(grad, out, alpha=1.0, beta=0.0):
    """out = alpha (sum of grad over all but its maps) + beta out"""
    kernels.sumMaps(grad.shape[1], grad, out, *alongMaps(grad.shape), alpha, beta)


def addBias(out, bias):
    kernels.addBias(bias.size, bias, out, *alongMaps(out.shape))
    return out


def alongMaps(shape):
    return shape[0], shape[1], prod(shape[2:])


def parts(g, data, filters, out):
    """(data, filters, out) as matrices, of each group of each sample."""
    data = data.reshape(g.batch, g.groups, g.ins, prod(g.size))
    filters = filters.reshape(g.groups, g.outs, g.ins * prod(g.window))
    out = out.reshape(g.batch, g.groups, g.outs, prod(g.places))
    for n in range(g.batch):
        for k in range(g.groups):
            yield data[n, k], filters[k], out[n, k]


def columnsFor(g, data):
    """Room for the columns of one sample; None where data are columns already."""
    if prod(g.window) == prod(g.stride) == 1 and g.pad == (0, 0, 0):
        return None
    return empty((g.ins * prod(g.window), prod(g.places)), data.dtype)


def gathered(x, columns, g):
    if columns is None:
        return x
    kernels.gatherColumns(columns.shape[0], x, columns, *sizes(g))
    return columns


def sizes(g):
    return *g.size, *g.window, *g.places, *g.stride, *g.pad, *g.dilation
