# SPDX-License-Identifier: Apache-2.0
import json
from datetime import UTC, datetime

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from monai_ethics.errors import InputError
from monai_ethics.provenance.consent.dicom import consents_of_dataset, read_dicom_consent
from monai_ethics.provenance.consent.fhir import consents_of_fhir, read_fhir
from monai_ethics.provenance.consent.table import read_table

HRESCH = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "HRESCH"}
R4 = {
    "resourceType": "Consent",
    "status": "active",
    "scope": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "research"}]},
    "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
    "patient": {"reference": "Patient/4711"},
    "dateTime": "2026-01-01",
    "provision": {"type": "permit", "period": {"start": "2026-01-01", "end": "2026-12-31"}, "purpose": [HRESCH]},
}


def test_a_consent_of_fhir_r4_permits_research_and_no_synthesis():
    (will,) = read_fhir(json.dumps(R4).encode())
    assert will.person.patient_id == "4711"
    assert will.consent.purposes == ("research", "training", "evaluation")
    assert (will.consent.valid_from, will.consent.valid_to) == (
        datetime(2026, 1, 1, tzinfo=UTC),
        datetime(2027, 1, 1, tzinfo=UTC),
    )


@pytest.mark.parametrize("status", ["draft", "entered-in-error", "rejected"])
def test_a_consent_that_never_was_says_nothing(status):
    assert consents_of_fhir({**R4, "status": status}) == []


def test_an_inactive_consent_is_no_longer_in_force():
    (will,) = consents_of_fhir({**R4, "status": "inactive"})
    assert not will.consent.permit


def test_a_denied_provision_is_a_refusal_and_identifiers_name_their_assigner():
    patient = {"identifier": {"value": "4711", "assigner": {"display": "St. Elsewhere"}}}
    (will,) = consents_of_fhir({**R4, "patient": patient, "provision": {**R4["provision"], "type": "deny"}})
    assert (will.person.issuer, will.consent.permit) == ("St. Elsewhere", False)


def test_a_bundle_holds_several_and_a_disease_is_a_condition():
    duo = {"system": "http://purl.obolibrary.org/obo/duo.owl", "code": "DUO_0000007"}
    other = {**R4, "provision": {"purpose": [duo]}}
    bundle = {"resourceType": "Bundle", "entry": [{"resource": R4}, {"resource": other}, {"resource": {}}]}
    wills = consents_of_fhir(bundle)
    assert [will.consent.conditions for will in wills] == [(), ("DUO:0000007",)]


def test_what_names_no_purpose_or_patient_is_refused():
    with pytest.raises(InputError, match="purpose"):
        consents_of_fhir({**R4, "provision": {"type": "permit"}})
    with pytest.raises(InputError, match="patient"):
        consents_of_fhir({**R4, "patient": {}})
    with pytest.raises(InputError, match="FHIR"):
        consents_of_fhir([])


def dataset(*items, patient="4711"):
    data = Dataset()
    data.PatientID, data.IssuerOfPatientID = patient, "St. Elsewhere"
    data.ConsentForClinicalTrialUseSequence = []
    for kind, flag in items:
        item = Dataset()
        if kind:
            item.DistributionType = kind
        item.ConsentForDistributionFlag = flag
        data.ConsentForClinicalTrialUseSequence.append(item)
    return data


@pytest.mark.parametrize(
    ("kind", "flag", "purposes", "permit", "conditions"),
    [
        ("RESTRICTED_REUSE", "YES", ("research", "training", "evaluation"), True, ()),
        ("PUBLIC_RELEASE", "YES", ("research", "training", "evaluation", "distribution"), True, ()),
        ("NAMED_PROTOCOL", "YES", ("research",), True, ("DUO:0000027",)),
        ("PUBLIC_RELEASE", "NO", ("research", "training", "evaluation", "distribution"), False, ()),
        ("", "WITHDRAWN", ("research", "training", "evaluation", "synthesis", "distribution"), False, ()),
    ],
)
def test_dicom_says_to_whom_data_may_go(kind, flag, purposes, permit, conditions):
    (will,) = consents_of_dataset(dataset((kind, flag)))
    found = will.consent
    assert (found.purposes, found.permit, found.conditions) == (purposes, permit, conditions)
    assert will.person.issuer == "St. Elsewhere"


def test_headers_are_read_once_a_person_and_files_without_consent_are_refused(tmp_path):
    for name, patient in (("a.dcm", "1"), ("b.dcm", "1"), ("c.dcm", "2")):
        data = dataset(("RESTRICTED_REUSE", "YES"), patient=patient)
        data.file_meta = pydicom.dataset.FileMetaDataset()
        data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        data.SOPClassUID, data.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.4", f"1.2.{ord(name[0])}"
        data.save_as(tmp_path / name, enforce_file_format=True)
    paths = sorted(tmp_path.glob("*.dcm"))
    assert [will.person.patient_id for will in read_dicom_consent(paths)] == ["1", "2"]
    del data.ConsentForClinicalTrialUseSequence
    data.save_as(paths[0], enforce_file_format=True)
    with pytest.raises(InputError, match="0012,0083"):
        read_dicom_consent(paths[:1])
    paths[1].write_bytes(b"nothing")
    with pytest.raises(InputError, match="file 2"):
        read_dicom_consent(paths[:2])


def test_a_table_is_read_by_its_columns():
    text = "patient_id\tpurposes\tduo\tpermit\tvalid_to\n1\ttraining\t\tyes\t2026-12-31\n2\t\t0000004\tno\t\n"
    first, second = read_table(text.encode())
    assert first.consent.valid_to == datetime(2027, 1, 1, tzinfo=UTC)
    assert (len(second.consent.purposes), second.consent.permit) == (5, False)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("a,b\n", "columns"),
        ("patient_id,purposes\n1\n", "Row 2 must have 2 fields"),
        ("patient_id,purposes\n1,advertising\n", "Row 2: Purposes"),
        ("patient_id,purposes\n,training\n", "Row 2: `patient_id`"),
        ("patient_id,purposes,permit\nDOE,training,perhaps\n", "Row 2: `permit`"),
        ("patient_id,purposes\nDOE,\n", "permit something"),
    ],
)
def test_a_table_that_cannot_be_read_is_named_by_its_row_only(text, match):
    with pytest.raises(InputError, match=match) as error:
        read_table(text.encode())
    assert "DOE" not in str(error.value)
