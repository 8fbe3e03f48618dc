# SPDX-License-Identifier: Apache-2.0
import json
import os
import shutil

import nibabel as nib
import numpy as np
import pytest

from monai_ethics.__main__ import main
from monai_ethics.provenance.log.verifying.verify import verify_evidence


@pytest.fixture(autouse=True)
def key_home(tmp_path_factory, monkeypatch):
    home = tmp_path_factory.mktemp("home") / "keys"
    monkeypatch.setenv("MONAI_ETHICS_KEY_HOME", str(home))
    return home


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "john_smith"
    folder.mkdir()
    for seed in range(2):
        array = np.random.default_rng(seed).normal(100, 30, size=(20, 18, 6)).astype(np.float32)
        nib.save(nib.Nifti1Image(array, np.eye(4)), folder / f"{seed}.nii.gz")
    return folder


@pytest.fixture
def evidence(images, tmp_path):
    assert main(["stamp", str(images), "--synthetic", "--out", str(tmp_path / "evidence")]) == 0
    return tmp_path / "evidence"


def test_stamp_guard_and_verify_in_one_loop(images, tmp_path, key_home, capsys):
    evidence = tmp_path / "evidence"
    assert main(["stamp", str(images), "--synthetic", "--out", str(evidence)]) == 0
    out = capsys.readouterr().out
    assert "2 images registered as synthetic" in out
    assert "2 headers, 2 sidecars" in out
    head = out.split("head ")[1].strip()
    public = str(key_home / "ed25519.pub.pem")
    assert main(["verify", str(evidence), "--trust", public, "--expect-head", head]) == 0
    assert capsys.readouterr().out.startswith("trusted: ")

    image = nib.load(images / "0.nii.gz")
    nib.save(nib.Nifti1Image(image.get_fdata(), image.affine), tmp_path / "copy.nii")
    words = ["guard", str(tmp_path / "copy.nii"), "--policy", "deny-list", "--evidence", str(evidence)]
    assert main(words) == 1
    captured = capsys.readouterr()
    assert "synthetic-by-digest" in captured.out
    assert "copy" not in captured.out
    assert "smith" not in captured.out + captured.err
    assert main([*words, "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["refused"] == [1]


def test_the_guard_lets_unknown_images_pass_the_deny_list_only(evidence, tmp_path, capsys):
    nib.save(nib.Nifti1Image(np.random.default_rng(9).normal(size=(9, 9, 9)), np.eye(4)), tmp_path / "new.nii")
    words = ["guard", str(tmp_path / "new.nii"), "--evidence", str(evidence), "--policy"]
    assert main([*words, "deny-list"]) == 0
    assert "1 unknown" in capsys.readouterr().out
    assert main([*words, "allow-list"]) == 1


def test_long_lists_are_cut_on_the_terminal(evidence, tmp_path, capsys):
    folder = tmp_path / "many"
    folder.mkdir()
    for seed in range(25):
        np.save(folder / f"{seed}.npy", np.random.default_rng(seed).normal(size=(4, 4)))
    assert main(["guard", str(folder), "--evidence", str(evidence), "--policy", "allow-list"]) == 1
    assert "and 5 more" in capsys.readouterr().out


def test_stamping_an_acquired_image_as_synthetic_exits_1(images, tmp_path, capsys):
    out = str(tmp_path / "evidence")
    assert main(["stamp", str(images), "--real", "--out", out]) == 0
    assert main(["stamp", str(images / "1.nii.gz"), "--synthetic", "--out", out]) == 1
    captured = capsys.readouterr().out
    assert "memorized" in captured
    assert "positions: 1" in captured
    assert main(["stamp", str(images / "1.nii.gz"), "--synthetic", "--out", out, "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["refused"] == [1]
    assert verify_evidence(tmp_path / "evidence").intact


def test_a_record_says_what_the_images_are(images, tmp_path, capsys):
    (tmp_path / "r.json").write_text('{"model": {"bundle": "b"}, "synthetic": "partial"}')
    words = ["stamp", str(images), "--out", str(tmp_path / "evidence"), "--record", str(tmp_path / "r.json")]
    assert main([*words, "--synthetic", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["items"]) == 2
    assert main([*words, "--real"]) == 2
    assert "`synthetic` differs" in capsys.readouterr().err


def bad_inputs(images, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "text").write_text("text")
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "twice.json").write_text('{"type": "synthesis", "type": "import"}')
    (tmp_path / "unknown.json").write_text('{"smith": 1}')
    array = np.random.default_rng(9).normal(100, 30, size=(20, 18, 6)).astype(np.float32)
    nib.save(nib.Nifti1Image(array, np.eye(4)), tmp_path / "short.nii.gz")  # nothing marks it
    (tmp_path / "short.nii.gz").write_bytes((tmp_path / "short.nii.gz").read_bytes()[:3000])
    new, stamp = str(tmp_path / "new"), ["stamp", str(images), "--synthetic", "--out"]
    guard = ["guard", str(images), "--policy", "deny-list", "--evidence"]
    return [
        ["stamp", str(images), "--out", new],
        ["stamp", str(tmp_path / "empty"), "--synthetic", "--out", new],
        ["stamp", str(tmp_path / "none"), "--synthetic", "--out", new],
        ["stamp", str(tmp_path / "short.nii.gz"), "--synthetic", "--out", new],
        [*stamp, str(tmp_path / "text")],
        [*stamp, new, "--record", str(tmp_path / "list.json")],
        [*stamp, new, "--record", str(tmp_path / "twice.json")],
        [*stamp, new, "--record", str(tmp_path / "none")],
        [*stamp, str(tmp_path / "other"), "--record", str(tmp_path / "unknown.json")],
        ["verify", str(tmp_path / "text")],
        [*stamp, new, "--site", str(tmp_path / "none")],
        [*guard, str(tmp_path / "empty")],
        [*guard, str(tmp_path / "evidence"), "--site", str(tmp_path / "none")],
        [*guard, str(tmp_path / "evidence"), "--trust", "abc"],
        ["guard", str(images), "--policy", "other", "--evidence", str(tmp_path / "evidence")],
        ["guard", str(tmp_path / "short.nii.gz"), "--policy", "deny-list", "--evidence", str(tmp_path / "evidence")],
        ["guard", str(tmp_path / "empty"), "--policy", "deny-list", "--evidence", str(tmp_path / "evidence")],
        ["verify", str(tmp_path / "empty")],
        ["verify", str(tmp_path / "evidence"), "--expect-head", "abc"],
        ["verify", str(tmp_path / "evidence"), "--trust", str(tmp_path / "text")],
    ]


def test_bad_input_gives_one_sentence_and_exit_2(images, evidence, tmp_path, capsys):
    capsys.readouterr()
    for words in bad_inputs(images, tmp_path):
        assert main(words) == 2, words
        captured = capsys.readouterr()
        assert captured.err.startswith("monai-ethics: "), words
        assert captured.err.count("\n") == 1, words
        assert str(tmp_path) not in captured.err, words
        assert "smith" not in captured.err, words
    assert not (tmp_path / "other").exists()
    assert not (tmp_path / "new" / "log.jsonl").exists() or verify_evidence(tmp_path / "new").intact


def test_every_fault_exits_1(evidence, key_home, capsys):
    capsys.readouterr()
    assert main(["verify", str(evidence), "--trust", "0" * 64, "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["status"] == "wrong-key"
    assert main(["verify", str(evidence), "--expect-head", "0" * 64]) == 1
    assert capsys.readouterr().out.startswith("stale: ")
    with (evidence / "log.jsonl").open("ab") as file:
        file.write(b"half")
    assert main(["verify", str(evidence)]) == 1
    assert capsys.readouterr().out.startswith("torn: ")
    (evidence / "log.jsonl").write_bytes(b"")
    assert main(["verify", str(evidence)]) == 1
    assert capsys.readouterr().out.startswith("altered: ")
    assert main(["guard", str(evidence.parent), "--policy", "deny-list", "--evidence", str(evidence)]) == 1
    assert "altered" in capsys.readouterr().err


def test_a_file_name_that_is_no_unicode_is_stamped_and_guarded(images, tmp_path, capsys):
    source, odd = images / "0.nii.gz", os.fsdecode(b"M\xfcller.nii.gz")
    (tmp_path / "odd").mkdir()
    try:
        shutil.copy(source, tmp_path / "odd" / odd)
    except OSError:
        pytest.skip("this file system takes Unicode names only")
    assert main(["stamp", str(tmp_path / "odd"), "--synthetic", "--out", str(tmp_path / "log")]) == 0
    words = ["guard", str(tmp_path / "odd"), "--policy", "deny-list", "--evidence", str(tmp_path / "log")]
    assert main(words) == 1
    assert capsys.readouterr().err == ""


def test_either_registry_is_enough_and_none_is_told_in_one_sentence(images, evidence, tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("MONAI_ETHICS_SITE", raising=False)
    guard = ["guard", str(images), "--policy", "deny-list"]
    assert main([*guard, "--site", str(evidence)]) == 1
    assert main([*guard, "--evidence", str(evidence), "--site", str(evidence)]) == 1
    capsys.readouterr()
    assert main(guard) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "Expected a registry to ask" in error
    monkeypatch.setenv("MONAI_ETHICS_SITE", str(evidence))
    assert main(guard) == 1


def test_a_near_copy_is_listed_for_review_and_not_refused(images, evidence, tmp_path, capsys):
    image = nib.load(images / "0.nii.gz")
    nib.save(nib.Nifti1Image(1.5 * image.get_fdata() + 3, image.affine), tmp_path / "rescaled.nii")
    words = ["guard", str(tmp_path / "rescaled.nii"), "--evidence", str(evidence), "--policy"]
    assert main([*words, "deny-list"]) == 0
    shown = capsys.readouterr().out
    assert "1 near-copy" in shown
    assert "review 1 (" in shown
    assert "for review: differs in 0.0% of the bits" in shown
    assert "No match shows that an image is real" in shown
    assert main([*words, "allow-list"]) == 1
    assert "refused 1 (" in capsys.readouterr().out
    assert main([*words, "deny-list", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["items"]
    assert (row["kind"], row["refused"], row["distance"]) == ("near-copy", False, 0.0)
