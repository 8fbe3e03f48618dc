# SPDX-License-Identifier: Apache-2.0
"""The page of integrity: the status in one line, how to check it again, and what the log tells of itself."""

import sys

import pytest

from monai_ethics.provenance.keys.key import SigningKey, fingerprint
from monai_ethics.provenance.log.reading.trail import Key, Repair, Run, Trail
from monai_ethics.provenance.log.writing.writer import EvidenceLog
from monai_ethics.reporting.html import render_html
from monai_ethics.reporting.markdown import render_markdown
from monai_ethics.reporting.sealed import seal_report
from monai_ethics.reporting.trust import command, in_one_line, seal, sections
from monai_ethics.reporting.view import view_of
from monai_ethics.reporting.words import STATUSES

HEAD, SIGNER, AT = "c3" * 32, "d4" * 32, "2026-03-02T09:00:00Z"
FULL = {
    "status": "trusted", "head": HEAD, "signer": SIGNER, "key": "persistent", "signer_trusted": True,
    "signer_revoked": False, "witness": "same", "site_head": "e5" * 32, "entries": 41, "sealed": 41, "runs": 2,
    "repairs": 1, "redacted": 0, "expected_head": None, "problems": [], "notes": ["A note."],
    "unseen": ["A blind spot."], "something_new": {"of": "another version"},
}  # fmt: skip


@pytest.mark.parametrize(
    ("trusted", "words"),
    [(True, "a key that the reader trusts"), (False, "does not trust"), (None, "of which nobody said whose it is")],
)
def test_one_line_says_unchanged_by_whom_and_what_cannot_be_seen(trusted, words):
    line = in_one_line({**FULL, "signer_trusted": trusted})
    assert line.startswith("Unchanged, signer trusted. Signed with d4d4d4d4d4d4d4d4…")
    assert words in line
    assert "Not visible from inside" in line


def test_a_revoked_key_and_a_log_without_a_signer_are_said():
    assert "a key that was revoked" in in_one_line({**FULL, "signer_revoked": True})
    assert "Whose key signed it is not stated" in in_one_line({"status": "altered"})
    assert in_one_line(None).startswith("Not checked while this page was written")


@pytest.mark.parametrize("status", STATUSES)
def test_every_status_has_its_words_on_the_first_page(empty, status):
    view = view_of(empty, integrity={**FULL, "status": status})
    page, text = render_html(view), render_markdown(view)
    assert STATUSES[status][0] in text.split("## What was found")[0]
    assert STATUSES[status][0] in page.split('id="found"')[0]


def test_the_command_holds_the_fingerprint_and_names_no_folder_of_the_writer():
    assert command(FULL) == f"monai-ethics verify EVIDENCE_FOLDER --trust SIGNER.pub.pem --expect-head {HEAD}"
    assert command(None) == "monai-ethics verify EVIDENCE_FOLDER --trust SIGNER.pub.pem"


def test_fields_known_here_have_words_and_others_are_shown_as_they_came(empty):
    told = dict(seal(FULL))
    assert told["What the site log witnessed"] == "the newest head, as it stands here"
    assert told["Key revoked before"] == "no"
    assert told["Where the key is kept"] == "kept by the signer"
    assert told["Something new"] == '{"of": "another version"}'
    page = render_html(view_of(empty, integrity=FULL))
    assert "A note." in page
    assert "A blind spot." in page


def test_what_the_log_tells_of_itself_has_a_table_each():
    trail = Trail(
        runs=(Run(run_id="eval", time=AT, tool="x 1", status="failed"),),
        keys=(
            Key(time=AT, fingerprint="aa", storage="ephemeral", first=True, endorsed=False),
            Key(time=AT, fingerprint="bb", storage="another", first=False, endorsed=True),
            Key(time=AT, fingerprint="cc", storage="", first=False, endorsed=False),
        ),
        repairs=(Repair(time=AT, truncated_bytes=12, unsealed_entries=1),),
        redactions=((AT, 2, "withdrawal"), (AT, 1, ""), (AT, 0, "mistake")),
        counts={"open": 3, "consent": 5, "withdrawal": 1},
    )
    found = {section.anchor: section for section in sections(trail)}
    assert list(found) == ["trust-runs", "trust-keys", "trust-mended", "trust-sets", "trust-consents"]
    assert [row[3].text for row in found["trust-keys"].rows] == [
        "the first key of the log", "the key before signed for it", "the key before did not sign for it",
    ]  # fmt: skip
    assert [row[2].text for row in found["trust-mended"].rows] == [
        "bytes of half an entry that were cut off: 12; entries that had been left unsigned: 1",
        "2 parts: withdrawal", "1 part", "the key that links pseudonyms to names: mistake",
    ]  # fmt: skip
    assert found["trust-runs"].notes[0] == "2 earlier openings of the log are not listed."
    assert found["trust-sets"].notes == ("No set of images and no model is recorded.",)
    assert [row[1].text for row in found["trust-consents"].rows] == ["5", "1"]


def test_an_empty_log_says_what_it_does_not_hold():
    notes = [note for section in sections(Trail()) for note in section.notes]
    assert "The log tells of no repair and of no deletion." in notes
    assert any(note.startswith("This log holds no consent") for note in notes)
    assert sections(None) == ()


def test_a_sealed_report_tells_of_the_runs_and_keys_of_its_log(report, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)  # figures take seconds and are not what is tested here
    monkeypatch.delenv("MONAI_ETHICS_SITE", raising=False)
    key = SigningKey.generate()
    with EvidenceLog.open(tmp_path, run_id="eval-7", key=key) as log:
        log.add_findings(report.findings[:1])
        seal_report(log)
    for name in ("report.html", "report.md"):
        text = (tmp_path / name).read_text(encoding="utf-8")
        assert "Runs that wrote" in text
        assert "eval-7" in text.replace("\\", "")
        assert fingerprint(key.public) in text
