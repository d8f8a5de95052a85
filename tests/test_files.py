"""A result appears under its name only when it is complete, and nothing that is there is lost."""

import errno
import os
from pathlib import Path

import pytest

from scrcl_edu.errors import OutputError
from scrcl_edu.files import FIGURES, atomic_path, check_output, check_outputs, claimed, locked


@pytest.fixture
def path(tmp_path):
    return tmp_path / "result.h5ad"


def fill(path, content=b"new", **settings):
    with atomic_path(path, **settings) as temporary:
        temporary.write_bytes(content)


def fail_halfway(path, error, **settings):
    with atomic_path(path, **settings) as temporary:
        temporary.write_bytes(b"half")
        raise error


def there(folder):
    return sorted(p.name for p in folder.iterdir())


def test_file_appears_only_when_the_block_has_ended(path):
    with atomic_path(path) as temporary:
        temporary.write_bytes(b"new")
        assert not path.exists()
        assert (temporary.parent, temporary.suffix) == (path.parent, ".h5ad")  # same disk, same kind
    assert path.read_bytes() == b"new"
    assert there(path.parent) == ["result.h5ad"]


@pytest.mark.parametrize("error", [ValueError("bad"), KeyboardInterrupt(), MemoryError()])
def test_failed_block_leaves_nothing_and_its_error_is_shown_as_it_is(path, error):
    with pytest.raises(type(error)) as raised:
        fail_halfway(path, error)
    assert raised.value is error
    assert there(path.parent) == []


@pytest.mark.parametrize("overwrite", [True, False])
def test_failed_block_keeps_the_file_that_was_there(path, overwrite):
    path.write_bytes(b"old")
    with pytest.raises(ValueError, match="bad"):
        fail_halfway(path, ValueError("bad"), overwrite=overwrite)
    assert path.read_bytes() == b"old"
    assert there(path.parent) == ["result.h5ad"]


def test_existing_file_is_replaced_only_with_overwrite(path):
    path.write_bytes(b"old")
    with pytest.raises(OutputError, match="exists and is kept; choose another name or pass --overwrite"):
        fill(path)
    assert path.read_bytes() == b"old"
    fill(path, overwrite=True)
    assert path.read_bytes() == b"new"


def test_file_that_appears_while_the_result_is_written_is_kept(path):
    with pytest.raises(OutputError, match="exists and is kept"), atomic_path(path):
        path.write_bytes(b"of another program")
    assert path.read_bytes() == b"of another program"


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "was not written: the disk is full; free some space"),
        (OSError(errno.EROFS, "Read-only file system"), "cannot be written: Read-only file system; choose another"),
        (OSError("h5py has no errno here"), "cannot be written: h5py has no errno here; choose another folder"),
    ],
)
def test_error_of_the_disk_is_explained_and_leaves_nothing(path, error, message):
    with pytest.raises(OutputError, match=f"result.h5ad {message}") as raised:
        fail_halfway(path, error)
    assert raised.value.__cause__ is error
    assert there(path.parent) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has /dev/full")
def test_a_really_full_device_is_explained(path):
    with pytest.raises(OutputError, match="the disk is full"), atomic_path(path):
        Path("/dev/full").write_bytes(b"new")


def test_two_writers_of_one_name_do_not_share_a_temporary_file(path):
    with atomic_path(path, overwrite=True) as first:
        first.write_bytes(b"first")
        fill(path, b"second")
        assert path.read_bytes() == b"second"
    assert path.read_bytes() == b"first"
    assert there(path.parent) == ["result.h5ad"]


def test_output_that_can_be_written_is_accepted_and_nothing_is_left(path):
    assert check_output(str(path)) == path
    assert there(path.parent) == []


def test_output_that_exists_is_refused_and_with_overwrite_not_touched(path):
    path.write_bytes(b"old")
    with pytest.raises(OutputError, match="exists and is kept; choose another name or pass --overwrite"):
        check_output(path)
    check_output(path, overwrite=True)
    assert path.read_bytes() == b"old"
    assert there(path.parent) == ["result.h5ad"]


def test_link_is_followed_and_stays_a_link(tmp_path):
    link, target = tmp_path / "link.h5ad", tmp_path / "folder" / "target.h5ad"
    target.parent.mkdir()
    link.symlink_to(target)
    fill(link)
    fill(link, b"again", overwrite=True)
    assert link.is_symlink()
    assert target.read_bytes() == b"again"
    assert there(target.parent) == ["target.h5ad"]


def test_replaced_file_keeps_its_permissions(path):
    path.write_bytes(b"old")
    path.chmod(0o600)
    fill(path, overwrite=True)
    assert path.stat().st_mode & 0o777 == 0o600


def test_disk_without_hard_links_still_gets_its_file(path, monkeypatch):
    def link(*_):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)
    fill(path)
    assert path.read_bytes() == b"new"
    assert there(path.parent) == ["result.h5ad"]


@pytest.mark.skipif(not Path("/dev/null").is_char_device(), reason="only Unix has /dev/null")
@pytest.mark.parametrize("overwrite", [True, False])
def test_device_is_written_into_and_stays_a_device(overwrite):
    path = Path("/dev/null")
    before = path.stat()
    assert check_output(path, overwrite=overwrite, endings=(".png",)) == path
    fill(path, overwrite=overwrite)
    after = path.stat()
    assert (after.st_ino, after.st_rdev, after.st_mode) == (before.st_ino, before.st_rdev, before.st_mode)
    assert not [name for name in os.listdir("/dev") if name.startswith(".null")]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no named pipes")
def test_pipe_whose_reader_has_gone_is_explained(tmp_path):
    ours, theirs = os.pipe()
    os.close(ours)
    with pytest.raises(OutputError, match="was not written to the end: the program that reads it has stopped"):
        fill(f"/dev/fd/{theirs}")
    os.close(theirs)


def test_standard_output_gets_what_is_written_to_its_name(capfdbinary):
    print("before")
    fill("-")
    fill("/dev/stdout", b" newer")
    assert capfdbinary.readouterr().out == b"before\nnew newer"


def test_disk_is_refused(monkeypatch):
    monkeypatch.setattr(Path, "is_block_device", lambda _: True)
    with pytest.raises(OutputError, match="is a disk and is kept; give the name of a file"):
        check_output("/dev/null")


def test_only_known_endings_are_accepted(tmp_path):
    check_output(tmp_path / "a.PNG", endings=FIGURES)
    with pytest.raises(OutputError, match=r"a\.xyz ends in \.xyz; choose a name that ends in \.png, \.pdf"):
        check_output(tmp_path / "a.xyz", endings=FIGURES)


def test_every_ending_of_a_figure_can_be_drawn():
    from matplotlib.figure import Figure

    assert {ending.removeprefix(".") for ending in FIGURES} <= set(Figure().canvas.get_supported_filetypes())


@pytest.mark.parametrize("second", ["a.json", "./a.json", "link.json"])
def test_one_name_for_two_outputs_is_refused(tmp_path, monkeypatch, second):
    monkeypatch.chdir(tmp_path)
    Path("link.json").symlink_to("a.json")
    with pytest.raises(OutputError, match=r"--out and --json both name .*json; give them different names"):
        check_outputs({"--out": Path("a.json"), "--json": Path(second)}, overwrite=True)


def test_result_table_and_figure_may_all_go_nowhere():
    nowhere = Path(os.devnull)
    check_outputs({"--out": nowhere, "--figure": nowhere, "--json": nowhere})


# Two processes, and what a killed one leaves


def test_lock_is_held_and_leaves_nothing(path):
    with locked(path), pytest.raises(TimeoutError), locked(path, timeout=0):
        pass
    with pytest.raises(ValueError, match="bad"), locked(path):
        raise ValueError("bad")
    assert there(path.parent) == []


def hold(path, lines):
    with locked(path, timeout=30), lines.open("a") as file:
        file.write("in\n")
        file.flush()
        os.sched_yield()
        file.write("out\n")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_lock_that_removes_its_file_still_lets_one_in_at_a_time(path):
    lines = path.with_name("lines")
    children = []
    for _ in range(6):
        if not (child := os.fork()):
            for _ in range(20):
                hold(path, lines)
            os._exit(0)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 6
    assert lines.read_text() == "in\nout\n" * 120
    assert there(path.parent) == ["lines"]


def test_claim_removes_the_unfinished_files_of_a_killed_process_and_no_others(path):
    kept = [path.with_name(name) for name in (".result.h5ad", ".result.0123456x.h5ad", "result.01234567.h5ad")]
    left = [path.with_name(name) for name in (".result.01234567.h5ad", ".result.h5ad.89abcdef.checkpoint")]
    for file in kept + left:
        file.write_bytes(b"half")
    with claimed(path):
        assert there(path.parent) == sorted([".result.h5ad.lock", *(p.name for p in kept)])
    assert there(path.parent) == sorted(p.name for p in kept)


def test_second_claim_is_refused(path):
    busy = "is being made by another process; wait for it, or choose another name"
    with claimed(path), pytest.raises(OutputError, match=busy), claimed(path):
        pass


def test_error_of_the_work_is_not_taken_for_one_of_the_output(path):
    with pytest.raises(FileNotFoundError), claimed(path):
        raise FileNotFoundError("input")


def test_folder_is_refused_even_with_overwrite(tmp_path):
    with pytest.raises(OutputError, match=r"is a folder; give the name of a file inside it, such as .*result.h5ad"):
        check_output(tmp_path, overwrite=True)


def test_missing_folder_is_named(tmp_path):
    with pytest.raises(OutputError, match=r"the folder .*new does not exist; create it first"):
        check_output(tmp_path / "new" / "result.h5ad")


def test_file_in_the_place_of_a_folder_is_named(tmp_path):
    (tmp_path / "file").write_bytes(b"kept")
    with pytest.raises(OutputError, match=r"the folder .*file does not exist"):
        check_output(tmp_path / "file" / "result.h5ad")


def test_folder_that_cannot_be_written_is_found_before_the_work(path, monkeypatch):
    def touch(path, **_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "touch", touch)
    with pytest.raises(OutputError, match=r"result\.h5ad cannot be written: Permission denied; choose another folder"):
        check_output(path)


def test_folder_that_cannot_be_looked_into_is_an_error(path, monkeypatch):
    def stat(path, **_):
        raise PermissionError(errno.EACCES, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "stat", stat)
        with pytest.raises(OutputError, match="cannot be written: Permission denied"):
            check_output(path)


def test_name_that_is_too_long_for_the_disk_is_an_error(tmp_path):
    with pytest.raises(OutputError, match="cannot be written: File name too long"):
        check_output(tmp_path / ("x" * 300 + ".h5ad"))
