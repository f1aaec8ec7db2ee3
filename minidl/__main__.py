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

    options = parser.parse_args(arguments)
    return options.run(options)


def runDoctor(options):
    from minidl import Doctor

    return Doctor.examine()


if __name__ == "__main__":
    sys.exit(main())
