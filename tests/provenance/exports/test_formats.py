# SPDX-License-Identifier: Apache-2.0
"""What stands where in each format."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monai_ethics.provenance.exports.bids import bids_description
from monai_ethics.provenance.exports.croissant import croissant
from monai_ethics.provenance.exports.cyclonedx import cyclonedx
from monai_ethics.provenance.exports.material import Told, as_bytes, read_material
from monai_ethics.provenance.exports.prov_json import prov_json
from monai_ethics.provenance.exports.ro_crate import ro_crate

TOLD = Told(name="n", license="MIT", creator="c", url="https://example.org/d", version="3")


def test_prov_has_an_activity_for_what_was_made_and_none_for_what_was_found(life):
    document = prov_json(read_material(life["folder"]), TOLD)
    assert len(document["activity"]) == 4
    assert sorted(a["prov:type"] for a in document["activity"].values()) == [
        "evaluation",
        "synthesis",
        "synthesis",
        "training",
    ]
    roles = sorted(used["prov:role"] for used in document["used"].values())
    assert roles == ["model", "model", "model", "source image", "training set"]
    hidden = [e for e in document["entity"].values() if "me:count" in e]
    assert len(hidden) == 2  # the source of an image, and the member of the set
    assert document["entity"]["me:evidence"]["me:creator"] == "c"


def test_ro_crate_names_instrument_object_and_result_of_each_action(life):
    graph = {thing["@id"]: thing for thing in ro_crate(read_material(life["folder"]), TOLD)["@graph"]}
    actions = [thing for thing in graph.values() if thing["@type"] == "CreateAction"]
    assert len(actions) == 4
    for action in actions:
        assert graph[action["result"]["@id"]]
        for name in ("instrument", "object"):
            found = action.get(name, [])
            assert all(one["@id"] in graph for one in (found if isinstance(found, list) else [found]))
    assert graph["./"]["license"] == {"@id": "https://spdx.org/licenses/MIT"}
    assert len(graph) == len(ro_crate(read_material(life["folder"]), TOLD)["@graph"])


def test_croissant_says_in_words_and_fields_that_images_are_synthetic(life):
    material = read_material(life["folder"])
    made = croissant(material, TOLD)
    assert made["description"].startswith("SYNTHETIC: 1 generated image and 1 image made in part from images of people")
    assert (made["rai:hasSyntheticData"], made["me:synthetic"]) == (True, "partial")
    root = material.of_kind("set")[0].set["root"]
    assert root in made["rai:dataCollection"]
    assert "distribution" not in made
    training = croissant(material, Told(), about="training")
    assert (training["rai:hasSyntheticData"], training["me:synthetic"]) == (False, "no")
    assert training["license"] == "https://spdx.org/licenses/CC-BY-4.0"
    assert "broad consent" in training["rai:dataCollection"]


def test_cyclonedx_holds_the_model_its_files_its_sets_and_models_of_unknown_origin(life):
    bill = cyclonedx(read_material(life["folder"]), TOLD)
    models = [c for c in bill["components"] if c["type"] == "machine-learning-model"]
    assert [m["name"] for m in models] == ["n", "model"]
    assert models[0]["hashes"] == [{"alg": "SHA-256", "content": "2" * 64}]
    assert models[0]["licenses"] == [{"license": {"id": "MIT"}}]
    assert models[0]["modelCard"]["considerations"]["useCases"] == ["research on segmentation"]
    (data,) = models[0]["modelCard"]["modelParameters"]["datasets"]
    assert data["ref"] in {c["bom-ref"] for c in bill["components"] if c["type"] == "data"}
    assert "not known what it was trained on" in str(models[1])
    assert {c["name"] for c in bill["components"] if c["type"] == "library"} == {"monai", "torch"}


def test_a_license_that_is_not_of_the_list_is_a_name_and_no_identifier(material_of):
    for license_, expected in (
        ("MIT AND CC-BY-4.0", [{"expression": "MIT AND CC-BY-4.0"}]),
        ("mit", [{"license": {"id": "MIT"}}]),
        ("our own", [{"license": {"name": "our own"}}]),
    ):
        bill = cyclonedx(material_of("x"), Told(license=license_))
        assert bill["components"][0]["licenses"] == expected


def test_bids_names_generator_sources_and_what_is_synthetic(life):
    description = bids_description(read_material(life["folder"]), TOLD)
    assert description["DatasetType"] == "derivative"
    assert [one["Name"] for one in description["GeneratedBy"]] == ["gen", "monai_ethics"]
    assert description["SyntheticData"] == "partial"
    assert description["Authors"] == ["c"]
    assert len(description["SourceDatasets"]) == 1


def test_bytes_can_stand_in_a_page_and_hold_no_control_or_reordering_character():
    data = as_bytes({"a": "</script>&\x1b[2J\u202e\u2028x\nü\ud800"})
    assert data.isascii()
    assert not set(b"<>&\x1b") & set(data)
    assert json.loads(data)["a"] == "</script>&\ufffd[2J\ufffd\u2028x\nü\ufffd"


def shape(value):
    """Keys and numbers of things, whatever the texts are."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items() if key != "@id"}
    return [shape(item) for item in value] if isinstance(value, list) else type(value).__name__


HOSTILE = (
    '"',
    "</script>",
    "\u202e\u05d0",
    "\x00\x1b[2J",
    "DOE^JANE 1",
    "javascript:x",
    "@id",
    "_:b",
    "rec:1",
    "${x}",
    "\\",
    "\r",
)


@given(text=st.one_of(st.sampled_from(HOSTILE), st.text(min_size=1, max_size=30)))
@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_texts_of_records_change_neither_form_nor_identifiers(text, material_of, documents):
    ours, plain = documents(material_of(text)), documents(material_of("plain"))
    for name in ours:
        assert shape(json.loads(as_bytes(ours[name]))) == shape(json.loads(as_bytes(plain[name]))), name


@pytest.mark.parametrize("form", ["prov-json", "cyclonedx"])
def test_an_identifier_that_is_no_digest_is_not_taken_over(form, material_of, documents):
    assert "DOE" not in json.dumps(documents(material_of("x", "DOE"))[form])
