"""Fetches gzipped files over https, when a user asks for it."""

import gzip
import http.client

from minidl import Config
from minidl.AtomicFile import replacing
from minidl.Datasets.Source import DatasetError, opened

mostBytes = 2 ** 30
pieceBytes = 2 ** 20
patience = 30  # seconds without a byte


def fetch(url, path, who, log=True):
    """
    Writes the file of the address to `path`, in one step, if it comes whole.

    It must be gzipped: the sum that such a file ends with is checked.
    """
    if not url.startswith("https:"):
        raise DatasetError(f"{who}: url must be an https address, got {url}")
    if log:
        Config.getLogger().info(f"{who} downloads {url}")
    try:
        with replacing(path) as temporary:
            copy(url, temporary)
            with opened(who, temporary) as source:
                if not isinstance(source.stream, gzip.GzipFile):
                    source.fail("must be gzipped, is not")
                while source.read(pieceBytes):
                    pass
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise DatasetError(
            f"{who}: cannot download {url} ({error}): without a network, put the file into "
            f"{path.parent} yourself") from error


def copy(url, path):
    from urllib.request import urlopen

    with urlopen(url, timeout=patience) as response, open(path, "wb") as file:
        if not response.url.startswith("https:"):
            raise ValueError(f"must come over https, comes from {response.url}")
        while piece := response.read(pieceBytes):
            file.write(piece)
            if file.tell() > mostBytes:
                raise ValueError(f"must have at most {mostBytes} bytes")
        size = response.headers.get("Content-Length")
        if size is not None and int(size) != file.tell():
            raise ValueError(f"must have {size} bytes, {file.tell()} came")
