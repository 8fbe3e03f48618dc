# SPDX-License-Identifier: Apache-2.0
import pytest

from monai_ethics.evidence import Verdict
from monai_ethics.provenance.generation_record import GENERATION_FIELDS, GenerationRecord
from monai_ethics.provenance.log.writing.writer import EvidenceLog
from monai_ethics.provenance.records.field_coverage import FieldTable
from monai_ethics.provenance.records.recorded_fields import generation_table, records_of, synthesis_records

RECORD = "sha256:" + "a" * 64


def test_coverage_is_a_complete_count_and_names_what_is_missing():
    whole = frozenset(GENERATION_FIELDS)
    table = FieldTable(items=["c", "a", "b"], present=[whole, whole - {GENERATION_FIELDS[0]}, frozenset()])
    finding = GenerationRecord()(table)
    assert finding == GenerationRecord()(table.reordered([2, 0, 1]))
    assert finding.verdict is Verdict.MEASURED
    assert finding.accounting == {"complete": 1, "incomplete": 2}
    values = {estimate.name: estimate.value for estimate in finding.estimates}
    assert values["coverage"] == pytest.approx(1 / 3)
    assert values[f"coverage_{GENERATION_FIELDS[0]}"] == pytest.approx(1 / 3)
    assert values[f"coverage_{GENERATION_FIELDS[1]}"] == pytest.approx(2 / 3)
    assert [(o.items, o.note) for o in finding.observations] == [
        (("a",), GENERATION_FIELDS[0]),
        (("b",), ", ".join(GENERATION_FIELDS)),
    ]
    assert GenerationRecord()(FieldTable(items=["a"], present=[whole])).verdict is Verdict.NOT_ASSESSABLE


def test_what_a_record_says_of_the_generation_is_found():
    full = {
        "type": "synthesis",
        "id": RECORD,
        "subjects": [{"item": "p"}],
        "parents": [{"id": RECORD, "role": "model"}, {"id": RECORD, "role": "conditioning image"}],
        "model": {"bundle": {"name": "ldm", "version": "1"}},
        "activity": {"seed": 0, "sampler": {"class": "DDIMScheduler"}},
    }
    table = generation_table([full, {"type": "synthesis", "id": RECORD}])
    assert table.items == ["p", "a" * 32]
    assert table.present == [frozenset(GENERATION_FIELDS), frozenset()]


def test_records_of_single_synthetic_items_are_taken_and_a_runs_own_is_not(tmp_path, key, clock):
    folder = tmp_path / "evidence"
    with EvidenceLog.open(folder, run_id="one", clock=clock, key=key) as log:
        first = log.add_record({"type": "synthesis", "synthetic": "yes", "activity": {}})
        log.add_record({"type": "synthesis", "synthetic": "yes", "activity": {"engines": {}}})
        log.add_record({"type": "import", "synthetic": "no"})
    with EvidenceLog.open(folder, run_id="two", clock=clock, key=key) as log:
        second = log.add_record({"type": "synthesis", "synthetic": "yes", "activity": {"seed": 1}})
    assert [record["id"] for record in synthesis_records(folder)] == [first, second]
    assert [record["id"] for record in synthesis_records(folder, run_id="two")] == [second]
    assert set(records_of([folder, tmp_path / "none"], {first})) == {first}
    assert records_of([folder], set()) == {}
