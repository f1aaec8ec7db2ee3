"""The CUDA context that minidl computes in, made current wherever minidl is called."""

import atexit
import contextlib
import ctypes
import os
import threading
import warnings
import weakref

from minidl import Config
from minidl.Backend.Cuda import Toolkit


class CudaError(RuntimeError):
    """CUDA cannot do what was asked, here or now; the message has the reason and the remedy."""


def whyNoDevice():
    """Why PyCUDA finds no device, and the remedy; None if it finds one."""
    if library := Toolkit.driverLibrary():
        # Where the driver lies in a folder of its own, the loader would not find it for PyCUDA.
        with contextlib.suppress(OSError):
            ctypes.CDLL(str(library), ctypes.RTLD_GLOBAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what it warns of, the error says as well
            import pycuda.driver as drv
    except ImportError as error:
        return (f"PyCUDA cannot be imported ({error}): where there is an NVIDIA driver, "
                f"python -m minidl cuda-setup makes PyCUDA fit it")
    try:
        drv.init()
        return None if drv.Device.count() else "the driver finds no GPU"
    except drv.Error as error:
        return f"the driver finds no GPU ({error})"


class Context:
    """
    PyCUDA's context that is current when this is made, else the primary one of device `index`.

    The primary context is the one that PyTorch, CuPy and Numba use: arrays can be handed over. Each
    thread has a stack of current contexts, and must leave it empty when it ends: what is pushed
    here, is popped when its thread or the interpreter ends.
    """

    def __init__(self, index):
        import pycuda.driver as drv

        self.driver = drv
        self.process = os.getpid()
        self.entered = threading.local()
        self.isOfThread = False  # whether it was made in another thread than the main one
        self.context = drv.Context.get_current()
        if self.context is None:
            number = drv.Device.count()
            if not 0 <= index < number:
                raise Config.ConfigError(
                    f"Config.deviceIdx is {index}, but the driver finds {number} GPUs")
            try:
                self.context = drv.Device(index).retain_primary_context()
            except drv.Error as error:
                raise CudaError(f"GPU {index} cannot be used ({error})") from None
            self.isOfThread = threading.current_thread() is not threading.main_thread()
            self.enter()
        self.device = drv.Context.get_device()
        atexit.register(self.close)
        # A reference that is weak, so that this ends with the device and not after the interpreter.
        abandon = weakref.WeakMethod(self.abandon)
        os.register_at_fork(after_in_child=lambda: (call := abandon()) and call())

    def enter(self):
        """Makes the context current in this thread, until the thread ends."""
        self.entered.guard = None  # one that is left over must not pop what comes now
        try:
            self.context.push()
        except self.driver.Error as error:
            raise CudaError(
                f"the CUDA context that minidl computes in is gone ({error}): it must live as "
                f"long as minidl is used") from None
        self.entered.guard = Entered(self.context, self.driver)

    def ensure(self):
        """Makes the context current if none is, for libraries that are called past PyCUDA."""
        if self.driver.Context.get_current() is None:
            self.enter()

    @contextlib.contextmanager
    def pushed(self):
        """Makes the context current for a moment, in any thread, if it still lives."""
        isPushed = False
        if self.driver.Context.get_current() != self.context:
            with contextlib.suppress(self.driver.Error):
                self.context.push()
                isPushed = True
        try:
            yield
        finally:
            if isPushed:
                self.driver.Context.pop()

    def recover(self, error):
        """
        Called when the driver has refused a call; returns if the call may be tried again.

        Raises:
            CudaError: the process was forked, or another context is current.
            error: the reason was none of these.
        """
        if os.getpid() != self.process:
            raise CudaError(
                "CUDA was initialised before this process was forked, and does not work in it: "
                "start processes by spawn (multiprocessing.set_start_method)") from None
        current = self.driver.Context.get_current()
        if current == self.context:
            raise error
        if current is not None:
            raise CudaError(
                "another CUDA context is current in this thread than the one minidl computes in: "
                "pop it first") from None
        self.enter()

    def abandon(self):
        """In a forked child: lets go of the context without the driver, which fails there."""
        with silentErrors():
            while self.driver.Context.get_current() is not None:
                self.driver.Context.get_current().detach()
            with contextlib.suppress(self.driver.Error):  # already done, if it was current
                self.context.detach()

    def close(self):
        """At the interpreter's end."""
        if os.getpid() != self.process:
            return
        self.entered.__dict__.clear()
        if self.isOfThread:  # PyCUDA would not know how to take down what this thread did not make
            self.context.detach()


class Entered:
    """Pops a context when the thread that has pushed it ends, and with it this."""

    def __init__(self, context, driver):
        self.context, self.driver = context, driver

    def __del__(self):
        if self.driver.Context.get_current() == self.context:
            self.driver.Context.pop()


@contextlib.contextmanager
def silentErrors():
    """Drops what the driver's wrapper writes to standard error, which is no Python stream there."""
    kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)
