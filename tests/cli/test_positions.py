# SPDX-License-Identifier: Apache-2.0
import json

import numpy as np
import pytest

from monai_ethics.__main__ import main


@pytest.fixture
def images(tmp_path, monkeypatch):
    """Two images, of which the second is registered as synthetic in `tmp_path/log`, without its mark."""
    monkeypatch.setenv("MONAI_ETHICS_KEY_HOME", str(tmp_path / "keys"))
    monkeypatch.delenv("MONAI_ETHICS_SITE", raising=False)
    folder = tmp_path / "images"
    folder.mkdir()
    for seed, name in enumerate(("smith-1.npy", "smith-2.npy")):
        np.save(folder / name, np.random.default_rng(seed).normal(size=(6, 6)))
    assert main(["stamp", str(folder / "smith-2.npy"), "--synthetic", "--out", str(tmp_path / "log")]) == 0
    (folder / "smith-2.npy.prov.json").unlink()
    return folder


def test_a_private_file_tells_which_position_is_which_file(images, tmp_path, capsys):
    capsys.readouterr()
    words = ["guard", str(images), "--policy", "deny-list", "--site", str(tmp_path / "log")]
    assert main([*words, "--names", str(tmp_path / "names.json")]) == 1
    said = capsys.readouterr().out
    assert "refused 2 " in said
    assert "--names FILE" in said
    assert "smith" not in said
    names = tmp_path / "names.json"
    assert json.loads(names.read_text())["2"].endswith("smith-2.npy")
    assert names.stat().st_mode & 0o077 == 0
    assert main([*words, "--names", str(names)]) == 2
    assert "Expected a new file" in capsys.readouterr().err
    assert main(["verify", str(images), "--names", str(tmp_path / "of_verify.json")]) == 1
    assert json.loads((tmp_path / "of_verify.json").read_text()) == json.loads(names.read_text())


def test_a_misspelled_path_is_called_one(images, tmp_path, capsys):
    assert main(["verify", str(images / "smith-3.npy")]) == 2
    said = capsys.readouterr().err
    assert "does not exist" in said
    assert "smith" not in said
    assert main(["verify", str(tmp_path / "log"), "--names", str(tmp_path / "n")]) == 2


def test_every_answer_says_what_it_does_not_show(images, tmp_path, capsys):
    capsys.readouterr()
    main(["stamp", str(images / "smith-1.npy"), "--real", "--out", str(tmp_path / "log")])
    assert "nothing here looked whether it is so" in capsys.readouterr().out
    words = ["guard", str(images / "smith-1.npy"), "--site", str(tmp_path / "log"), "--policy"]
    assert main([*words, "allow-list"]) == 0
    said = capsys.readouterr().out
    assert "somebody registered the image as acquired" in said
    assert "--trust" in said
