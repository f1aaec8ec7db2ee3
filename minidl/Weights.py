"""
Saves and loads modules. The layout of the h5 file is PuzzleLib's:

    /params/<i>              the arrays of the variables, in order of first meeting
    /links/<name>.<var>      the number i of a variable; those that modules share have several links
    /attrs/<name>.<attr>     state that is not trained
    /attrs.<container>/<container's own name>.<attr>
    /blueprint               json: how to build the module (on request)

<name> is the module's path from the root, joined by dots.
"""

import json

import numpy as np

from minidl.Backend.Precision import isFloating
from minidl.GuardedFile import Guarded, WeightsError, reading, writing


def save(module, hdf=None, name=None, compress="gzip", assumeUniqueNames=False,
         withBlueprint=False):
    """See Module.save."""
    root = rootName(module, name)
    with writing(hdf) as (group, result):
        links, attrs = group.create_group("links"), None
        params = group.create_group("params")
        for i, (var, names) in enumerate(module.getVarTable(name=root).items()):
            params.create_dataset(str(i), data=asStored(var.data.get()), compression=compress)
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
    if key in group:
        raise WeightsError(f"two values would be saved as {group.name}/{key}: names must differ")
    group[key] = asStored(value.get()) if hasattr(value, "get") else value


def asStored(value):
    """A host array as h5 files know it: bfloat16, which they do not, becomes float32."""
    return value.astype(storedType(value.dtype), copy=False)


def storedType(dtype):
    return np.dtype(np.float32) if isFloating(dtype) and dtype.kind != "f" else dtype


def load(module, hdf, name=None, assumeUniqueNames=False):
    """See Module.load."""
    root = rootName(module, name)
    with reading(hdf, module) as (group, problems):
        values = [*loadVars(module, root, group, assumeUniqueNames, problems),
                  *loadAttrs(module, root, group, assumeUniqueNames, problems)]
        kept = loadContainerAttrs(module, root, group, problems)

    for target, value in values:
        target[...] = value
    for owner, attrs in kept:
        owner.attrs.update(attrs)


def loadVars(module, root, group, assumeUniqueNames, problems):
    """[(variable's array, its value in the file)]"""
    links, params = Guarded(group, "links", problems), Guarded(group, "params", problems)
    table = {var: [shortened(each, assumeUniqueNames) for each in names]
             for var, names in module.getVarTable(name=root).items()}
    numbers = {key: links.read(key, (), np.dtype(np.int64))
               for keys in table.values() for key in keys}
    links.refuseOthers(set(numbers))
    if None in numbers.values():
        return []

    values = []
    for var, keys in table.items():
        found = [read(params, number, var.data, alias=key)  # each once
                 for number, key in {str(int(numbers[key])): key for key in keys}.items()]
        if any(each is not None and each.tobytes() != found[0].tobytes() for each in found[1:]):
            problems.append(f"{' and '.join(keys)} are one variable here, in the file several")
        values.append((var.data, found[0]))
    params.refuseOthers({str(int(number)) for number in numbers.values()})
    return values


def read(guarded, key, target, alias=None):
    """The dataset as a host array of just the shape and dtype of `target`, or None."""
    value = guarded.read(key, target.shape, storedType(target.dtype), alias)
    if value is None or value.dtype == target.dtype:
        return value
    fitting = value.astype(target.dtype)
    if not np.array_equal(fitting.astype(value.dtype), value, equal_nan=True):
        guarded.problems.append(
            f"{guarded.name}/{key} must hold numbers of {target.dtype}, the file has others")
    return fitting


def loadAttrs(module, root, group, assumeUniqueNames, problems):
    """[(attribute's array, its value in the file)] of all modules that are no containers."""
    attrs, expected, values = Guarded(group, "attrs", problems), set(), []
    for path, owner in module.namedModules(root):
        for name, target in owner.attrs.items() if not owner.isContainer else ():
            key = shortened(f"{path}.{name}", assumeUniqueNames)
            expected.add(key)
            if key not in attrs and owner.attrMissing(name) is not None:
                values.append((target, owner.attrMissing(name)))
                continue
            value = read(attrs, key, target)
            if value is not None:
                if reason := owner.attrProblem(name, value):
                    problems.append(f"{key} {reason}")
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
                for key in attrs.group}))
    return found


def rootName(module, name):
    name = name or module.name or ""
    if "/" in name or "\0" in name:
        raise WeightsError(f"{module}: a name in a file has no slash and no zero, got {name!r}")
    return name


def shortened(path, assumeUniqueNames):
    """The path, or net.conv.W for net.block.conv.W: of modules the first and the last name only."""
    *modules, last = path.split(".")
    if assumeUniqueNames and len(modules) > 2:
        modules = [modules[0], modules[-1]]
    return ".".join([*modules, last])
