"""Downloads, on a server of this machine that can fail in every way a real one does."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest

from scrcl_edu import datasets
from scrcl_edu.datasets import download, registry
from scrcl_edu.datasets.registry import Card, File
from scrcl_edu.errors import DataError, DownloadError, InputFileError, OutputError

CONTENT = np.random.default_rng(0).bytes(3_000_000)
SHA256 = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"


@dataclasses.dataclass
class Page:
    """What the server has at one address and how it misbehaves."""

    content: bytes
    status: int = 200
    drop_after: int | None = None  # bytes, then the connection is cut
    drops: int = 10**9  # how often it is cut
    tag: str = '"version-1"'
    length: bool = True
    ranges: bool = True
    wait: float = 0.0  # seconds before the answer
    location: str = ""
    packs: bool = False  # compresses for clients that accept it, as servers do with text


class Server:
    """Pages by path, and a log of (path, first byte asked for)."""

    def __init__(self) -> None:
        self.pages: dict[str, Page] = {}
        self.log: list[tuple[str, int]] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        path = urlsplit(request.path).path
        page = self.pages.get(path, Page(b"", status=404))
        asked = request.headers.get("Range", "bytes=0-").removeprefix("bytes=").split("-")[0]
        same = request.headers.get("If-Range", page.tag) == page.tag
        start = int(asked) if page.ranges and same and page.status == 200 else 0
        self.log.append((path, int(asked)))
        time.sleep(page.wait)
        packed = page.packs and "gzip" in request.headers.get("Accept-Encoding", "")
        content = gzip.compress(page.content) if packed else page.content
        if start and start >= len(content):
            return request.send_error(416)
        request.send_response(206 if start else page.status)
        body = content[start:]
        if start:
            request.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        for header, value in (("ETag", page.tag), ("Location", page.location)):
            if value:
                request.send_header(header, value)
        if packed:
            request.send_header("Content-Encoding", "gzip")
        if page.length:
            request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        if page.drop_after is not None and page.drops > 0:
            page.drops -= 1
            body = body[: page.drop_after]
        request.wfile.write(body)
        request.close_connection = True


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.http.shutdown()
    server.http.server_close()


@pytest.fixture
def dead() -> str:
    """An address at which nobody listens."""
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as http:
        return f"http://127.0.0.1:{http.server_port}/file"


def localized(card: Card, url: str) -> Card:
    """The card with the server of the test in the place of every host."""

    def local(file: File) -> File:
        return dataclasses.replace(file, urls=tuple(url + urlsplit(u).path for u in file.urls))

    sources = [dataclasses.replace(s, files=tuple(map(local, s.files))) for s in card.sources]
    return dataclasses.replace(card, sources=tuple(sources), released=tuple(map(local, card.released)))


@pytest.fixture
def served(server: Server, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Card]:
    """Put a card, changed as asked, into the registry with its addresses on the test's server."""

    def serve(name: str, **changes: object) -> Card:
        card = dataclasses.replace(localized(registry.card(name), server.url), **changes)
        monkeypatch.setattr(registry, "cards", lambda: {card.name: card})
        return card

    return serve


def file_at(*urls: str, check: str = SHA256) -> File:
    return File(name="folder/file.bin", urls=urls, check=check)


def fetch(file: File, cache: Path) -> Path:
    return download.fetch(file, cache=cache, progress=False)


def names_in(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.glob("**/*") if p.is_file())


@pytest.mark.shared
@pytest.mark.parametrize("name", ["sc_celseq2", "pbmc4k", "worm_neurons", "mouse_pancreas_1"])
def test_real_datasets_arrive_verified_and_as_promised(name, shared, server, served, tmp_path):
    card = served(name)
    for file in card.sources[0].files:
        server.pages[urlsplit(file.urls[0]).path] = Page((shared / "data" / file.name).read_bytes())
    adata = datasets.load(name, cache=tmp_path, progress=False)
    assert adata.shape == (card.cells, card.genes)
    assert adata.obs["label"].cat.categories.size == card.classes
    assert (adata.layers["counts"] != adata.X).nnz == 0
    assert np.all(adata.X.data == np.rint(adata.X.data))
    n_requests = len(server.log)
    again = datasets.load(name, cache=tmp_path, progress=False)
    assert len(server.log) == n_requests == len(card.sources[0].files)
    assert (again.X != adata.X).nnz == 0
    adata.write_h5ad(tmp_path / "saved.h5ad")
    assert datasets.read_input(tmp_path / "saved.h5ad").uns["dataset"]["name"] == name


@pytest.mark.shared
def test_released_results_arrive_by_seed(shared, server, served, tmp_path):
    card = served("Quake_Smart-seq2_Lung")
    for file in card.released:
        server.pages[urlsplit(file.urls[0]).path] = Page((shared / "data" / file.name).read_bytes())
    predictions = datasets.released(card.name, cache=tmp_path, progress=False)
    embeddings = datasets.released_embeddings(card.name, cache=tmp_path, progress=False)
    assert list(predictions) == list(embeddings) == [5, 15, 25, 35, 45]
    assert {p.shape for p in predictions.values()} == {(card.cells,)}
    assert {e.shape for e in embeddings.values()} == {(card.cells, 2 * card.classes)}


@pytest.mark.shared
def test_real_starmap_loads_whole_and_by_slice_from_a_copy_put_there_by_hand(shared):
    whole = datasets.load("starmap", cache=shared / "data", progress=False)
    slices = [datasets.load(f"starmap_{i}", cache=shared / "data", progress=False) for i in (1, 2, 3)]
    assert whole.shape == (3190, 166)
    assert [s.n_obs for s in slices] == [1049, 1053, 1088]
    assert np.concatenate([s.obs_names for s in slices]).tolist() == whole.obs_names.tolist()
    assert {s.obs["label"].nunique() for s in slices} == {4}
    assert all(s.obsm["spatial"].shape == (s.n_obs, 2) for s in slices)


@pytest.mark.shared
def test_another_source_is_used_when_the_first_is_gone(shared, server, served, tmp_path):
    card = served("pbmc4k")
    file = card.sources[0].files[0]
    server.pages["/mirror"] = Page((shared / "data" / file.name).read_bytes())
    second = dataclasses.replace(file, urls=(f"{server.url}/mirror",))
    served("pbmc4k", sources=(card.sources[0], dataclasses.replace(card.sources[0], files=(second,))))
    assert datasets.load("pbmc4k", cache=tmp_path, progress=False).n_obs == 4271
    assert [path for path, _ in server.log][-1] == "/mirror"


@pytest.mark.shared
def test_two_processes_load_the_same_dataset_with_one_download(shared, server, tmp_path):
    card = localized(registry.card("worm_neurons"), server.url)
    file = card.sources[0].files[0]
    server.pages[urlsplit(file.urls[0]).path] = Page((shared / "data" / file.name).read_bytes(), wait=0.5)
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from test_datasets_download import localized\n"
        "from scrcl_edu import datasets\n"
        "card = localized(datasets.card('worm_neurons'), sys.argv[2])\n"
        "datasets.registry.cards = lambda: {card.name: card}\n"
        "print(datasets.load('worm_neurons', cache=sys.argv[3], progress=False).n_obs)\n"
    )
    command = [sys.executable, "-c", script, str(Path(__file__).parent), server.url, str(tmp_path)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    results = [process.communicate(timeout=120) for process in running]
    assert [out.strip() for out, _ in results] == ["4186", "4186"], results
    assert len(server.log) == 1


@pytest.mark.parametrize("kind", ["md5", "sha256", "blob"])
def test_every_kind_of_checksum_agrees_with_its_tool(kind, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    if kind == "blob":
        expected = subprocess.run(
            ["git", "hash-object", path], capture_output=True, text=True, check=True
        ).stdout.strip()
    else:
        expected = hashlib.new(kind, CONTENT).hexdigest()
    assert download.matches(path, f"{kind}:{expected}")
    assert not download.matches(path, f"{kind}:{expected[::-1]}")


@pytest.mark.parametrize("status", [404, 500, 503])
def test_the_next_address_is_tried_when_a_server_fails(status, server, tmp_path):
    server.pages |= {"/a": Page(b"<html>sorry</html>", status=status), "/b": Page(CONTENT)}
    path = fetch(file_at(f"{server.url}/a", f"{server.url}/b"), tmp_path)
    assert path == tmp_path / "folder" / "file.bin"
    assert path.read_bytes() == CONTENT
    assert names_in(tmp_path) == ["file.bin"]


def test_when_all_fail_the_message_lets_one_finish_by_hand(server, dead, tmp_path):
    server.pages["/a"] = Page(b"", status=503)
    file = file_at(f"{server.url}/a", f"{server.url}/b", dead)
    with pytest.raises(DownloadError) as caught:
        fetch(file, tmp_path)
    message = str(caught.value)
    for expected in (f"{file.urls[0]}: the server answered 503", f"{file.urls[1]}: the server answered 404"):
        assert expected in message
    assert f"{dead}: no connection" in message
    assert f"save it as {tmp_path / 'folder' / 'file.bin'}" in message
    assert not [path.name for path in (tmp_path / "folder").iterdir() if path.suffix == ".lock"]
    (tmp_path / "folder" / "file.bin").write_bytes(CONTENT)
    n_requests = len(server.log)
    assert fetch(file, tmp_path).read_bytes() == CONTENT
    assert len(server.log) == n_requests


def test_an_interrupted_download_goes_on_where_it_stopped(server, tmp_path):
    server.pages["/a"] = page = Page(CONTENT, drop_after=400_000)
    with pytest.raises(DownloadError, match="connection broke"):
        fetch(file_at(f"{server.url}/a"), tmp_path)
    assert "file.bin" not in names_in(tmp_path)
    received = max(p.stat().st_size for p in (tmp_path / "folder").glob(".*.part"))
    assert 0 < received < len(CONTENT)
    page.drop_after = None
    server.log.clear()
    assert fetch(file_at(f"{server.url}/a"), tmp_path).read_bytes() == CONTENT
    assert server.log == [("/a", received)]
    assert names_in(tmp_path) == ["file.bin"]


def test_a_connection_that_drops_once_is_taken_up_again_in_the_same_call(server, tmp_path):
    server.pages["/a"] = Page(CONTENT, drop_after=1_000_000, drops=1)
    assert fetch(file_at(f"{server.url}/a"), tmp_path).read_bytes() == CONTENT
    assert len(server.log) == 2
    assert server.log[1][1] > 0


@pytest.mark.parametrize("check", [SHA256, ""])
@pytest.mark.parametrize("tag", ['"version-2"', ""])
@pytest.mark.filterwarnings("ignore:.*could not be verified")
def test_a_file_that_changed_on_the_server_meanwhile_is_not_stitched_together(check, tag, server, tmp_path):
    old = bytes(255 - b for b in CONTENT[:1000]) + CONTENT[1000:]
    server.pages["/a"] = Page(old, drop_after=1_000_000, drops=10**9)
    with pytest.raises(DownloadError):
        fetch(file_at(f"{server.url}/a", check=check), tmp_path)
    server.pages["/a"] = Page(CONTENT, tag=tag)
    assert fetch(file_at(f"{server.url}/a", check=check), tmp_path).read_bytes() == CONTENT


def test_text_that_a_server_would_compress_on_its_way_still_resumes(server, tmp_path):
    server.pages["/a"] = Page(CONTENT, drop_after=1_000_000, drops=1, packs=True)
    assert fetch(file_at(f"{server.url}/a"), tmp_path).read_bytes() == CONTENT
    assert server.log[1][1] > 0


def test_a_server_without_ranges_sends_everything_again(server, tmp_path):
    server.pages["/a"] = Page(CONTENT, drop_after=1_000_000, drops=1, ranges=False)
    assert fetch(file_at(f"{server.url}/a"), tmp_path).read_bytes() == CONTENT


def test_a_part_that_is_already_longer_than_the_file_is_dropped(server, tmp_path):
    server.pages["/a"] = Page(CONTENT, drop_after=1_000_000)
    with pytest.raises(DownloadError):
        fetch(file_at(f"{server.url}/a"), tmp_path)
    part = next((tmp_path / "folder").glob(".*.part"))
    part.write_bytes(CONTENT + b"more")
    server.pages["/a"].drop_after = None
    assert fetch(file_at(f"{server.url}/a"), tmp_path).read_bytes() == CONTENT


def test_a_wrong_checksum_is_refused_and_named(server, tmp_path):
    server.pages["/a"] = Page(b"something else")
    with pytest.raises(DownloadError) as caught:
        fetch(file_at(f"{server.url}/a"), tmp_path)
    assert hashlib.sha256(b"something else").hexdigest() in str(caught.value)
    assert SHA256.removeprefix("sha256:") in str(caught.value)
    assert names_in(tmp_path) == []


def test_a_truncated_file_without_a_length_is_found_by_its_checksum(server, tmp_path):
    server.pages |= {"/a": Page(CONTENT, drop_after=1_000_000, length=False), "/b": Page(CONTENT)}
    assert fetch(file_at(f"{server.url}/a", f"{server.url}/b"), tmp_path).read_bytes() == CONTENT


def test_a_damaged_file_in_the_cache_is_replaced_but_kept_while_no_source_answers(server, dead, tmp_path):
    target = tmp_path / "folder" / "file.bin"
    target.parent.mkdir()
    target.write_bytes(CONTENT[:100])
    with pytest.raises(DownloadError, match="another or a damaged file"):
        fetch(file_at(dead), tmp_path)
    assert target.read_bytes() == CONTENT[:100]
    server.pages["/a"] = Page(CONTENT)
    assert fetch(file_at(f"{server.url}/a"), tmp_path).read_bytes() == CONTENT


def test_without_a_checksum_the_first_download_is_recorded_and_later_ones_are_compared(server, tmp_path):
    file = file_at(f"{server.url}/a", check="")
    server.pages["/a"] = Page(CONTENT)
    with pytest.warns(UserWarning, match=r"file\.bin could not be verified.*" + SHA256.removeprefix("sha256:")):
        path = fetch(file, tmp_path)
    assert fetch(file, tmp_path) == path  # silent: warnings are errors here
    path.unlink()
    server.pages["/a"] = Page(b"another file")
    with pytest.raises(DownloadError, match="expected " + SHA256.removeprefix("sha256:")):
        fetch(file, tmp_path)


def test_an_error_page_in_place_of_an_unverified_file_does_not_stay_in_the_cache(server, served, tmp_path):
    card = served("sc_dropseq", classes=2, status="expected")
    counts, metadata = (urlsplit(file.urls[0]).path for file in card.sources[0].files)
    server.pages[counts] = Page(b"<html>try later</html>")
    server.pages[metadata] = Page(gzip.compress(b'"cell_line_demuxlet"\n"c1","A"\n"c2","B"\n'))
    with pytest.warns(UserWarning, match="could not be verified"), pytest.raises(InputFileError, match="damaged"):
        datasets.load("sc_dropseq", cache=tmp_path, progress=False)
    server.pages[counts] = Page(gzip.compress(b'"c1","c2"\n"g1",1,0\n"g2",0,3\n"g3",2,2\n'))
    with pytest.warns(UserWarning, match="could not be verified"):
        adata = datasets.load("sc_dropseq", cache=tmp_path, progress=False)
    assert adata.shape == (2, 3)
    assert adata.obs["label"].tolist() == ["A", "B"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device that is always full")
def test_a_full_disk_is_named_and_nothing_is_left(server, tmp_path):
    url = f"{server.url}/a"
    server.pages["/a"] = Page(CONTENT)
    part = tmp_path / "folder" / f".file.bin.{hashlib.sha1(url.encode()).hexdigest()[:8]}.part"
    part.parent.mkdir()
    part.symlink_to("/dev/full")
    with pytest.raises(OutputError, match=r"disk is full.*SCRCL_EDU_DATA"):
        fetch(file_at(url, url), tmp_path)
    assert names_in(tmp_path) == []
    assert len(server.log) == 1


def test_a_cache_that_cannot_be_written_is_named(server, tmp_path):
    server.pages["/a"] = Page(CONTENT)
    (tmp_path / "folder").write_text("a file where a folder should be")
    with pytest.raises(OutputError, match=r"cannot be written.*SCRCL_EDU_DATA"):
        fetch(file_at(f"{server.url}/a"), tmp_path)


def test_redirects_are_followed(server, tmp_path):
    server.pages |= {"/a": Page(b"", status=302, location="/b", tag=""), "/b": Page(CONTENT)}
    assert fetch(file_at(f"{server.url}/a"), tmp_path).read_bytes() == CONTENT


def test_progress_is_shown_unless_it_is_switched_off(server, tmp_path, capsys):
    server.pages["/a"] = Page(CONTENT)
    download.fetch(file_at(f"{server.url}/a"), cache=tmp_path / "quiet", progress=False)
    assert capsys.readouterr().err == ""
    download.fetch(file_at(f"{server.url}/a"), cache=tmp_path / "shown", progress=True)
    assert "100%" in capsys.readouterr().err


def test_the_cache_folder_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("SCRCL_EDU_DATA", str(tmp_path))
    assert download.cache_folder() == tmp_path
    assert download.cache_folder(tmp_path / "other") == tmp_path / "other"
    monkeypatch.delenv("SCRCL_EDU_DATA")
    assert download.cache_folder().name == "scrcl_edu"


def test_get_downloads_without_reading(server, served, tmp_path):
    card = served("pbmc4k")
    file = dataclasses.replace(card.sources[0].files[0], check=SHA256)
    served("pbmc4k", sources=(dataclasses.replace(card.sources[0], files=(file,)),))
    server.pages[urlsplit(file.urls[0]).path] = Page(CONTENT)
    assert datasets.get("pbmc4k", cache=tmp_path, progress=False) == [tmp_path / file.name]
    assert datasets.get("pbmc4k", cache=tmp_path, progress=False)[0].read_bytes() == CONTENT


@pytest.mark.shared
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cells": 800}, "822 cells instead of 800"),
        ({"genes": 10}, "14878 genes instead of 10"),
        ({"classes": 12}, "13 classes instead of 12"),
        ({"class_sizes": {"a": 822}}, r"instead of \[822\]"),
        ({"task": "spatial"}, "no coordinates"),
    ],
)
def test_data_that_break_a_promise_of_the_card_are_refused(changes, message, shared, served):
    served("mouse_pancreas_1", **changes)
    with pytest.raises(DataError, match=message):
        datasets.load("mouse_pancreas_1", cache=shared / "data", progress=False)


@pytest.mark.shared
def test_where_the_match_is_not_established_differences_are_reported(shared, served):
    served("mouse_pancreas_1", cells=800, status="unresolved", note="The match is not established.")
    with pytest.warns(UserWarning, match="822 cells instead of 800.*not established"):
        assert datasets.load("mouse_pancreas_1", cache=shared / "data", progress=False).n_obs == 822
