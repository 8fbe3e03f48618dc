# SPDX-License-Identifier: Apache-2.0
"""Without typer, evidence can be verified, and other commands say what to install."""

import json
import os
import subprocess
import sys

import pytest

from monai_ethics.provenance.log.writing.writer import EvidenceLog

PROGRAM = """
import sys
for name in ("typer", "rich", "numpy", "torch", "monai", "ignite", "fire", "pydicom", "scipy", "pandas"):
    sys.modules[name] = None
from monai_ethics.__main__ import main
codes = []
for words in eval(sys.argv[1]):
    print("<", words[:1], flush=True)
    codes.append(main(words))
    sys.stderr.flush()
print("codes", codes)
"""


def bare(tmp_path, *commands):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, repr([list(map(str, words)) for words in commands])],
        env={**os.environ, "MONAI_ETHICS_KEY_HOME": str(tmp_path / "keys"), "MONAI_ETHICS_SITE": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout, done.stderr, eval(done.stdout.rpartition("codes ")[2])


@pytest.fixture
def evidence(tmp_path, monkeypatch):
    monkeypatch.setenv("MONAI_ETHICS_KEY_HOME", str(tmp_path / "keys"))
    with EvidenceLog.open(tmp_path / "Doe^Jane", run_id="a") as log:
        log.append("note", {"number": 1})
    return tmp_path / "Doe^Jane"


def test_verify_and_keys_work_without_typer(evidence, tmp_path):
    public = tmp_path / "keys" / "ed25519.pub.pem"
    out, err, codes = bare(
        tmp_path,
        ["verify", evidence, "--trust", public, "--json"],
        ["verify", evidence, "--trust", "0" * 64, "--trust", "1" * 64],
        ["keys", "show", "--json"],
        ["private", evidence],
        ["--version"],
        [],
    )
    assert (codes, err) == ([0, 1, 0, 0, 0, 0], "")
    assert json.loads(out.partition("]\n")[2].partition("\n<")[0])["status"] == "trusted"
    assert "wrong-key" in out
    assert "file" in out


def test_other_words_are_one_sentence_each(evidence, tmp_path):
    commands = (
        ["report", evidence],
        ["run", "--config_file", "x"],
        ["verify"],
        ["verify", evidence, "--Doe^Jane"],
        ["keys"],
        ["keys", "revoke", "--reason", "lost"],
        ["verify", evidence / "log.jsonl"],
    )
    _out, err, codes = bare(tmp_path, *commands)
    assert codes == [2] * len(commands)
    assert err.count("\n") == len(commands)
    assert all(line.startswith("monai-ethics: Expected ") for line in err.splitlines())
    assert "Doe" not in err
    assert err.count("pip install monai_ethics") == 2
