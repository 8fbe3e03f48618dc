# SPDX-License-Identifier: Apache-2.0
"""What every rendering shows, in the order it is shown: selected and sorted from the findings, never computed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from monai_ethics.evidence import UNJUDGED, EvidenceReport, Finding
from monai_ethics.reporting.asked import Asked
from monai_ethics.reporting.failures import failures
from monai_ethics.reporting.frequencies import sentences
from monai_ethics.reporting.looked import facts, methods, synthetic_limits, weakest
from monai_ethics.reporting.matrix import Matrix, matrix_of, overview_of
from monai_ethics.reporting.names import MISSED, as_told, score_names
from monai_ethics.reporting.plots.lineage import lineage_picture
from monai_ethics.reporting.plots.style import Picture
from monai_ethics.reporting.published import ANSWERED, NOT_DONE, is_public, notice, of_the_whole
from monai_ethics.reporting.quantity import name_label
from monai_ethics.reporting.readers import Reader, readers
from monai_ethics.reporting.represented import Represented, represented
from monai_ethics.reporting.sections import Section
from monai_ethics.reporting.shapes import NO_PEOPLE, Extremes, extremes, gap_of, label
from monai_ethics.reporting.shortened import room
from monai_ethics.reporting.trust import command, in_one_line, remarks, seal, sections, status, unseen
from monai_ethics.reporting.unjudged import Withheld, withheld
from monai_ethics.reporting.words import ATTENTION, CONCERNS, GLOSSARY, MET, Words, tally

if TYPE_CHECKING:
    from monai_ethics.provenance.lineage.sketch import Sketch
    from monai_ethics.provenance.log.reading.trail import Trail

__all__ = ["Concern", "Matrix", "Question", "View", "view_of"]

#: sections that follow what could not be judged, in this order; each is made from the findings alone, or left out
SECTIONS: tuple[Callable[[Sequence[Asked]], Section | None], ...] = (failures,)
FIRST, TELLING = 8, 2  # answers on the first page; calm ones of each question among them
SHORT = 4  # letters of a key that is looked for as a whole word
MANY = 6  # findings of one question beyond which those that need no look are folded


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """All findings of one check."""

    check: str
    title: str
    anchor: str
    asked: tuple[Asked, ...]
    matrix: Matrix | None
    people: tuple[tuple[int, str], ...]

    @property
    def verdicts(self) -> tuple[tuple[Words, int], ...]:
        """Verdicts with their counts, those that need a look first."""
        return tally(item.finding for item in self.asked)

    @property
    def open(self) -> tuple[Asked, ...]:
        """Findings shown in full: all of few; of many the first one and those that need a look or are beyond chance."""
        if len(self.asked) <= MANY:
            return self.asked
        return tuple(item for place, item in enumerate(self.asked) if place == 0 or _telling(item))

    @property
    def folded(self) -> tuple[Asked, ...]:
        """The others, in order."""
        shown = {item.anchor for item in self.open}
        return tuple(item for item in self.asked if item.anchor not in shown)

    @property
    def answered(self) -> tuple[Asked, ...]:
        """Findings with an answer, most urgent first."""
        return tuple(
            sorted((item for item in self.asked if item.finding.verdict not in UNJUDGED), key=lambda item: item.urgency)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Concern:
    """All questions of one concern."""

    name: str
    title: str
    anchor: str
    questions: tuple[Question, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Everything a rendering needs."""

    report: EvidenceReport
    concerns: tuple[Concern, ...]
    verdicts: tuple[tuple[Words, int], ...]
    withheld: tuple[Withheld, ...]
    represented: Represented | None
    overview: Matrix | None
    extremes: tuple[tuple[Asked, Extremes], ...]
    limitations: tuple[str, ...]
    glossary: tuple[tuple[str, str], ...]
    integrity: Mapping[str, Any] | None
    status: tuple[str, str]
    plots_note: str | None
    lineage: Sketch | None = None
    lineage_picture: Picture | None = None
    sections: tuple[Section, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    readers: tuple[Reader, ...] = ()
    weakest: Section | None = None
    synthetic: tuple[str, ...] = ()
    trail: Trail | None = None

    @property
    def codes(self) -> frozenset[str]:
        """Names of scores, which sentences may quote as code."""
        names = {name for item in self.asked for name in score_names(item.finding)}
        return frozenset(names | {name.removesuffix(MISSED) for name in names})

    @property
    def cautions(self) -> tuple[str, ...]:
        """What has to be known of a verdict before it is counted: that a limit on a p-value is none on a difference."""
        return tuple(f"{words.word}: {words.plain}" for words, _ in self.verdicts if words == MET)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What the verification found besides its status."""
        return remarks(self.integrity)

    @property
    def unseen(self) -> tuple[str, ...]:
        """What the verification could not see."""
        return unseen(self.integrity)

    @property
    def published(self) -> tuple[str, ...]:
        """What a copy for the public leaves out, and why; nothing for other evidence."""
        return notice(self.trail)

    @property
    def none_open(self) -> str:
        """What is said where every result has an answer."""
        return ANSWERED if self.published else "Everything that was asked has an answer."

    @property
    def seal(self) -> tuple[tuple[str, str], ...]:
        """What the verification recorded, in words."""
        return seal(self.integrity)

    @property
    def in_one_line(self) -> str:
        """Whether it was changed, by whom it is signed, and what cannot be seen."""
        return in_one_line(self.integrity)

    @property
    def command(self) -> str:
        """What a reader types to check it again."""
        return command(self.integrity)

    @property
    def trust(self) -> tuple[Section, ...]:
        """What the log says of itself."""
        return sections(self.trail)

    @property
    def methods(self) -> Section:
        """Every result with n, seed and requirements."""
        return methods(self.asked)

    @property
    def questions(self) -> tuple[Question, ...]:
        """Every question, in order."""
        return tuple(question for concern in self.concerns for question in concern.questions)

    @property
    def answered(self) -> tuple[Asked, ...]:
        """Findings with an answer: those that need a look, then gaps beyond chance, then some of each question."""
        urgent, telling, others = [], [], []
        for question in self.questions:
            calm = [item for item in question.answered if not _telling(item)]
            urgent += [item for item in question.answered if _telling(item)]
            telling += calm[:TELLING]
            others += calm[TELLING:]
        return (*sorted(urgent, key=lambda item: item.urgency), *telling, *others)

    @property
    def shown(self) -> int:
        """How many of `answered` the first page shows without a click: all that need a look, and a few more."""
        urgent = sum(item.finding.verdict in ATTENTION for item in self.answered)
        calm = sum(
            min(TELLING, len([i for i in q.answered if i.finding.verdict not in ATTENTION])) for q in self.questions
        )
        return min(max(urgent, FIRST), urgent + calm)

    @property
    def asked(self) -> tuple[Asked, ...]:
        """Every finding, in order."""
        return tuple(item for question in self.questions for item in question.asked)


def _asked(report: EvidenceReport, pictures: Mapping[int, tuple[Picture, ...]]) -> list[Asked]:
    """Every finding with its place, its sentences and its figures."""
    runs = {finding.run for finding in report.findings}
    most = room(report)
    return [
        Asked(
            anchor=f"finding-{number + 1}",
            label=_label(finding, runs=len(runs)),
            finding=finding,
            gap=gap_of(finding),
            sentences=sentences(finding),
            pictures=pictures.get(number, ()),
            room=most,
        )
        for number, finding in enumerate(map(as_told, report.findings))
    ]


def _label(finding: Finding, *, runs: int) -> str:
    return f"{label(finding)} · {finding.run}".removeprefix(" · ") if runs > 1 else label(finding)


def _telling(item: Asked) -> bool:
    return item.finding.verdict in ATTENTION or item.beyond_chance


def view_of(
    report: EvidenceReport,
    *,
    integrity: Mapping[str, Any] | None = None,
    pictures: Mapping[int, tuple[Picture, ...]] | None = None,
    plots_note: str | None = None,
    lineage: Sketch | None = None,
    trail: Trail | None = None,
) -> View:
    """Arrange a report.

    Args:
        report: the evidence.
        integrity: what a verification found (``status``, ``text``, ``head``, ...); ``None`` if none was made.
        pictures: figures by position of the finding.
        plots_note: why there are no figures, if there are none.
        lineage: what was made of what, if anything was recorded.
        trail: what else the log holds, see `trail_of`.
    """
    asked = _asked(report, pictures or {})
    ends = tuple((item, pair) for item in asked if item.gap is None for pair in extremes(item.finding))
    public = is_public(trail)
    found, limits = represented(asked, public=public), synthetic_limits(asked, trail, lineage)
    concerns = _concerns(asked)
    in_order = (item for concern in concerns for question in concern.questions for item in question.asked)
    stated = dict.fromkeys(text for item in in_order for text in item.finding.limitations)
    return View(
        report=report,
        concerns=concerns,
        verdicts=tally(report.findings),
        withheld=withheld(asked),
        represented=found,
        overview=overview_of(asked),
        extremes=ends,
        limitations=of_the_whole([text for text in stated if text not in limits], trail),
        glossary=_glossary(report),
        integrity=integrity,
        status=status(integrity),
        plots_note=plots_note,
        lineage=lineage if lineage is not None and lineage.boxes else None,
        lineage_picture=None if lineage is None else lineage_picture(lineage),
        sections=tuple(_qualified(made, public=public) for make in SECTIONS if (made := make(asked)) is not None),
        facts=facts(report, asked, trail),
        readers=readers(asked, found=found, ends=ends, integrity=integrity, trail=trail),
        weakest=weakest(asked),
        synthetic=limits,
        trail=trail,
    )


def _qualified(section: Section, *, public: bool) -> Section:
    """A section, and in a copy for the public the sentence that what is not in it may have been left out."""
    return replace(section, intro=(*section.intro, NOT_DONE)) if public else section


def _concerns(asked: Sequence[Asked]) -> tuple[Concern, ...]:
    by_concern: dict[str, dict[str, list[Asked]]] = {}
    for item in asked:
        concern = item.finding.check.split(".", 1)[0]
        by_concern.setdefault(concern, {}).setdefault(item.finding.check, []).append(item)
    order = [*(name for name in CONCERNS if name in by_concern), *(name for name in by_concern if name not in CONCERNS)]
    number = 0
    titles: set[str] = set()
    out = []
    for place, concern in enumerate(order):
        questions = []
        for check, items in by_concern[concern].items():
            number += 1
            questions.append(_question(check, items, f"question-{number}", _titled(items, titles)))
            titles.add(questions[-1].title)
        out.append(
            Concern(
                name=concern,
                title=CONCERNS.get(concern, concern.capitalize()),
                anchor=f"concern-{place + 1}",
                questions=tuple(questions),
            )
        )
    return tuple(out)


def _titled(items: Sequence[Asked], known: set[str]) -> str:
    """Title of a check; where another check asks in the same words, with its name."""
    title = items[0].finding.title
    return f"{title} ({name_label(items[0].finding.check.rpartition('.')[2])})" if title in known else title


def _question(check: str, items: Sequence[Asked], anchor: str, title: str) -> Question:
    people: dict[str, int] = {}
    for item in items:
        for estimate in item.finding.estimates:
            if estimate.n and set(estimate.group) <= NO_PEOPLE:
                people[estimate.n_unit] = max(people.get(estimate.n_unit, 0), estimate.n)
    return Question(
        check=check,
        title=title,
        anchor=anchor,
        asked=tuple(items),
        matrix=matrix_of(items),
        people=tuple((count, unit) for unit, count in people.items()),
    )


def _glossary(report: EvidenceReport) -> tuple[tuple[str, str], ...]:
    words = " ".join(
        " ".join((finding.check, finding.statement, *map(str, finding.subjects), *_estimate_words(finding)))
        for finding in report.findings
    ).lower()
    return tuple((term, text) for keys, term, text in GLOSSARY if any(_holds(words, key) for key in keys))


def _holds(words: str, key: str) -> bool:
    """Whether the text has the key: a short one only as a word of its own, or "process" would hold "roc"."""
    if key not in words:
        return False
    return len(key) > SHORT or re.search(rf"(?<![a-z]){re.escape(key)}(?![a-z])", words) is not None


def _estimate_words(finding: Finding) -> list[str]:
    words = [f"{estimate.name} {estimate.method or ''}" for estimate in finding.estimates]
    words += [curve.name for curve in finding.curves]
    words += {key for estimate in finding.estimates for key in estimate.group}
    return [*words, "interval"] if any(estimate.low is not None for estimate in finding.estimates) else words
