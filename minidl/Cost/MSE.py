from minidl.Backend.Ops.MSE import meanSquares
from minidl.Cost.Cost import Cost


class MSE(Cost):
    """
    Half the mean squared difference.

        E = sum of (target - pred)^2 / (2 N D),    grad = (target - pred) / (N D)

    Data: pred and target of one shape (N, ...), D numbers a sample.
    """

    def calcGrad(self, pred, target):
        return meanSquares(pred, target)
