"""Makes one flat Graph of containers within containers."""

from typing import NamedTuple

from minidl.Containers import Graph, Parallel, Sequential
from minidl.Containers.Node import Node
from minidl.Modules.Identity import Identity
from minidl.Modules.Replicate import Replicate


def toGraph(module, unsafe=False, nodesOnly=False, assumeUniqueNames=False):
    """
    A Graph of the modules that `module` is made of, which it shares: what it computes is the same,
    bit for bit.

    Each Sequential, Parallel and Graph is opened, and Identity and Replicate become edges. An
    Identity stays where there must be a node: where several modules take an input, at an output
    that others take as well, and where what is split is split again.

    Args:
        unsafe, nodesOnly: as Graph's.
        assumeUniqueNames: a node is named as its module. Else its name is the module's path in
            `module`, joined by "_".
    """
    return Conversion(assumeUniqueNames).graph(module, unsafe, nodesOnly)


class Edge(NamedTuple):
    """What a node gives, on its way to another; a list of edges stands for a list of arrays."""

    node: Node
    slots: int | None = None
    rank: tuple = ()  # the place of its gradient in the sum of those of all that take it


class Conversion:
    def __init__(self, assumeUniqueNames):
        self.assumeUniqueNames = assumeUniqueNames
        self.ranks = {}  # {(node, index of an edge to it): rank}

    def graph(self, module, unsafe, nodesOnly):
        number = inputsOf(module)
        entries = [Node(Identity(), name=f"input{i}") for i in range(number)]
        edges = [Edge(node) for node in entries]
        result = self.through(module, edges if number > 1 else edges[0], ())
        outputs = [self.output(i, edge) for i, edge in enumerate(listed(result))]

        inputs = [self.input(node, outputs) for node in entries]
        for parent in {parent for node, _ in self.ranks for parent, _ in node.bwds}:
            parent.fwds.sort(key=lambda edge: self.ranks[edge])
        return Graph(inputs, outputs, unsafe, nodesOnly, module.name)

    def input(self, entry, outputs):
        """The node that alone takes an input, or the Identity that stands for the input."""
        if entry in outputs or len(entry.fwds) != 1 or len(entry.fwds[0][0].bwds) != 1:
            return entry
        node = entry.fwds[0][0]
        node.bwds.clear()
        return node

    def output(self, index, edge):
        """The node that gives an output and nothing else."""
        if edge.slots is None and not edge.node.fwds and not edge.rank:
            return edge.node
        return self.node(Identity(), edge, (f"output{index}",)).node

    # Each takes and returns an edge or a list of edges

    def through(self, mod, value, path):
        if isinstance(mod, Sequential):
            for each in mod.graph:
                value = self.through(each, value, (*path, each.name))
            return value
        if isinstance(mod, Parallel):
            return [self.through(each, part, (*path, each.name))
                    for each, part in zip(mod, several(value, len(mod)), strict=True)]
        if isinstance(mod, Graph):
            return self.throughGraph(mod, value, path)
        if type(mod) is Identity:
            return value
        if isinstance(mod, Replicate):
            value = self.unsplit(value, path)
            return [value._replace(rank=(i,)) for i in range(mod.times)]
        return self.node(mod, value, path)

    def node(self, mod, value, path):
        name = path[-1] if path and self.assumeUniqueNames else "_".join(path)
        node = Node(mod, name=name or None)
        for index, edge in enumerate(listed(value)):
            node.addBackwards((edge.node, edge.slots) if edge.slots is not None else edge.node)
            self.ranks[node, index] = edge.rank
        return Edge(node)

    def throughGraph(self, graph, value, path):
        given = {}
        entering = dict(zip(graph.inputs, listed(value) if len(graph.inputs) > 1 else [value],
                            strict=True))
        for node in graph.order:
            parts = [self.taken(graph, node, index, given)
                     for index in range(len(node.bwds))] or [entering[node]]
            flat = [each for part in parts for each in listed(part)]
            value = self.through(
                node.mod, parts[0] if len(parts) == 1 else flat, (*path, node.name))
            if len(graph.edges[node]) > 1:
                each = [self.unsplit(edge, (*path, node.name, f"split{i}"))
                        for i, edge in enumerate(listed(value))]
                value = each if isinstance(value, list) else each[0]
            given[node] = value
        return graph.atOutputs(given)

    def taken(self, graph, node, index, given):
        """What comes along an edge of a graph."""
        parent, slots = node.bwds[index]
        value, edges = given[parent], graph.edges[parent]
        if slots is None:
            chosen = value
        elif isinstance(slots, list):
            parts = several(value, max(slots) + 1)
            chosen = [parts[slot] for slot in slots]
        else:
            chosen = several(value, slots + 1)[slots]
        if len(edges) == 1:
            return chosen
        ranked = [edge._replace(rank=(edges.index((node, index)),)) for edge in listed(chosen)]
        return ranked if isinstance(chosen, list) else ranked[0]

    def unsplit(self, value, path):
        """An edge that alone takes what its node gives."""
        return self.node(Identity(), value, path) if value.rank else value


def inputsOf(module):
    """How many arrays a module takes that knows it."""
    if isinstance(module, Sequential):
        first = next((each for each in module if type(each) is not Identity), None)
        return inputsOf(first)
    if isinstance(module, Parallel):
        return len(module)
    return len(module.inputs) if isinstance(module, Graph) else 1


def listed(value):
    return value if isinstance(value, list) else [value]


def several(value, number):
    """The edges of a list, or those of a node that gives one, up to `number`."""
    if isinstance(value, list):
        return value
    return [value._replace(slots=slot) for slot in range(number)]
