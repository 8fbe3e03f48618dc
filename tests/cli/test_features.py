# SPDX-License-Identifier: Apache-2.0
import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from monai_ethics.__main__ import main
from monai_ethics.cli._digests import image_digests
from monai_ethics.cli._extractors import load_network
from monai_ethics.synthesis.data.feature_file import read_features
from monai_ethics.synthesis.data.image_set import ImageSet


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "images"
    path.mkdir()
    rng = np.random.default_rng(0)
    for patient in ("doe1", "doe2", "doe3"):
        np.save(path / f"{patient}_a.npy", rng.random((20, 24)))
    (path / "participants.tsv").write_text("participant_id\tsex\ndoe1\tF\ndoe2\tM\ndoe3\tF\n")
    return path


def words(folder, *more):
    return ["features", "--images", str(folder), "--out", str(folder.parent / "f.npz"), *more]


def test_a_feature_file_holds_spaces_views_patients_attributes_and_digests(folder, capsys):
    assert main(words(folder, "--views")) == 0
    said = capsys.readouterr()
    assert "3 images of 3 patients" in said.out
    assert "random convolutions 2D (480), raw pixels 16x16 (256)" in said.out
    assert "doe" not in said.out + said.err
    found = read_features(folder.parent / "f.npz")
    assert found.patients == ("doe1", "doe2", "doe3")
    assert found.attributes == {"sex": ("F", "M", "F")}
    assert found.views["raw pixels 16x16"].shape == (3, 7, 256)
    assert len(set(found.digests)) == 3


def test_two_runs_give_equal_bytes_and_json_names_the_protocols(folder, capsys):
    out = folder.parent / "f.npz"
    contents = []
    for _ in range(2):
        assert main(words(folder, "--json", "--extractor", "pixels")) == 0
        contents.append(out.read_bytes())
    assert contents[0] == contents[1]
    facts = json.loads(capsys.readouterr().out.split("}\n{")[0] + "}")
    assert facts["images"] == 3
    assert facts["spaces"]["raw pixels 16x16"]["width"] == 256
    assert len(facts["spaces"]["raw pixels 16x16"]["protocol"]) == 64


@pytest.mark.slow
def test_a_scripted_network_of_a_file_is_an_extractor(folder):
    net = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.ReLU())
    file = folder.parent / "net.pt"
    torch.jit.trace(net, torch.zeros(1, 1, 8, 8)).save(str(file))
    assert main(words(folder, "--extractor", str(file), "--size", "8", "--not-fitted-on-train")) == 0
    found = read_features(folder.parent / "f.npz")
    assert found.features["network of a file"].shape == (3, 4)
    assert found.protocols["network of a file"].fitted_on_train is False


@pytest.mark.slow
def test_a_bundles_own_encoder_is_an_extractor_by_its_layer(folder):
    bundle = folder.parent / "bundle"
    (bundle / "configs").mkdir(parents=True)
    (bundle / "models").mkdir()
    definition = {"_target_": "BasicUNet", "spatial_dims": 2, "in_channels": 1, "features": [4, 4, 8, 8, 8, 4]}
    (bundle / "configs" / "inference.json").write_text(json.dumps({"network_def": definition}))
    from monai.networks.nets import BasicUNet

    torch.save(
        {"model": BasicUNet(spatial_dims=2, in_channels=1, features=[4, 4, 8, 8, 8, 4]).state_dict()},
        file := bundle / "models" / "m.pt",
    )
    state = torch.get_rng_state()
    assert load_network(file).training is False
    assert torch.equal(torch.get_rng_state(), state)
    assert main(words(folder, "--extractor", str(file), "--size", "32", "--layer", "down_4")) == 0
    found = read_features(folder.parent / "f.npz")
    assert found.features["network of a file, layer down_4"].shape == (3, 8)
    torch.save({"other": torch.zeros(2)}, file)
    with pytest.raises(ValueError, match="weights of the network that the bundle's config defines"):
        load_network(file)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--extractor", "none"], "Expected `--extractor` to be pixels"),
        (["--extractor", "pixels", "--layer", "a"], "speak of a network in a file"),
        (["--extractor", "pixels", "--planes", "3"], "speak of a network: got `pixels`"),
        (["--out", "f.txt"], "an .npz file in a folder that exists"),
        (["--images", "absent"], "Expected `--images` to be a folder"),
        (["--device", "meta"], "`--device` must be a device"),
    ],
)
def test_unusable_words_are_one_sentence(folder, capsys, more, message):
    assert main(words(folder, *more)) == 2
    assert message in capsys.readouterr().err


def test_a_file_that_is_no_network_is_refused_without_running_it(folder, capsys):
    class Harm:
        def __reduce__(self):
            return (print, ("ran",))

    torch.save(Harm(), file := folder.parent / "net.pt")
    assert main(words(folder, "--extractor", str(file))) == 2
    said = capsys.readouterr()
    assert "Expected a TorchScript module" in said.err
    assert "ran" not in said.out


def test_a_series_has_one_digest_of_its_slices_in_their_order(folder):
    one, two = (folder / f"doe{number}_a.npy" for number in (1, 2))
    np.save(empty := folder / "empty.npy", np.zeros((4, 4)))
    files = ((one,), (one, two), (two, one), (empty,), (empty, empty), (one, empty))
    rows = tuple(str(number) for number in range(len(files)))
    given = ImageSet(features={"a": np.zeros((len(files), 1))}, patients=rows, names=rows, files=files)
    found = image_digests(given)
    assert len(set(found)) == 5
    assert (found[3], found[4]) == (None, None)
    assert image_digests(replace(given, digests=rows)) == rows


@pytest.mark.parametrize(
    "more", [("--seed", str(2**80)), ("--size", "100000000"), ("--planes", "100000"), ("--channels", "100000")]
)
def test_numbers_that_no_machine_holds_are_refused_before_anything_is_read(folder, capsys, more):
    assert main(words(folder, *more)) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_run_that_is_stopped_leaves_the_file_that_was_there(folder, monkeypatch):
    out = folder.parent / "f.npz"
    out.write_bytes(b"earlier")

    def stopped(path, images):
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr("monai_ethics.synthesis.data.feature_file.write_features", stopped)
    assert main(words(folder, "--extractor", "pixels")) == 130
    assert out.read_bytes() == b"earlier"
    assert [path.name for path in folder.parent.iterdir() if path.suffix == ".npz"] == ["f.npz"]
