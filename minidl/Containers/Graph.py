from minidl import Config
from minidl.Backend import gpuarray
from minidl.Backend.Ops import Vector
from minidl.Containers import InPlace
from minidl.Containers.Container import Container
from minidl.Containers.Node import Node, edgesBefore
from minidl.Containers.Parallel import summed
from minidl.Modules.Add import Add
from minidl.Modules.Module import ModuleError


class Graph(Container):
    """
    Modules at the nodes of a graph without cycles: each takes what its parents give.

    Where several nodes take what one gives, its gradient is the sum of theirs, in the order of the
    node's `fwds`. The order of nodes is fixed here. With `updGrad=False` backward leaves out what
    no parameter needs. What modules do together in one kernel, it has them do so.

    Args:
        inputs: a node without parents, or a list of them: data are an array, or a list of arrays.
        outputs: a node without children, or a list; the result is an array, or a list.
        unsafe: whether modules in place may stand where they overwrite what others read.
        nodesOnly: leave the modules to the container that they are of, with their parameters,
            modes and files; outputs may have children then, and nodes may lead elsewhere.

    Attributes: nodes, {name: Node}; a node without a name is named by a number. modules, under
    their nodes' names.
    """

    def __init__(self, inputs, outputs, unsafe=False, nodesOnly=False, name=None):
        super().__init__(name)
        self.registerBlueprint(locals(), exclude=["inputs", "outputs"])
        self.inputs, self.outputs = self.listed("inputs", inputs), self.listed("outputs", outputs)
        self.nodesOnly = nodesOnly
        self.order = self.ordered()
        inside = set(self.order)
        self.edges = {node: [edge for edge in node.fwds if edge[0] in inside]
                      for node in self.order}
        self.checkEnds()
        if not (unsafe or Config.disableModuleCompatChecks):
            InPlace.output(self, None)
            InPlace.gradient(self, None)
        self.checkNew([node.mod for node in self.order])
        self.nodes = {}
        for node in self.order:
            self.takeIn(node)
        self.behind = self.findFollowers()
        self.fused = {}  # {node: those behind it that it did in its own kernel in the last call}

    # How it is built

    def listed(self, what, nodes):
        nodes = list(nodes) if isinstance(nodes, (list, tuple)) else [nodes]
        if not nodes or not all(isinstance(node, Node) for node in nodes):
            self.fail(f"{what} must be a node or a list of nodes, got {nodes}")
        if len(set(nodes)) < len(nodes):
            self.fail(f"{what} must be different nodes, got {nodes}")
        return nodes

    def ordered(self):
        """The nodes that the outputs are computed from, each behind its parents."""
        waiting = edgesBefore(self.outputs)
        self.checkInputs(waiting)
        order = list(self.inputs)
        for node in order:  # which grows
            for child, _ in node.fwds:
                if child in waiting:
                    waiting[child] -= 1
                    if waiting[child] == 0:
                        order.append(child)
        if len(order) < len(waiting):
            self.fail(f"nodes go in a cycle: {[node for node in waiting if waiting[node] > 0]}")
        return order

    def checkInputs(self, found):
        """Refuses inputs that are not just the nodes of `found` without parents."""
        for node in found:
            if not node.bwds and node not in self.inputs:
                self.fail(f"{node} has no parents: name it among the inputs")
        for node in self.inputs:
            if node.bwds:
                self.fail(f"an input has no parents, {node} has")
            if node not in found:
                self.fail(f"no output is computed from the input {node}")

    def checkEnds(self):
        """Refuses nodes that lead out of the graph, unless it only looks at them."""
        for node in self.order if not self.nodesOnly else ():
            for child, _ in node.fwds:
                if child not in self.edges:
                    self.fail(f"{child}, a child of {node}, leads to no output: name it among the "
                              f"outputs, or make the graph with nodesOnly=True")
            if node in self.outputs and node.fwds:
                self.fail(f"an output has no children, {node} has: take an Identity of it as the "
                          f"output, or make the graph with nodesOnly=True")

    def takeIn(self, node):
        if self.nodesOnly:
            name = node.name or node.mod.name or str(len(self.nodes))
            if name in self.nodes:
                self.fail(f"there is a node named {name} already; names in a graph must differ")
        else:
            self.acquire(node.mod, node.name)
            name = next(reversed(self.modules))
        node.name = name
        self.nodes[name] = node

    def findFollowers(self):
        """
        {node: (nodes behind it that its kernel may do, their modules, the edge of what an Add among
        them takes)}

        A module that may do an Add in its own kernel comes right before it in the order.
        """
        behind = {}
        for add in [node for node in self.order if type(node.mod) is Add and len(node.bwds) == 2]:
            heads = [at for at, (node, _) in enumerate(add.bwds)
                     if self.onlyChild(node) is add and node.mod.canAdd()]
            if heads:
                head, other = add.bwds[heads[0]][0], add.bwds[1 - heads[0]]
                behind[head] = self.withModules([add, *self.chain(add, 1)], other)
                self.order.remove(head)
                self.order.insert(self.order.index(add), head)
        for node in self.order:
            if node not in behind and (followers := self.chain(node, 2)):
                behind[node] = self.withModules(followers, None)
        return behind

    def withModules(self, nodes, other):
        return nodes, [node.mod for node in nodes], other

    def chain(self, node, most):
        """Up to so many nodes, each the only child of the one before, and that its only parent."""
        found = []
        while len(found) < most and (child := self.onlyChild(node)) and len(child.bwds) == 1:
            found.append(child)
            node = child
        return found

    def onlyChild(self, node):
        """The node that alone takes all that `node` gives, or None."""
        edges = self.edges[node]
        if len(edges) != 1 or node in self.outputs:
            return None
        child, index = edges[0]
        return child if child.bwds[index][1] is None else None

    # Forward and backward

    def updateData(self, data):
        self.fused, given, done = {}, {}, set()
        entering = dict(zip(self.inputs, data if len(self.inputs) > 1 else [data], strict=True))
        for node in self.order:
            if node not in done:
                try:
                    value = node.taken(given) if node.bwds else entering[node]
                    done.update(self.step(node, value, given))
                except ModuleError as error:
                    raise self.inside(node.name, error) from error
        self.data = self.atOutputs(given)

    def step(self, node, value, given):
        """Calls the node's module; returns the nodes behind it that it has done as well."""
        followers, mods, other = self.behind.get(node, ((), (), None))
        if other is None:
            count = node.mod.fusable(mods) if mods else 0
        else:
            count = summed(mods) if node.mod.canAdd() else 0
        if not count:
            given[node] = node.mod(value)
            return ()
        added = None if other is None else followers[0].chosen(*other, given[other[0]])
        given[followers[count - 1]] = node.mod.callFused(value, mods[:count], added)
        self.fused[node] = followers[:count]
        return followers[:count]

    def backward(self, grad, updParamGrads=True, updGrad=True, scale=1.0, momentum=1.0):
        if self.data is None:
            self.fail("backward needs a call with data first")
        grad = self.accept(grad, "grad", self.checkGradShape, self.checkGradType)
        momentum = self.momentumLeft(momentum, updParamGrads)
        ends, given = self.byOutput(grad), {}
        live = None if updGrad else self.live()
        done = {each for followers in self.fused.values() for each in followers}

        for node in reversed(self.order):
            last = self.fused.get(node, (node,))[-1]
            if node in done or not (updGrad or live[last]):
                continue
            isWanted = updGrad or any(live[parent] for parent, _ in node.bwds)
            try:
                grad = joined(last.mod, self.handedTo(last, ends, given), total, zerosLike)
                self.stepBack(node, grad, given, (updParamGrads, isWanted, scale, momentum))
            except ModuleError as error:
                raise self.inside(node.name, error) from error
        self.grad = self.atInputs(given) if updGrad else None

    def stepBack(self, node, grad, given, how):
        followers = self.fused.get(node)
        if followers:
            addedgrad = node.mod.backwardFused(grad, [each.mod for each in followers], *how)
            given[followers[0]] = [addedgrad, addedgrad]
        else:
            node.mod.backward(grad, *how)
        given[node] = node.mod.grad

    def live(self):
        """{node: whether there are parameters in it or in one before it}"""
        live = {}
        for node in self.order:
            live[node] = any(live[parent] for parent, _ in node.bwds) or any(
                mod.vars for _, mod in node.mod.namedModules(""))
        return live

    # What comes in at the ends, and goes out

    def atOutputs(self, given):
        values = [given[node] for node in self.outputs]
        return values if len(values) > 1 else values[0]

    def atInputs(self, given):
        values = [given[node] for node in self.inputs]
        return values if len(values) > 1 else values[0]

    def byOutput(self, value):
        return dict(zip(self.outputs, self.each(value, self.outputs), strict=True))

    def each(self, value, ends):
        """One value for each of the ends."""
        if len(ends) == 1:
            return [value]
        return value if isinstance(value, list) else [value] * len(ends)

    def handedTo(self, node, ends, given):
        """[(slots, gradient)] that come back to a node, as `joined` takes them."""
        parts = [(None, ends[node])] if node in ends else []
        return parts + [child.handedBack(given[child], index)
                        for child, index in self.edges[node] if child in given]

    def flow(self, value, visit, split=None):
        given, entering = {}, iter(self.each(value, self.inputs))
        for node in self.order:
            given[node] = visit(node.mod, node.taken(given) if node.bwds else next(entering))
            if split and len(self.edges[node]) + (node in self.outputs) > 1:
                given[node] = split(node.mod)
        return self.atOutputs(given)

    def flowBack(self, value, visit, join=None):
        ends, given = self.byOutput(value), {}
        for node in reversed(self.order):
            parts = self.handedTo(node, ends, given)
            given[node] = visit(node.mod, join(parts) if join else joined(
                node.mod, parts, lambda shapes: shapes[0], lambda array: array.shape))
        return self.atInputs(given)

    # Checks

    def checkDataShape(self, shape):
        self.checkNumber("data", shape, self.inputs)

    def checkGradShape(self, shape):
        self.checkNumber("grad", shape, self.outputs)

    def checkNumber(self, what, shape, ends):
        if len(ends) > 1 and not (isinstance(shape, list) and len(shape) == len(ends)):
            given = f"{len(shape)} of them" if isinstance(shape, list) else "an array"
            names = ", ".join(node.name for node in ends)
            self.fail(f"{what} must be a list of {len(ends)} arrays, for {names}, got {given}")

    def gradShapeFrom(self, shape):
        self.checkGradShape(shape)
        return super().gradShapeFrom(shape)

    def getNodeByName(self, name):
        if name not in self.nodes:
            self.fail(f"there is no node {name}, only {', '.join(self.nodes)}")
        return self.nodes[name]

    def reset(self):
        super().reset()
        self.fused = {}

    def getBlueprint(self):
        if self.nodesOnly:
            self.fail("has no blueprint: its modules are another container's (nodesOnly)")
        names = lambda nodes: [node.name for node in nodes]
        graph = {name: [[parent.name, slots] for parent, slots in node.bwds]
                 for name, node in self.nodes.items()}
        return {**super().getBlueprint(), "graph": graph, "inputs": names(self.inputs),
                "outputs": names(self.outputs)}

    def __repr__(self):
        lines = [str(self)]
        for name, node in self.nodes.items():
            parents = ", ".join(parent.name + ("" if slots is None else f"[{slots}]")
                                for parent, slots in node.bwds)
            first, *rest = repr(node.mod).splitlines()
            lines += [f"  {name}: {first}" + (f" <- {parents}" if parents else ""),
                      *(f"  {line}" for line in rest)]
        return "\n".join(lines)


def joined(mod, parts, add, missing):
    """
    [(slots, gradient)] from those that took what `mod` gave, as the one gradient of that: add(list)
    where several took the same, missing(array) where nobody took it.
    """
    if all(slots is None for slots, _ in parts):
        values = [value for _, value in parts]
        if isinstance(values[0], list):
            return [add(each) for each in zip(*values, strict=True)]
        return add(values)
    found = [[] for _ in mod.data]
    for slots, value in parts:
        slots = range(len(found)) if slots is None else slots
        isList = isinstance(value, list)
        for slot, each in zip(slots if isList else [slots], value if isList else [value],
                              strict=True):
            found[slot].append(each)
    return [add(each) if each else missing(array)
            for each, array in zip(found, mod.data, strict=True)]


def total(arrays):
    """The sum of arrays, none of which it changes."""
    result = arrays[0]
    for at, each in enumerate(arrays[1:]):
        result = Vector.addScaled(result, each, out=result if at else None)
    return result


def zerosLike(array):
    return gpuarray.zeros(array.shape, array.dtype)
