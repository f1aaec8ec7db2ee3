from minidl.Cost.CrossEntropy import CrossEntropy
from minidl.Cost.MSE import MSE

__all__ = ["CrossEntropy", "MSE"]
