"""
Runs all benchmarks, or those named, and prints a table:

    python -m benchmarks                    # all
    python -m benchmarks Mlp Import         # these subjects
    python -m benchmarks --save             # and keeps the table in benchmarks/results/

Beside PyTorch where it is installed (pip install torch). Times depend on the machine and on what
else it does: quote the ratios.
"""

import argparse
import importlib
import json
import sys
from pathlib import Path

from benchmarks import Machine
from minidl.Backend import Device

folder = Path(__file__).parent
subjects = ["BatchNorm", "Cnn", "Conv", "Import", "Mlp"]


def main():
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("subjects", nargs="*", help=f"of {', '.join(subjects)}; all if none")
    parser.add_argument("--save", action="store_true", help="keep the table in benchmarks/results/")
    args = parser.parse_args()
    if unknown := set(args.subjects) - set(subjects):
        parser.error(f"no subject {', '.join(unknown)}; there are {', '.join(subjects)}")

    rows = []
    print(f"{'work':47} {'minidl us':>10} {'peer us':>10} {'ratio':>7} {'goal':>6}")
    for subject in args.subjects or subjects:
        for row in importlib.import_module(f"benchmarks.{subject}").measure():
            rows.append(row)
            print(f"{row.work:47} {row.minidl:10.1f} {shown(row.peer):>10} "
                  f"{shown(row.ratio, 2):>7} {shown(row.goal, 2):>6}", flush=True)
    if args.save:
        save(rows)


def shown(number, digits=1):
    return "-" if number is None else f"{number:.{digits}f}"


def save(rows):
    path = folder / "results" / f"{Device.current().name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({
        "command": f"python -m benchmarks {' '.join(sys.argv[1:])}",
        **Machine.describe(),
        "rows": [{**row._asdict(), "ratio": row.ratio} for row in rows],
    }, indent=2) + "\n")
    print(f"kept in {path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}")


if __name__ == "__main__":
    main()
