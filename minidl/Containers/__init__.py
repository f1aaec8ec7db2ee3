from minidl.Containers.Container import Container, ContainerError
from minidl.Containers.Parallel import Parallel
from minidl.Containers.Sequential import Sequential

__all__ = ["Container", "ContainerError", "Parallel", "Sequential"]
