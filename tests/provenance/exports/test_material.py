# SPDX-License-Identifier: Apache-2.0
"""What leaves the house, and what does not."""

import json

import pytest

from monai_ethics.errors import GateError, InputError
from monai_ethics.provenance.exports.bids import bids_sidecar
from monai_ethics.provenance.exports.croissant import croissant
from monai_ethics.provenance.exports.formats import FORMATS, log_export
from monai_ethics.provenance.exports.material import NO_CLAIM, Told, as_bytes, read_material
from monai_ethics.provenance.exports.shared import image_of, shared_files
from monai_ethics.provenance.log.reading.entries import read_entries
from monai_ethics.provenance.log.verifying.verify import verify_evidence
from monai_ethics.provenance.log.writing.writer import EvidenceLog

HIDDEN = "DOE-JANE-1234"


def everything(documents, folder, told=None):
    return {name: as_bytes(document) for name, document in documents(read_material(folder), told).items()}


def test_no_pseudonym_name_payload_or_number_of_a_finding_leaves(life, documents):
    entries = read_entries(life["folder"])
    pseudonyms = {str(e.body["item"]) for e in entries if "item" in e.body} | {life["who"]}
    commitments = {str(e.body["commitment"]) for e in entries if "commitment" in e.body}
    assert len(pseudonyms) == 5
    assert commitments
    for data in everything(documents, life["folder"]).values():
        text = data.decode()
        assert not [secret for secret in pseudonyms | commitments if secret in text]
        for secret in (HIDDEN, "surname", life["acquired"][7:], "3 of 4", "environment", "consent_refs"):
            assert secret not in text


def test_only_digests_of_fully_synthetic_images_leave(life):
    material = read_material(life["folder"])
    by_state = {one.synthetic: one for one in material.of_kind("image")}
    assert set(by_state) == {"yes", "partial"}
    assert set(by_state["yes"].digests) == {"voxel_v1", "geometry_v1"}
    assert by_state["partial"].digests == {}
    assert (by_state["partial"].conditioning, by_state["partial"].unnamed) == ("", {"source image": 1})
    assert by_state["yes"].conditioning == "none"
    assert dict(material.left_out) == {"records of single acquired images": 1, "records of consent and withdrawal": 1}


def test_hidden_fields_of_every_record_stay(material_of, documents):
    for document in documents(material_of("text", HIDDEN)).values():
        assert HIDDEN not in as_bytes(document).decode()


def test_limits_use_marks_and_the_absence_of_a_claim_are_in_every_format(life, documents):
    for name, data in everything(documents, life["folder"]).items():
        text = json.dumps(json.loads(data), ensure_ascii=False)
        images = not name.endswith("training")
        assert ("they show nobody." in text) == images, name
        assert ("sidecar" in text.lower()) is True, name
        assert "Research and development of methods" in text or name.endswith("training"), name
        assert (NO_CLAIM in text) == ("bids-image" not in name), name
        assert ("digitalsourcetype/trainedAlgorithmicMedia" in text) == (images and name != "bids-image-1"), name


def test_equal_evidence_gives_equal_bytes_however_often_it_was_exported(life, documents):
    first = everything(documents, life["folder"])
    for form in FORMATS:
        log_export(life["folder"], form=form, data=first[form])
    assert everything(documents, life["folder"]) == first
    kept = [e.body for e in read_entries(life["folder"]) if e.kind == "export"]
    assert [body["format"] for body in kept] == list(FORMATS)
    assert verify_evidence(life["folder"]).intact


def test_another_run_changes_what_is_exported(life, documents, clock, key):
    first = everything(documents, life["folder"])
    log_export(life["folder"], form="bids", data=b"")
    with EvidenceLog.open(life["folder"], run_id="more", clock=clock, key=key) as log:
        log.append("note", {})
    assert everything(documents, life["folder"])["prov-json"] != first["prov-json"]


def test_altered_evidence_is_refused(life):
    log = life["folder"] / "log.jsonl"
    log.write_bytes(log.read_bytes().replace(b"research on", b"diagnoses by"))
    with pytest.raises(GateError, match="as it was signed"):
        read_material(life["folder"])


def test_evidence_of_another_signer_is_refused(life):
    with pytest.raises(GateError, match="wrong-key"):
        read_material(life["folder"], trusted=[bytes(32)])


def test_evidence_without_records_has_nothing_to_export(tmp_path, key, clock):
    with EvidenceLog.open(tmp_path / "e", run_id="a", clock=clock, key=key) as log:
        log.append("note", {})
    for function, _ in FORMATS.values():
        with pytest.raises(InputError, match="got none"):
            function(read_material(tmp_path / "e"), Told())


def test_files_are_listed_under_neutral_names_and_only_if_fully_synthetic(life):
    material = read_material(life["folder"])
    (file,) = shared_files([life["made"]], material)
    document = croissant(material, Told(files=[file]))
    (listed,) = document["distribution"]
    assert listed["sha256"] == file.sha256
    assert listed["contentUrl"] == f"images/{file.sha256[:16]}.npy"
    assert document["me:synthetic"] == "yes"
    for path in ("real", "mixed"):
        with pytest.raises(GateError, match=r"positions \[1\]"):
            shared_files([life[path]], material)
    with pytest.raises(InputError, match="training set"):
        croissant(material, Told(files=[file]), about="training")
    with pytest.raises(InputError, match="another word"):
        croissant(material, Told(), about="both")


def test_an_image_is_found_by_its_values_or_by_its_sidecar(life):
    material = read_material(life["folder"])
    assert image_of(life["made"], material).synthetic == "yes"
    assert image_of(life["mixed"], material).synthetic == "partial"
    with pytest.raises(InputError, match="records as synthetic"):
        image_of(life["real"], material)
    with pytest.raises(InputError, match="synthetic image"):
        bids_sidecar(material, material.of_kind("set")[0])
