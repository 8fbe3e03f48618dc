# SPDX-License-Identifier: Apache-2.0
"""`monai-ethics verify FILES`: what is printed of marked files, and the exit code."""

from __future__ import annotations

import json

import numpy as np
import pytest

from monai_ethics.__main__ import main
from monai_ethics.provenance.keys.home import load_or_create_key
from monai_ethics.provenance.keys.key import SigningKey, fingerprint


@pytest.fixture
def stamped(tmp_path, monkeypatch):
    monkeypatch.setenv("MONAI_ETHICS_KEY_HOME", str(tmp_path / "keys"))
    folder = tmp_path / "images"
    folder.mkdir()
    for seed in range(2):
        np.save(folder / f"doe_{seed}.npy", np.random.default_rng(seed).normal(size=(9, 8, 7)))
    assert main(["stamp", str(folder), "--synthetic", "--out", str(tmp_path / "evidence")]) == 0
    return folder


def test_marked_files_verify_and_no_name_is_printed(stamped, capsys):
    capsys.readouterr()
    assert main(["verify", str(stamped)]) == 0
    out = capsys.readouterr().out
    assert "image 1: as-signed" in out
    assert "2 as-signed" in out
    assert "doe" not in out


def test_of_many_files_the_sound_ones_are_only_counted(stamped, tmp_path, capsys):
    for seed in range(2, 22):
        np.save(stamped / f"doe_{seed}.npy", np.random.default_rng(seed).normal(size=(9, 8, 7)))
    assert main(["stamp", str(stamped), "--synthetic", "--out", str(tmp_path / "evidence")]) == 0
    first = stamped / "doe_0.npy"
    np.save(first, np.load(first) + 1)
    capsys.readouterr()
    assert main(["verify", str(stamped)]) == 1
    out = capsys.readouterr().out
    assert [line.split(":")[0] for line in out.splitlines() if line.startswith("image ")] == ["image 1"]
    assert "image 1: derived" in out
    assert "21 as-signed, 1 derived" in out


def test_the_writers_key_is_trusted_and_another_is_wrong(stamped, tmp_path, capsys):
    own = fingerprint(load_or_create_key(tmp_path / "evidence").public)
    capsys.readouterr()
    assert main(["verify", str(stamped), "--trust", own, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["files"][0]["signer_trusted"] is True
    other = fingerprint(SigningKey.generate().public)
    assert main(["verify", str(stamped), "--trust", other]) == 1
    assert "wrong-key" in capsys.readouterr().out


def test_keys_that_the_site_log_revoked_sign_nothing_and_those_endorsed_there_do(stamped, tmp_path, capsys):
    old = fingerprint(load_or_create_key(tmp_path / "evidence").public)
    site = str(tmp_path / "site")
    assert main(["keys", "rotate"]) == 0
    new = fingerprint(load_or_create_key(tmp_path / "evidence").public)
    np.save(tmp_path / "later.npy", np.random.default_rng(5).normal(size=(9, 8, 7)))
    assert main(["stamp", str(tmp_path / "later.npy"), "--synthetic", "--out", str(tmp_path / "e2")]) == 0
    assert main(["stamp", str(tmp_path / "later.npy"), "--real", "--out", site]) in (0, 1)
    capsys.readouterr()
    later = ["verify", str(tmp_path / "later.npy"), "--trust", old]
    assert main(later) == 1  # nothing here says that the old key endorsed the new one
    assert main([*later, "--evidence", str(tmp_path / "e2")]) == 0
    assert main([*later, "--site", site]) == 0
    images = [str(path) for path in sorted(stamped.glob("*.npy"))]
    assert main(["verify", *images, "--trust", old, "--site", site]) == 0
    assert main(["keys", "revoke", "--site", site, "--reason", "retired"]) == 0
    capsys.readouterr()
    assert main(["verify", *images, "--trust", old, "--site", site]) == 0
    out = capsys.readouterr().out
    assert out.count("The key that signed was retired: it is used no more, and what it signed before stands.") == 2
    assert main([*later, "--site", site]) == 0  # it vouched for its successor
    assert main(["keys", "revoke", "--site", site, "--reason", "compromised"]) == 0
    capsys.readouterr()
    for trust in ([], ["--trust", old, "--trust", new]):
        assert main(["verify", *images, "--site", site, *trust]) == 1
        out = capsys.readouterr().out
        assert "wrong-key" in out
        assert "The key that signed was revoked" in out
    assert main(["verify", str(tmp_path / "later.npy"), "--trust", new, "--site", site]) == 0
    evidence = ["--evidence", str(tmp_path / "evidence"), "--trust", old, "--trust", new]
    assert main(["verify", *images, *evidence]) == 0
    assert main(["verify", *images, *evidence, "--site", site]) == 1  # evidence by such a key is no witness either
    assert "got 'wrong-key'" in capsys.readouterr().err


def test_one_changed_file_refuses_and_is_named_by_its_position(stamped, capsys):
    path = sorted(stamped.glob("*.npy"))[1]
    array = np.load(path)
    array[3, 3, 3] += 1
    np.save(path, array)
    capsys.readouterr()
    assert main(["verify", *map(str, sorted(stamped.glob("*.npy"))), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["counts"] == {"as-signed": 1, "derived": 1}
    assert found["files"][1]["fields"]["values"] == "changed"


def test_evidence_is_verified_as_before(stamped, tmp_path, capsys):
    capsys.readouterr()
    assert main(["verify", str(tmp_path / "evidence")]) == 0
    assert "intact-signer-unknown" in capsys.readouterr().out


def test_signed_images_in_the_place_of_evidence_do_not_pass_for_it(stamped, tmp_path, monkeypatch, capsys):
    site = tmp_path / "site"
    assert main(["verify", str(stamped), "--site", str(site)]) == 2
    assert "Expected one evidence folder with --site" in capsys.readouterr().err
    monkeypatch.setenv("MONAI_ETHICS_SITE", str(site))  # which is always there
    assert main(["verify", str(stamped)]) == 0


def test_a_head_is_expected_of_evidence_only(stamped, capsys):
    assert main(["verify", str(stamped), "--expect-head", "ab" * 32]) == 2
    assert "Expected one evidence folder" in capsys.readouterr().err


def test_what_is_no_image_and_no_evidence_is_refused_in_one_sentence(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert main(["verify", str(tmp_path / "empty")]) == 2
    assert main(["verify", str(tmp_path / "none"), str(tmp_path / "empty")]) == 2
    assert main(["verify", str(tmp_path / "none")]) == 2
    assert capsys.readouterr().err.count("monai-ethics: ") == 3
