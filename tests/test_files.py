"""A result appears under its name only when it is complete, and nothing that is there is lost."""

import errno
from pathlib import Path

import pytest

from scrcl_edu.errors import OutputError
from scrcl_edu.files import atomic_path, check_output


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
