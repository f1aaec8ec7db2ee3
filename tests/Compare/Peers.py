"""
What each module computes, in PyTorch's words: peers[kind](module, data, **parameters), called after
the module, whose draws and statistics of that call it may take.
"""

import pytest

from minidl import Modules
from minidl.Modules import PadMode, UpsampleMode

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")
functional = torch.nn.functional


def hostTensor(array):
    return torch.from_numpy(array.get()).double()


# Elements


def activation(module, x):
    args = module.actArgs
    y = {
        "sigmoid": torch.sigmoid, "tanh": torch.tanh, "relu": functional.relu,
        "leakyRelu": lambda x: functional.leaky_relu(x, *args),
        "elu": lambda x: functional.elu(x, *args), "softPlus": functional.softplus,
        "clip": lambda x: functional.hardtanh(x, *args)}[module.activation.value](x)
    return within(module.slc, y, x)


def within(part, y, x):
    """y in a slice of all elements, x elsewhere."""
    if part is None:
        return y
    inside = torch.zeros(x.numel(), dtype=torch.bool)
    inside[part] = True
    return torch.where(inside.reshape(x.shape), y, x)


def dropout(module, x):
    if not module.train:
        return x
    kept = hostTensor(module.data) != 0
    return within(module.slicing, x * kept / (1 - module.p), x)


def linear(module, x, W, b=None):
    return functional.linear(x, W if module.transpose else W.T, b)


# Windows


def ofRank(name, module):
    return getattr(functional, f"{name}{module.nd}d")


def padded(x, starts, ends, value=0.0):
    """With so many values before and behind the axes of space."""
    pairs = zip(reversed(starts), reversed(ends), strict=True)
    return functional.pad(x, [each for pair in pairs for each in pair], value=value)


def conv(module, x, W, b=None):
    W, b = W.reshape(*W.shape[:2], *module.size), None if b is None else b.flatten()
    return ofRank("conv", module)(
        x, W, b, module.stride, module.pad, module.dilation, module.groups)


def deconv(module, x, W, b=None):
    W, b = W.reshape(*W.shape[:2], *module.size), None if b is None else b.flatten()
    return ofRank("conv_transpose", module)(
        x, W, b, module.stride, module.pad, module.postpad, module.groups, module.dilation)


def maxPool(module, x):
    x = padded(x, module.pad, module.pad, -torch.inf)
    return ofRank("max_pool", module)(x, module.size, module.stride)


def avgPool(module, x):
    def mean(x):
        return ofRank("avg_pool", module)(
            padded(x, module.pad, module.pad), module.size, module.stride)

    return mean(x) if module.includePad else mean(x) / mean(torch.ones_like(x))


def maxUnpool(module, x):
    out, at = torch.zeros(module.data.shape).double(), hostTensor(module.mask).long()
    return out.flatten(2).scatter_add(2, at.flatten(2), x.flatten(2)).reshape(out.shape)


def around(x, size, includePad=True):
    """The mean of the size x size numbers around each: of an even size, one more is behind."""
    before, after = [(size - 1) // 2] * 2, [size // 2] * 2
    mean = lambda x: functional.avg_pool2d(padded(x, before, after), size, 1)
    return mean(x) if includePad else mean(x) / mean(torch.ones_like(x))


# Normalizations


def batchNorm(module, x, scale=None, bias=None):
    along = lambda each: each.reshape(
        [1 if at in module.axes else size for at, size in enumerate(x.shape)])
    scale = hostTensor(module.usedScale()) if module.fixScale or scale is None else scale
    bias = hostTensor(module.bias) if bias is None else bias
    if module.isWithBatch():
        var, mean = torch.var_mean(x, module.axes, correction=0, keepdim=True)
    else:
        mean, var = (along(hostTensor(each)) for each in module.given)
    isInverse = not module.isWithBatch() and module.runningStat == "invstd"
    invStd = var if isInverse else torch.rsqrt(var + module.epsilon)
    return along(scale) * (x - mean) * invStd + along(bias)


def groupNorm(module, x, scale=None, bias=None):
    scale, bias = (None if each is None else each.flatten() for each in (scale, bias))
    return functional.group_norm(x, module.groups, scale, bias, module.epsilon)


def layerNorm(module, x, scale=None, bias=None):
    return functional.layer_norm(x, module.shape, scale, bias, module.epsilon)


def crossMapLRN(module, x):
    # Of an even window PyTorch has one map more before, minidl one more behind.
    return functional.local_response_norm(
        x.flip(1), module.N, module.alpha, module.beta, module.K).flip(1)


def mapLRN(module, x):
    return x / (module.K + module.alpha * around(x ** 2, module.N)) ** module.beta


def lcn(module, x):
    mean = around(x, module.N, module.includePad)
    ones = torch.ones_like(x)
    squares = around(x ** 2, module.N) - 2 * mean * around(x, module.N) + mean ** 2 * around(
        ones, module.N)
    return x / (module.K + module.alpha * squares) ** module.beta


# Places


def pad(module, x):
    starts, ends = module.pad[::2], module.pad[1::2]
    if module.mode == PadMode.constant:
        return padded(x, starts, ends, module.fillValue)
    pairs = zip(reversed(starts), reversed(ends), strict=True)
    return functional.pad(x, [each for pair in pairs for each in pair], "reflect")


def upsample(module, x):
    if module.mode == UpsampleMode.nearest:
        return functional.interpolate(x, scale_factor=module.scale)
    return functional.interpolate(x, scale_factor=module.scale, align_corners=True,
                                  mode="bilinear" if module.nd == 2 else "trilinear")


def depthConcat(module, *arrays):
    height, width = (max(each.shape[axis] for each in arrays) for axis in (2, 3))
    starts = [((height - each.shape[2]) // 2, (width - each.shape[3]) // 2) for each in arrays]
    ends = [(height - each.shape[2] - up, width - each.shape[3] - left)
            for each, (up, left) in zip(arrays, starts, strict=True)]
    return torch.cat([padded(*each) for each in zip(arrays, starts, ends, strict=True)], 1)


def spatialTf(module, x, theta):
    grid = functional.affine_grid(theta, module.data.shape, align_corners=True)
    return functional.grid_sample(x, grid, align_corners=True)


ranks = "1D", "2D", "3D", "ND"
peers = {getattr(Modules, name): peer for name, peer in {
    "Activation": activation,
    "Add": lambda module, *arrays: sum(arrays),
    **{f"AvgPool{rank}": avgPool for rank in ranks},
    **{f"BatchNorm{kind}": batchNorm for kind in ("", "Axes", *ranks)},
    **{f"Conv{rank}": conv for rank in ranks},
    "CrossMapLRN": crossMapLRN,
    **{f"Deconv{rank}": deconv for rank in ranks},
    "DepthConcat": depthConcat,
    "Dropout": dropout,
    "Dropout2D": dropout,
    "Flatten": lambda module, x: x.reshape(len(x), -1),
    "Gelu": lambda module, x: functional.gelu(x),
    "GlobalAvgPool": lambda module, x: x.flatten(2).mean(2),
    "GroupNorm": groupNorm,
    "Identity": lambda module, x: x,
    "InstanceNorm2D": groupNorm,
    "LCN": lcn,
    "LayerNorm": layerNorm,
    "Linear": linear,
    "MapLRN": mapLRN,
    **{f"MaxPool{rank}": maxPool for rank in ranks},
    "MaxUnpool2D": maxUnpool,
    "PRelu": lambda module, x, slopes: functional.prelu(x, slopes),
    "Pad1D": pad,
    "Pad2D": pad,
    "Replicate": lambda module, x: [x] * module.times,
    "Reshape": lambda module, x: x.reshape(module.dataShapeFrom(tuple(x.shape))),
    "SoftMax": lambda module, x: functional.softmax(x, 1),
    "SpatialTf": spatialTf,
    "SubtractMean": lambda module, x: x - around(x, module.size[0], module.includePad),
    "Upsample2D": upsample,
    "Upsample3D": upsample,
}.items()}
