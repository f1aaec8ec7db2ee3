"""Puts batch normalization where it belongs: between an affine module and its nonlinearity."""

from minidl.Containers import Sequential
from minidl.Modules.Activation import Activation
from minidl.Modules.Module import ModuleError


def batchNorm(layer, **options):
    """
    Gives a layer batch normalization. What its affine module had as a bias, the normalization has
    from now on; the nonlinearity comes behind it. (Lasagne's batch_norm)

        f(x W + b)  ->  f(norm(x W))

    Args:
        layer: a Linear, or a Sequential that ends in one, or in one and an Activation. It is
            changed, and cannot be changed back.
        options: the normalization's, its name among them; "X_bn" for a layer X if not given.

    Returns: the Sequential; for a Linear a new one. The Activation is then named "X_bn_nonlin".
    """
    net = layer if isinstance(layer, Sequential) else Sequential(name=layer.name).append(layer)
    *_, last = net.graph or [None]
    activation = last if isinstance(last, Activation) else None
    affine = net.graph[-2] if activation is not None and len(net.graph) > 1 else last
    if not hasattr(affine, "newNorm"):
        raise ModuleError(f"batchNorm: takes a module that multiplies by weights, a Linear for "
                          f"instance, with or without an Activation behind it, got {layer}, which "
                          f"ends in {affine}")

    norm = affine.newNorm(**{"name": f"{affine.name}_bn", **options})
    for name in (norm.name, f"{norm.name}_nonlin"):
        if name in net.modules:
            raise ModuleError(f"batchNorm: {net} has a module named {name} already: give another "
                              f"name=")
    affine.dropBias()
    if activation is not None:
        net.removeModule(activation)
        activation.name = f"{norm.name}_nonlin"
    net.append(norm)
    return net if activation is None else net.append(activation)
