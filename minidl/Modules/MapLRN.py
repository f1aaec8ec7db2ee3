from minidl.Modules.LRN import LRN


class MapLRN(LRN):
    """
    Divides each number by the strength of its neighbours in its own map, N x N of them: see LRN for
    the formula, where n = N^2, and arguments. (Krizhevsky 2012: cuda-convnet)

    Data: (batch, maps, height, width).
    """

    def __init__(self, N=5, alpha=1e-4, beta=0.75, K=2.0, name=None):
        super().__init__(N, alpha, beta, K, name)
        self.registerBlueprint(locals())
        self.window = 1, N, N
