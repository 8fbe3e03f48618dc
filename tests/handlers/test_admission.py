# SPDX-License-Identifier: Apache-2.0
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from ignite.engine import Events
from monai.data import DataLoader, Dataset
from monai.engines import SupervisedEvaluator, SupervisedTrainer

from monai_ethics.errors import GateError, InputError
from monai_ethics.evidence import Verdict
from monai_ethics.handlers import AdmissionGuard, attach
from monai_ethics.handlers.admission import checked_guard
from monai_ethics.provenance.log.reading.entries import read_entries, read_report
from monai_ethics.provenance.log.verifying.verify import verify_evidence
from monai_ethics.provenance.log.writing.writer import EvidenceLog
from monai_ethics.provenance.registry.admission import Judgement, Refusal
from monai_ethics.provenance.registry.stamp import stamp_files

pytestmark = pytest.mark.slow
AFFINE = np.diag([-1.5, -1.5, 2, 1])


def write(path, seed):
    array = np.random.default_rng(seed).normal(100, 30, size=(12, 10, 8)).astype(np.float32)
    nib.save(nib.Nifti1Image(array, AFFINE), path)
    return {"image": str(path), "sex": "F"}


@pytest.fixture
def site(tmp_path):
    """A site log that registers volume 0 as synthetic and volume 1 as acquired."""
    write(tmp_path / "made.nii", 0)
    write(tmp_path / "scanned.nii", 1)
    with EvidenceLog.open(tmp_path / "site", run_id="stamp") as log:
        stamp_files([tmp_path / "made.nii"], log)
        stamp_files([tmp_path / "scanned.nii"], log, synthetic="no")
    return log.folder


class Loaded(Dataset):
    """Shows items with paths; gives a small tensor."""

    def __getitem__(self, index):
        return {"image": torch.full((1, 4, 4), float(index)), "label": torch.zeros(1, 4, 4)}


def trainer(items, *handlers, epochs=1, cls=Loaded):
    network = torch.nn.Conv2d(1, 1, 1)
    engine = SupervisedTrainer(
        device=torch.device("cpu"),
        max_epochs=epochs,
        train_data_loader=DataLoader(cls(items), batch_size=1),
        network=network,
        optimizer=torch.optim.SGD(network.parameters(), lr=0.1),
        loss_function=torch.nn.MSELoss(),
        train_handlers=list(handlers) or None,
    )
    engine.seen = []
    engine.add_event_handler(Events.ITERATION_STARTED, lambda e: e.seen.append(e.state.iteration))
    return engine


def test_a_registered_synthetic_image_stops_the_training_before_its_first_iteration(site, tmp_path):
    items = [write(tmp_path / f"doe_{seed}.nii", seed) for seed in (5, 0, 6)]
    engine = trainer(items)
    session = attach(engine, out=tmp_path / "evidence", guard={"policy": "deny-list", "site": str(site)})
    with pytest.raises(GateError, match="1 of 3 items are refused, at 2 ") as caught:
        engine.run()
    assert "doe" not in str(caught.value)
    assert engine.seen == []
    assert verify_evidence(tmp_path / "evidence").intact
    assert not [one for one in read_entries(tmp_path / "evidence") if one.kind == "record"]  # it made no model
    found = {finding.check: finding for finding in read_report(tmp_path / "evidence").findings}
    finding = found["provenance.synthetic_guard"]
    assert finding.verdict is Verdict.FAILED
    assert finding.parameters["engine"] == "SupervisedTrainer"
    assert len(finding.observations) == 1
    runs = [entry.body["status"] for entry in read_entries(tmp_path / "evidence") if entry.kind == "run"]
    assert runs == ["started", "failed"]
    assert session.findings
    assert "doe" not in (tmp_path / "evidence" / "report.json").read_text()


def test_a_clean_list_trains_and_leaves_the_finding(site, tmp_path):
    engine = trainer([write(tmp_path / "a.nii", 5)])
    attach(engine, out=tmp_path / "evidence", guard={"site": str(site)})
    engine.run()
    assert engine.seen == [1]
    found = [one for one in read_report(tmp_path / "evidence").findings if one.check == "provenance.synthetic_guard"]
    assert [one.verdict for one in found] == [Verdict.PASSED]


def test_the_allow_list_takes_attested_images_only(site, tmp_path):
    attested = {**write(tmp_path / "a.nii", 1), "label": write(tmp_path / "label.nii", 8)["image"]}
    trainer([attested], AdmissionGuard("allow-list", site=site)).run()
    with pytest.raises(GateError, match="1 of 2 items"):
        trainer([attested, write(tmp_path / "b.nii", 5)], AdmissionGuard("allow-list", site=site)).run()
    with pytest.raises(GateError, match="1 of 1 items"):
        trainer([attested], AdmissionGuard("allow-list", site=site, keys=["image", "label"])).run()


def test_a_dataset_that_shows_nothing_passes_the_deny_list_unassessed_and_not_the_allow_list(site):
    class Hidden(torch.utils.data.Dataset):
        def __init__(self, items):
            self.items = items

        def __len__(self):
            return len(self.items)

        def __getitem__(self, index):
            return {"image": torch.zeros(1, 4, 4), "label": torch.zeros(1, 4, 4)}

    guard = AdmissionGuard(site=site)
    trainer([0], guard, cls=Hidden).run()
    assert [one.verdict for one in guard.findings] == [Verdict.NOT_ASSESSABLE]
    with pytest.raises(GateError, match="shows its items"):
        trainer([0], AdmissionGuard("allow-list", site=site), cls=Hidden).run()


def test_a_list_that_changed_is_judged_again_when_the_engine_runs_again(site, tmp_path):
    items = [write(tmp_path / "a.nii", 5)]
    engine = trainer(items, AdmissionGuard(site=site))
    engine.run()
    items.append(write(tmp_path / "b.nii", 0))
    engine.state.max_epochs = 2
    with pytest.raises(GateError, match="1 of 2"):
        engine.run()
    assert engine.state.epoch == 1


def test_what_is_registered_later_refuses_a_resumed_training(site, tmp_path):
    items = [write(tmp_path / "a.nii", 5)]
    first = trainer(items, AdmissionGuard(site=site))
    first.run()
    with EvidenceLog.open(site, run_id="stamp") as log:
        stamp_files([tmp_path / "a.nii"], log, header=False)
    resumed = trainer(items, AdmissionGuard(site=site), epochs=2)
    resumed.load_state_dict({"epoch_length": 1, "max_epochs": 2, "iteration": 1})
    with pytest.raises(GateError):
        resumed.run()
    first.state.max_epochs = 2
    with pytest.raises(GateError):
        first.run()
    assert first.seen == [1]


def test_an_interrupted_engine_is_judged_as_it_goes_on(site, tmp_path):
    items = [write(tmp_path / "a.nii", 5), write(tmp_path / "b.nii", 6)]
    engine = trainer(items, AdmissionGuard(site=site), epochs=2)
    engine.add_event_handler(Events.EPOCH_COMPLETED(once=1), lambda e: e.interrupt())
    engine.run()
    assert engine.seen == [1, 2]
    write(tmp_path / "a.nii", 0)
    with pytest.raises(GateError):
        engine.run()
    assert engine.seen == [1, 2]


def test_another_judge_refuses_through_the_same_door(tmp_path):
    class Consent:
        def judge(self, items, *, pseudonym=None):
            return Judgement(n=len(items), refusals=(Refusal(position=1, item="p", kind="withdrawn", why="w"),))

    with pytest.raises(GateError, match="1 \\(p: withdrawn\\)"):
        trainer([write(tmp_path / "a.nii", 5)], AdmissionGuard(judges=[Consent()])).run()


def test_a_guard_of_the_users_own_leaves_its_finding_in_the_run(site, tmp_path):
    loader = DataLoader(Loaded([write(tmp_path / "a.nii", 5)]), batch_size=1)
    guard = AdmissionGuard(site=site)
    engine = SupervisedEvaluator(
        device=torch.device("cpu"), val_data_loader=loader, network=torch.nn.Identity(), val_handlers=[guard]
    )
    attach(engine, out=tmp_path / "evidence", guard={"site": str(site)})
    guard.attach(engine)
    engine.run()
    found = [one for one in read_report(tmp_path / "evidence").findings if one.check == "provenance.synthetic_guard"]
    assert len(found) == 1


def test_settings_of_a_guard_are_read_before_anything_runs(site, tmp_path, monkeypatch):
    with pytest.raises(InputError, match="Did you mean `policy`"):
        checked_guard({"polcy": "deny-list"})
    with pytest.raises(InputError, match="Expected a registry to ask"):
        checked_guard({"policy": "deny-list"})
    with pytest.raises(InputError, match="must be a mapping"):
        checked_guard("deny-list")
    with pytest.raises(InputError, match="deny-list or allow-list"):
        checked_guard({"policy": "other", "site": str(site)})
    monkeypatch.setenv("MONAI_ETHICS_SITE", str(site))
    assert checked_guard({"keys": "image, label"}).judges[0].keys == ["image", "label"]
    engine = trainer([write(tmp_path / "a.nii", 5)])
    with pytest.raises(InputError):
        attach(engine, out=tmp_path / "evidence", guard={"policy": "other"})
    assert not (tmp_path / "evidence").exists()


WORKER = Path(__file__).with_name("admission_ranks.py")


@pytest.mark.dist
@pytest.mark.parametrize("setting", ["same", "partition", "partition_ddp", "idle"])
def test_every_process_stops_and_none_waits(site, tmp_path, setting, past_abort, warm):
    write(tmp_path / "bad.nii", 0)
    for seed in range(5, 9):
        write(tmp_path / f"good_{seed}.nii", seed)

    def start(attempt):
        folder = tmp_path / f"out_{attempt}"
        folder.mkdir()
        done = warm([WORKER, tmp_path, folder, setting], ranks=2)
        done.folder = folder
        return done

    done = past_abort(start)
    assert done.returncode == 0, done.stderr[-3000:]
    first, second = (json.loads((done.folder / f"rank{rank}.json").read_text()) for rank in (0, 1))
    if setting == "idle":  # process 1 never runs the engine: process 0 neither waits nor misses its refusal
        assert first["error"] == "GateError"
    elif setting == "partition":  # no shared network: each process answers for its own items
        assert (first["error"], first["iterations"], second["error"]) == ("", 2, "GateError")
    else:
        assert (first["error"], second["error"]) == ("GateError", "GateError")
        assert first["iterations"] == second["iterations"] == 0
    if setting == "partition_ddp":
        statement = next(one["statement"] for one in first["findings"] if "guard" in one["check"])
        assert "Other processes refused 1 of their own items" in statement
