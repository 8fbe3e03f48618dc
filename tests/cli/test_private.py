# SPDX-License-Identifier: Apache-2.0
import json
import sys

import pytest

from monai_ethics.__main__ import main
from monai_ethics.provenance.log.writing.writer import EvidenceLog


@pytest.fixture
def evidence(tmp_path, monkeypatch):
    monkeypatch.setenv("MONAI_ETHICS_KEY_HOME", str(tmp_path / "keys"))
    for run in ("first", "second"):
        with EvidenceLog.open(tmp_path / "evidence", run_id=run) as log:
            log.put_private("cases", f"case\tsex\n{run}\t\n".encode(), media_type="text/tab-separated-values")
    return tmp_path / "evidence"


def test_the_list_names_kinds_and_runs_and_what_was_deleted(evidence, capsys):
    next(evidence.glob("private/*.bin")).unlink()
    assert main(["private", str(evidence), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["run"], row["kind"]) for row in rows] == [("first", "cases"), ("second", "cases")]
    assert sorted(row["kept"] for row in rows) == [False, True]
    assert main(["private", str(evidence)]) == 0
    shown = capsys.readouterr().out
    assert "absent" in shown
    assert "sex" not in shown


def test_the_newest_payload_is_written_or_that_of_the_run_named(evidence, capsys):
    assert main(["private", str(evidence), "cases"]) == 0
    assert capsys.readouterr().out == "case\tsex\nsecond\t\n"
    assert main(["private", str(evidence), "cases", "--run-id", "first"]) == 0
    assert capsys.readouterr().out == "case\tsex\nfirst\t\n"


def test_a_file_is_new_and_its_owners_only(evidence, tmp_path, capsys):
    out = tmp_path / "participants.tsv"
    assert main(["private", str(evidence), "cases", "--out", str(out)]) == 0
    assert out.stat().st_mode & 0o777 == 0o600
    assert main(["private", str(evidence), "cases", "--out", str(out)]) == 2
    assert "got one that exists" in capsys.readouterr().err


def test_a_kind_that_is_not_there_is_told_in_one_sentence(evidence, capsys):
    assert main(["private", str(evidence), "nope"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


JUNK = (
    b"hello\n",
    b"hello",
    b"{}\n",
    b"\x00\x01\x02",
    b"[]\n",
    b"null\n",
    b'{"a":1}',
    b"\xef\xbb\xbf{}\n",
    b"x" * 2_000_000,
)


@pytest.mark.parametrize("junk", JUNK, ids=range(len(JUNK)))
def test_a_file_that_is_no_log_is_refused_by_every_reader_and_left_alone(tmp_path, monkeypatch, capsys, junk):
    monkeypatch.setenv("MONAI_ETHICS_KEY_HOME", str(tmp_path / "keys"))
    folder = tmp_path / "evidence"
    folder.mkdir()
    (folder / "log.jsonl").write_bytes(junk)
    sweep = tmp_path / "sweep.csv"
    rows = [f"{share},{seed},c{i},{0.5 + i / 100}\n" for share in (0, 1) for seed in range(3) for i in range(12)]
    sweep.write_text("real_fraction,seed,case,score\n" + "".join(rows))
    commands = {
        "verify": ["verify", str(folder)],
        "report": ["report", str(folder)],
        "report beside": ["report", str(folder), "--out", str(tmp_path / "report")],
        "private": ["private", str(folder)],
        "utility": ["utility", "--scores", str(sweep), "--out", str(folder)],
        "lineage": ["lineage", str(folder)],
        "consent": ["consent", "status", "--site", str(folder)],
    }
    for name, words in commands.items():
        assert main(words) in (1, 2), name
        told = capsys.readouterr()
        assert told.err.count("\n") <= 1, name
        assert told.err or name == "verify", name
        assert (folder / "log.jsonl").read_bytes() == junk, name


def test_what_is_not_as_it_was_signed_is_not_handed_out(evidence, capsys):
    log = evidence / "log.jsonl"
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(line.replace(b'"size_bucket":16', b'"size_bucket":64') for line in lines))
    assert main(["private", str(evidence), "cases"]) == 1
    assert "got 'altered'" in capsys.readouterr().err


def test_the_newest_payload_is_the_newest_that_was_signed(evidence, capsys):
    log = evidence / "log.jsonl"
    last = [json.loads(line) for line in log.read_bytes().splitlines()]
    body = next(entry["body"] for entry in last if entry["kind"] == "payload")  # of the first run, once more
    entry = {**last[-1], "kind": "payload", "seq": len(last), "body": body, "run_id": "third"}
    with log.open("ab") as file:
        file.write(json.dumps(entry, sort_keys=True, separators=(",", ":")).encode() + b"\n")
    assert main(["private", str(evidence), "cases"]) == 0
    assert capsys.readouterr().out == "case\tsex\nsecond\t\n"


def test_a_terminal_obeys_nothing_that_a_payload_holds(evidence, monkeypatch, capsys):
    with EvidenceLog.open(evidence, run_id="third") as log:
        log.put_private("cases", b"case\tsex\nx\x1b[2J\tF\n", media_type="text/tab-separated-values")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert main(["private", str(evidence), "cases"]) == 0
    assert capsys.readouterr().out == "case\tsex\nx\N{SYMBOL FOR ESCAPE}[2J\tF\n"
