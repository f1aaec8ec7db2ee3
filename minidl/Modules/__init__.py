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
from minidl.Modules.Add import Add
from minidl.Modules.AvgPool1D import AvgPool1D
from minidl.Modules.AvgPool2D import AvgPool2D
from minidl.Modules.AvgPool3D import AvgPool3D
from minidl.Modules.AvgPoolND import AvgPoolND
from minidl.Modules.BatchNorm import BatchNorm
from minidl.Modules.BatchNorm1D import BatchNorm1D
from minidl.Modules.BatchNorm2D import BatchNorm2D
from minidl.Modules.BatchNorm3D import BatchNorm3D
from minidl.Modules.BatchNormAxes import BatchNormAxes
from minidl.Modules.BatchNormND import BatchNormND
from minidl.Modules.Conv1D import Conv1D
from minidl.Modules.Conv2D import Conv2D
from minidl.Modules.Conv3D import Conv3D
from minidl.Modules.ConvND import ConvND
from minidl.Modules.CrossMapLRN import CrossMapLRN
from minidl.Modules.Deconv1D import Deconv1D
from minidl.Modules.Deconv2D import Deconv2D
from minidl.Modules.Deconv3D import Deconv3D
from minidl.Modules.DeconvND import DeconvND
from minidl.Modules.DepthConcat import DepthConcat
from minidl.Modules.Dropout import Dropout
from minidl.Modules.Dropout2D import Dropout2D
from minidl.Modules.Flatten import Flatten
from minidl.Modules.Gelu import Gelu
from minidl.Modules.GlobalAvgPool import GlobalAvgPool
from minidl.Modules.GroupNorm import GroupNorm
from minidl.Modules.Identity import Identity
from minidl.Modules.InitScheme import InitScheme
from minidl.Modules.InstanceNorm2D import InstanceNorm2D
from minidl.Modules.LayerNorm import LayerNorm
from minidl.Modules.LCN import LCN
from minidl.Modules.Linear import Linear
from minidl.Modules.MapLRN import MapLRN
from minidl.Modules.MaxPool1D import MaxPool1D
from minidl.Modules.MaxPool2D import MaxPool2D
from minidl.Modules.MaxPool3D import MaxPool3D
from minidl.Modules.MaxPoolND import MaxPoolND
from minidl.Modules.MaxUnpool2D import MaxUnpool2D
from minidl.Modules.Module import MemoryUnit, Module, ModuleError
from minidl.Modules.Pad1D import Pad1D
from minidl.Modules.Pad2D import Pad2D
from minidl.Modules.PadND import PadMode
from minidl.Modules.PRelu import PRelu
from minidl.Modules.Replicate import Replicate
from minidl.Modules.Reshape import Reshape
from minidl.Modules.SoftMax import SoftMax
from minidl.Modules.SpatialTf import SpatialTf
from minidl.Modules.SubtractMean import SubtractMean
from minidl.Modules.Upsample2D import Upsample2D
from minidl.Modules.Upsample3D import Upsample3D
from minidl.Modules.UpsampleND import UpsampleMode

__all__ = [
    "Activation", "ActivationType", "Add", "AvgPool1D", "AvgPool2D", "AvgPool3D", "AvgPoolND",
    "BatchNorm", "BatchNorm1D", "BatchNorm2D", "BatchNorm3D", "BatchNormAxes", "BatchNormND",
    "Conv1D", "Conv2D", "Conv3D", "ConvND", "CrossMapLRN", "Deconv1D", "Deconv2D", "Deconv3D",
    "DeconvND", "DepthConcat", "Dropout", "Dropout2D", "Flatten", "Gelu", "GlobalAvgPool",
    "GroupNorm", "Identity", "InitScheme", "InstanceNorm2D", "LCN", "LayerNorm", "Linear", "MapLRN",
    "MaxPool1D", "MaxPool2D", "MaxPool3D", "MaxPoolND", "MaxUnpool2D", "MemoryUnit", "Module",
    "ModuleError", "PRelu", "Pad1D", "Pad2D", "PadMode", "Replicate", "Reshape", "SoftMax",
    "SpatialTf", "SubtractMean", "Upsample2D", "Upsample3D", "UpsampleMode",
    "clip", "elu", "leakyRelu", "relu", "sigmoid", "softPlus", "tanh",
]
