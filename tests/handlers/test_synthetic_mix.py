# SPDX-License-Identifier: Apache-2.0
import json

import pytest
import torch
from ignite.engine import Engine
from monai.data import DataLoader
from monai.engines import SupervisedTrainer

from monai_ethics.errors import InputError
from monai_ethics.handlers import SyntheticMixTracker, attach
from monai_ethics.provenance.log.reading.entries import read_private, read_report
from monai_ethics.synthesis.mix import SyntheticMix

pytestmark = pytest.mark.slow


def marked(toy, n=7, made=(0, 3), unmarked=()):
    items = toy.items(n)
    for i, item in enumerate(items):
        if i not in unmarked:
            item["synthetic"] = i in made
    return items


def trainer(toy, items, *handlers, epochs=2, **kept):
    network = toy.Shift()
    return SupervisedTrainer(
        device=torch.device("cpu"),
        max_epochs=epochs,
        train_data_loader=DataLoader(toy.Items(items), batch_size=3, **kept),
        network=network,
        optimizer=torch.optim.SGD(network.parameters(), lr=0.0),
        loss_function=torch.nn.MSELoss(),
        train_handlers=list(handlers),
    )


def test_every_batch_of_a_training_is_counted_and_the_evidence_says_the_mix(toy, tmp_path):
    engine = trainer(toy, marked(toy))
    session = attach(engine, out=tmp_path / "e")
    tracker = SyntheticMixTracker(session)
    tracker.attach(engine)
    engine.run()
    finding = SyntheticMix()(tracker.table)
    assert {row.name: row.value for row in finding.estimates}["synthetic_share"] == pytest.approx(2 / 7)
    (kept,) = [item for item in read_report(tmp_path / "e").findings if item.check == "synthesis.mix"]
    values = {row.name: row.value for row in kept.estimates}
    assert (values["synthetic_items"], values["real_items"], values["unknown_items"]) == (2, 5, 0)
    assert kept.accounting["uses_of_synthetic_items"] == 4
    assert "sub-" not in (tmp_path / "e" / "log.jsonl").read_text()
    listed = json.loads(read_private(tmp_path / "e", "mix")[0][1])
    assert sorted(row["name"] for row in listed if row["synthetic"]) == [
        f"/data/sub-{i:02d}/image.nii.gz" for i in (0, 3)
    ]


def test_a_synthetic_item_in_the_test_is_refused_before_it_is_used(toy, tmp_path):
    engine = toy.evaluator(marked(toy, made=(4,)))
    session = attach(engine, out=tmp_path / "e")
    SyntheticMixTracker(session).attach(engine)
    with pytest.raises(InputError, match="acquired items only: got 1 synthetic of 3 in a batch"):
        engine.run()
    assert engine.state.iteration == 2


def test_declared_synthetic_test_items_are_counted_and_told(toy):
    tracker = SyntheticMixTracker(declared_synthetic=True)
    toy.evaluator(marked(toy, made=(4,)), handlers=[tracker]).run()
    assert SyntheticMix()(tracker.table).verdict == "warned"


def test_an_item_without_a_flag_is_refused_or_counted_as_unknown(toy):
    items = marked(toy, unmarked=range(7))
    with pytest.raises(InputError, match="got 3 of 3 in a batch that do not"):
        trainer(toy, items, SyntheticMixTracker()).run()
    tracker = SyntheticMixTracker(on_unknown="count")
    trainer(toy, items, tracker).run()
    assert set(tracker.table.synthetic) == {None}
    assert sum(tracker.table.uses) == 14


@pytest.mark.parametrize(
    ("value", "flag"),
    [
        *((value, True) for value in (True, 1, "yes", "partial")),
        *((value, False) for value in (torch.tensor(0), "real")),
        *((value, None) for value in ("", "perhaps", float("nan"), None)),
    ],
)
def test_flags_are_read_from_items_and_meta_alike(value, flag):
    from monai.data import MetaTensor

    for item in ({"synthetic": value}, {"image": MetaTensor(torch.zeros(1), meta={"synthetic": value})}):
        tracker = SyntheticMixTracker(split="train", on_unknown="count")
        engine = Engine(lambda engine, batch: None)
        tracker.attach(engine)
        engine.run([[item]])
        assert tracker.table.synthetic == [flag]


def test_a_run_that_ends_early_keeps_what_it_saw(toy):
    tracker = SyntheticMixTracker()
    engine = trainer(toy, marked(toy), tracker)

    def stop(engine):
        if engine.state.iteration == 2:
            engine.terminate()

    from ignite.engine import Events

    engine.add_event_handler(Events.ITERATION_COMPLETED, stop)
    engine.run()
    assert sum(tracker.table.uses) == 6


def test_a_word_that_is_none_is_refused():
    with pytest.raises(InputError, match="refuse or count"):
        SyntheticMixTracker(on_unknown="ignore")
