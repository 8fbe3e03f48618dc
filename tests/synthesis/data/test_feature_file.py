# SPDX-License-Identifier: Apache-2.0
import zipfile

import numpy as np
import pytest

from monai_ethics.errors import InputError
from monai_ethics.synthesis.data.feature_file import read_features, write_features
from monai_ethics.synthesis.data.image_set import ImageSet
from monai_ethics.synthesis.data.protocol import FeatureProtocol

EYE = np.eye(3)
PROTOCOL = FeatureProtocol(name="second", width=2, weights="ab", preprocessing={"size": 4}, fitted_on_train=None)


def images(**changes):
    given = {
        "features": {"first": EYE, "second": np.arange(6, dtype=np.float32).reshape(3, 2)},
        "patients": ("a", "a", "b"),
        "names": ("a_1.png", "a_2.png", "b_1.png"),
        "views": {"second": np.zeros((3, 4, 2))},
        "sites": ("x", "x", "y"),
        "attributes": {"sex": ("F", None, "M"), "age": ("40", "41", None)},
        "digests": ("00", None, "11"),
        "sources": (None, "c", "d"),
        "protocols": {"second": PROTOCOL},
    }
    return ImageSet(**{**given, **changes})


def test_what_was_written_is_read_and_equal_sets_are_equal_bytes(tmp_path):
    path = tmp_path / "f.npz"
    write_features(path, images())
    content = path.read_bytes()
    found = read_features(path)
    for name in ("patients", "names", "sites", "attributes", "digests", "sources", "protocols", "spaces"):
        assert getattr(found, name) == getattr(images(), name)
    np.testing.assert_array_equal(found.features["second"], images().features["second"])
    assert found.features["second"].dtype == np.float32
    assert found.views["second"].shape == (3, 4, 2)
    assert found.protocols["second"].digest == PROTOCOL.digest
    write_features(path, found)
    assert path.read_bytes() == content


def test_every_other_array_is_an_attribute_under_its_name_and_site_is_the_site(tmp_path):
    path = tmp_path / "f.npz"
    np.savez(
        path, features=EYE, patient=[7, 7, 8], site=["n", "n", "s"], groups=["x", "", "n/a"], age=[40.5, np.nan, 3]
    )
    found = read_features(path)
    assert (found.patients, found.sites) == (("7", "7", "8"), ("n", "n", "s"))
    assert found.attributes == {"age": ("40.5", None, "3"), "groups": ("x", None, None)}


def test_further_spaces_without_names_are_numbered(tmp_path):
    path = tmp_path / "f.npz"
    np.savez(path, features_2=EYE, features=EYE, features_10=EYE, views_2=np.zeros((3, 1, 3)))
    found = read_features(path)
    assert found.spaces == ("features", "features 2", "features 3")
    assert list(found.views) == ["features 2"]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"patient": ["a", "", "b"]}, "a `patient` for each row of the .npz file: got none for 1 of 3"),
        ({"site": ["a", "nan", "b"]}, "a `site` for each row"),
        ({"sex": ["F", "M"]}, "`sex` of the .npz file to have a value for each row"),
        ({"labels": np.zeros((3, 2))}, "`labels` of the .npz file"),
        ({"features_1": np.zeros((2, 2))}, "to have the rows of `features`"),
        ({"features_1": EYE, "spaces": ["one"]}, "a name of its own in `spaces`"),
        ({"features_1": EYE, "spaces": ["one", "one"]}, "a name of its own in `spaces`"),
        ({"views": np.zeros((3, 3))}, "to have the rows of `features`"),
        ({"protocol": ["{}"]}, "protocol of a feature file as this package writes it"),
        ({"protocol": ["", ""]}, "one protocol for each space"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(tmp_path, arrays, message):
    path = tmp_path / "f.npz"
    np.savez(path, features=EYE, **arrays)
    with pytest.raises(ValueError, match=message):
        read_features(path)


def test_a_single_array_is_no_feature_file(tmp_path):
    np.save(tmp_path / "f.npy", EYE)
    (tmp_path / "f.npy").rename(tmp_path / "f.npz")
    with pytest.raises(ValueError, match="without pickled objects"):
        read_features(tmp_path / "f.npz")


def test_an_attribute_called_like_an_array_of_the_file_is_refused(tmp_path):
    for name in ("patient", "features_3", "file"):
        with pytest.raises(ValueError, match="names of their own"):
            write_features(tmp_path / "f.npz", images(attributes={name: ("a", "b", "c")}))


def test_a_set_has_an_entry_for_each_row():
    with pytest.raises(ValueError, match="one entry for each of 3 rows"):
        images(sites=("x",))
    with pytest.raises(ValueError, match="at least one space"):
        images(features={})
    assert len(images()) == 3


def with_member(path, name, content, method=zipfile.ZIP_STORED):
    np.savez(path, features=EYE)
    with zipfile.ZipFile(path, "a", method) as archive:
        archive.writestr(name, content)


def header(shape):
    text = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}}}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + bytes(64)


@pytest.mark.parametrize(
    "content",
    [header((10**15, 6)), header((-1, 6)), b"\x93NUMPY\x01\x00\x20\x00{'descr':" + b"(" * 24, bytes(10)],
    ids=["longer than any memory", "negative", "open brackets", "no array"],
)
def test_a_damaged_array_is_one_sentence(tmp_path, content):
    with_member(tmp_path / "f.npz", "more.npy", content)
    with pytest.raises(InputError, match="npz file"):
        read_features(tmp_path / "f.npz")


def test_a_small_file_that_fills_the_memory_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr("monai_ethics.synthesis.data.feature_file.LARGE", 2**20)
    with_member(tmp_path / "f.npz", "more.npy", bytes(2**21), zipfile.ZIP_DEFLATED)
    monkeypatch.setattr(np, "load", lambda *_, **__: pytest.fail("unpacked"))
    with pytest.raises(InputError, match="npz file"):
        read_features(tmp_path / "f.npz")


def test_a_locked_archive_is_one_sentence(tmp_path):
    path = tmp_path / "f.npz"
    np.savez(path, features=EYE)
    content = bytearray(path.read_bytes())
    content[content.find(b"PK\x03\x04") + 6] |= 1
    content[content.find(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="npz file"):
        read_features(path)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"name": "x", "width": 3, "preprocessing": {"a": NaN}}'])
def test_a_protocol_that_is_none_is_refused(tmp_path, text):
    np.savez(tmp_path / "f.npz", features=EYE, protocol=[text])
    with pytest.raises(InputError, match="protocol"):
        read_features(tmp_path / "f.npz")


def test_a_message_repeats_no_name_that_may_be_a_patients(tmp_path):
    with_member(tmp_path / "f.npz", "DOE^JANE.txt", "x")
    with pytest.raises(InputError) as told:
        read_features(tmp_path / "f.npz")
    assert "DOE" not in str(told.value)


@pytest.mark.parametrize("patient", [np.array([b"7", b"7", b"8"]), np.array([7.0, 7.0, 8.0]), np.array([7, 7, 8])])
def test_a_patient_is_the_same_whether_stored_as_text_bytes_or_number(tmp_path, patient):
    np.savez(tmp_path / "f.npz", features=EYE, patient=patient)
    assert read_features(tmp_path / "f.npz").patients == ("7", "7", "8")


def test_an_attribute_called_like_an_argument_of_the_writer_is_refused(tmp_path):
    images = ImageSet(
        features={"a": EYE}, patients=("p",) * 3, names=("n",) * 3, attributes={"allow_pickle": ("1", "1", "1")}
    )
    with pytest.raises(InputError, match="names of their own"):
        write_features(tmp_path / "f.npz", images)
    assert not (tmp_path / "f.npz").exists()
