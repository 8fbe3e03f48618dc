# SPDX-License-Identifier: Apache-2.0
import pytest

from monai_ethics.errors import InputError
from monai_ethics.evidence import Verdict
from monai_ethics.provenance.data_origin import ORIGIN_FIELDS, DataOrigin
from monai_ethics.provenance.records.field_coverage import FieldTable
from monai_ethics.provenance.records.recorded_fields import origin_table

RECORD = "sha256:" + "a" * 64


def test_coverage_is_a_complete_count_and_names_what_is_missing():
    whole = frozenset(ORIGIN_FIELDS)
    table = FieldTable(items=["c", "a", "b"], present=[whole, whole - {ORIGIN_FIELDS[0]}, frozenset()])
    finding = DataOrigin()(table)
    assert finding == DataOrigin()(table.reordered([2, 0, 1]))
    assert finding.verdict is Verdict.MEASURED
    assert finding.accounting == {"complete": 1, "incomplete": 2}
    values = {estimate.name: estimate.value for estimate in finding.estimates}
    assert values["coverage"] == pytest.approx(1 / 3)
    assert values[f"coverage_{ORIGIN_FIELDS[0]}"] == pytest.approx(1 / 3)
    assert values[f"coverage_{ORIGIN_FIELDS[1]}"] == pytest.approx(2 / 3)
    assert [(o.items, o.note) for o in finding.observations] == [
        (("a",), ORIGIN_FIELDS[0]),
        (("b",), ", ".join(ORIGIN_FIELDS)),
    ]
    assert DataOrigin()(FieldTable(items=["a"], present=[whole])).verdict is Verdict.NOT_ASSESSABLE


def test_rows_of_unequal_length_are_refused():
    with pytest.raises(InputError, match="one entry per item"):
        FieldTable(items=["a"], present=[])


def test_the_origin_of_an_item_is_its_own_or_that_of_the_whole_set():
    own = {"type": "import", "license": "CC0-1.0", "consent_refs": ["p"], "activity": {"deidentification": "defaced"}}
    acquired = {"type": "acquisition", "consent": {"basis": "broad"}}
    table = origin_table(
        [("a", "digest", RECORD), ("b", None, "sha256:x"), ("c", "digest", None)],
        {RECORD: own, "sha256:x": acquired},
        {"source": "hospital", "license": ""},
    )
    assert table.present[0] == {"source", "license", "consent", "digest", "deidentification"}
    assert table.present[1] == {"source", "acquisition", "consent"}
    assert table.present[2] == {"source", "digest"}
