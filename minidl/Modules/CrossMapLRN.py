from minidl.Modules.LRN import LRN


class CrossMapLRN(LRN):
    """
    Divides each number by the strength of its neighbours in N maps: see LRN for the formula, where
    n = N, and arguments. (Krizhevsky, Sutskever, Hinton 2012)

    Data: (batch, maps, height, width).
    """

    def __init__(self, N=5, alpha=1e-4, beta=0.75, K=2.0, name=None):
        super().__init__(N, alpha, beta, K, name)
        self.registerBlueprint(locals())
        self.window = N, 1, 1
