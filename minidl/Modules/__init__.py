from minidl.Modules.Activation import (
    Activation,
    ActivationType,
    clip,
    elu,
    leakyRelu,
    relu,
    sigmoid,
    softPlus,
    tanh,
)
from minidl.Modules.BatchNorm import BatchNorm
from minidl.Modules.BatchNormND import BatchNormND
from minidl.Modules.Dropout import Dropout
from minidl.Modules.Flatten import Flatten
from minidl.Modules.Identity import Identity
from minidl.Modules.InitScheme import InitScheme
from minidl.Modules.Linear import Linear
from minidl.Modules.Module import MemoryUnit, Module, ModuleError
from minidl.Modules.Reshape import Reshape
from minidl.Modules.SoftMax import SoftMax

__all__ = [
    "Activation", "ActivationType", "BatchNorm", "BatchNormND", "Dropout", "Flatten", "Identity",
    "InitScheme", "Linear", "MemoryUnit", "Module", "ModuleError", "Reshape", "SoftMax",
    "clip", "elu", "leakyRelu", "relu", "sigmoid", "softPlus", "tanh",
]
