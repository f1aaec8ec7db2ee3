"""The contract of every module."""

import enum

import numpy as np

from minidl import Config
from minidl.Backend import gpuarray
from minidl.Backend.Precision import isFloating
from minidl.Modules.InitScheme import createTensorWithScheme, inferNeuronsNumber
from minidl.Modules.Scheme import chosen, schemeOf
from minidl.Variable import Variable


class ModuleError(ValueError, RuntimeError):
    """A module was given what it cannot take; its state is as before."""


class MemoryUnit(str, enum.Enum):
    kbytes = "kb"
    mbytes = "mb"


bytesOf = {MemoryUnit.kbytes: 2 ** 10, MemoryUnit.mbytes: 2 ** 20}


class Module:
    """
    A formula with a forward and a backward.

    `y = module(data)` computes, and keeps the result in `module.data`; `module.backward(grad)`
    takes dL/d(data) and leaves dL/d(input) in `module.grad`. Gradients of parameters are joined to
    what they held: param.grad = scale * new + momentum * param.grad. Every direction is an ascent:
    costs give -dE/d(pred), and optimizers add.

    A subclass writes `updateData(data)` and `updateGrad(grad)`, with parameters `accGradParams`,
    and says what it takes in `checkDataShape`, what comes out in `dataShapeFrom`. It owns
        vars: {name: Variable}, trained; `module.name` is the variable's array,
        attrs: {name: array}, state that is saved but not trained.
    Attributes gradUsesOutData, movesData and movesGrad say whether backward reads the output, and
    whether output (or input gradient) may be the very array that came in.
    """

    isContainer = False

    def __init__(self, name=None):
        self.name = name
        self.vars, self.attrs = {}, {}
        self.data = self.grad = self.inData = None
        self.pending = {}  # what `later` has put off
        self.train = not Config.globalEvalMode
        self.calctype = np.float32
        self.gradUsesOutData = self.movesData = self.movesGrad = False
        self.blueprint = None

    # Forward and backward

    def __call__(self, data):
        data = self.accept(data, "data", self.checkDataShape, self.checkDataType)
        self.data = None  # its memory serves the next output
        self.inData = data
        self.updateData(data)
        return self.data

    def fusable(self, followers):
        """How many of the modules behind it this one can do in its own kernel; for containers."""
        return 0

    def canAdd(self):
        """Whether the first of `followers` of callFused may be an Add."""
        return False

    def callFused(self, data, followers, added=None):
        """
        What followers[-1](... followers[0](self(data))) does and leaves behind, and returns. The
        first of them may be an Add, of this module's output and the array `added`.
        """
        data = self.accept(data, "data", self.checkDataShape, self.checkDataType)
        for module in (self, *followers):
            module.data = None
        self.inData = data
        self.updateFused(data, followers, added)
        return followers[-1].data

    def updateFused(self, data, followers, added=None):
        raise NotImplementedError(f"{type(self).__name__} has no updateFused")

    def backwardFused(self, grad, followers, updParamGrads=True, updGrad=True, scale=1.0,
                      momentum=0.0):
        """Backward of callFused; returns the gradient of `added`, if there was one."""
        for module in reversed(followers):
            module.backward(grad, updParamGrads, True, scale, momentum)
            grad = module.grad
        self.backward(grad, updParamGrads, updGrad, scale, momentum)

    def later(self, name, compute):
        """Attribute `name` shall be compute(), which is not called unless somebody asks for it."""
        self.__dict__.pop(name, None)
        self.pending[name] = compute

    def __getattr__(self, name):
        # Python comes here for what it does not find otherwise.
        compute = self.__dict__.get("pending", {}).pop(name, None)
        if compute is None:
            raise AttributeError(f"{type(self).__name__} has no attribute {name}")
        setattr(self, name, compute())
        return self.__dict__[name]

    def backward(self, grad, updParamGrads=True, updGrad=True, scale=1.0, momentum=0.0):
        if self.__dict__.get("data", self) is None:  # what is put off is there
            self.fail("backward needs a call with data first")
        grad = self.accept(grad, "grad", self.checkGradShape, self.checkGradType)
        self.grad = None
        if updGrad:
            self.updateGrad(grad)
        if updParamGrads and self.train:
            self.accGradParams(grad, scale=scale, momentum=momentum)

    def accept(self, array, what, checkShape, checkType):
        """
        `array`, or each of a list, as ops need it: on the device, contiguous, of a fit dtype. A
        list is checked as one by its shapes.
        """
        isList = isinstance(array, (list, tuple))
        arrays = [self.onDevice(each, what) for each in array] if isList else self.onDevice(
            array, what)
        if not Config.disableDtypeShapeChecks:
            checkShape([each.shape for each in arrays] if isList else arrays.shape)
            for each in arrays if isList else (arrays,):
                checkType(each.dtype)
        return arrays

    def onDevice(self, array, what):
        if type(getattr(array, "layout", None)) is str:
            return array
        try:
            return gpuarray.contiguous(array)
        except TypeError as error:
            self.fail(f"{what} must be an array on the device: {error}")

    def updateData(self, data):
        raise NotImplementedError(f"{type(self).__name__} has no updateData")

    def updateGrad(self, grad):
        raise NotImplementedError(f"{type(self).__name__} has no updateGrad")

    def accGradParams(self, grad, scale=1.0, momentum=0.0):
        """Modules without parameters have nothing to do."""

    # Checks

    def checkDataShape(self, shape):
        """Takes any shape unless a subclass refuses it."""

    def checkGradShape(self, shape):
        isList = isinstance(self.data, list)
        expected = [each.shape for each in self.data] if isList else self.data.shape
        if shape != expected:
            self.fail(f"grad must have the shape of data {expected}, got {shape}")

    def checkDataType(self, dtype):
        if dtype.type is not self.calctype:
            self.fail(f"expected data of dtype {np.dtype(self.calctype)}, got {dtype}")

    def checkGradType(self, dtype):
        if dtype.type is not self.calctype:
            self.fail(f"expected grad of dtype {np.dtype(self.calctype)}, got {dtype}")

    def dataShapeFrom(self, shape):
        """The shape of the output for data of `shape`."""
        return shape

    def gradShapeFrom(self, shape):
        """The shape of the input gradient for a gradient of `shape`."""
        return shape

    def fail(self, message):
        raise ModuleError(f"{self}: {message}")

    # Parameters and state

    def setVar(self, name, var):
        self.vars[name] = var
        setattr(self, name, var.data)

    def getVar(self, name):
        if name not in self.vars:
            self.fail(f"there is no variable {name}, only {', '.join(self.vars) or 'none'}")
        return self.vars[name]

    def setAttr(self, name, value):
        self.attrs[name] = value
        setattr(self, name, value)

    def hasAttr(self, name):
        return name in self.attrs

    def newVar(self, name, values):
        """Makes a variable that starts with the host array `values`."""
        self.setVar(name, Variable(gpuarray.to_gpu(values.astype(self.paramType()))))

    def paramType(self):
        """The dtype of variables and attributes: that of data, unless a subclass needs another."""
        return self.calctype

    def namedModules(self, name):
        """(full name, module) of this module and all below it."""
        yield name, self

    def getVarTable(self, vartable=None, name=None, root=True):
        """{Variable: its full names}; one that several modules share has several."""
        vartable = {} if vartable is None else vartable
        for path, module in self.namedModules(name or self.name or ""):
            for key, var in module.vars.items():
                vartable.setdefault(var, []).append(f"{path}.{key}")
        return vartable

    def node(self, *parents):
        """A node of a Graph with this module, fed by others: see Containers/Node.py."""
        from minidl.Containers.Node import Node

        return Node(self, parents)

    def zeroGradParams(self):
        for var in self.getVarTable():
            if var.grad is not None:
                var.grad.fill(0)

    def updateParams(self, learnRate):
        """param += learnRate * grad"""
        from minidl.Backend.Ops import Vector

        for var in self.getVarTable():
            if var.grad is not None:
                Vector.addScaled(var.data, var.grad, out=var.data, beta=learnRate)

    def numOfParams(self):
        return sum(var.data.size for var in self.getVarTable())

    def paramSize(self, unit=None):
        """Bytes of all parameters, or kilobytes or megabytes for the unit "kb" or "mb"."""
        size = sum(var.data.nbytes for var in self.getVarTable())
        return size if unit is None else size / bytesOf[MemoryUnit(unit)]

    # Modes

    def trainMode(self):
        self.train = True
        self.reset()

    def evalMode(self):
        self.train = False
        self.reset()

    def calcMode(self, T):
        """Computes in dtype T from now on; parameters and state are converted."""
        supported = [dtype for dtype, _ in gpuarray.dtypesSupported()]
        if T not in supported:
            self.fail(f"calcMode takes one of {', '.join(t.__name__ for t in supported)}, got {T}")

        self.reset()
        self.calctype = np.dtype(T).type
        dtype = self.paramType()
        for name, var in self.vars.items():
            if var.data.dtype != dtype:  # else a module that shares it was here first
                var.data = converted(var.data, dtype)
                if var.grad is not None:
                    var.grad = converted(var.grad, dtype)
            setattr(self, name, var.data)
        for name, attr in self.attrs.items():
            if isFloating(attr.dtype):
                self.setAttr(name, converted(attr, dtype))

    def reset(self):
        """Lets go of the arrays that the last call left."""
        self.data = self.grad = self.inData = None
        self.pending.clear()

    # Files

    def save(self, hdf=None, name=None, compress="gzip", assumeUniqueNames=False,
             withBlueprint=False):
        """
        Writes all variables and attributes to the h5 file `hdf`: a path, which is replaced in one
        step, or an open h5py file or group. None gives the file's bytes. `compress` is for arrays
        that shrink by a fifth; None: for none.
        """
        from minidl import Weights

        return Weights.save(self, hdf, name, compress, assumeUniqueNames, withBlueprint)

    def load(self, hdf, name=None, assumeUniqueNames=False, *, strict=True, requireSeal=None):
        """
        Reads what `save` wrote, from a path, bytes, or an open file: a binary one, or an h5py file
        or group. All or nothing: one that does not fit raises ModuleError, no value has changed.
        strict=False takes what fits of an undamaged one and returns {name: words} of what does not.
        requireSeal: refuse a file without a seal; None: as Config.requireSeal says.
        """
        from minidl import Weights

        return Weights.load(self, hdf, name, assumeUniqueNames, strict, requireSeal)

    def attrMissing(self, name):
        """What attribute `name` becomes when a file lacks it; None: the file does not fit."""
        return None

    def attrProblem(self, name, value):
        """Why attribute `name` must not become the host array `value`, or None."""
        return None

    def registerBlueprint(self, args, exclude=()):
        """Keeps the constructor's arguments, its locals(), to build an equal module from."""
        self.blueprint = {
            "classname": type(self).__name__, "scheme": schemeOf(type(self), args, exclude)}

    def getBlueprint(self):
        if self.blueprint is None:
            self.fail("has no blueprint: its constructor does not call registerBlueprint")
        return self.blueprint

    def __str__(self):
        return type(self).__name__ + (f" '{self.name}'" if self.name else "")

    def __repr__(self):
        scheme = chosen(type(self), self.blueprint["scheme"]) if self.blueprint else {}
        words = ", ".join(f"{key}={value}" for key, value in scheme.items() if key != "name")
        return f"{self} ({words})"

    # PuzzleLib's names for what InitScheme.py does

    createTensorWithScheme = staticmethod(createTensorWithScheme)
    inferNeuronsNumber = staticmethod(inferNeuronsNumber)


def converted(array, dtype):
    """A copy of a device array in another dtype."""
    return gpuarray.to_gpu(array.get().astype(dtype))


def isCount(value):
    """Whether `value` is a whole number above 0."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool) and value > 0
