# SPDX-License-Identifier: Apache-2.0
import pytest

from monai_ethics.reporting.quantity import counted, group_label, name_label, number, percent, unit_label


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (None, "1", "—"),
        (0.0, "1", "0.000"),
        (0.86123, "1", "0.861"),
        (1, "1", "1.000"),
        (-0.0074, "1", "\N{MINUS SIGN}0.007"),
        (0.0001, "1", "0.0001"),
        (0.00003, "1", "3e-05"),
        (12.346, "mm", "12.35"),
        (214, "patients", "214"),
        (30805, "patients", "30,805"),
        (123.456, "mm", "123.5"),
    ],
)
def test_numbers_are_rounded_for_reading(value, unit, text):
    assert number(value, unit) == text


def test_one_is_counted_in_the_singular():
    assert [counted(n, "patients") for n in (0, 1, 1200)] == ["0 patients", "1 patient", "1,200 patients"]


def test_labels_say_what_was_not_recorded():
    assert group_label({}) == "everyone"
    assert group_label({"sex": None, "site": "A"}) == "sex: not recorded, site: A"
    assert name_label("failure_rate") == "failure rate"
    assert unit_label("1") == ""
    assert percent(0.95) == "95 %"
    assert percent(None) == "—"
