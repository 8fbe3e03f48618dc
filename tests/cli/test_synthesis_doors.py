# SPDX-License-Identifier: Apache-2.0
import json
import sys
from importlib.util import find_spec

import numpy as np
import pytest

from monai_ethics.__main__ import main
from monai_ethics.provenance.log.reading.entries import read_private, read_report

ROLES = ("train", "holdout", "synthetic")
TEXT = "DOE^JOHN 1975"


@pytest.fixture(autouse=True)
def key_home(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("MONAI_ETHICS_KEY_HOME", str(tmp_path_factory.mktemp("home") / "keys"))


@pytest.fixture
def no_reader(monkeypatch):
    monkeypatch.setitem(sys.modules, "rapidocr", None)


def folders(path, *, images=12, side=32):
    rng = np.random.default_rng(0)
    pictures = {role: rng.random((images, side // 4, side // 4)).repeat(4, 1).repeat(4, 2) for role in ROLES}
    return {role: write(path / role, role, found) for role, found in pictures.items()}


def write(folder, role, images):
    folder.mkdir()
    for number, image in enumerate(images):
        np.save(folder / f"{role}DOE{number:02d}_x.npy", image)
    return folder


def stored(path):
    rng = np.random.default_rng(0)
    for role in ROLES:
        patient = [f"{role}{i}" for i in range(60)]
        np.savez(path / f"{role}.npz", features=rng.standard_normal((60, 4)), patient=patient)
    return {role: path / f"{role}.npz" for role in ROLES}


def run(sets, out, *more):
    words = [word for role, path in sets.items() for word in (f"--{role}", str(path))]
    return main(["synthesis", *words, "--out", str(out), *more])


def of(findings, check):
    return [finding for finding in findings if finding.check == f"synthesis.{check}"]


def requests_table(path, *, better="M"):
    rng = np.random.default_rng(0)
    lines = ["requested,seen,set,sex,age"]
    for i in range(400):
        sex, age = "FM"[i % 2], ("old", "young")[i // 2 % 2]
        right = rng.random() < (0.95 if sex == better else 0.5)
        lines.append(f"lesion,{'lesion' if right else 'none'},{'synthetic' if i < 240 else 'holdout'},{sex},{age}")
    path.write_text("\n".join(lines))
    return str(path)


def test_requests_are_judged_for_every_attribute_and_corrected_over_their_number(tmp_path, capsys):
    table = requests_table(tmp_path / "requests.csv")
    words = ["--requests", table, "--condition", "lesion", "--judge", "segmenter 1", "--json"]
    assert run(stored(tmp_path), tmp_path / "e", *words) == 0
    capsys.readouterr()
    report = read_report(tmp_path / "e")
    found = {finding.parameters["attribute"]: finding for finding in of(report.findings, "group_correctness")}
    assert set(found) == {"sex", "age"}
    assert all(finding.parameters["family"] == 2 for finding in found.values())
    p = {name: next(e.value for e in item.estimates if e.name == "p_adjusted") for name, item in found.items()}
    assert p["sex"] < 0.01 < 0.05 < p["age"]
    assert found["sex"].accounting["real_images"] == 160
    assert len(report.inputs["requests"]) == 64
    assert read_private(tmp_path / "e", "requests")[0][1].startswith(b"requested,seen")
    assert not of(report.findings, "burned_in_text")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--text"], "Give folders of images"),
        (["--condition", "lesion"], "Give `--requests`"),
        (["--requests", "absent.csv", "--judge", "x"], "readable CSV"),
        (["--text-images", "1"], "--text-images"),
    ],
)
def test_words_that_do_not_fit_are_refused_before_anything_is_written(tmp_path, capsys, more, message):
    assert run(stored(tmp_path), tmp_path / "e", *more) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "e").exists()


@pytest.mark.usefixtures("no_reader")
def test_asking_for_text_without_a_reader_names_what_to_install(tmp_path, capsys):
    assert run(folders(tmp_path), tmp_path / "e", "--text") == 2
    assert "monai_ethics[ocr]" in capsys.readouterr().err


@pytest.mark.usefixtures("no_reader")
@pytest.mark.slow
def test_without_a_reader_one_line_says_so_and_the_audit_goes_on(tmp_path, capsys):
    assert run(folders(tmp_path), tmp_path / "e", "--extractor", "pixels", "--no-views") == 0
    said = [line for line in capsys.readouterr().err.splitlines() if "monai_ethics[ocr]" in line]
    assert len(said) == 1
    (finding,) = of(read_report(tmp_path / "e").findings, "burned_in_text")
    assert next(e.value for e in finding.estimates if e.name == "static_marks") == 0
    assert next(e.value for e in finding.estimates if e.name == "leaks") is None


@pytest.mark.slow
@pytest.mark.skipif(find_spec("rapidocr") is None, reason="the extra `ocr` is not installed")
def test_what_was_read_is_in_the_private_part_only(tmp_path, capsys):
    drawing = pytest.importorskip("PIL.ImageDraw")
    from PIL import Image, ImageFont

    sets = folders(tmp_path, images=6, side=256)
    for role in ("train", "synthetic"):
        for file in sorted(sets[role].iterdir())[:2]:
            image = Image.fromarray((np.load(file) * 60).astype(np.uint8))
            drawing.Draw(image).text((8, 8), TEXT, fill=255, font=ImageFont.load_default(24))
            np.save(file, np.asarray(image, dtype=np.float64))
    assert run(sets, tmp_path / "e", "--extractor", "pixels", "--no-views", "--text-images", "6") == 0
    printed = capsys.readouterr().out
    assert "private EVIDENCE text" in printed
    assert "JOHN" not in printed
    (finding,) = of(read_report(tmp_path / "e").findings, "burned_in_text")
    assert next(e.value for e in finding.estimates if e.name == "leaks") >= 2
    assert finding.limitations[0].startswith("Synthetic images have no grounding")
    public = [path for path in (tmp_path / "e").iterdir() if path.is_file()]
    assert not [path for path in public if b"JOHN" in path.read_bytes() or b"DOE" in path.read_bytes()]
    rows = json.loads(read_private(tmp_path / "e", "text")[0][1])
    assert any("JOHN" in row["text"] for row in rows)
    named = {row["item"]: row["name"] for row in json.loads(read_private(tmp_path / "e", "items")[0][1])}
    leaks = {named[row["item"]] for row in rows if row.get("origin") == "leak"}
    assert leaks == {"syntheticDOE00_x.npy", "syntheticDOE01_x.npy"}
    assert {item for pair in finding.observations for item in pair.items} <= set(named)
