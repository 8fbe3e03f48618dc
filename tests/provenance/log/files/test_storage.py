# SPDX-License-Identifier: Apache-2.0
import os
import stat

import pytest
from crash_disk import NOTHING, Disk
from crash_layer import Recorder

from monai_ethics.provenance.log.files.storage import make_folder, remove_files, remove_leftovers, write_atomically


@pytest.fixture
def certain(tmp_path):
    """`certain(work)` does something and gives the names that are on the disk whatever happens then."""

    def names(work):
        recorder, disk = Recorder(tmp_path), Disk()
        with recorder.recording():
            work()
        for op in recorder.journal:
            disk.apply(op)
        return set(disk.state(NOTHING))

    return names


def test_a_folder_and_its_parents_are_on_the_disk_when_it_is_made(tmp_path, certain):
    path = tmp_path / "a" / "b" / "c"
    assert certain(lambda: make_folder(path, mode=0o700)) == {"a", "a/b", "a/b/c"}
    assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0
    make_folder(path)


def test_a_folder_that_a_killed_process_made_is_on_the_disk_before_it_is_used(tmp_path, certain):
    def work():
        os.mkdir(tmp_path / "a")
        make_folder(tmp_path / "a" / "b")

    assert certain(work) == {"a", "a/b"}


def test_what_is_no_folder_is_refused(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    for path in (tmp_path / "file", tmp_path / "file" / "a"):
        with pytest.raises(NotADirectoryError):
            make_folder(path)


@pytest.mark.parametrize("replace", [True, False])
def test_a_written_file_is_on_the_disk_and_alone(tmp_path, certain, replace):
    assert certain(lambda: write_atomically(tmp_path / "a", b"x", replace=replace)) == {"a"}
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_file_that_another_process_was_faster_to_write_is_kept_and_on_the_disk(tmp_path, certain):
    def work():
        os.close(os.open(tmp_path / "a", os.O_WRONLY | os.O_CREAT))
        with pytest.raises(FileExistsError):
            write_atomically(tmp_path / "a", b"x", replace=False)

    assert certain(work) == {"a"}
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_removed_files_are_gone_with_second_names(tmp_path, certain):
    for name in ("a", ".a.0123456789ab.tmp", ".ab.0123456789ab.tmp", ".a.tmp", "b"):
        (tmp_path / name).write_bytes(b"")
    left = {".ab.0123456789ab.tmp", ".a.tmp", "b"}
    assert certain(lambda: remove_files([tmp_path / "a", tmp_path / "missing"])) == left


def test_leftovers_are_removed_and_nothing_else(tmp_path, certain):
    for name in ("a", ".a.0123456789ab.tmp", ".b.0123456789ab.tmp", ".c.0123456789AB.tmp", "d.0123456789ab.tmp"):
        (tmp_path / name).write_bytes(b"")
    assert remove_leftovers(tmp_path, of="b") == 1
    left = {"a", ".c.0123456789AB.tmp", "d.0123456789ab.tmp"}
    assert certain(lambda: remove_leftovers(tmp_path)) == left
