# SPDX-License-Identifier: Apache-2.0
import json
from importlib.util import find_spec

import numpy as np
import pytest

from monai_ethics.evidence import Finding, Verdict
from monai_ethics.synthesis.burned_in_text import BurnedInText
from monai_ethics.synthesis.data.text_scan import TextHit, TextScan
from monai_ethics.synthesis.methods.static_marks import blank_boxes, static_marks
from monai_ethics.synthesis.methods.text_origin import Origin, origin, overlap, same_text

CHECK = BurnedInText()
BOX = (0.05, 0.05, 0.1, 0.5)
SECRET = "DOE^JOHN 12/03/1975"


def hit(text=SECRET, *, box=BOX, score=0.95, patch=()):
    return TextHit(box=box, text=text, score=score, patch=patch)


def scan(synthetic, *, train=((),), **kept):
    return TextScan(**{"hits": {"train": train, "synthetic": synthetic}, "reader": "reader 1", **kept})


def number(finding, name, **group):
    (value,) = [e.value for e in finding.estimates if e.name == name and (not group or e.group == group)]
    return value


def kind_of(found, **kept):
    settings = {"training": (), "masks": (), "masked_texts": (), "similarity": 0.8, "correlation": 0.9, "sure": 0.8}
    return origin(found, **{**settings, **kept})


def test_an_open_text_of_training_is_a_leak_though_letters_are_misread():
    assert kind_of(hit("D0E^JOHN 12/03/1975"), training=[hit()]) is Origin.LEAK
    assert kind_of(hit("SMITH^ANN 01/01/1980"), training=[hit()]) is Origin.INVENTION


def test_what_looks_like_a_training_text_at_its_place_is_a_leak_unread():
    rng = np.random.default_rng(0)
    patch = rng.normal(size=64)
    seen, near = hit(patch=tuple(patch)), tuple(patch + 0.1 * rng.normal(size=64))
    assert kind_of(hit("?", score=0.3, patch=near), training=[seen]) is Origin.LEAK
    assert kind_of(hit("?", score=0.3, patch=near, box=(0.8, 0.5, 0.9, 0.9)), training=[seen]) is Origin.UNKNOWN
    assert kind_of(hit("?", score=0.3, patch=(1.0,) * 64), training=[seen]) is Origin.UNKNOWN


def test_a_masked_text_is_a_decoded_mask_by_place_or_by_reading():
    assert kind_of(hit(), masks=[(0.0, 0.0, 0.2, 0.6)]) is Origin.DECODED_MASK
    assert kind_of(hit(), masks=[(0.5, 0.5, 0.9, 0.9)], masked_texts=["doe john 12031975"]) is Origin.DECODED_MASK
    assert kind_of(hit(), masks=[(0.0, 0.0, 0.2, 0.6)], training=[hit()]) is Origin.LEAK


def test_short_or_unsure_readings_are_of_unknown_origin():
    assert kind_of(hit("L"), training=[hit("L")]) is Origin.UNKNOWN
    assert kind_of(hit(score=0.5)) is Origin.UNKNOWN


def test_texts_are_compared_by_letters_and_digits():
    assert same_text("Doe, John", "DOE^JOHN", similarity=1.0)
    assert not same_text("DOE", "DOE", similarity=0.8)
    assert overlap((0, 0, 1, 1), (0, 0, 0.5, 0.5)) == 0.25
    assert overlap((0, 0, 0, 0), (0, 0, 1, 1)) == 0


def test_the_finding_counts_kinds_and_never_holds_what_was_read():
    data = scan(
        [(hit(),), (hit("SMITH^ANN 1980"),), (hit("?", score=0.2),), ()],
        train=[(hit(),), ()],
        units={"train": ["p1", "p2"]},
        items=["s0", "s1", "s2", "s3"],
    )
    finding = CHECK(data)
    counts = [number(finding, name) for name in ("leaks", "decoded_masks", "inventions", "unknown_origins")]
    assert counts == [1, 0, 1, 1]
    assert number(finding, "share_with_text", set="synthetic") == 0.75
    assert number(finding, "share_with_text", set="train") == 0.5
    text = json.dumps(finding.to_dict())
    assert [word for word in ("DOE", "SMITH", "1975", "1980") if word in text] == []
    assert [o.items[0] for o in finding.observations] == ["s0", "s1", "s2"]
    assert {row["text"] for row in CHECK.details(data)} == {SECRET, "SMITH^ANN 1980", "?"}


def test_without_a_reader_shares_are_undefined_and_headers_still_count():
    data = TextScan(
        hits={"train": [()] * 3, "synthetic": [()] * 3},
        flags={"train": [("YES", None), ("NO", "YES"), (None, None)]},
    )
    finding = CHECK(data)
    assert finding.verdict is Verdict.MEASURED
    assert number(finding, "share_with_text", set="train") is None
    assert number(finding, "leaks") is None
    declared = [number(finding, name) for name in ("declared_burned_in", "undeclared", "declared_recognizable")]
    assert declared == [1, 1, 1]


def test_text_in_spite_of_a_header_is_counted():
    finding = CHECK(scan([(), ()], train=[(hit(),), ()], flags={"train": [("NO", None)] * 2}))
    assert number(finding, "text_despite_declaration") == 1


def test_nothing_looked_for_is_not_assessable():
    finding = CHECK(scan([(), ()], reader=None))
    assert finding.verdict is Verdict.NOT_ASSESSABLE
    assert "extra `ocr`" in finding.reason


@pytest.mark.parametrize(
    "changes",
    [{"units": {"train": ["a", "b"]}}, {"items": ["a"]}, {"flags": {"train": []}}, {"units": {"other": []}}],
)
def test_scans_that_do_not_fit_are_refused(changes):
    with pytest.raises(ValueError, match="one entry for each"):
        scan([(), ()], **changes)


def test_the_finding_is_the_same_whatever_the_order_and_survives_json():
    data = BurnedInText.example(40, seed=2)
    first = CHECK(data)
    again = CHECK(data.reordered(np.random.default_rng(1).permutation(40).tolist()))
    assert json.dumps(first.to_dict(), sort_keys=True) == json.dumps(again.to_dict(), sort_keys=True)
    assert Finding.from_dict(json.loads(json.dumps(first.to_dict()))) == first


def smooth(rng, n, side=48):
    from scipy import ndimage

    return np.stack([ndimage.gaussian_filter(rng.standard_normal((side, side)), 3) for _ in range(n)])


def test_a_mark_that_synthetic_images_repeat_is_found_and_one_of_all_images_is_not():
    rng = np.random.default_rng(0)
    made, real = smooth(rng, 40), smooth(rng, 40)
    patients = [f"h{i}" for i in range(40)]
    clean = static_marks(made, real, patients)
    assert clean.boxes == ()
    made[:30, 5:9, 30:42:2] += 1
    marks = static_marks(made, real, patients)
    assert len(marks.boxes) == 1
    assert marks.boxes[0][1] > 0.5
    assert marks.synthetic_rates[0] > 0.5 > marks.holdout_rates[0]
    real[:30, 5:9, 30:42:2] += 1
    assert static_marks(made, real, patients).boxes == ()
    assert static_marks(made[:5], real, patients) is None
    finding = CHECK(scan([()] * 40, marks=marks))
    assert number(finding, "static_marks") == 1


def test_a_blacked_out_rectangle_is_found_and_a_background_is_not():
    image = np.random.default_rng(0).random((64, 64))
    image[4:10, 6:40] = 0
    image[40:] = 0
    (box,) = blank_boxes(image)
    assert box == pytest.approx((4 / 64, 6 / 64, 10 / 64, 40 / 64), abs=2 / 64)


needs_ocr = pytest.mark.skipif(
    find_spec("rapidocr") is None or find_spec("onnxruntime") is None, reason="the extra `ocr` is not installed"
)


def rendered(image, text, *, place=(4, 4), size=14, value=None):
    from PIL import Image, ImageDraw, ImageFont

    canvas = Image.fromarray((255 * (image - image.min()) / np.ptp(image)).astype(np.uint8))
    ImageDraw.Draw(canvas).text(place, text, fill=255 if value is None else value, font=ImageFont.load_default(size))
    return np.asarray(canvas, dtype=np.float64)


def cohort_slices(n, *, seed):
    from monai_ethics.cohort import Cohort, analytic_founders

    return [subject.image[0] for subject in Cohort(n=n, size=(256, 256), seed=seed, founders=analytic_founders())]


@needs_ocr
@pytest.mark.slow
def test_rendered_text_is_read_and_traced_to_training_or_to_a_mask():
    from monai_ethics.synthesis.features.text_reader import TextReader

    train, made = cohort_slices(5, seed=1), cohort_slices(5, seed=2)
    train[0] = rendered(train[0], "DOE^JOHN 12/03/1975")
    train[1] = rendered(train[1], "ROE^JANE 05/06/1981", place=(20, 200))
    train[1][196:222, 16:200] = 90  # the mask
    made[0] = rendered(made[0], "DOE^JOHN 12/03/1975")
    made[1] = rendered(made[1], "ROE^JANE 05/06/1981", place=(20, 200))
    made[2] = rendered(made[2], "ULTRASOUND 7731", place=(60, 100))
    reader = TextReader()
    data = TextScan(
        hits={"train": reader(train), "synthetic": reader(made)},
        reader=reader.name,
        masks=[box for image in train for box in blank_boxes(image)],
    )
    finding = CHECK(data)
    counts = [number(finding, name) for name in ("leaks", "decoded_masks", "inventions", "unknown_origins")]
    print("leaks, decoded masks, inventions, unknown:", counts)
    assert counts == [1, 1, 1, 0]
    assert number(finding, "share_with_text", set="synthetic") == 0.6
    assert number(finding, "share_with_text", set="train") == 0.2
    assert "JOHN" not in json.dumps(finding.to_dict())
    volume = np.stack([train[2], train[0], train[3]])
    assert len(reader([volume])[0]) == 1
