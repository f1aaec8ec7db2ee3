"""What is done to samples on their way from the host to the device."""

from minidl.Transformers.Augment import Augment
