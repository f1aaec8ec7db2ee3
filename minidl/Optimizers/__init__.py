from minidl.Optimizers.Adam import Adam
from minidl.Optimizers.MomentumSGD import MomentumSGD
from minidl.Optimizers.NesterovSGD import NesterovSGD
from minidl.Optimizers.SGD import SGD

__all__ = ["Adam", "MomentumSGD", "NesterovSGD", "SGD"]
