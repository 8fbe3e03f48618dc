# SPDX-License-Identifier: Apache-2.0
"""Each export is read by the judge of its format: prov, rocrate, mlcroissant, cyclonedx-python-lib, bids-validator."""

import json
import logging
import shutil
import subprocess
from pathlib import Path

import nibabel
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monai_ethics.provenance.exports.bids import bids_description, bids_sidecar
from monai_ethics.provenance.exports.croissant import croissant
from monai_ethics.provenance.exports.cyclonedx import cyclonedx
from monai_ethics.provenance.exports.material import Told, as_bytes, read_material
from monai_ethics.provenance.exports.prov_json import prov_json
from monai_ethics.provenance.exports.ro_crate import ro_crate
from monai_ethics.provenance.exports.shared import shared_files

pytestmark = [pytest.mark.peers, pytest.mark.filterwarnings("ignore")]

TOLD = Told(name="Images", license="CC-BY-4.0", creator="Group", url="https://example.org/d", version="1.0.0")
HOSTILE = [
    '"quoted" \\ back',
    "</script><script>alert(1)</script>",
    "\u202eright to left \u05d0\u05d1",
    "\x00\x1b[2J\x07\n\t",
    "DOE^JANE 1234567",
    "javascript:alert(1)",
    "https://example.org/x#y z",
    "_:blank",
    "@id",
    "rec:1 {}",
    "$\\frac{$ %s {0}",
    "MIT OR (GPL-2.0",
    "\U0001f9e0 e\u0301",
    "",
]
texts = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=40))
hostile = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def prov_judged(data):
    from prov.graph import prov_to_graph
    from prov.model import ProvDocument

    document = ProvDocument.deserialize(content=data.decode(), format="json")
    again = ProvDocument.deserialize(content=document.serialize(format="json"), format="json")
    assert document == again
    document.get_provn()
    return document, prov_to_graph(document)


def test_prov_reads_the_graph_that_we_wrote(life):
    pytest.importorskip("prov")
    from prov.model import ProvDerivation, ProvUsage

    ours = prov_json(read_material(life["folder"]), TOLD)
    document, graph = prov_judged(as_bytes(ours))
    named = {str(node.identifier) for node in graph.nodes}
    assert named == {name for part in ("entity", "activity", "agent") for name in ours[part]}

    def pairs(kind, first, second):
        found = [{str(k): str(v) for k, v in r.formal_attributes} for r in document.get_records(kind)]
        return sorted((one[first], one[second]) for one in found)

    for kind, part, ends in (
        (ProvUsage, "used", ("prov:activity", "prov:entity")),
        (ProvDerivation, "wasDerivedFrom", ("prov:generatedEntity", "prov:usedEntity")),
    ):
        assert pairs(kind, *ends) == sorted((one[ends[0]], one[ends[1]]) for one in ours[part].values())
    print(f"prov: {len(named)} nodes, {graph.number_of_edges()} edges, equal after a round trip")


def crate_judged(data, folder):
    from rocrate.rocrate import ROCrate

    folder.mkdir(exist_ok=True)
    (folder / "ro-crate-metadata.json").write_bytes(data)
    crate = ROCrate(folder)
    other = folder.with_name("again")
    crate.write(other)
    return crate, json.loads((other / "ro-crate-metadata.json").read_bytes())


def test_rocrate_reads_and_writes_the_crate_with_every_entity_and_known_terms(life, tmp_path):
    rocrate = pytest.importorskip("rocrate")
    ours = ro_crate(read_material(life["folder"]), TOLD)
    crate, again = crate_judged(as_bytes(ours), tmp_path / "crate")

    def by_id(graph):
        return {thing["@id"]: thing for thing in graph}

    assert set(by_id(again["@graph"])) == set(by_id(ours["@graph"]))
    actions = [entity for entity in crate.get_entities() if entity.type == "CreateAction"]
    assert len(actions) == 4
    assert all(action["result"].id.startswith("#record-") for action in actions)
    context = json.loads((Path(rocrate.__file__).parent / "data" / "ro-crate.jsonld").read_text())["@context"]
    known = {*context, *ours["@context"][1], "@id", "@type"}
    used = {key for thing in ours["@graph"] for key in thing} | {thing["@type"] for thing in ours["@graph"]}
    assert used <= known
    print(f"rocrate: {len(ours['@graph'])} entities, {len(used)} terms, all in the context")


def croissant_judged(document):
    import mlcroissant

    logging.getLogger("absl").setLevel(logging.ERROR)
    found = mlcroissant.Dataset(jsonld=json.loads(as_bytes(document))).metadata
    return found, found.ctx.issues


def test_mlcroissant_finds_no_error_and_one_known_warning(life):
    mlcroissant = pytest.importorskip("mlcroissant")
    material = read_material(life["folder"])
    files = shared_files([life["made"]], material)
    told = Told(**{**{n: getattr(TOLD, n) for n in ("name", "license", "creator", "url", "version")}, "files": files})
    document_of_files = croissant(material, told)
    for document in (document_of_files, croissant(material, TOLD, about="training")):
        found, issues = croissant_judged(document)
        assert not issues.errors
        print(f"mlcroissant: {len(issues.errors)} errors, warnings: {sorted(issues.warnings)}")
        assert all("citeAs" in warning for warning in issues.warnings)
        assert found.data_biases == document["rai:dataBiases"]
        assert found.data_collection == document["rai:dataCollection"]
    (listed,) = document_of_files["distribution"]
    with pytest.raises(mlcroissant.ValidationError):  # the judge does look
        croissant_judged({**document_of_files, "distribution": [{**listed, "contentUrl": []}]})
    assert [file.sha256 for file in croissant_judged(croissant(material, told))[0].distribution] == [files[0].sha256]


@pytest.fixture(scope="module")
def validator():
    pytest.importorskip("cyclonedx")
    from cyclonedx.exception import MissingOptionalDependencyException
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    judge = JsonStrictValidator(SchemaVersion.V1_6)
    try:
        judge.validate_str("{}")
    except MissingOptionalDependencyException:
        pytest.skip("cyclonedx-python-lib lacks its extra json-validation")
    return judge


def test_cyclonedx_accepts_the_bill_strictly(life, validator):
    bill = cyclonedx(read_material(life["folder"]), TOLD)
    assert validator.validate_str(as_bytes(bill).decode()) is None
    wrong = [{"extra": 1}, {"serialNumber": "urn:uuid:1"}, {"metadata": {**bill["metadata"], "timestamp": "today"}}]
    for change in wrong:  # the judge does look
        assert validator.validate_str(as_bytes({**bill, **change}).decode()) is not None
    print(f"cyclonedx: {len(bill['components'])} components, no error of the strict schema 1.6")


def bids_judged(folder):
    if shutil.which("bids-validator-deno") is None:
        pytest.skip("bids-validator-deno is not installed")
    done = subprocess.run(
        ["bids-validator-deno", "--json", str(folder)], capture_output=True, text=True, timeout=120, check=False
    )
    return json.loads(done.stdout)["issues"]["issues"]


def test_the_bids_validator_accepts_a_data_set_with_our_description_and_sidecar(life, tmp_path):
    material = read_material(life["folder"])
    data = tmp_path / "data"
    place = data / "sub-01" / "anat"
    place.mkdir(parents=True)
    (data / "README").write_text("Synthetic images, for a test of their description only, with a sidecar each." * 3)
    (data / "dataset_description.json").write_bytes(as_bytes(bids_description(material, TOLD)))
    image = nibabel.Nifti1Image(np.ones((8, 8, 8), dtype=np.float32), np.eye(4))
    image.header.set_xyzt_units("mm", "sec")
    nibabel.save(image, place / "sub-01_desc-synthetic_T1w.nii.gz")
    sidecar = bids_sidecar(material, material.of_kind("image")[0])
    target = place / "sub-01_desc-synthetic_T1w.json"
    target.write_bytes(as_bytes({**sidecar, "SkullStripped": False}))
    issues = bids_judged(data)
    assert [issue for issue in issues if issue["severity"] == "error"] == []
    print("bids-validator:", sorted({(i["severity"], i["code"], i.get("subCode", "")) for i in issues}))
    target.write_bytes(as_bytes(sidecar))
    errors = [issue for issue in bids_judged(data) if issue["severity"] == "error"]
    assert {issue.get("subCode") for issue in errors} == {"SkullStripped"}  # which no evidence knows
    broken = {**bids_description(material, TOLD), "GeneratedBy": []}
    (data / "dataset_description.json").write_bytes(as_bytes(broken))
    assert any("GeneratedBy" in json.dumps(issue) for issue in bids_judged(data) if issue["severity"] == "error")


@given(text=texts)
@hostile
def test_hostile_texts_stay_data_in_prov(text, material_of):
    pytest.importorskip("prov")
    material = material_of(text)
    _, graph = prov_judged(as_bytes(prov_json(material, Told(name=text, creator=text))))
    _, plain = prov_judged(as_bytes(prov_json(material_of("plain"), Told(name="n", creator="c"))))
    assert {str(n.identifier) for n in graph.nodes} == {str(n.identifier) for n in plain.nodes}


@given(text=texts)
@hostile
def test_hostile_texts_stay_data_in_a_crate(text, material_of, tmp_path_factory):
    pytest.importorskip("rocrate")
    ours = ro_crate(material_of(text), Told(name=text, creator=text, url=text, license=text))
    _, again = crate_judged(as_bytes(ours), tmp_path_factory.mktemp("c") / "c")
    ids = {thing["@id"] for thing in again["@graph"]}
    assert ids == {thing["@id"] for thing in ours["@graph"]}
    own = ("#record-", "#action-", "#unnamed-", "#file-", "#key-", "#license-", "https://spdx.org/licenses/")
    assert all(i.startswith(own) or i in ("./", "ro-crate-metadata.json", "#head", "#creator", "#monai_ethics")
               for i in ids)  # fmt: skip


@given(text=texts)
@hostile
def test_hostile_texts_stay_data_in_croissant(text, material_of):
    pytest.importorskip("mlcroissant")
    for about in ("synthetic", "training"):
        told = Told(name=text or "n", creator=text, version="1.0.0", license=text)
        found, issues = croissant_judged(croissant(material_of(text), told, about=about))
        assert not issues.errors
        assert found.data_use_cases


@given(text=texts)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_hostile_texts_stay_data_in_the_bill(text, material_of, validator):
    bill = cyclonedx(material_of(text), Told(name=text, creator=text, license=text, version=text))
    assert validator.validate_str(as_bytes(bill).decode()) is None


def test_hostile_texts_stay_data_in_bids(material_of, tmp_path):
    for place, text in enumerate(["", "\n".join(HOSTILE), "\x00\ud800"]):
        folder = tmp_path / str(place)
        folder.mkdir()
        told = Told(name=text or "n", creator=text, license=text)
        (folder / "dataset_description.json").write_bytes(as_bytes(bids_description(material_of(text), told)))
        found = [issue for issue in bids_judged(folder) if issue["severity"] == "error"]
        assert found == [], text
