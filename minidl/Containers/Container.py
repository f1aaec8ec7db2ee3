"""The contract of modules that are made of modules."""

from minidl.Modules.Module import Module, ModuleError


class ContainerError(ModuleError):
    """A container was given what it cannot take, or one of its modules was."""


class Container(Module):
    """
    A module made of modules, each with a name of its own in `modules`.

    A subclass says how data flows. Gradients of parameters are added to what they held (momentum is
    1 unless given): call zeroGradParams before each step.
    """

    isContainer = True

    def __init__(self, name=None):
        super().__init__(name)
        self.modules = {}

    def __getitem__(self, name):
        if name not in self.modules:
            self.fail(f"there is no module {name}, only {', '.join(self.modules) or 'none'}")
        return self.modules[name]

    def acquire(self, mod):
        """Takes `mod` in, under its name; one without a name is named by a number."""
        if mod.name is None:
            number = len(self.modules)
            while str(number) in self.modules:
                number += 1
            mod.name = str(number)
        if mod.name in self.modules:
            self.fail(f"there is a module named {mod.name} already ({self.modules[mod.name]}); "
                      f"names in a container must differ")
        if "/" in mod.name or mod.name == "":
            self.fail(f"a module's name must not be empty or have a slash, got '{mod.name}'")
        self.modules[mod.name] = mod

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


