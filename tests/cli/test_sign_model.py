# SPDX-License-Identifier: Apache-2.0
import json

import pytest

from monai_ethics.__main__ import main


@pytest.fixture
def model(tmp_path, monkeypatch):
    monkeypatch.setenv("MONAI_ETHICS_KEY_HOME", str(tmp_path / "keys"))
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.pt").write_text("weights")
    return tmp_path / "model"


def test_a_model_is_signed_and_checked_from_the_command_line(model, tmp_path, capsys):
    signature, key = tmp_path / "model.sig", tmp_path / "keys" / "ecdsa-p256.pub.pem"
    assert main(["sign-model", str(model), "--out", str(signature)]) == 0
    words = ["sign-model", str(model), "--check", str(signature), "--key", str(key)]
    assert main(words) == 0
    (model / "model.pt").write_text("other")
    assert main(words) == 1
    assert "1 changed and 0 missing" in capsys.readouterr().out
    assert main([*words, "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["changed"] == [1]


@pytest.mark.parametrize("words", [[], ["--check", "none.sig"], ["--out", "a", "--check", "b"], ["--out", "/proc/x/y"]])
def test_unusable_words_are_one_sentence_and_exit_2(model, words, capsys):
    assert main(["sign-model", str(model), *words]) == 2
    assert capsys.readouterr().err.count("\n") == 1
