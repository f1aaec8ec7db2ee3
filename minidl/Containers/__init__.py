from minidl.Containers.Container import Container, ContainerError
from minidl.Containers.Graph import Graph
from minidl.Containers.Parallel import Parallel
from minidl.Containers.Sequential import Sequential

__all__ = ["Container", "ContainerError", "Graph", "Parallel", "Sequential"]
