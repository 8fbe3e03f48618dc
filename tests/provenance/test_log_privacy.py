# SPDX-License-Identifier: Apache-2.0
import json
import time

import pytest

from monai_ethics.evidence import Verdict, plain
from monai_ethics.provenance.log.writing.writer import EvidenceLog
from monai_ethics.provenance.log_privacy import LogPrivacy, log_lines, log_of

PLANTED = {
    "date": ["born 1970-03-05", "19700305", "05.03. or 1970/03/05"],
    "dicom_uid": ["1.2.840.113619.2.55.3", "2.25.1234567"],
    "person_name": ["DOE^JANE", "Müller^Jörg"],
    "long_number": ["no 123456789"],
    "mrn": ["MRN 4711", "patient_id=0815"],
    "path": ["/data/site/ct", "C:\\scans", "file://x"],
    "image_file": ["scan_01.nii.gz", "a.dcm"],
    "email": ["jane@example.org"],
    "blob": ["QUJD" * 80],
}
HARMLESS = [
    "run-20260102T030405Z-0a1b2c3d", "2026-01-02T03:04:05Z", "f20260102a" * 6 + "abcd", "1" * 64, "2.13.0",
    "fairness.group_rates", "https://arxiv.org/abs/2507.04249", "p = 0.0001234, 95 % interval 0.1 to 0.2", "1/2",
]  # fmt: skip


def names(finding):
    return {row.name.removeprefix("entries_with_") for row in finding.estimates[1:] if row.value}


@pytest.mark.parametrize("kind", PLANTED)
def test_each_form_is_found_and_never_repeated(kind):
    for text in PLANTED[kind]:
        finding = LogPrivacy()(log_lines([{"a": "b"}, {"note": text}]))
        assert kind in names(finding), text
        assert text not in json.dumps(plain(finding.to_dict()))
        assert finding.accounting == {"with_a_pattern": 1, "without": 1, "not_read": 0}


def test_what_a_log_holds_by_its_nature_is_no_pattern():
    finding = LogPrivacy()(log_lines([{"note": text} for text in HARMLESS]))
    assert names(finding) == set()


def test_identifiers_of_private_payloads_are_found_wherever_they_stand(tmp_path, monkeypatch):
    monkeypatch.setenv("MONAI_ETHICS_KEY_HOME", str(tmp_path / "keys"))
    with EvidenceLog.open(tmp_path / "e", run_id="a") as log:
        held = {"read": [{"path": "ward7/Case-A17.npy", "role": "input set"}], "written": []}
        log.put_private("items", json.dumps(held).encode(), media_type="application/json")
        table = b"case\tpatient\tsex\nscan01\tHolmes-3\tsecret\n"
        log.put_private("cases", table, media_type="text/tab-separated-values")
        log.append("note", {"role": "input set", "sex": "secret"})
        assert not names(LogPrivacy()(log_of(tmp_path / "e")))
        log.append("note", {"label": "site of Case-A17, say"})
        log.append("note", {"Holmes-3": 1})
    finding = LogPrivacy()(log_of(tmp_path / "e"))
    assert names(finding) == {"private_identifier"}
    assert finding.accounting["with_a_pattern"] == 2
    assert "Case-A17" not in json.dumps(plain(finding.to_dict()))
    for file in (tmp_path / "e" / "private").glob("*.bin"):
        file.unlink()
    assert "were not there" in LogPrivacy()(log_of(tmp_path / "e")).statement


def test_many_entries_are_bounded_and_counted():
    finding = LogPrivacy(most=10)(LogPrivacy.example(30, 0))
    assert finding.verdict is Verdict.MEASURED
    assert finding.accounting == {"with_a_pattern": 1, "without": 9, "not_read": 20}


@pytest.mark.slow
def test_what_searching_a_log_costs():
    bodies = [{"finding": {"statement": f"text of entry {i} " * 40, "digest": f"{i:064x}"}} for i in range(5000)]
    lines = log_lines(bodies)
    began = time.perf_counter()
    LogPrivacy()(lines)
    took = time.perf_counter() - began
    size = sum(len(text) for _, text in lines.texts)
    print(f"\n{len(bodies)} entries, {size / 1e6:.1f} MB of text: {took:.2f} s, {size / 1e6 / took:.1f} MB/s")
    assert took < 30


def test_private_numbers_are_found_in_texts_and_numbers_and_other_numbers_are_no_pattern(tmp_path):
    with EvidenceLog.open(tmp_path / "e", run_id="r") as log:
        payload = json.dumps([{"patient": 20481633, "case": 12, "n": 70000001}]).encode()
        log.put_private("cases", payload, media_type="application/json")
        log.append("note", {"bytes": 123456789, "n": 70000001, "case": 12})
        log.append("note", {"subject": "sub-A 20481633"})
        log.append("note", {"subject": 20481633})
    finding = LogPrivacy()(log_of(tmp_path / "e"))
    found = {row.label: row.items for row in finding.observations}
    assert len(found["private_identifier"]) == 2
    assert len(found.get("long_number", ())) == 1  # the text
