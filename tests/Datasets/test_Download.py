"""Downloads, from a stand-in for the network."""

import gzip
import io
from urllib.error import URLError

import pytest

from minidl.Datasets import DatasetError, Download, MnistLoader
from tests.Datasets.Files import writeMnist

data = gzip.compress(b"digits")


class Response(io.BytesIO):
    def __init__(self, data, url, size=None):
        super().__init__(data)
        self.url, self.headers = url, {} if size is None else {"Content-Length": str(size)}


@pytest.fixture
def serve(monkeypatch):
    """Makes `answer(url)`, a Response or an error, what is found in the network."""
    asked = []

    def install(answer):
        def urlopen(url, timeout):
            asked.append(url)
            return answer(url)
        monkeypatch.setattr("urllib.request.urlopen", urlopen)
        return asked
    return install


def fetch(path):
    Download.fetch("https://host/set.gz", path, "Loader", log=False)


def refusal(folder):
    with pytest.raises(DatasetError) as caught:
        fetch(folder / "set.gz")
    assert not list(folder.iterdir())
    return str(caught.value)


def test_a_file_that_comes_whole_is_put_in_its_place(tmp_path, serve):
    serve(lambda url: Response(data, url, len(data)))

    fetch(tmp_path / "new" / "set.gz")

    assert [path.read_bytes() for path in (tmp_path / "new").iterdir()] == [data]


def test_no_network_is_told_with_what_to_do(tmp_path, serve):
    def fail(url):
        raise URLError("no route")
    serve(fail)

    assert refusal(tmp_path) == (
        f"Loader: cannot download https://host/set.gz (<urlopen error no route>): without a "
        f"network, put the file into {tmp_path} yourself")


@pytest.mark.parametrize("answer, reason", [
    (lambda url: Response(data, "http://host/set.gz"), "must come over https, comes from http:"),
    (lambda url: Response(data, url, len(data) + 1), f"must have {len(data) + 1} bytes, "),
    (lambda url: Response(data[:-3], url), "cannot be read: "),
    (lambda url: Response(data[:-8] + bytes(8), url), "cannot be read: CRC check failed"),
    (lambda url: Response(b"<html>not found</html>", url), "must be gzipped, is not"),
])
def test_a_file_that_is_not_what_it_should_be_is_thrown_away(tmp_path, serve, answer, reason):
    serve(answer)

    assert reason in refusal(tmp_path)


def test_a_file_without_end_is_thrown_away(tmp_path, serve, monkeypatch):
    monkeypatch.setattr(Download, "mostBytes", 10)
    serve(lambda url: Response(data, url))

    assert "must have at most 10 bytes" in refusal(tmp_path)


def test_an_address_without_https_is_not_asked(tmp_path, serve):
    asked = serve(lambda url: Response(data, url))

    with pytest.raises(DatasetError, match="url must be an https address"):
        Download.fetch("http://host/set.gz", tmp_path / "set.gz", "Loader")

    assert not asked


def test_a_loader_fetches_the_missing_files_when_it_is_asked_to(tmp_path, rng, serve):
    there, here = tmp_path / "there", tmp_path / "here"
    there.mkdir()
    _, labels = writeMnist(there, rng, packed=True)
    asked = serve(lambda url: Response((there / url.rpartition("/")[2]).read_bytes(), url))

    with pytest.raises(DatasetError, match="there is no folder"):
        MnistLoader().load(here, log=False)
    assert not asked
    _, found = MnistLoader().load(here, log=False, download=True)
    MnistLoader().load(here, log=False, download=True)

    assert found[:].tolist() == labels.tolist()
    assert asked == [MnistLoader.url + name for name in MnistLoader.files]
