# SPDX-License-Identifier: Apache-2.0
import json
from dataclasses import replace
from functools import cache

import pytest

from monai_ethics.__main__ import main
from monai_ethics.evidence import Estimate, Finding, Limit, Observation, Source, Stage, Verdict
from monai_ethics.fairness.group_rates import GroupRates
from monai_ethics.fairness.group_scores import GroupScores
from monai_ethics.fairness.rate_gap import RateGap
from monai_ethics.provenance.log.reading.entries import read_entries, read_report
from monai_ethics.provenance.log.verifying.verify import verify_evidence
from monai_ethics.provenance.log.writing.writer import EvidenceLog

CASE = "Ward7-Case-A17"


@cache
def findings(n=400):
    data = GroupRates.example(n, 0)
    few = tuple("ABB"[min(i, 2)] if i % 60 == 0 else "CD"[i % 2] for i in range(n))
    data = replace(data, groups={**data.groups, "site": few})
    return [
        GroupRates()(data),
        *(RateGap(rate="tpr", attribute=name, n_permutations=99)(data) for name in data.groups),
        GroupScores()(GroupScores.example(60, 0)),
    ]


def source(tmp_path, runs=("Dr-Who-2026",), found=None):
    with_pairs = Finding(
        check="synthesis.fidelity", title="How near are the pairs?", stage=Stage.EVALUATION, verdict=Verdict.MEASURED,
        statement="3 of 900 pairs are near.", subjects=("e" * 32,), seed=7,
        estimates=[Estimate(name="pairs", value=3, unit="1", n=900, n_unit="pairs", estimand="number of pairs",
                            reason="a count")],
        observations=[Observation(label="pair", items=["f" * 32], value=0.1, unit="1")],
    )  # fmt: skip
    for run in runs:
        with EvidenceLog.open(tmp_path / "evidence", run_id=run) as log:
            held = {log.pseudonym("case", CASE): CASE}
            log.put_private("case_map", json.dumps(held).encode(), media_type="application/json")
            log.append("environment", {"packages": {"monai": "1"}, "python": "3.12", "host": "ward-7"})
            log.append("inputs", {"scores": "d" * 64})
            log.append("stored", {"item": "c" * 32, "role": "output", "sha256": "b" * 64})
            log.add_findings([*(found or findings()), with_pairs])
    return tmp_path / "evidence"


@pytest.fixture(autouse=True)
def keys(tmp_path, monkeypatch):
    monkeypatch.setenv("MONAI_ETHICS_KEY_HOME", str(tmp_path / "keys"))


@pytest.fixture
def bare(monkeypatch):
    """Without the report, which takes most of the time."""
    monkeypatch.setattr("monai_ethics.reporting.sealed.seal_report", lambda log: log.seal())


def export(evidence, out, *words):
    return main(["export", str(evidence), "--public", "--out", str(out), *words])


def test_the_copy_verifies_and_holds_nothing_that_is_not_for_the_public(tmp_path, capsys):
    evidence, out = source(tmp_path), tmp_path / "public"
    assert export(evidence, out, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    found = verify_evidence(out, expect_head=told["head"])
    assert (found.status, found.problems, found.redacted) == ("trusted", (), 0)
    kinds = {entry.kind for entry in read_entries(out)}
    assert kinds == {"open", "key", "public_export", "environment", "finding", "report", "head"}
    assert {entry.run_id for entry in read_entries(out)} == {"run-1"}
    assert {path.name for path in out.iterdir()} == {
        "log.jsonl", "head.json", "report.html", "report.json", "report.md", ".gitattributes", ".gitignore", ".lock"
    } | ({"resume.json"} & {path.name for path in out.iterdir()})  # fmt: skip
    every = b"".join(path.read_bytes() for path in out.iterdir() if path.is_file()).decode()
    for planted in (CASE, "c" * 32, "b" * 64, "d" * 64, "e" * 32, "f" * 32, "Dr-Who", "ward-7", "3 of 900"):
        assert planted not in every
    (about,) = [entry.body for entry in read_entries(out) if entry.kind == "public_export"]
    assert about["source_head"] == verify_evidence(evidence).head
    assert about["rule"]["title"] == "CMS Cell Size Suppression Policy"
    assert about["least"] == 11
    assert about["left_out"]["estimates"] == told["left_out"]["estimates"] > 0


def test_what_is_hidden_is_hidden_in_every_finding_and_the_rest_is_told(tmp_path, bare):
    evidence, out = source(tmp_path), tmp_path / "public"
    assert export(evidence, out) == 0
    rates, by_sex, by_site, *_ = read_report(out).findings
    shown = {(row.name, tuple(row.group.values())) for row in rates.estimates}
    assert ("tpr", ("F",)) in shown
    assert not {row for row in shown if row[1] in (("A",), ("B",))}
    assert by_sex.estimates
    assert not by_site.estimates
    assert by_site.verdict is Verdict.NOT_ASSESSABLE
    assert any("numbers are hidden" in line for line in rates.limitations)
    assert not any(finding.observations or finding.curves or finding.seed for finding in read_report(out).findings)


def test_a_judgement_that_rests_on_hidden_numbers_is_not_told(tmp_path):
    limit = Limit(estimate="p_adjusted", value=0.05, direction="at_least", source=Source(title="a policy"))
    judged = [replace(finding, verdict=Verdict.PASSED, limit=limit) for finding in findings()[1:3]]
    evidence, out = source(tmp_path, found=[findings()[0], *judged]), tmp_path / "public"
    assert export(evidence, out) == 0
    assert [finding.verdict for finding in read_report(out).findings[1:3]] == [Verdict.NOT_ASSESSABLE] * 2
    assert "passed" not in (out / "report.md").read_text(encoding="utf-8").lower().split("how to read")[0][:3000]


def test_runs_get_numbers_and_what_two_of_them_tell_together_is_hidden(tmp_path, bare):
    one = source(tmp_path, runs=("a", "b"))
    assert export(one, tmp_path / "public") == 0
    assert {entry.run_id for entry in read_entries(tmp_path / "public")} == {"run-1", "run-2"}
    other = source(tmp_path / "x", runs=("a",))
    with EvidenceLog.open(other, run_id="b") as log:
        log.add_findings(findings(403))
    assert export(other, tmp_path / "differ") == 0
    told = [finding for finding in read_report(tmp_path / "differ").findings if finding.check == "fairness.group_rates"]
    assert [bool(finding.estimates) for finding in told] == [False, True]


def test_the_terminal_says_first_that_a_copy_hides_small_counts(tmp_path, capsys, bare):
    assert export(source(tmp_path), tmp_path / "public") == 0
    capsys.readouterr()
    assert main(["report", str(tmp_path / "public"), "--out", str(tmp_path / "again")]) == 0
    first, second, *_ = capsys.readouterr().out.splitlines()
    assert first == "This is a copy for the public"
    assert "every count of 1 to 10 people or cases" in second


def test_a_public_copy_is_not_exported_again(tmp_path, capsys, bare):
    assert export(source(tmp_path), tmp_path / "public") == 0
    assert export(tmp_path / "public", tmp_path / "again") == 2
    assert "copy for the public" in capsys.readouterr().err
    assert not (tmp_path / "again").exists()


def test_what_looks_like_an_identifier_ends_it_with_nothing_written(tmp_path, capsys, bare):
    data = GroupRates.example(400, 0)
    data = replace(data, groups={"reader": tuple(["DOE^JANE", "ROE^RICHARD"][i % 2] for i in range(400))})
    assert export(source(tmp_path, found=[GroupRates()(data)]), tmp_path / "public") == 1
    told = capsys.readouterr().err
    assert "person_name" in told
    assert "DOE" not in told
    assert not (tmp_path / "public").exists()


def test_altered_evidence_and_a_folder_that_exists_are_refused(tmp_path, capsys, bare):
    evidence = source(tmp_path)
    assert export(evidence, evidence) == 2
    assert export(evidence, tmp_path / "public", "--format", "bids") == 2
    assert export(evidence, tmp_path / "public", "--min-cell", "1") == 2
    text = (evidence / "log.jsonl").read_text(encoding="utf-8")
    (evidence / "log.jsonl").write_text(text.replace("tpr", "tnr", 1), encoding="utf-8")
    assert export(evidence, tmp_path / "public") == 1
    assert capsys.readouterr().err.count("\n") == 4
    assert not (tmp_path / "public").exists()


def test_a_folder_that_somebody_else_makes_meanwhile_is_not_removed(tmp_path, bare, monkeypatch, capsys):
    from monai_ethics.provenance.exports.public import folder

    evidence, out = source(tmp_path), tmp_path / "public"

    def slow(*args, **options):
        copy = public_copy(*args, **options)
        out.mkdir()
        (out / "kept.txt").write_text("of somebody else")
        return copy

    public_copy = folder.public_copy
    monkeypatch.setattr(folder, "public_copy", slow)
    assert export(evidence, out) == 2
    assert (out / "kept.txt").exists()


def test_what_nobody_signed_is_not_published(tmp_path, bare, capsys):
    from monai_ethics.provenance.log.tree.canonical import canonical

    evidence, out = source(tmp_path), tmp_path / "public"
    log = evidence / "log.jsonl"
    forged = replace(findings()[0], statement="Everything is alike.", run=None).to_dict()
    entry = {"schema": "monai_ethics.entry/1", "seq": log.read_bytes().count(b"\n"), "time": "2026", "run_id": "x"}
    with log.open("ab") as file:
        file.write(canonical({**entry, "kind": "finding", "body": forged}) + b"\n")
    assert export(evidence, out) == 0
    assert "Everything is alike" not in (out / "log.jsonl").read_text()
    assert len(read_report(out).findings) == len(findings()) + 1
