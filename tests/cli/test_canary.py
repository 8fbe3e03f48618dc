# SPDX-License-Identifier: Apache-2.0
"""Names, numbers and dates of people are planted wherever a command looks; none may come out anywhere.

A new command joins in `canary_scenarios.py`, by a line in `QUICK` or `SLOW`: what it is called with, on a folder of
planted files, with at least one way in which it succeeds and one in which it refuses.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from pathlib import Path

import pydicom
import pytest

from monai_ethics.__main__ import main
from monai_ethics.cli import app

sys.path.insert(0, str(Path(__file__).parent))
from canary import BIRTH, FIRST, ID, ISO, NAME, TOKENS, WARD, found_in, planted, public_files
from canary_scenarios import EVERY_TIME, QUICK, SLOW, Place, tiny, unknown

sys.path.pop(0)


def test_every_command_has_its_scenarios():
    assert {*QUICK, *SLOW} == {*app.COMMANDS}, "add the new command to QUICK or SLOW, with what it is called with"


@pytest.fixture
def at(tmp_path, monkeypatch):
    """Planted files, a home, and an environment that names people as well."""
    monkeypatch.setenv("MONAI_ETHICS_KEY_HOME", str(tmp_path / "private" / NAME))
    monkeypatch.delenv("MONAI_ETHICS_SITE", raising=False)
    monkeypatch.setenv("HOSTNAME", f"{WARD}-{NAME}")
    monkeypatch.setenv("PATIENT", f"{FIRST} {NAME} {BIRTH}")
    monkeypatch.setenv("USER", FIRST)
    monkeypatch.setattr(os, "fsync", lambda handle: None)
    out = tmp_path / f"{FIRST}_out"
    (out / "private").mkdir(parents=True)
    return Place(planted(tmp_path), out)


def told(words, capsys):
    """What a command prints, and how it ends; what it raises counts as printed."""
    try:
        code = main(words)
    except SystemExit as end:
        code = end.code
    captured = capsys.readouterr()
    return code, captured.out + captured.err


def say(table, at, capsys):
    """Run scenarios; returns the codes of each command and the leaks."""
    codes, leaks = {}, []
    for name, scenario in table.items():
        for words in scenario(at):
            code, text = told(words, capsys)
            codes.setdefault(name, []).append(code)
            assert "nobody foresaw" not in text, (name, text)
            if found := found_in(text.encode("utf-8", "surrogatepass")):
                leaks.append((name, len(codes[name]), found, text[-600:]))
    return codes, leaks


def leaks_in_files(at):
    return [(path.relative_to(at.out.parent).parts[-1], found) for path in public_files(at.out.parent, at.data)
            if (found := found_in(path.read_bytes()))]  # fmt: skip


def judged(table, at, capsys):
    codes, leaks = say(table, at, capsys)
    for name, seen in codes.items():
        assert 0 in seen, (name, seen)
        assert {1, 2} & set(seen), (name, seen)
        assert set(seen) <= {0, 1, 2}, (name, seen)
    assert not leaks, leaks
    assert not leaks_in_files(at)
    return sum(map(len, codes.values()))


def test_quick_commands_repeat_nothing_of_a_person(at, capsys):
    judged({name: QUICK[name] for name in EVERY_TIME}, at, capsys)


def test_what_nobody_foresaw_is_told_by_its_kind(at, capsys, monkeypatch):
    from monai_ethics.provenance.log.verifying import verify

    def broken(*_, **__):
        raise KeyError(f"{NAME} {ISO}")

    monkeypatch.setattr(verify, "verify_evidence", broken)
    (at.out / "log.jsonl").write_text("{}")
    code, text = told(["verify", str(at.out)], capsys)
    assert (code, text.count("\n")) == (2, 1)
    assert "KeyError that nobody foresaw" in text
    assert not found_in(text.encode())
    monkeypatch.setenv("MONAI_ETHICS_TRACEBACK", "1")
    with pytest.raises(KeyError):
        main(["verify", str(at.out)])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_no_command_repeats_anything_of_a_person(at, capsys):
    number = judged(QUICK, at, capsys)
    _codes, leaks = say({"unknown": unknown}, at, capsys)
    assert not leaks
    assert (at.out / f"{NAME}_receipt.json").exists()
    assert Path(at.stamped, "index.sqlite").exists()
    marked = pydicom.dcmread(at.good[0])
    block = marked.private_block(0x0067, "MONAI_ETHICS 1.0")
    added = [str(block[place].value) for place in (1, 2)] + [str(marked.ContributingEquipmentSequence)]
    assert not found_in("".join(added).encode())
    files = sum(1 for _ in public_files(at.out.parent, at.data))
    with capsys.disabled():
        print(f"\n{number} calls of {len(QUICK)} commands, {files} public files, {len(TOKENS)} tokens: none came out")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_commands_that_need_torch_or_monai_repeat_nothing_of_a_person(at, capsys):
    judged(SLOW, at, capsys)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("fails", [False, True])
def test_a_run_repeats_nothing_of_a_person(at, capsys, monkeypatch, fails):
    base, metadata = tiny()
    config = json.loads(json.dumps(base))
    config["bundle_root"] = str(at.out / "private")
    config["run"] = ["$@validate#evaluator.run()"]
    images = [str(path) for path in sorted(at.data.glob("*.nii*")) if "bad" not in path.name]
    config["items"] = [{"image": path, "label": path, "note": f"{FIRST} {ISO}"} for path in images]
    config["network_def"] = {"_target_": "torch.nn.Conv3d", "in_channels": 1, "out_channels": 2, "kernel_size": 1}
    load = [{"_target_": "LoadImaged", "keys": ["image", "label"]},
            {"_target_": "EnsureChannelFirstd", "keys": ["image", "label"]},
            {"_target_": "AsDiscreted", "keys": "label", "threshold": 250.0}]  # fmt: skip
    config["validate"]["dataset"] = {"_target_": "Dataset", "data": "@items",
                                     "transform": {"_target_": "Compose", "transforms": load}}  # fmt: skip
    config[f"note_{FIRST}"] = NAME
    if fails:
        broken = f"$(_ for _ in ()).throw(ValueError('{FIRST} {NAME} {ISO} {ID}'))"
        config["run"] = ["$@validate#evaluator.run()", broken]
    (at.data / "configs").mkdir()
    (at.data / "configs" / "metadata.json").write_text(json.dumps(metadata))
    path = at.data / "configs" / f"{NAME}.json"
    path.write_text(json.dumps(config))
    rows = "".join(
        f"{name},{sex},{FIRST} {sex}\n" for name, sex in zip(map(os.path.basename, images), "FM", strict=True)
    )
    Path(at.of("two.csv")).write_text(f"filename,sex,remark\n{rows}")
    monkeypatch.chdir(at.data)
    monkeypatch.setattr(sys, "path", list(sys.path))
    evidence = at.out / "evidence"
    words = ["run", "--config_file", str(path), f"--note_{FIRST}", f"{NAME} {ID}", "--ethics#out", str(evidence),
             "--ethics#attributes", at.of("two.csv")]  # fmt: skip
    with pytest.raises((ValueError, RuntimeError), match=FIRST) if fails else contextlib.nullcontext():
        assert main(words) == 0
    captured = capsys.readouterr()
    ours = [line for line in (captured.out + captured.err).splitlines() if "monai-ethics" in line]
    assert ours
    # what a bundle prints or raises is its own; the folder that the run wrote to is told to whoever ran it
    assert not [line for line in ours if found_in(line.replace(str(evidence), "").encode())]
    assert (evidence / "report.html").exists()
    assert not {path.name: found for path in public_files(evidence, at.data) if (found := found_in(path.read_bytes()))}
