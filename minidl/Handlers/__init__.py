from minidl.Handlers.Calculator import Calculator
from minidl.Handlers.Checkpoint import Checkpoint
from minidl.Handlers.Trainer import Trainer
from minidl.Handlers.Validator import Validator

__all__ = ["Calculator", "Checkpoint", "Trainer", "Validator"]
