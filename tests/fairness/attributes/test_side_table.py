# SPDX-License-Identifier: Apache-2.0
import pytest

from monai_ethics.errors import InputError
from monai_ethics.fairness.attributes.side_table import read_side_table


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("t.csv", 'case,sex\na,"F\nb,M\n', "quotes are closed"),
        ("t.csv", "case,sex\na," + "x" * 200_000 + "\n", "cells are below 128 kB"),
        ("t.json", '[{"image": "a", "sex": "\\ud800"}]', "text that is none"),
        ("t.json", "[" * 100_000, "text that is none"),
        ("t.json", '[{"image": "a", "age": ' + "9" * 5000 + "}]", "text that is none"),
    ],
)
def test_a_table_that_could_be_read_in_two_ways_or_not_at_all_is_refused(tmp_path, name, text, words):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(InputError, match=words):
        read_side_table(path)
