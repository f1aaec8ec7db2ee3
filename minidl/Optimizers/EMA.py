import contextlib

from minidl.Backend.Ops import Vector
from minidl.Backend.Precision import sumType
from minidl.GuardedFile import Guarded
from minidl.Optimizers.Optimizer import OptimizerError
from minidl.Optimizers.Saved import Saved


class EMA(Saved):
    """
    The exponential moving average of a net's trained parameters, which often is the better net.

        a = decay a + (1 - decay) p    after each step of the optimizer

        average = EMA(optimizer)              # set up before; training then goes as without it
        with average.swapped():               # the net has the averages
            error = validator.validate(data, labels)

    It starts as the parameters are. Those of 16 bits have an average in float32. Running statistics
    of normalizations, which are averages already, stay those of the last steps.
    """

    def __init__(self, optimizer, decay=0.999):
        optimizer.checkSetup()
        if not 0 <= decay < 1:
            raise OptimizerError(f"EMA: decay must be at least 0 and below 1, got {decay}")
        self.optimizer, self.decay = optimizer, decay
        self.averages = {name: inFull(var.data).copy() for name, var in optimizer.vars.items()}
        optimizer.followers.append(self.update)

    def update(self):
        for name, average in self.averages.items():
            Vector.addScaled(average, inFull(self.optimizer.vars[name].data), out=average,
                             alpha=self.decay, beta=1 - self.decay)

    @contextlib.contextmanager
    def swapped(self):
        """Inside the net has the averages; outside again what it had, the very bits."""
        pairs = [(self.optimizer.vars[name].data, average)
                 for name, average in self.averages.items()]
        kept = [data.copy() for data, _ in pairs]
        try:
            for data, average in pairs:
                Vector.cast(average, data.dtype, out=data)
            yield
        finally:
            for (data, _), before in zip(pairs, kept, strict=True):
                data[...] = before

    def write(self, group, name):
        own = group.create_group(f"{name}.average")
        for key, array in self.parts().items():
            own[key] = array.get()

    def found(self, group, name, problems):
        own, parts = Guarded(group, f"{name}.average", problems), self.parts()
        values = {key: own.read(key, each.shape, each.dtype) for key, each in parts.items()}
        own.refuseOthers(set(parts))

        def take():
            for key, array in parts.items():
                array[...] = values[key]
        return take

    def parts(self):
        """{name of a module's variable: its average}"""
        return {part: array for name, average in self.averages.items()
                for part, array in self.optimizer.parts(name, average).items()}


def inFull(data):
    """`data`, in float32 if it has 16 bits."""
    wide = sumType(data.dtype)
    return data if data.dtype == wide else Vector.cast(data, wide)
