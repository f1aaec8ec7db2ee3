from minidl.Modules.Module import Module, ModuleError


class NodeError(ModuleError):
    """A node was given what it cannot take."""


class Node:
    """
    A place of a module in a Graph.

        x = Linear(5, 4).node()
        y = Activation("relu").node(x)

    Args:
        mod: the module.
        parents: a node or a list of them, whose outputs the module takes; of a node that gives a
            list, (node, slot) is one array of it and (node, [slots]) several.
        name: the node's name in a Graph; the module's if None.

    Attributes: bwds, [(parent, slots)], where slots are None for all that the parent gives; fwds,
    [(child, index of that edge among the child's bwds)]. data and grad are the module's.
    """

    def __init__(self, mod, parents=None, name=None):
        if not isinstance(mod, Module):
            raise NodeError(f"Node: takes a module, got {type(mod).__name__}")
        self.mod, self.name = mod, mod.name if name is None else name
        self.fwds, self.bwds = [], []
        if parents is not None:
            self.addBackwards(parents)

    def addBackwards(self, parents):
        """Adds parents behind those that there are."""
        edges = [self.edge(parent) for parent in ([parents] if isEdge(parents) else parents)]
        for parent, slots in edges:
            parent.fwds.append((self, len(self.bwds)))
            self.bwds.append((parent, slots))

    def edge(self, parent):
        node, slots = parent if isinstance(parent, tuple) and len(parent) == 2 else (parent, None)
        if not isinstance(node, Node) or not (slots is None or isSlots(slots)):
            raise NodeError(f"{self}: a parent is a node, (node, slot) or (node, [slots]), got "
                            f"{parent!r}")
        return node, list(slots) if isinstance(slots, tuple) else slots

    @property
    def data(self):
        return self.mod.data

    @property
    def grad(self):
        return self.mod.grad

    def forward(self, data):
        return self.mod(data)

    def backward(self, grad, updParamGrads=True, updGrad=True, scale=1.0, momentum=0.0):
        self.mod.backward(grad, updParamGrads, updGrad, scale, momentum)

    # What passes along the edges: arrays, or anything that stands for them, by node

    def taken(self, given):
        """What comes to this node, from what its parents give: {node: value or list of values}."""
        values = [self.chosen(parent, slots, given[parent]) for parent, slots in self.bwds]
        if len(values) == 1:
            return values[0]
        for (parent, slots), value in zip(self.bwds, values, strict=True):
            if slots is None and isinstance(value, list):
                raise NodeError(f"{self}: {parent} gives a list: name which of it beside other "
                                f"parents, as (node, slot) or (node, [slots])")
        return [each for value in values
                for each in (value if isinstance(value, list) else [value])]

    def chosen(self, parent, slots, value):
        if slots is None:
            return value
        wanted = slots if isinstance(slots, list) else [slots]
        if value is None or isinstance(value, Module):  # who reads it: see InPlace.py
            found = [value for _ in wanted]
        else:
            number = len(value) if isinstance(value, list) else 0
            if max(wanted) >= number:
                given = f"a list of {number} arrays" if number else "one array"
                raise NodeError(f"{self}: {parent} gives {given}, got slot {max(wanted)}")
            found = [value[slot] for slot in wanted]
        return found if isinstance(slots, list) else found[0]

    def handedBack(self, given, index):
        """(slots, the part for edge `index`) of `given`, what this node gives back for its data."""
        slots = self.bwds[index][1]
        if len(self.bwds) == 1 or not isinstance(given, list):
            return slots, given
        widths = [len(each) if isinstance(each, list) else 1 for _, each in self.bwds]
        first = sum(widths[:index])
        part = given[first:first + widths[index]]
        return slots, part if isinstance(slots, list) else part[0]

    def __repr__(self):
        return f"Node '{self.name}' of {self.mod}" if self.name else f"Node of {self.mod}"


def isSlots(value):
    several = value if isinstance(value, (list, tuple)) else [value]
    return len(several) > 0 and all(type(each) is int and each >= 0 for each in several)


def isEdge(parents):
    """Whether `parents` is a single one, not several."""
    return isinstance(parents, Node) or (
        isinstance(parents, tuple) and len(parents) == 2 and isSlots(parents[1]))


def edgesBefore(nodes):
    """{node: number of edges that come to it} of `nodes` and all that they are computed from."""
    edges, found = {}, list(nodes)
    while found:
        node = found.pop()
        if node not in edges:
            edges[node] = len(node.bwds)
            found.extend(parent for parent, _ in node.bwds)
    return edges
