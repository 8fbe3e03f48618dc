# SPDX-License-Identifier: Apache-2.0
"""What a log says of itself: runs, keys, repairs, deletions, sets, models and consents, from its entries alone."""

import pytest

from monai_ethics.provenance.log.reading.entries import Entry
from monai_ethics.provenance.log.reading.trail import Key, Made, Published, Repair, Run, Set, Trail, gathered, trail_of
from monai_ethics.provenance.log.writing.writer import EvidenceLog

AT = "2026-03-02T09:00:00Z"


def entries(*rows):
    for seq, (kind, body, run_id) in enumerate(rows):
        yield Entry(seq=seq, time=AT, run_id=run_id, kind=kind, body=body, leaf="00")


def one(kind, body, run_id="a"):
    return gathered(entries((kind, body, run_id)))


def test_a_run_has_its_tool_and_says_how_it_ended():
    found = gathered(
        entries(
            ("open", {"tool": "x 1", "log_id": "ab"}, "a"),
            ("run", {"launched": {"workflow": "w"}, "status": "started"}, "a"),
            ("run", {"status": "completed"}, "a"),
            ("open", {"tool": "x 2", "log_id": "cd"}, "b"),
        )
    )
    assert found.runs == (
        Run(run_id="a", time=AT, tool="x 1", status="completed", workflow="w"),
        Run(run_id="b", time=AT, tool="x 2"),
    )
    assert found.log_id == "ab"
    assert found.counts == {"open": 2, "run": 2}


def test_a_key_is_the_first_endorsed_or_not():
    body = {"fingerprint": "f", "key": "persistent"}
    assert one("key", {**body, "previous": None, "endorsement": None}).keys == (
        Key(time=AT, fingerprint="f", storage="persistent", first=True, endorsed=False),
    )
    later = one("key", {**body, "previous": "e", "endorsement": "s"}).keys[0]
    assert (later.first, later.endorsed) == (False, True)


def test_repairs_and_deletions_are_told():
    assert one("repair", {"truncated_bytes": 7, "unsealed_entries": 2}).repairs == (
        Repair(time=AT, truncated_bytes=7, unsealed_entries=2),
    )
    assert one("erasure", {"commitments": ["x", "y"], "reason": "r"}).redactions == ((AT, 2, "r"),)


def test_a_set_is_named_once_with_its_root():
    row = {"role": "training set", "n": 4, "subjects": 2, "unattributed": 1, "root": "ab"}
    found = gathered(entries(("training_set", row, "a"), ("training_set", row, "b")))
    assert found.sets == (Set(role="training set", n=4, subjects=2, unattributed=1, root="ab"),)


def test_records_name_models_uses_and_what_is_synthetic():
    bundle = {"bundle": {"name": "n", "version": "1"}, "weights_sha256": "cd"}
    found = gathered(
        entries(
            ("record", {"model": bundle, "intended_use": "tests", "synthetic": "no"}, "a"),
            ("record", {"model": {"generator": "g"}, "intended_use": "tests", "synthetic": "partial"}, "a"),
            ("registered", {"synthetic": "yes"}, "a"),
        )
    )
    assert found.models == (Made(name="n 1", weights="cd"), Made(name="g", weights=""))
    assert found.intended == ("tests",)
    assert found.synthetic == 2


@pytest.mark.parametrize(
    "kind", ["_init__", "trail", "add", "open", "run", "key", "repair", "erasure", "training_set", "public_export"]
)
@pytest.mark.parametrize("body", [{}, {"tool": 1, "launched": 2, "n": "x", "n_": None, "commitments": 3, "role": []}])
def test_a_body_of_another_form_breaks_nothing(kind, body):
    assert one(kind, body).counts == {kind: 1}


def test_of_many_runs_the_last_are_kept_and_all_are_counted():
    found = gathered(entries(*(("open", {"tool": "x"}, f"run-{n}") for n in range(250))))
    assert len(found.runs) == 200
    assert found.runs[-1].run_id == "run-249"
    assert found.counts["open"] == 250


def test_a_copy_for_the_public_says_so():
    body = {"least": 11, "left_out": {"estimates": 425}, "source_head": "ab" * 32}
    assert one("public_export", body).published == Published(least=11, hidden=425, source="ab" * 32)
    assert one("public_export", {"left_out": 3}).published == Published(least=0, hidden=0, source="")
    assert one("open", {}).published is None


def test_a_log_on_disk_is_read(tmp_path):
    with EvidenceLog.open(tmp_path / "log", run_id="a") as log:
        log.append("consent", {"subject": "s"})
        log.seal()
    found = trail_of(tmp_path / "log")
    assert [run.run_id for run in found.runs] == ["a"]
    assert [key.first for key in found.keys] == [True]
    assert found.counts["consent"] == 1
    assert isinstance(found, Trail)
