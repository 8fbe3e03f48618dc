# SPDX-License-Identifier: Apache-2.0
import pytest

from monai_ethics.errors import InputError
from monai_ethics.fairness.attributes.target import read_target


@pytest.fixture
def write(tmp_path):
    def make(text):
        path = tmp_path / "target.csv"
        path.write_text(text, encoding="utf-8")
        return path

    return make


def test_shares_and_their_source_are_read_for_each_attribute(write):
    text = "attribute,label,share,source\nsex,F,0.51,census\nsex,M,0.49,census\nsite,A,1,register\n"
    found = read_target(write(text))
    assert dict(found["sex"].shares) == {"F": 0.51, "M": 0.49}
    assert found["sex"].source == "census"
    assert found["site"].source == "register"


def test_a_source_can_be_given_for_a_file_without_one(write):
    path = write("attribute,label,share\nsex,F,0.5\nsex,M,0.5\n")
    assert read_target(path, source="census")["sex"].source == "census"
    with pytest.raises(InputError, match="source"):
        read_target(path)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("attribute,label\nsex,F\n", "columns"),
        ("attribute,label,share\n", "columns"),
        ("attribute,label,share\nsex,F,half\n", "line 2"),
        ("attribute,label,share\nsex,F,0.5\nsex,F,0.5\n", "line 3"),
        ("attribute,label,share\nsex,,0.5\n", "line 2"),
        ("attribute,label,share\nsex,F,0.5\n", "add up to 1"),
    ],
)
def test_a_file_that_is_no_population_is_refused_with_its_line(write, text, match):
    with pytest.raises(InputError, match=match):
        read_target(write(text), source="census")


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="readable"):
        read_target(tmp_path / "none.csv")
