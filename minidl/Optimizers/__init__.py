from minidl.Optimizers.AdaDelta import AdaDelta
from minidl.Optimizers.AdaGrad import AdaGrad
from minidl.Optimizers.Adam import Adam
from minidl.Optimizers.AdamW import AdamW
from minidl.Optimizers.EMA import EMA
from minidl.Optimizers.MomentumSGD import MomentumSGD
from minidl.Optimizers.NesterovSGD import NesterovSGD
from minidl.Optimizers.RMSProp import RMSProp
from minidl.Optimizers.RMSPropGraves import RMSPropGraves
from minidl.Optimizers.SGD import SGD
from minidl.Optimizers.SMORMS3 import SMORMS3

__all__ = ["EMA", "AdaDelta", "AdaGrad", "Adam", "AdamW", "MomentumSGD", "NesterovSGD", "RMSProp",
           "RMSPropGraves", "SGD", "SMORMS3"]
