# SPDX-License-Identifier: Apache-2.0
"""Where a patient representative, a clinician and an auditor begin: their questions, answered from the findings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from monai_ethics.evidence import UNJUDGED, Verdict
from monai_ethics.reporting import published
from monai_ethics.reporting.asked import Asked
from monai_ethics.reporting.quantity import counted, group_label, interval, value_label
from monai_ethics.reporting.represented import Represented
from monai_ethics.reporting.shapes import Extremes, attribute_label, subject_label
from monai_ethics.reporting.telling import brief, capital
from monai_ethics.reporting.trust import in_one_line
from monai_ethics.reporting.words import ATTENTION, Words, words_of

if TYPE_CHECKING:
    from monai_ethics.provenance.log.reading.trail import Trail

__all__ = ["Answer", "Point", "Reader", "readers"]

MOST = 3  # answers to one question; the others are counted
CONSENT = "provenance.consent_coverage"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One sentence, and where more of it stands."""

    text: str
    anchor: str = ""
    said: Words | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One question of a reader."""

    question: str
    answers: tuple[Answer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Whom the points are for."""

    anchor: str
    title: str
    points: tuple[Point, ...]


def readers(
    asked: Sequence[Asked],
    *,
    found: Represented | None,
    ends: Sequence[tuple[Asked, Extremes]],
    integrity: Mapping[str, Any] | None,
    trail: Trail | None,
) -> tuple[Reader, Reader, Reader]:
    """The three readers, in the order in which they stand on the page."""
    return (
        Reader(
            anchor="for-patients", title="If you speak for patients", points=tuple(_patients(asked, found, ends, trail))
        ),
        Reader(anchor="for-clinicians", title="If you treat patients", points=tuple(_clinicians(asked, ends, trail))),
        Reader(anchor="for-auditors", title="If you audit", points=tuple(_auditors(asked, integrity))),
    )


def _few(answers: Sequence[Answer], *, none: Answer, more: str = "") -> tuple[Answer, ...]:
    if not answers:
        return (none,)
    left = len(answers) - MOST
    tail = (Answer(text=f"And {left:,} more.", anchor=more),) if left > 0 else ()
    return (*answers[:MOST], *tail)


def _patients(
    asked: Sequence[Asked],
    found: Represented | None,
    ends: Sequence[tuple[Asked, Extremes]],
    trail: Trail | None,
) -> Iterator[Point]:
    public = published.is_public(trail)
    yield Point(question="For whom does it work less well?", answers=_differences(asked, ends, public=public))
    yield Point(question="Who is missing?", answers=_missing(found, public=public))
    consents = [item for item in asked if item.finding.check == CONSENT]
    none = Answer(text="This was not examined: no result here speaks of consent or withdrawal.")
    told = _few([_stated(item) for item in _urgent(consents)], none=none)
    yield Point(question="Were consents and withdrawals respected?", answers=(*told, *_kept(trail)))
    held = sum(item.finding.verdict in UNJUDGED for item in asked)
    text = "Every limit that the checks state is listed; so is everything that could not be judged"
    yield Point(
        question="What does this not say?",
        answers=(
            Answer(text=f"{text} ({counted(held, 'whole results')}).", anchor="unjudged"),
            Answer(
                text="Nothing here says how people use the results, or what follows for one patient.", anchor="limits"
            ),
        ),
    )


def _kept(trail: Trail | None) -> tuple[Answer, ...]:
    """That no refusal is known where nobody's consent or withdrawal stands in the log."""
    if published.is_public(trail):
        return (Answer(text=published.CONSENT),)
    if trail is None or trail.counts.get("consent") or trail.counts.get("withdrawal"):
        return ()
    text = "This log holds nobody's consent or withdrawal: a refusal that was not recorded cannot be respected."
    return (Answer(text=text, anchor="trust-consents"),)


def _urgent(items: Sequence[Asked]) -> list[Asked]:
    return sorted(items, key=lambda item: item.urgency)


def _stated(item: Asked) -> Answer:
    return Answer(text=item.finding.statement, anchor=item.anchor, said=words_of(item.finding))


def _differences(asked: Sequence[Asked], ends: Sequence[tuple[Asked, Extremes]], *, public: bool) -> tuple[Answer, ...]:
    """Attributes by which a test tells groups from chance, the most urgent first; else that nothing was shown."""
    compared = [item for item in asked if item.gap is not None]
    shown = _urgent([item for item in compared if item.gap is not None and item.gap.beyond_chance])
    left_out = (Answer(text=published.DIFFERENCES, anchor="unjudged"),) if public else ()
    if compared and not shown:
        where = " shown here" if public else ""
        text = f"No difference between groups{where} was told from chance. That does not show that there is none."
        return (Answer(text=text, anchor="compared"), *left_out)
    by: dict[tuple[str | None, str], list[Asked]] = {}
    for item in shown:
        by.setdefault((item.finding.run, attribute_label(item.finding)), []).append(item)
    answers = [Answer(text=_apart(items, ends), anchor=items[0].anchor) for items in by.values()]
    none = Answer(
        text="No comparison of groups is shown." if public else "This was not examined: no groups were compared."
    )
    return (*_few(answers, none=none, more="compared"), *left_out)


def _apart(items: Sequence[Asked], ends: Sequence[tuple[Asked, Extremes]]) -> str:
    """By what groups differ, in what, in counts of 100 where there are any, and who is at the weak end."""
    first = items[0].finding
    what, by = (
        ", ".join(dict.fromkeys(subject_label(item.finding) or item.named for item in items)),
        attribute_label(first),
    )
    told = [item.headline for item in items if item.headline][:1]
    weak = {
        group_label(pair.ends[0][1].group): None
        for item, pair in ends
        if item.finding.run == first.run and pair.attribute == by and pair.ends[0][0] == "worst"
    }
    who = [f"At the weak end of what was scored: {' and '.join(weak)}."] if len(weak) in (1, 2) else []
    start = f"By {by}, groups differ by more than chance alone would explain in {what}."
    return " ".join((start, *told, *who))


def _missing(found: Represented | None, *, public: bool) -> tuple[Answer, ...]:
    if public:
        return (Answer(text=published.GROUPS, anchor="present" if found else ""),)
    if found is None:
        return (Answer(text="This was not examined: no result here is broken down by groups of people."),)
    texts = [text for text in (found.statement, found.sentence) if text]
    if found.absent:
        texts.append(f"{counted(len(found.absent), 'groups')} that could have been there have nobody in these data.")
    return tuple(Answer(text=text, anchor="present") for text in texts)


def _clinicians(asked: Sequence[Asked], ends: Sequence[tuple[Asked, Extremes]], trail: Trail | None) -> Iterator[Point]:
    urgent = _urgent([item for item in asked if item.finding.verdict in ATTENTION])
    public = published.is_public(trail)
    text = published.FAILED if public else "No result lies outside a limit. Where nobody set a limit, nothing can."
    none = Answer(text=text, anchor="found")
    failed = _few([_stated(item) for item in urgent], none=none, more="found")
    yield Point(question="Where did it fail?", answers=(*failed, *_alarms(asked), *_missed(asked)))
    apart = {_compared(item) for item in asked if item.gap is not None and item.beyond_chance}
    weak = [(item, pair) for item, pair in ends if pair.ends[0][0] == "worst"]
    weak.sort(key=lambda found: (found[0].finding.run, *found[0].finding.subjects[:1], found[1].attribute) not in apart)
    worst = [_end(item, pair) for item, pair in weak]
    none = Answer(text="No group is ranked: nothing was scored by group, or it is not recorded which way is good.")
    chance = [Answer(text="Some group is at this end by chance alone: see what the tests say.", anchor="compared")]
    chance += [Answer(text=published.WEAKEST)] if public else []
    told = _few(worst, none=none, more="groups")
    yield Point(question="Which group is at the weak end?", answers=(*told, *chance) if worst else told)
    small = [answer for item in asked for answer in _smallest(item)]
    none = Answer(text="No result states how small a difference these patients could have shown.")
    yield Point(question="How small a difference could be seen?", answers=_few(small, none=none, more="compared"))
    uses = [] if trail is None else [Answer(text=f"{capital(text.rstrip('.'))}.") for text in trail.intended]
    none = Answer(text=published.INTENDED if public else "No record states an intended use.")
    yield Point(question="What is it intended for?", answers=_few(uses, none=none))


def _compared(item: Asked) -> tuple[str | None, ...]:
    """What was compared by what, in which run."""
    return (item.finding.run, *item.finding.subjects[:1], attribute_label(item.finding))


def _alarms(asked: Sequence[Asked]) -> tuple[Answer, ...]:
    """What a test tells from chance and nobody set a limit for: neither a failure nor nothing."""
    found = [item for item in asked if item.beyond_chance and item.finding.verdict is Verdict.MEASURED]
    if not found:
        return ()
    what = (
        "1 result that chance alone would hardly explain is"
        if len(found) == 1
        else (f"{len(found):,} results that chance alone would hardly explain are")
    )
    first = found[0].finding.statement
    return (Answer(text=f"{what} not judged: nobody set a limit. {first}", anchor=found[0].anchor),)


def _smallest(item: Asked) -> Iterator[Answer]:
    """How small a difference the patients of one comparison could have shown."""
    row = None if item.gap is None else item.gap.detectable
    if row is None or row.value is None:
        return
    if "effect" in row.name:
        text = (
            f"a difference would often go unseen unless patients of one group lie ahead in about {100 * row.value:.0f} "
            "of 100 comparisons with the other (50 is no difference)."
        )
    else:
        text = f"differences below {value_label(row)} would often go unseen."
    yield Answer(text=f"{item.named}: {text}", anchor=item.anchor)


def _missed(asked: Sequence[Asked]) -> tuple[Answer, ...]:
    """Cases that were missed altogether, as the accounts of all cases have them."""
    found: dict[tuple[str | None, int, int], Asked] = {}
    for item in asked:
        counts = item.finding.accounting
        if counts.get("missed"):
            found.setdefault((item.finding.run, counts["missed"], sum(counts.values())), item)
    answers = [
        Answer(
            text=f"{item.named}: in {missed:,} of {total:,} cases there was something and nothing was found.",
            anchor=item.anchor,
        )
        for (_, missed, total), item in found.items()
    ]
    return (answers and _few(answers, none=answers[0])) or ()


def _end(item: Asked, pair: Extremes) -> Answer:
    row = pair.ends[0][1]
    ends = f"interval {interval(row)}, " if row.low is not None else "no interval, "
    text = f"{group_label(row.group)}: {brief(pair.name)} {value_label(row)} ({ends}{counted(row.n, row.n_unit)})"
    return Answer(text=f"{item.named}, {text}, of {pair.groups} groups.", anchor=item.anchor)


def _auditors(asked: Sequence[Asked], integrity: Mapping[str, Any] | None) -> Iterator[Point]:
    yield Point(
        question="Was it changed, and who signed?", answers=(Answer(text=in_one_line(integrity), anchor="trust"),)
    )
    seeds = sum(item.finding.seed is not None for item in asked)
    ids = {name for item in asked for name in item.finding.requirements}
    judged = sum(item.finding.limit is not None for item in asked)
    text = (
        f"{counted(len(asked), 'results')} with n, seed and requirements in one table; {seeds:,} drew random numbers."
    )
    yield Point(
        question="How was each number made?",
        answers=(
            Answer(text=text, anchor="methods"),
            Answer(text="Method, parameters, limits and sources stand below each result.", anchor="methods"),
            Answer(text="What was read, with digests, and the versions of the software.", anchor="inputs"),
        ),
    )
    judged_text = (
        f"{judged:,} of {len(asked):,} results are judged; each names who set its limit. "
        "The others are measured, or could not be judged."
    )
    yield Point(
        question="Against what was it judged?",
        answers=(
            Answer(text=judged_text, anchor="examined"),
            Answer(text=f"{len(ids):,} requirements are named by the results.", anchor="methods"),
        ),
    )
