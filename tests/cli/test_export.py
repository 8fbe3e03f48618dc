# SPDX-License-Identifier: Apache-2.0
import json

import numpy as np
import pytest

from monai_ethics.__main__ import main
from monai_ethics.provenance.log.reading.entries import read_entries
from monai_ethics.provenance.log.verifying.verify import verify_evidence

FORMATS = ("prov-json", "ro-crate", "croissant", "bids")


@pytest.fixture
def evidence(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MONAI_ETHICS_KEY_HOME", str(tmp_path / "keys"))
    monkeypatch.delenv("MONAI_ETHICS_SITE", raising=False)
    array = np.random.default_rng(0).normal(size=(8, 8, 3)).astype(np.float32)
    np.save(tmp_path / "surname.npy", array)
    assert main(["stamp", str(tmp_path / "surname.npy"), "--synthetic", "--out", str(tmp_path / "evidence")]) == 0
    capsys.readouterr()
    return tmp_path / "evidence"


def export(evidence, form, *words):
    return main(["export", str(evidence), "--format", form, *map(str, words)])


@pytest.mark.parametrize("form", FORMATS)
def test_an_export_is_written_once_and_its_digest_logged(evidence, tmp_path, capsys, form):
    out = tmp_path / "out"
    out.mkdir()
    assert export(evidence, form, "--out", out, "--name", "N", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    (path,) = out.iterdir()
    entry = next(entry.body for entry in read_entries(evidence) if entry.kind == "export")
    assert dict(entry) == {"format": form, "sha256": told["sha256"], "size": len(path.read_bytes())}
    assert told["head"] == verify_evidence(evidence).head
    assert "surname" not in path.read_text()
    before = path.read_bytes()
    assert export(evidence, form, "--out", path) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert export(evidence, form, "--out", tmp_path / "again.json", "--name", "N", "--no-log") == 0
    assert (tmp_path / "again.json").read_bytes() == before
    assert verify_evidence(evidence).intact


def test_people_are_told_what_leaves_and_what_not(evidence, tmp_path, capsys):
    assert export(evidence, "prov-json", "--out", tmp_path) == 0
    out = capsys.readouterr().out
    assert "marking layers sidecar: 1 image\n" in out
    assert "keep this fingerprint" in out


def test_a_sidecar_of_one_image_and_a_list_of_files_are_written(evidence, tmp_path, capsys):
    image = tmp_path / "surname.npy"
    assert export(evidence, "bids", "--image", image, "--out", tmp_path / "s.json") == 0
    assert json.loads((tmp_path / "s.json").read_text())["SyntheticData"] == "yes"
    assert export(evidence, "croissant", "--files", image, "--out", tmp_path / "c.json") == 0
    assert len(json.loads((tmp_path / "c.json").read_text())["distribution"]) == 1
    np.save(tmp_path / "other.npy", np.random.default_rng(1).normal(size=(8, 8, 3)))
    capsys.readouterr()
    assert export(evidence, "croissant", "--files", tmp_path / "other.npy", "--out", tmp_path / "d.json") == 1
    assert "other.npy" not in capsys.readouterr().err
    assert not (tmp_path / "d.json").exists()


def test_altered_evidence_is_refused_and_nothing_written(evidence, tmp_path, capsys):
    log = evidence / "log.jsonl"
    log.write_bytes(log.read_bytes().replace(b'"synthetic":"yes"', b'"synthetic":"not"'))
    assert export(evidence, "prov-json", "--out", tmp_path / "p.json") == 1
    assert not (tmp_path / "p.json").exists()


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ("xml", ["--out", "a"]),
        ("bids", ["--out", "a", "--about", "synthetic"]),
        ("prov-json", ["--out", "a", "--image", "b"]),
        ("prov-json", ["--out", "no/such/folder.json"]),
        ("cyclonedx", ["--out", "a"]),
        ("croissant", ["--out", "a", "--about", "training"]),
        ("prov-json", ["--out", "/proc/a"]),
    ],
)
def test_unusable_words_are_one_sentence_and_exit_2(evidence, tmp_path, monkeypatch, capsys, form, words):
    monkeypatch.chdir(tmp_path)
    assert export(evidence, form, *words) == 2
    assert capsys.readouterr().err.count("\n") == 1
