"""What several of the networks are made of."""


def finished(net, modelpath, assumeUniqueNames=False):
    """The net with the weights of a file, or as it is if `modelpath` is None."""
    if modelpath is not None:
        net.load(modelpath, assumeUniqueNames=assumeUniqueNames)
    return net


def chosen(speaker, word, value, choices):
    """The entry of `choices` for the argument `word`; a number may stand for its text."""
    if str(value) not in choices:
        raise ValueError(f"{speaker}: {word} must be one of {', '.join(choices)}, got {value!r}")
    return choices[str(value)]
