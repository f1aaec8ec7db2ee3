"""minidl: a small deep-learning framework whose kernels are written once, for GPU and CPU."""

__version__ = "0.4.0"


def seed(value):
    """
    Makes all that follows repeatable: initial weights, dropout and noise, the order of samples.

    Args:
        value: an integer from 0 to 2**32 - 1.

    It seeds numpy's global generator too, since initial weights are drawn from that.
    """
    from minidl import Random

    Random.seed(value)
