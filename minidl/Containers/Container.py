"""The contract of modules that are made of modules."""

from minidl.Backend.Ops import Vector
from minidl.Modules.Module import Module, ModuleError


class ContainerError(ModuleError):
    """A container was given what it cannot take, or one of its modules was."""


class Container(Module):
    """
    A module made of modules, each with a name of its own in `modules`.

    Gradients of parameters are added to what they held (momentum is 1 unless given): call
    zeroGradParams before each step. A module stands in a net once, since it keeps what its last
    call left; several modules may share their variables (setVar), whose gradients then add up.

    A subclass says how data flows:
        flow(value, visit)       what comes out when each module turns what comes to it, a shape for
                                 instance, into visit(module, value)
        flowBack(value, visit)   the same from the outputs to the inputs
    where there is a list for a list of arrays; one value may stand for a list of its like. In a
    graph several may take what a module gives: each gets split(module) if there is a `split`; and
    what they give back, [(slots, value)], is brought together by `join`, or as shapes are.
    """

    isContainer = True

    def __init__(self, name=None):
        super().__init__(name)
        self.modules = {}

    def __getitem__(self, name):
        if name not in self.modules:
            self.fail(f"there is no module {name}, only {', '.join(self.modules) or 'none'}")
        return self.modules[name]

    def checkNew(self, mods):
        """Refuses what is no module, and one that would be inside twice."""
        inside = {each for _, each in self.namedModules("")}
        for mod in mods:
            if not isinstance(mod, Module):
                self.fail(f"takes modules, got {type(mod).__name__}")
            for _, each in mod.namedModules(""):
                if each in inside:
                    self.fail(f"{each} would stand in it twice, and forget what its first call "
                              f"left: make another module, and share variables with setVar")
                inside.add(each)

    def acquire(self, mod, name=None):
        """Takes `mod` in, as `name` or under its own; one without a name is named by a number."""
        name = mod.name if name is None else name
        name = self.freeName() if name is None else name
        if name in self.modules:
            self.fail(f"there is a module named {name} already ({self.modules[name]}); names in a "
                      f"container must differ")
        if "/" in name or name == "":
            self.fail(f"a module's name must not be empty or have a slash, got '{name}'")
        mod.name = name if mod.name is None else mod.name
        self.modules[name] = mod

    def freeName(self):
        """The first number, from that of modules on, which is no name here yet."""
        number = len(self.modules)
        while str(number) in self.modules:
            number += 1
        return str(number)

    def removeModule(self, mod):
        self[mod.name]
        del self.modules[mod.name]
        return mod

    def getByName(self, name):
        """The module of that name here or in a container below; None if there is none."""
        if name in self.modules:
            return self.modules[name]
        inner = (mod.getByName(name) for mod in self.modules.values() if mod.isContainer)
        return next((found for found in inner if found is not None), None)

    def getAllByType(self, typ):
        """All modules of a class, here and below."""
        return [mod for _, mod in self.namedModules("") if mod is not self and isinstance(mod, typ)]

    def namedModules(self, name):
        yield name, self
        for key, mod in self.modules.items():
            yield from mod.namedModules(f"{name}.{key}")

    def setVar(self, name, var):
        """Sets a variable by its path here: "block.linear.W"."""
        *path, last = name.split(".")
        self.follow(path).setVar(last, var)

    def getVar(self, name):
        *path, last = name.split(".")
        return self.follow(path).getVar(last)

    def follow(self, path):
        if not path:
            self.fail("has no variables of its own: name one as module.variable")
        mod = self[path[0]]
        return mod.follow(path[1:]) if mod.isContainer else mod

    def setAttr(self, name, value):
        """Keeps a value of the user's, numbers or text; it goes into the file with the weights."""
        if not name or "/" in name:
            self.fail(f"an attribute's name must not be empty or have a slash, got '{name}'")
        self.attrs[name] = value

    def getAttr(self, name):
        if name not in self.attrs:
            self.fail(f"there is no attribute {name}, only {', '.join(self.attrs) or 'none'}")
        return self.attrs[name]

    def trainMode(self):
        self.train = True
        for mod in self.modules.values():
            mod.trainMode()
        self.reset()

    def evalMode(self):
        self.train = False
        for mod in self.modules.values():
            mod.evalMode()
        self.reset()

    def calcMode(self, T):
        for mod in self.modules.values():
            mod.calcMode(T)
        self.calctype = T
        self.reset()

    def reset(self):
        super().reset()
        for mod in self.modules.values():
            mod.reset()

    def dataShapeFrom(self, shape):
        self.checkDataShape(shape)
        return self.flow(shape, lambda mod, each: mod.dataShapeFrom(each))

    def gradShapeFrom(self, shape):
        return self.flowBack(shape, lambda mod, each: mod.gradShapeFrom(each))

    def momentumLeft(self, momentum, updParamGrads):
        """
        The momentum for backward of the modules. Where modules share a variable it is 1, and all
        gradients are multiplied here: else each of them would shrink what the others have added.
        """
        if momentum == 1.0 or not (updParamGrads and self.train):
            return momentum
        table = self.getVarTable()
        if all(len(names) == 1 for names in table.values()):
            return momentum
        for var in table:
            if var.grad is not None and momentum == 0.0:
                Vector.fill(var.grad, 0)  # whatever it held
            elif var.grad is not None:
                Vector.addScaled(var.grad, var.grad, out=var.grad, alpha=momentum, beta=0.0)
        return 1.0

    def checkDataType(self, dtype):
        """Left to the modules."""

    def checkGradType(self, dtype):
        """Left to the modules."""

    def getBlueprint(self):
        modules = {name: mod.getBlueprint() for name, mod in self.modules.items()}
        return {**super().getBlueprint(), "modules": modules}

    def fail(self, message):
        raise ContainerError(f"{self}: {message}")

    def inside(self, place, error):
        """An error of a module, told with its place in this container."""
        return ContainerError(f"{self}: module {place}: {error}")

    def __repr__(self):
        lines = [f"  {line}" for mod in self.modules.values() for line in repr(mod).splitlines()]
        return "\n".join([str(self), *lines])


