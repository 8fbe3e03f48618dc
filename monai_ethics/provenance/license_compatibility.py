# SPDX-License-Identifier: Apache-2.0
"""Check `provenance.license_compatibility`: do the licenses of data and weights permit the use that is intended?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from monai_ethics.errors import InputError
from monai_ethics.evidence import Direction, Finding, Limit, Observation, Source, Stage, Verdict
from monai_ethics.provenance.records.counts import counted
from monai_ethics.provenance.records.licenses import LICENSES, License, terms_of
from monai_ethics.registry import question_of

__all__ = ["USES", "LicenseCompatibility", "LicenseTable"]

USES = ("commercial", "share", "share under other terms")
_TERM = {"commercial": "commercial", "share": "derivatives", "share under other terms": "share_alike"}


@dataclass(frozen=True, slots=True, kw_only=True)
class LicenseTable:
    """Data sets and weights with their licenses.

    Args:
        items: pseudonyms or record ids, shape ``(N,)``.
        roles: what each is, such as ``"training set"`` or ``"weights"``.
        licenses: SPDX expression of each; empty where none is recorded.
    """

    items: Sequence[str]
    roles: Sequence[str]
    licenses: Sequence[str]

    def __post_init__(self) -> None:
        if not len(self.items) == len(self.roles) == len(self.licenses):
            raise InputError("`items`, `roles` and `licenses` must be of one length: got several. Match them.")

    def reordered(self, order: Sequence[int]) -> LicenseTable:
        """The same table in another order."""
        return LicenseTable(
            items=[self.items[i] for i in order],
            roles=[self.roles[i] for i in order],
            licenses=[self.licenses[i] for i in order],
        )


@dataclass(frozen=True, kw_only=True)
class LicenseCompatibility:
    """Whether the recorded licenses permit an intended use, as far as their texts say it.

    Args:
        uses: intended uses, some of `USES`; without any the licenses are counted and nothing is judged.

    Notes:
        An item is in conflict if a license among its terms forbids a use: ``commercial`` where commercial use is not
        permitted, ``share`` where adapted material may not be shared, ``share under other terms`` where it must be
        shared alike. Whether a model is adapted material of the data that it learned from is a question of law that
        no table answers; the check lists the licenses for which it matters.

    References:
        Creative Commons legal code 3.0 and 4.0; SPDX license list; requirement FMF-10.
    """

    uses: Sequence[str] = ()

    id: ClassVar[str] = "provenance.license_compatibility"
    title: ClassVar[str] = "Do the licenses of data and weights permit the intended use?"
    stage: ClassVar[Stage] = Stage.COLLECTION
    requirements: ClassVar[tuple[str, ...]] = ("FMF-10", "GEN-19")

    def __post_init__(self) -> None:
        object.__setattr__(self, "uses", tuple(sorted({self.uses} if isinstance(self.uses, str) else set(self.uses))))
        if not set(self.uses) <= set(USES):
            raise InputError(f"`uses` may hold {', '.join(USES)}: got another. Choose among them.")

    def __call__(self, data: LicenseTable, /) -> Finding:
        """Judge a `LicenseTable`."""
        rows = sorted(zip(data.items, data.roles, data.licenses, strict=True))
        kinds = [self._kind(text) for _, _, text in rows]
        counts = Counter(kinds)
        n = len(rows)
        known = n - counts["no license recorded"] - counts["license not in the table"]
        if not known:
            reason = "Nothing was given." if not n else "No item has a recorded license whose terms are in the table."
            return self._finding(Verdict.NOT_ASSESSABLE, reason, accounting=counts, reason=reason)
        conflicts = counts["in conflict"]
        estimates = [
            counted(name, value, n, unit="items", estimand="number of data sets and weights in this list")
            for name, value in (("licenses_in_conflict", conflicts), ("licenses_known", known))
        ]
        limit, verdict = None, Verdict.MEASURED
        if self.uses and (conflicts or known == n):
            limit = Limit(estimate="licenses_in_conflict", value=0, direction=Direction.AT_MOST, source=_source(rows))
            verdict = Verdict.FAILED if conflicts else Verdict.PASSED
        use = f"the intended use ({', '.join(self.uses)})" if self.uses else "a use, since none was given"
        listed = [(row, kind) for row, kind in zip(rows, kinds, strict=True) if kind != "permitted"][:100]
        return self._finding(
            verdict,
            f"{conflicts} of {n} data sets and weights have a license that does not permit {use}; "
            f"{n - known} have none, or one that is not in the table.",
            accounting=counts,
            estimates=estimates,
            limit=limit,
            observations=[
                Observation(label=kind, items=(row[0],), value=None, unit="1", note=f"{row[1]}: {row[2] or 'none'}")
                for row, kind in listed
            ],
        )

    def _kind(self, expression: str) -> str:
        terms = terms_of(expression)
        if not terms:
            return "no license recorded"
        known = [one for one in terms if one is not None]
        if any(_forbids(one, use) for one in known for use in self.uses):
            return "in conflict"
        return "permitted" if len(known) == len(terms) else "license not in the table"

    def _finding(self, verdict: Verdict, statement: str, *, accounting: Mapping[str, int], **content: Any) -> Finding:
        return Finding(
            **question_of(self),
            verdict=verdict,
            statement=statement,
            accounting=dict(sorted(accounting.items())),
            parameters={"uses": list(self.uses)},
            limitations=(
                "Only what license texts say is compared; no agreement beside them is known, and this is no advice.",
                "A recorded license is what somebody said of the data.",
            ),
            sources=(Source(title="SPDX License List", locator="https://spdx.org/licenses/"),),
            **content,
        )

    @staticmethod
    def example(n: int, seed: int) -> LicenseTable:
        """`n` items under licenses in turn, the first without one."""
        names = ["", *sorted(LICENSES)]
        return LicenseTable(
            items=[f"{seed:08x}{i:024x}" for i in range(n)],
            roles=["training set" if i % 2 else "weights" for i in range(n)],
            licenses=[names[i % len(names)] for i in range(n)],
        )


def _forbids(terms: License, use: str) -> bool:
    said = getattr(terms, _TERM[use])
    return said is True if use == "share under other terms" else said is False


def _source(rows: Sequence[tuple[str, str, str]]) -> Source:
    met = sorted({one.url for _, _, text in rows for one in terms_of(text) if one is not None})
    return Source(title="Terms of the licenses that are recorded", locator="; ".join(met[:10]))
