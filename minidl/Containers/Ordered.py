from minidl.Containers.Container import Container, ContainerError


class Ordered(Container):
    """
    A container whose modules have an order, in the list `graph`.

    `net[i]` and `net["name"]` are a module, and `net[i:j:k]` is a container of the same kind with
    the same modules.
    """

    def __init__(self, name=None):
        super().__init__(name)
        self.registerBlueprint(locals())
        self.graph = []

    def append(self, mod, acquire=True):
        """
        Adds `mod` at the end; returns the container, so that calls can be chained. `acquire` is
        PuzzleLib's, and changes nothing here: no module is given another name than it has.
        """
        return self.insert(mod, len(self.graph))

    def extend(self, mods, acquire=True):
        """Adds all modules of a list or of another container in order, or none of them."""
        return self.insertAll(list(mods), len(self.graph))

    def insert(self, mod, index):
        return self.insertAll([mod], index)

    def insertAll(self, mods, index):
        self.checkNew(mods)
        self.checkOrder([*self.graph[:index], *mods, *self.graph[index:]])
        before = dict(self.modules)
        try:
            for mod in mods:
                self.acquire(mod)
        except ContainerError:
            self.modules = before
            raise
        self.graph[index:index] = mods
        return self

    def insertAfter(self, mod, name):
        return self.insert(mod, self.getModuleIndex(name) + 1)

    def pop(self):
        """Removes the last module and returns it."""
        if not self.graph:
            self.fail("has no module to pop")
        return self.removeModule(self.graph[-1])

    def removeModule(self, mod):
        self.checkOrder([other for other in self.graph if other is not mod])
        super().removeModule(mod)
        self.graph.remove(mod)
        return mod

    def checkOrder(self, graph):
        """Takes any modules in any order unless a subclass refuses them."""

    def getByIndex(self, index):
        if not -len(self.graph) <= index < len(self.graph):
            self.fail(f"has {len(self.graph)} modules, got index {index}")
        return self.graph[index]

    def getModuleIndex(self, name):
        return self.graph.index(self[name])

    def __getitem__(self, key):
        if isinstance(key, slice):
            return type(self)(self.name).extend(self.graph[key])
        return self.getByIndex(key) if isinstance(key, int) else super().__getitem__(key)

    def __iter__(self):
        return iter(self.graph)

    def __len__(self):
        return len(self.graph)

    def getBlueprint(self):
        return {**super().getBlueprint(), "graph": [mod.name for mod in self.graph]}
