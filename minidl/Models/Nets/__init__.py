from minidl.Models.Nets.BatchNormCnn import loadBatchNormCnn
from minidl.Models.Nets.LeNet import loadLeNet
from minidl.Models.Nets.NiN import loadNiNImageNet
from minidl.Models.Nets.ResNet import loadResNet
from minidl.Models.Nets.VGG import loadVGG

__all__ = ["loadBatchNormCnn", "loadLeNet", "loadNiNImageNet", "loadResNet", "loadVGG"]
