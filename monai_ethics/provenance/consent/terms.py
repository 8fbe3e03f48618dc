# SPDX-License-Identifier: Apache-2.0
"""The words of consent: purposes, and what terms of GA4GH, HL7 and DICOM say of them.

What a term permits here is what its definition names. None of them names the making of synthetic images, and few name
sharing: those two need a consent that says so, or one without restriction.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from monai_ethics.errors import InputError

__all__ = ["DISTRIBUTION", "DUO", "PURPOSES", "RESEARCH_CODES", "Term", "duo_terms", "purposes_of"]

PURPOSES = ("research", "training", "evaluation", "synthesis", "distribution")
_RESEARCH = ("research", "training", "evaluation")


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """A term of the Data Use Ontology.

    Args:
        label: its name.
        purposes: what it permits of `PURPOSES`, by its definition.
        condition: whether it binds the use to something that a person must check; it permits nothing by itself.
    """

    label: str
    purposes: tuple[str, ...] = ()
    condition: bool = False


# GA4GH Data Use Ontology, release 2021-02-23 (http://purl.obolibrary.org/obo/duo.owl)
DUO = {
    "DUO:0000004": Term(label="no restriction", purposes=PURPOSES),
    "DUO:0000042": Term(label="general research use", purposes=_RESEARCH),
    "DUO:0000006": Term(label="health or medical or biomedical research", purposes=_RESEARCH),
    "DUO:0000007": Term(label="disease specific research", purposes=_RESEARCH, condition=True),
    "DUO:0000011": Term(label="population origins or ancestry research only", condition=True),
    "DUO:0000012": Term(label="research specific restrictions", condition=True),
    "DUO:0000015": Term(label="no general methods research", condition=True),
    "DUO:0000016": Term(label="genetic studies only", condition=True),
    "DUO:0000018": Term(label="not for profit, non commercial use only", condition=True),
    "DUO:0000019": Term(label="publication required", condition=True),
    "DUO:0000020": Term(label="collaboration required", condition=True),
    "DUO:0000021": Term(label="ethics approval required", condition=True),
    "DUO:0000022": Term(label="geographical restriction", condition=True),
    "DUO:0000024": Term(label="publication moratorium", condition=True),
    "DUO:0000025": Term(label="time limit on use", condition=True),
    "DUO:0000026": Term(label="user specific restriction", condition=True),
    "DUO:0000027": Term(label="project specific restriction", condition=True),
    "DUO:0000028": Term(label="institution specific restriction", condition=True),
    "DUO:0000029": Term(label="return to database or resource", condition=True),
    "DUO:0000043": Term(label="clinical care use"),
    "DUO:0000044": Term(label="population origins or ancestry research prohibited", condition=True),
    "DUO:0000045": Term(label="not for profit organization use only", condition=True),
    "DUO:0000046": Term(label="non-commercial use only", condition=True),
}
# HL7 v3 ActReason, purpose of use
RESEARCH_CODES = {"HRESCH": _RESEARCH, "RESEARCH": _RESEARCH, "CLINTRCH": ("research",), "DSRCH": ("research",)}
# DICOM PS3.3 C.7.2.3, Distribution Type (0012,0084): what may be handed on, and to whom
DISTRIBUTION = {
    "NAMED_PROTOCOL": ("research",),
    "RESTRICTED_REUSE": _RESEARCH,
    "PUBLIC_RELEASE": (*_RESEARCH, "distribution"),
}


def purposes_of(words: str | Iterable[str]) -> tuple[str, ...]:
    """Purposes in their own order, each once.

    Args:
        words: purposes, or one text of them with commas.

    Raises:
        InputError: if there is none or one is unknown.
    """
    given = words.split(",") if isinstance(words, str) else list(words)
    found = {word.strip().lower() for word in given if word.strip()}
    if not found or not found <= set(PURPOSES):
        raise InputError(f"Purposes must be of {', '.join(PURPOSES)}: got none or another word. Choose of these.")
    return tuple(purpose for purpose in PURPOSES if purpose in found)


def duo_terms(codes: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What terms of the Data Use Ontology permit together, and the conditions that a person must check.

    Args:
        codes: such as ``"DUO:0000042"``; ``"0000042"`` and ``"DUO_0000042"`` are read as well.

    Returns:
        Purposes, and codes of conditions.

    Raises:
        InputError: if a code is unknown.
    """
    known = ["DUO:" + code.strip().upper().replace("_", ":").removeprefix("DUO:") for code in codes]
    if not set(known) <= set(DUO):
        raise InputError("Codes must be of the Data Use Ontology, such as DUO:0000042: got another. Correct it.")
    permitted = {purpose for code in known for purpose in DUO[code].purposes}
    if "DUO:0000015" in known:  # no general methods research: learning a model is such research
        permitted -= {"training", "synthesis"}
    conditions = tuple(sorted({code for code in known if DUO[code].condition}))
    return tuple(purpose for purpose in PURPOSES if purpose in permitted), conditions
