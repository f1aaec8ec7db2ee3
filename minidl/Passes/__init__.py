from minidl.Passes.AddBatchNorm import batchNorm
from minidl.Passes.ConvertToGraph import toGraph
from minidl.Passes.FoldBatchNorm import foldBatchNorm
from minidl.Passes.RecomputeStats import recomputeStats

__all__ = ["batchNorm", "foldBatchNorm", "recomputeStats", "toGraph"]
