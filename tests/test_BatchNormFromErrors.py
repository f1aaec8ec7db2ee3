import re

import numpy as np
import pytest

from minidl.BatchNormFrom import fromKeras, fromLasagne, fromMxnet, fromTorch
from minidl.Modules import ModuleError
from tests.BatchNormPeer import torchs

three, aux = np.ones(3), {"bn_moving_mean": np.zeros(3), "bn_moving_var": np.ones(3)}
gammaBeta = {"bn_gamma": np.ones(3), "bn_beta": np.zeros(3)}


@pytest.mark.parametrize("make, message", [
    (lambda: fromTorch(None, 0), "fromTorch: state must map names to arrays, got NoneType"),
    (lambda: fromTorch(torchs(), 0, "bn."), "there is none of bn.weight, bn.bias, bn.running_mean"),
    (lambda: fromTorch(torchs(running_var=None), 0), "fromTorch: there is no running_var"),
    (lambda: fromTorch(torchs(), 0, affine=False), "affine must be True for this state, got False"),
    (lambda: fromTorch({"weight": three}, 0, trackRunningStats=True),
     "trackRunningStats must be False for this state, got True"),
    (lambda: fromTorch(torchs(), 0, affine="no"), "affine must be True or False, got 'no'"),
    (lambda: fromTorch(torchs(running_var=[1, -0.5, 1]), 0),
     "running_var must not be negative, got -0.5"),
    (lambda: fromTorch(torchs(running_var=[1, np.nan, 1]), 0), "running_var must be finite"),
    (lambda: fromTorch(torchs(running_mean=[1, 1e39, 1]), 0), "running_mean must be finite in flo"),
    (lambda: fromTorch(torchs(weight=["a"] * 3), 0), "weight must be an array of real numbers"),
    (lambda: fromTorch(torchs(weight=[1j] * 3), 0), "of real numbers, got dtype complex128"),
    (lambda: fromTorch(torchs(weight=[[1], [1, 2]]), 0), "weight must be an array on the host: "),
    (lambda: fromTorch(torchs(bias=np.ones(4)), 0), "bias must have shape (3,), got (4,)"),
    (lambda: fromTorch(torchs(weight=[[1]] * 3), 0), "weight must have shape (3,), got (3, 1)"),
    (lambda: fromTorch(torchs(num_batches_tracked=-1), 0),
     "num_batches_tracked must be one whole number from 0 on, got -1"),
    (lambda: fromTorch(torchs(num_batches_tracked=0.5), 0), "from 0 on, got 0.5"),
    (lambda: fromTorch(torchs(), -1), "fromTorch: nd must be a whole number from 0 on, got -1"),
    (lambda: fromTorch(torchs(), "2"), "nd must be a whole number from 0 on, got '2'"),
    (lambda: fromTorch(torchs(), 0, momentum=1.1), "momentum must be a number from 0 to 1"),
    (lambda: fromTorch(torchs(), 0, momentum=np.nan), "from 0 to 1, got nan"),
    (lambda: fromTorch(torchs(), 0, momentum="0.1"), "from 0 to 1, got '0.1'"),
    (lambda: fromTorch(torchs(), 0, eps=1e-6, name="b"), "BatchNorm 'b': epsilon must be at least"),
    (lambda: fromLasagne(three, three, None, three, (None, 3)), "fromLasagne: there is no mean"),
    (lambda: fromLasagne(three, three, three, -three, (None, 3)), "invStd must not be negative"),
    (lambda: fromLasagne(three, three, three, three, (None, 4)),
     "gamma must have shape (4,), got (3,)"),
    (lambda: fromLasagne(three, three, three, three, (3, None)), "the size of axis 1 must be"),
    (lambda: fromLasagne(three, three, three, three, (None, 3), alpha=-1), "alpha must be a"),
    (lambda: fromMxnet(None, aux, "bn", 0), "fromMxnet: args must map names to arrays, got None"),
    (lambda: fromMxnet(gammaBeta, [], "bn", 0), "auxs must map names to arrays, got list"),
    (lambda: fromMxnet(gammaBeta, {}, "bn", 0), "no bn_moving_mean and no bn_moving_var"),
    (lambda: fromMxnet(gammaBeta, aux, "bn", 2, axis=4),
     "axis must be an integer from -4 to 3 for data of 4 axes, got 4"),
    (lambda: fromMxnet(gammaBeta, aux, "bn", 0, axis=None), "axis must be an integer from -2 to 1"),
    (lambda: fromMxnet(gammaBeta, aux, "bn", 0, epsilon=1), "there is no option epsilon, only"),
    (lambda: fromMxnet(gammaBeta, aux, "bn", 0, fixGamma=1, **{"fix.gamma": 1}),
     "fix.gamma is given twice"),
    (lambda: fromMxnet(gammaBeta, aux, "bn", 0, fix_gamma="False"), "fixGamma must be True or"),
    (lambda: fromMxnet(gammaBeta, aux, "bn", 0, momentum=2), "momentum must be a number from 0"),
    (lambda: fromKeras([three] * 3, 0), "fromKeras: weights must be gamma, beta, moving_mean, "
     "moving_variance for center=True and scale=True, got 3 arrays"),
    (lambda: fromKeras([three, three, three, -three], 0), "moving_variance must not be negative"),
    (lambda: fromKeras([three] * 4, 0, 2), "axis must be an integer from -2 to 1"),
    (lambda: fromKeras([three] * 4, 0, center=None), "center must be True or False, got None"),
])
def test_refuses_what_does_not_fit(make, message):
    with pytest.raises(ModuleError, match=re.escape(message)):
        make()
