# SPDX-License-Identifier: Apache-2.0
"""What a user may name in place of a small file."""

import os
import threading

import pytest

from monai_ethics._input import read_input
from monai_ethics.errors import InputError
from monai_ethics.lifecycle.policy import read_policy
from monai_ethics.provenance.keys.trusted import read_trusted


def test_a_file_is_read_and_one_byte_tells_of_more(tmp_path):
    (tmp_path / "a").write_bytes(b"12345")
    assert [read_input(tmp_path / "a", most=n) for n in (5, 4, 3)] == [b"12345", b"12345", b"1234"]
    with pytest.raises(IsADirectoryError):
        read_input(tmp_path, most=5)


def test_a_pipe_is_read_to_its_end_and_not_waited_for_without_a_writer(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert read_input(pipe, most=100) == b""
    reading, writing = os.pipe()
    thread = threading.Timer(0.1, lambda: (os.write(writing, b"late"), os.close(writing)))
    thread.start()
    assert read_input(f"/dev/fd/{reading}", most=100) == b"late"  # as a shell hands over `<(command)`
    thread.join()
    os.close(reading)


@pytest.mark.parametrize("read", [read_policy, lambda path: read_trusted([str(path)])])
def test_neither_a_pipe_nor_an_endless_device_is_a_policy_or_a_key(tmp_path, read):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/dev/zero"):
        with pytest.raises(InputError):
            read(path)
