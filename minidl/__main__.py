"""`python -m minidl`: what can be asked of minidl from the command line."""

import argparse
import sys

import minidl


def main(arguments=None):
    parser = argparse.ArgumentParser("python -m minidl", description=minidl.__doc__)
    parser.add_argument("--version", action="version", version=f"minidl {minidl.__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    doctor = commands.add_parser(
        "doctor", help="say what this installation has, what it lacks and how to get it",
        description="Says what this installation has, what it lacks and how to get it, and tries a "
                    "kernel. Exit code: 0 if all is well, 1 if there are problems.")
    doctor.set_defaults(run=runDoctor)

    setup = commands.add_parser(
        "cuda-setup", help="install what minidl needs to compute on this machine's NVIDIA GPU",
        description="Gives a machine that has an NVIDIA driver the rest: CUDA's compiler and "
                    "headers, if there is no toolkit; PyCUDA, built from its source; libraries for "
                    "matrix products. Runs a kernel in the end. What is there already is left as "
                    "it is. Exit code: 0 if all is well, 1 if a step cannot be done.")
    setup.add_argument("--check", action="store_true", help="only say what would be done")
    setup.add_argument(
        "--no-companions", dest="companions", action="store_false",
        help="leave out cuBLASLt and NVRTC, half a gigabyte: products are then minidl's own kernel")
    setup.add_argument(
        "--find-links", dest="findLinks", metavar="FOLDER",
        help="take all packages from this folder, none from the network")
    setup.add_argument(
        "--driver", type=versionOfCuda, metavar="VERSION",
        help="prepare for a driver of this version of CUDA, say 13.0, where there is none yet, and "
             "run no kernel: when an image of a container is built")
    setup.set_defaults(run=runCudaSetup)

    options = parser.parse_args(arguments)
    return options.run(options)


def runDoctor(options):
    from minidl import Doctor

    return Doctor.examine()


def runCudaSetup(options):
    from minidl import CudaSetup

    return CudaSetup.run(options)


def versionOfCuda(text):
    major, minor = text.split(".")
    return int(major), int(minor)


if __name__ == "__main__":
    sys.exit(main())
