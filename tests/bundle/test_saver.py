# SPDX-License-Identifier: Apache-2.0
"""A wrapped saver leaves a sidecar for each file it writes, whatever it was given."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from monai_ethics.bundle.saver import wrap_saver
from monai_ethics.errors import InputError


class Session:
    evidence = None

    def __init__(self):
        self.files = []

    def output_file(self, path):
        self.files.append(Path(path))


class Plain:
    """A saver of plain arrays that says nothing about where it wrote."""

    def __init__(self, output_dir):
        self.output_dir = output_dir
        self.count = 0

    def __call__(self, image):
        path = Path(self.output_dir) / "sub" / f"{self.count}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, image)
        self.count += 1
        return image


def sidecar(path):
    return json.loads(Path(f"{path}.prov.json").read_text())


def test_a_plain_array_gets_a_sidecar_keyed_by_the_written_file(tmp_path):
    session = Session()
    saver = wrap_saver(Plain(tmp_path), session=session)
    image = np.zeros((1, 2))
    assert saver(image) is image
    saver(image + 1)
    first, second = tmp_path / "sub" / "0.npy", tmp_path / "sub" / "1.npy"
    assert sidecar(first)["sha256"] == hashlib.sha256(first.read_bytes()).hexdigest()
    assert sidecar(second)["sha256"] == hashlib.sha256(second.read_bytes()).hexdigest()
    assert sidecar(first)["synthetic"] == "yes"
    assert session.files == [first, second]


def test_a_file_that_is_written_again_gets_a_new_sidecar(tmp_path):
    plain = Plain(tmp_path)
    saver = wrap_saver(plain, session=Session())
    saver(np.zeros((1, 2)))
    before = sidecar(tmp_path / "sub" / "0.npy")
    plain.count = 0
    saver(np.ones((5, 2)))
    assert sidecar(tmp_path / "sub" / "0.npy") != before


def test_the_wrapper_has_the_savers_attributes(tmp_path):
    saver = wrap_saver(Plain(tmp_path), session=Session())
    assert saver.output_dir == tmp_path
    with pytest.raises(AttributeError):
        _ = saver.no_such


def test_monais_saver_with_and_without_metadata(tmp_path):
    import torch
    from monai.data import MetaTensor
    from monai.transforms import SaveImage, SaveImaged

    session = Session()
    saver = wrap_saver(SaveImage(output_dir=tmp_path / "a", print_log=False), session=session)
    image = MetaTensor(torch.zeros(1, 4, 4, 4), meta={"filename_or_obj": "scan.nii.gz"})
    saver(image)
    saver(torch.zeros(1, 4, 4, 4))
    wrap_saver(SaveImaged("pred", output_dir=tmp_path / "b", print_log=False), session=session)(
        {"pred": torch.ones(1, 4, 4, 4)}
    )
    assert [path.name for path in session.files] == ["scan_trans.nii.gz", "1_trans.nii.gz", "0_trans.nii.gz"]
    assert all(Path(f"{path}.prov.json").is_file() for path in session.files)


def test_the_saved_image_is_the_same_with_and_without_us(tmp_path):
    import torch
    from monai.transforms import SaveImage

    image = torch.arange(64.0).reshape(1, 4, 4, 4)
    SaveImage(output_dir=tmp_path / "theirs", print_log=False, output_ext=".nii")(image)
    plain = SaveImage(output_dir=tmp_path / "ours", print_log=False, output_ext=".nii")
    wrap_saver(plain, session=Session(), stamp=False)(image)
    names = {path.name: path.read_bytes() for path in (tmp_path / "ours").rglob("*.nii")}
    assert names == {path.name: path.read_bytes() for path in (tmp_path / "theirs").rglob("*.nii")}


def test_with_evidence_the_images_are_registered_and_the_guard_knows_them(tmp_path, monkeypatch):
    import torch
    from monai.transforms import SaveImage

    from monai_ethics.provenance.images.digest import digest_file
    from monai_ethics.provenance.registry.known import load_known, match

    monkeypatch.setenv("MONAI_ETHICS_KEY_HOME", str(tmp_path / "keys"))
    with wrap_saver(SaveImage(output_dir=tmp_path / "a", print_log=False), out=tmp_path / "evidence") as saver:
        saver(torch.arange(64.0).reshape(1, 4, 4, 4))
    written = next((tmp_path / "a").rglob("*.nii.gz"))
    found = digest_file(written)
    assert found.marks.synthetic == "yes"
    assert match(found, load_known([tmp_path / "evidence"]).synthetic, any_slice=False)


def test_what_is_not_known_is_not_called_synthetic(tmp_path):
    wrap_saver(Plain(tmp_path), session=Session(), synthetic="unknown")(np.zeros((1, 2)))
    assert sidecar(tmp_path / "sub" / "0.npy")["synthetic"] == "unknown"
    with pytest.raises(InputError, match="yes, partial or unknown"):
        wrap_saver(print, synthetic="no")


def test_a_file_of_an_unknown_format_gets_the_least_sidecar(tmp_path):
    def save(_):
        (tmp_path / "x.raw").write_bytes(b"1")

    save.output_dir = tmp_path
    wrap_saver(save, session=Session())(1)
    assert sidecar(tmp_path / "x.raw")["synthetic"] == "yes"


def test_a_saver_that_writes_nothing_leaves_nothing(tmp_path):
    assert wrap_saver(lambda image: image, session=Session())(1) == 1
    assert list(tmp_path.iterdir()) == []


def test_wrong_arguments_are_one_sentence(tmp_path):
    with pytest.raises(InputError, match="one of `session` and `out`"):
        wrap_saver(print, session=Session(), out=tmp_path)
    with pytest.raises(InputError, match="must be callable"):
        wrap_saver(3)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("ending", "in_file"), [("nii.gz", True), ("png", True), ("mha", False)])
def test_without_a_session_a_key_signs_the_sidecars_of_plain_tensors(tmp_path, ending, in_file):
    import torch
    from monai.transforms import SaveImage

    from monai_ethics.provenance.keys.key import SigningKey
    from monai_ethics.provenance.signed.envelope import read_statement

    key = SigningKey.generate()
    saver = SaveImage(output_dir=tmp_path, output_ext=f".{ending}", print_log=False, separate_folder=False)
    wrap_saver(saver, key=key)(torch.rand(1, 8, 8, 4) if ending != "png" else torch.rand(1, 8, 8))
    written = next(tmp_path.glob(f"*.{ending}"))
    said = sidecar(written)
    statement = read_statement(said["statement"], trusted=[key.public])
    assert (statement.signature_holds, statement.trusted) == (True, True)
    assert (said["record"]["type"], said["synthetic"]) == ("synthesis", "yes")
    assert ("header" in said["marks"]) == in_file
