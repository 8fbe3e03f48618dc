# SPDX-License-Identifier: Apache-2.0
import hashlib
import json
import os
import shutil
from importlib import resources

import jsonschema
import pytest

from monai_ethics.__main__ import main
from monai_ethics.provenance.keys.home import load_or_create_key
from monai_ethics.provenance.keys.key import fingerprint
from monai_ethics.provenance.log.writing.writer import EvidenceLog

SCHEMA = json.loads(resources.files("monai_ethics").joinpath("schemas/verification-1.schema.json").read_text("utf-8"))


@pytest.fixture(autouse=True)
def key_home(tmp_path_factory, monkeypatch):
    home = tmp_path_factory.mktemp("home") / "keys"
    monkeypatch.setenv("MONAI_ETHICS_KEY_HOME", str(home))
    monkeypatch.setattr(os, "fsync", lambda handle: None)
    return home


@pytest.fixture
def place(tmp_path):
    """`evidence` of two runs, `old` is a copy of it after the first, and `site` witnessed both."""
    for number in range(2):
        if number:
            shutil.copytree(tmp_path / "evidence", tmp_path / "old")
        with EvidenceLog.open(tmp_path / "evidence", run_id="run", site=tmp_path / "site") as log:
            log.append("note", {"number": number})
    return tmp_path


@pytest.fixture
def verify(place, capsys):
    """`verify(*words)` gives exit code, output and errors; the trusted key goes with it."""

    def run(name, *words, trust=True):
        key = fingerprint(load_or_create_key(place / "evidence").public)
        code = main(["verify", str(place / name), *(["--trust", key] if trust else []), *map(str, words)])
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


def test_a_rolled_back_copy_is_refused_with_the_site_log(verify, place):
    assert verify("old")[0] == 0
    code, out, _ = verify("old", "--site", place / "site")
    assert code == 1
    assert out.startswith("stale: the log is consistent, but does not contain a head that you kept")
    assert verify("evidence", "--site", place / "site")[0] == 0


def test_the_site_log_of_the_environment_is_asked(verify, place, monkeypatch):
    monkeypatch.setenv("MONAI_ETHICS_SITE", str(place / "site"))
    assert verify("old")[0] == 1
    assert verify("evidence")[0] == 0
    assert verify("site")[0] == 0


def test_what_was_found_stands_before_what_cannot_be_seen(verify, place):
    lines = verify("evidence", "--site", place / "site")[1].splitlines()
    assert lines[0] == "trusted: the log is as it was signed, by a key that you trust."
    found, unseen = lines.index("What was found:"), lines.index("What cannot be seen:")
    assert 0 < found < unseen
    assert all(line.startswith("- ") for line in (*lines[found + 1 : unseen], lines[unseen + 1]))
    assert any(line.startswith("site head ") for line in lines)


@pytest.mark.parametrize("words", [(), ("--expect-head", "0" * 64), ("--site", "site")])
@pytest.mark.parametrize("name", ["evidence", "old", "site"])
@pytest.mark.parametrize("trust", [True, False])
def test_json_follows_its_schema_and_its_exit_code(verify, place, name, words, trust):
    code, out, _ = verify(name, *(place / word if word == "site" else word for word in words), "--json", trust=trust)
    told = json.loads(out)
    jsonschema.Draft202012Validator(SCHEMA).validate(told)
    assert code == (0 if told["intact"] else 1)


def test_a_site_log_that_is_not_as_signed_is_refused_in_one_sentence(verify, place):
    path = place / "site" / "log.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"size":', b'"size":1', 1))
    code, out, err = verify("evidence", "--site", place / "site")
    assert (code, out) == (1, "")
    assert err.count("\n") == 1
    assert "Expected a site log that is as it was signed: got 'altered'" in err


def test_no_site_log_is_told_in_one_sentence(verify, place):
    code, out, err = verify("evidence", "--site", place / "none")
    assert (code, out) == (2, "")
    assert "Expected a site log: got a folder without one" in err


def test_what_was_repaired_is_told(verify, place):
    log = EvidenceLog.open(place / "evidence", run_id="cut off")
    log.append("note", {})
    log.close()
    with (place / "evidence" / "log.jsonl").open("ab") as file:
        file.write(b'{"half')
    assert verify("evidence")[0] == 1
    with EvidenceLog.open(place / "evidence", run_id="next"):
        pass
    code, out, _ = verify("evidence")
    assert code == 0
    assert "A writer was cut off once: 6 bytes of half an entry were cut away" in out
    assert "unsigned entries were signed by the next run, whoever had written them" in out
    assert "Whether unsigned entries that a later run signed came from the writer that was cut off." in out


def test_what_no_entry_names_is_told_and_harms_nothing(verify, place):
    (place / "evidence" / "private" / f"{'0' * 64}.bin").write_bytes(b"x")
    (place / "evidence" / ".head.json.ab.tmp").write_bytes(b"x")
    code, out, _ = verify("evidence")
    assert code == 0
    assert "1 file is in the private part without an entry" in out
    assert "1 unfinished file is left behind (.tmp)" in out


def test_a_report_that_is_gone_or_an_older_one_is_torn_and_another_one_altered(verify, place):
    folder = place / "evidence"
    for text in (b"first", b"second"):
        with EvidenceLog.open(folder, run_id="report") as log:
            log.add_report({"report.md": hashlib.sha256(text).hexdigest()})
    for content, status in ((b"second", "trusted"), (b"first", "torn"), (None, "torn"), (b"forged", "altered")):
        path = folder / "report.md"
        path.write_bytes(content) if content else path.unlink()
        code, out, _ = verify("evidence")
        assert out.startswith(f"{status}:"), content
        assert code == (status != "trusted")
        if status == "torn":
            assert "render it again with `monai-ethics report`" in out


def test_each_answer_that_is_no_trust_says_what_to_do(verify, place):
    assert "What to do" not in verify("evidence")[1]
    told = verify("evidence", trust=False)[1].splitlines()
    assert told[1].startswith("What to do: ask the writer for the public key")
    path = place / "evidence" / "log.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"kind":"open"', b'"kind":"0pen"', 1))
    code, out, _ = verify("evidence")
    assert code == 1
    assert out.splitlines()[1].startswith("What to do: do not rely on it")
    assert "to fit the entries before it: it does not" in out


def test_a_head_without_a_valid_signature_names_no_signer(verify, place):
    path = place / "evidence" / "head.json"
    path.write_bytes(path.read_bytes().replace(b'"time":"2', b'"time":"1', 1))
    assert "signer none: no signature holds" in verify("evidence")[1].splitlines()


def test_a_private_part_that_was_not_handed_on_is_told_as_such(verify, place):
    shutil.rmtree(place / "evidence" / "private")
    code, out, _ = verify("evidence")
    assert code == 0
    assert out.startswith(
        "redacted: the log is as it was signed, by a key that you trust; private payloads are absent."
    )
    assert "deleted" not in out


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["evidence", "old"], "Expected one evidence folder: got several. Verify them one by one."),
        (["evidence/log.jsonl"], "Expected an evidence folder: got a file of one. Give the folder."),
        (["evidence/head.json"], "Expected an evidence folder: got a file of one. Give the folder."),
    ],
)
def test_other_words_than_one_folder_are_told_in_one_sentence(place, names, told, capsys):
    assert main(["verify", *(str(place / name) for name in names)]) == 2
    assert capsys.readouterr().err == f"monai-ethics: {told}\n"


def test_a_key_that_is_none_is_told_by_what_it_is(verify, place):
    (place / "other.txt").write_text("x")
    for word, told in (("nowhere.pem", "got neither, and no file of that name"), (place / "other.txt", "got a file")):
        code, _, err = verify("evidence", "--trust", word)
        assert code == 2
        assert told in err
        assert "nowhere" not in err
