"""
Saves and loads modules. The layout of the h5 file is PuzzleLib's:

    /params/<i>              the arrays of the variables, in order of first meeting
    /links/<name>.<var>      the number i of a variable; those that modules share have several links
    /attrs/<name>.<attr>     state that is not trained
    /attrs.<container>/<container's own name>.<attr>
    /blueprint               json: how to build the module (on request)

<name> is the module's path from the root, joined by dots. A file begins with a seal (Seal.py).
"""

import json
import shutil
import zlib

import numpy as np

from minidl.AtomicFile import replacing
from minidl.Backend.Precision import isFloating
from minidl.Guarded import Guarded, shown
from minidl.GuardedFile import WeightsError, binary, reading, told, writing
from minidl.Seal import blockSize, bodyStart, sealOf


def save(module, hdf=None, name=None, compress="gzip", assumeUniqueNames=False,
         withBlueprint=False):
    """See Module.save."""
    root = rootName(module, name)
    with writing(hdf) as (group, result):
        links, attrs = group.create_group("links"), None
        params = group.create_group("params")
        for i, (var, names) in enumerate(module.getVarTable(name=root).items()):
            value = asStored(var.data.get())
            params.create_dataset(str(i), data=value, compression=compress if pays(value) else None)
            for each in names:
                write(links, shortened(each, assumeUniqueNames), np.int64(i))

        for path, owner in module.namedModules(root):
            if owner.isContainer:
                own = group.create_group(f"attrs.{path}")
                for key, value in owner.attrs.items():
                    write(own, f"{owner.name or ''}.{key}", value)
                continue
            for key, value in owner.attrs.items():
                attrs = attrs if attrs is not None else group.create_group("attrs")
                write(attrs, shortened(f"{path}.{key}", assumeUniqueNames), value)

        if withBlueprint:
            group["blueprint"] = json.dumps(module.getBlueprint(), indent=4, sort_keys=True)
    return result[0]


def write(group, key, value):
    checkName("Weights", key)
    if key in group:
        raise WeightsError(f"two values would be saved as {group.name}/{key}: names must differ")
    group[key] = asStored(value.get()) if hasattr(value, "get") else value


def pays(value):
    """
    Whether to compress an array: if a piece of it shrinks by a fifth. Trained weights shrink by a
    tenth, which takes 60 times as long to write.
    """
    piece = value.reshape(-1)[:2 ** 14].tobytes()
    return value.nbytes >= 2 ** 13 and len(zlib.compress(piece, 1)) < 0.8 * len(piece)


def asStored(value):
    """A host array as h5 files know it: bfloat16, which they do not, becomes float32."""
    return value.astype(storedType(value.dtype), copy=False)


def storedType(dtype):
    return np.dtype(np.float32) if isFloating(dtype) and dtype.kind != "f" else dtype


def load(module, hdf, name=None, assumeUniqueNames=False, strict=True, requireSeal=None):
    """See Module.load."""
    root = rootName(module, name)
    with reading(hdf, module, requireSeal, strict) as (group, problems):
        take = found(module, root, group, assumeUniqueNames, problems)
    take()
    return None if strict else problems.misfits


def found(module, root, group, assumeUniqueNames, problems):
    """Reads all; returns a function that has the module take it, if there are no problems."""
    values = [*loadVars(module, root, group, assumeUniqueNames, problems),
              *loadAttrs(module, root, group, assumeUniqueNames, problems)]
    kept = loadContainerAttrs(module, root, group, problems)

    def take():
        for target, value in values:
            target[...] = value
        for owner, attrs in kept:
            owner.attrs.update(attrs)
    return take


def loadVars(module, root, group, assumeUniqueNames, problems):
    """[(variable's array, its value in the file)]"""
    links, params = Guarded(group, "links", problems), Guarded(group, "params", problems)
    table = {var: [shortened(each, assumeUniqueNames) for each in names]
             for var, names in module.getVarTable(name=root).items()}
    numbers = {key: links.read(key, (), np.dtype(np.int64))
               for keys in table.values() for key in keys}
    links.refuseOthers(numbers)
    numbers = {key: str(number) for key, number in numbers.items() if number is not None}
    if not problems.misfits:  # else one does not know what others are for
        params.refuseOthers(numbers.values())

    values = []
    for var, keys in table.items():
        keys = {numbers[key]: key for key in reversed(keys) if key in numbers}
        found = [read(params, number, var.data, alias=key) for number, key in keys.items()]
        found = [value for value in found if value is not None]
        if any(each.tobytes() != found[0].tobytes() for each in found[1:]):
            names = " and ".join(sorted(keys.values()))
            problems.misfits[names] = f"{names} are one variable here, in the file several"
        elif found:
            values.append((var.data, found[0]))
    return values


def read(guarded, key, target, alias=None):
    """The dataset as a host array of just the shape and dtype of `target`, or None."""
    value = guarded.read(key, target.shape, storedType(target.dtype), alias)
    if value is None or value.dtype == target.dtype:
        return value
    fitting = value.astype(target.dtype)
    if np.array_equal(fitting.astype(value.dtype), value, equal_nan=True):
        return fitting
    guarded.problems.misfits[alias or key] = (
        f"{guarded.label(key)} must hold numbers of {target.dtype}, the file has others")
    return None


def loadAttrs(module, root, group, assumeUniqueNames, problems):
    """[(attribute's array, its value in the file)] of all modules that are no containers."""
    attrs, expected, values = Guarded(group, "attrs", problems), set(), []
    for path, owner in module.namedModules(root):
        if owner.isContainer:
            continue
        keys = {name: shortened(f"{path}.{name}", assumeUniqueNames) for name in owner.attrs}
        expected.update(keys.values())
        isThere = any(key in attrs for key in keys.values())
        for name, target in owner.attrs.items():
            key = keys[name]
            if key not in attrs and isThere and owner.attrMissing(name) is not None:
                values.append((target, owner.attrMissing(name)))
                continue
            value = read(attrs, key, target)
            if value is not None:
                if reason := owner.attrProblem(name, value):
                    problems.append(f"{attrs.label(key)} {reason}")
                values.append((target, value))
    attrs.refuseOthers(expected)
    return values


def loadContainerAttrs(module, root, group, problems):
    """[(container, {name: value})] of what users have kept in containers."""
    found = []
    for path, owner in module.namedModules(root):
        if owner.isContainer:
            attrs, own = Guarded(group, f"attrs.{path}", problems), f"{owner.name or ''}."
            found.append((owner, {
                key[len(own):] if key.startswith(own) else key.partition(".")[2]: attrs.readAny(key)
                for key in attrs.names()}))
    return found


def seal(path):
    """
    Seals an h5 file that has no seal, or that was changed on purpose since, in one step. From then
    on it is taken for whole: seal what you trust.
    """
    with told(f"cannot seal {path}: "), binary(path) as file:
        start = bodyStart(file.read(2 * blockSize))
        with replacing(path) as temporary, temporary.open("w+b") as sealed:
            sealed.write(bytes(blockSize))
            file.seek(start)
            shutil.copyfileobj(file, sealed)
            block = sealOf(sealed)
            sealed.seek(0)
            sealed.write(block)


def rootName(module, name):
    name = name or module.name or ""
    for path, _ in module.namedModules(name):
        checkName(module, path)
    return name


def checkName(who, name):
    if "/" in name or "\0" in name or name != name.encode(errors="replace").decode():
        raise WeightsError(f"{shown(who)}: a name in a file has no slash and no zero, got "
                           f"{shown(ascii(name))}")


def shortened(path, assumeUniqueNames):
    """The path, or net.conv.W for net.block.conv.W: of modules the first and the last name only."""
    *modules, last = path.split(".")
    if assumeUniqueNames and len(modules) > 2:
        modules = [modules[0], modules[-1]]
    return ".".join([*modules, last])
