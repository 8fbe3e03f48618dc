# SPDX-License-Identifier: Apache-2.0
"""The real command line, in processes of its own: evidence is left and nothing of the bundle changes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from monai_ethics.provenance.log.reading.entries import read_entries, read_report
from monai_ethics.provenance.log.verifying.verify import verify_evidence

MONAI = ["-m", "monai.bundle", "run"]
OURS = ["-m", "monai_ethics", "run"]
TORCHRUN = ["-m", "torch.distributed.run", "--standalone"]


@pytest.fixture
def home(tmp_path):
    return {"MONAI_ETHICS_KEY_HOME": str(tmp_path / "keys"), "MONAI_ETHICS_SITE": str(tmp_path / "site")}


@pytest.fixture
def cold(home):
    """`cold(words, cwd)` starts a program as a user does, of several ranks by torchrun."""

    def run(words, cwd, *, program=sys.executable, code=0, ranks=1):
        words = [program, *([*TORCHRUN, f"--nproc_per_node={ranks}"] if ranks > 1 else []), *words]
        env = {**os.environ, "OMP_NUM_THREADS": "1", **home}
        env.pop("PYTHONWARNINGS", None)
        done = subprocess.run([str(w) for w in words], cwd=cwd, env=env, capture_output=True, text=True, timeout=400)
        assert code is None or done.returncode == code, done.stderr[-4000:]
        return done

    return run


@pytest.fixture
def call(home, warm):
    """The same in forks of a process that has imported MONAI, for what does not depend on how Python is started."""

    def run(words, cwd, *, code=0, ranks=1):
        done = warm(words, cwd=cwd, env=home, ranks=ranks)
        assert code is None or done.returncode == code, done.stderr[-4000:]
        return done

    return run


def without_evidence(files):
    return {name: data for name, data in files.items() if "evidence" not in name.split("/")}


def covered(folder):
    report = read_report(folder)
    found = next(one for one in report.findings if one.check == "lifecycle.run_coverage")
    return found.statement, sorted(found.subjects)


def intact(folder):
    return verify_evidence(folder).status in ("trusted", "intact-signer-unknown")


@pytest.fixture
def witnessed(tmp_path):
    """`witnessed(folder, printed)` holds if the process that signs beside the run did, and the site log saw it."""

    def holds(folder, printed):
        private = serialization.load_pem_private_key((tmp_path / "keys" / "ed25519.pem").read_bytes(), None)
        trusted = [private.public_key().public_bytes_raw()]
        found = verify_evidence(folder, trusted=trusted, site=tmp_path / "site")
        alone = "to hold the signing key" in printed or "ephemeral" in printed
        return (found.status, found.witness, alone) == ("trusted", "same", False)

    return holds


@pytest.mark.bundle
@pytest.mark.parametrize(("dims", "how"), [(2, "cold"), (3, "call")])
def test_outputs_are_bit_identical_with_and_without_us(image_bundle, request, listing, witnessed, dims, how):
    call = request.getfixturevalue(how)
    theirs, ours = image_bundle("theirs", dims=dims), image_bundle("ours", dims=dims)
    words = ["--config_file", "configs/train.json", "--output_dir", "eval"]
    call([*MONAI, *words], theirs)
    done = call([*OURS, *words], ours)
    expected, got = listing(theirs), without_evidence(listing(ours))
    assert set(got) == set(expected)
    assert {"models/final.pt", "models/model.pt", "eval/metrics.csv", "eval/val_mean_dice_raw.csv"} <= set(got)
    assert any(name.endswith("_trans.nii") for name in got)
    assert [name for name in got if got[name] != expected[name]] == []
    evidence = ours / "eval" / "evidence"
    assert witnessed(evidence, done.stderr)
    assert covered(evidence)[1] == ["train#trainer", "validate#evaluator"]


@pytest.mark.bundle
def test_attributes_are_stratified_and_the_console_script_is_the_same(image_bundle, cold, listing, tmp_path):
    root = image_bundle("script")
    before = listing(root)
    script = Path(sys.executable).with_name("monai-ethics")
    config = ["--config_file", "configs/train.json", "--epochs", "1"]
    strata = ["--attributes", tmp_path / "data_2d" / "attributes.tsv", "--strata", "sex"]
    cold(["run", *config, *strata], root, program=script)
    report = read_report(root / "eval" / "evidence")
    groups = {str(e.group["sex"]) for one in report.findings for e in one.estimates if "sex" in e.group}
    assert {"F", "M"} <= groups
    after = listing(root)
    assert {name: after[name] for name in before} == before


@pytest.mark.bundle
def test_monais_own_launcher_with_our_workflow_overlay_and_tracking(image_bundle, call):
    root = image_bundle("stock")
    config = ["--config_file", "configs/train.json", "--epochs", "1"]
    call([*MONAI, *config, "--workflow_name", "monai_ethics.bundle.EthicsWorkflow", "--ethics#out", "one"], root)
    assert covered(root / "one")[1] == ["train#trainer", "validate#evaluator"]
    ethics = ["-m", "monai_ethics", "overlay", "configs/train.json"]
    call([*ethics, "--out", "configs/ethics.json", "--evidence", "two"], root)
    both = ["--config_file", "['configs/train.json','configs/ethics.json']", "--epochs", "1"]
    call([*MONAI, *both], root)
    assert covered(root / "two")[1] == ["train#trainer", "validate#evaluator"]
    call([*ethics, "--tracking", "--out", "tracking.json", "--evidence", "three"], root)
    call([*MONAI, *config, "--tracking", "tracking.json"], root)
    assert covered(root / "three")[1] == ["train#trainer", "validate#evaluator"]
    assert all(intact(root / name) for name in ("one", "two", "three"))


@pytest.mark.bundle
def test_a_failing_bundle_keeps_its_traceback_and_leaves_evidence(image_bundle, call):
    root = image_bundle("failing")
    config = ["--config_file", "configs/train.json", "--epochs", "1", "--run", "['$@train#trainer.run()', '$1 / 0']"]
    done = call([*OURS, *config], root, code=1)
    assert "ZeroDivisionError" in done.stderr
    assert "Traceback" in done.stderr
    evidence = root / "eval" / "evidence"
    assert intact(evidence)
    assert "failed with RuntimeError" in covered(evidence)[0]
    last = [entry.body for entry in read_entries(evidence) if entry.kind == "run"][-1]
    assert last["status"] == "failed"


@pytest.mark.bundle
def test_unusable_settings_stop_before_the_bundle_runs(image_bundle, call, cold):
    root = image_bundle("unusable")
    done = cold([*OURS, "--config_file", "configs/train.json", "--ethics#atributes", "x"], root, code=2)
    assert "Did you mean `attributes`" in done.stderr.splitlines()[-1]
    done = call([*OURS, "--config_file", "configs/train.json", "--attributes", "none.tsv"], root, code=2)
    assert "Traceback" not in done.stderr
    assert not (root / "models").exists()
    (root / "table.tsv").write_text("participant_id\tsex\nsub-secret\tF\n")
    done = call([*OURS, "--config_file", "configs/train.json", "--attributes", "table.tsv"], root, code=2)
    assert "none of 1 rows matches any of 7 cases" in done.stderr.splitlines()[-1]
    assert not [word for word in ("Traceback", "secret") if word in done.stderr + done.stdout]
    assert not list(root.rglob("*.pt"))


@pytest.mark.bundle
def test_generative_inference_marks_what_it_saves(tmp_path, call):
    root = tmp_path / "generative"
    (root / "configs").mkdir(parents=True)
    config = {
        "imports": ["$import torch"],
        "bundle_root": ".",
        "output_dir": "$@bundle_root + '/out'",
        "saver": {"_target_": "SaveImage", "output_dir": "@output_dir", "print_log": False, "output_ext": ".nii"},
        "run": ["$[@saver(torch.full((1, 8, 8, 8), float(i))) for i in range(2)]"],
    }
    (root / "configs" / "inference.json").write_text(json.dumps(config))
    call([*OURS, "--config_file", "configs/inference.json"], root)
    sidecars = sorted(path.name for path in (root / "out").rglob("*.prov.json"))
    assert len(sidecars) == 2
    assert "0 of 0 engines" in covered(root / "out" / "evidence")[0]


@pytest.mark.dist
@pytest.mark.parametrize(("dims", "how"), [(2, "cold"), (3, "call")])
def test_two_ranks_with_rank_slicing_are_covered_and_bit_identical(
    image_bundle, request, listing, past_abort, witnessed, dims, how
):
    call = request.getfixturevalue(how)
    words = ["run", "--config_file", "['configs/train.json','configs/multi.json']"]
    made = {}

    def start(module, attempt):
        made[module] = image_bundle(f"{module}_{attempt}".replace(".", "_"), dims=dims)
        return call(["-m", module, *words], made[module], code=None, ranks=2)

    for module in ("monai.bundle", "monai_ethics"):
        done = past_abort(lambda attempt, module=module: start(module, attempt))
        assert done.returncode == 0, done.stderr[-4000:]
    theirs, ours = made["monai.bundle"], made["monai_ethics"]
    expected, got = listing(theirs), without_evidence(listing(ours))
    assert set(got) == set(expected)
    assert {"models/final.pt", "models/model.pt"} <= set(got)
    assert [name for name in got if got[name] != expected[name]] == []
    evidence = ours / "eval" / "evidence"
    assert witnessed(evidence, done.stderr)
    scores = [one for one in read_report(evidence).findings if one.check == "fairness.group_scores"]
    assert {sum(one.accounting.values()) for one in scores} == {7}
    assert len([entry for entry in read_entries(evidence) if entry.kind == "open"]) == 1
