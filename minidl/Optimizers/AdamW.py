from minidl.Optimizers.Adam import Adam
from minidl.Optimizers.Hooks import checkChoice, numberOf


class AdamW(Adam):
    """
    Adam whose weights decay beside its moments, not through them. (Loshchilov, Hutter 2019)

        p -= alpha decay p,    then Adam's step

    Args:
        decay: the share of a weight that it loses in a step, times alpha.
        of: what decays: "weights", which leaves out biases and parameters of normalizations, or
            "all". The variables' factor wc does not count.
        others: as Adam's.
    """

    rates = (*Adam.rates, "decay")

    def __init__(self, alpha=1e-3, beta1=0.9, beta2=0.999, epsilon=1e-8, decay=1e-2, nodeinfo=None,
                 *, of="weights"):
        super().__init__(alpha, beta1, beta2, epsilon, nodeinfo)
        self.checkRates(decay=decay)
        self.decay, self.of = decay, checkChoice("AdamW", of, ("weights", "all"))

    def decayOf(self, var):
        return numberOf(var, self.of), self.alpha * var.learnRate * self.decay
