"""The versions of a report as a state machine, which is data: the report itself, corrections of it, additions to it.

The table is read as those of `cases.states`; `cases.versions` executes it. The first version is signed and published by
the case's own table, which makes the version's moves with its effects.
"""

from __future__ import annotations

from enum import StrEnum

from cases.states import Actor, CaseState, Rule
from overread.kit.language import Phrase


class ReportKind(StrEnum):
    """What a version is. A correction takes the place of the one before; an addendum adds to it."""

    REPORT = "report"
    CORRECTION = "correction"
    ADDENDUM = "addendum"


class ReportState(StrEnum):
    """Where a version stands. RETURNED: sent back before publication; DISCARDED: given up before it was signed."""

    DRAFT = "draft"
    SIGNED = "signed"
    RETURNED = "returned"
    PUBLISHED = "published"
    REPLACED = "replaced"
    RECALLED = "recalled"
    DISCARDED = "discarded"


class ReportEvent(StrEnum):
    """What can happen to a version. ASK and BEGIN are about a further one, and leave this one where it is."""

    SIGN = "sign"
    DISCARD = "discard"
    SEND_BACK = "send_back"
    PUBLISH = "publish"
    ASK = "ask"
    BEGIN = "begin"
    REPLACE = "replace"
    RECALL = "recall"
    RESTORE = "restore"


_RS, _RE = ReportState, ReportEvent


def _rule(source: ReportState, event: ReportEvent, actors: str, target: ReportState, guards: str, effects: str) -> Rule:
    allowed = frozenset(Actor(actor) for actor in actors.split())
    return Rule(source, event, allowed, target, tuple(guards.split()), tuple(effects.split()))


# fmt: off
REPORT_RULES: tuple[Rule, ...] = (
    _rule(_RS.DRAFT, _RE.SIGN, "assigned", _RS.SIGNED,
          "specialist_eligible signature_known change_told words_written studies_listed base_stands",
          "seal tell_signed"),
    _rule(_RS.DRAFT, _RE.DISCARD, "assigned coordinator", _RS.DISCARDED, "is_later", "go_on_closing"),
    # What was signed stays as it was signed; a new version starts from its text.
    _rule(_RS.SIGNED, _RE.SEND_BACK, "coordinator", _RS.RETURNED, "has_reason", "write_anew mail_sent_back"),
    _rule(_RS.SIGNED, _RE.PUBLISH, "coordinator system", _RS.PUBLISHED, "unaltered base_stands",
          "publish replace_older prolong_access tell_of_version"),
    *(_rule(state, _RE.ASK, "coordinator", state, "has_reason is_newest", "prolong_access mail_asked")
      for state in (_RS.PUBLISHED, _RS.RECALLED)),
    *(_rule(state, _RE.BEGIN, "assigned", state, "fits is_newest none_open access_stands", "open_version")
      for state in (_RS.PUBLISHED, _RS.RECALLED)),
    _rule(_RS.PUBLISHED, _RE.REPLACE, "system", _RS.REPLACED, "", ""),
    *(_rule(state, _RE.RECALL, "coordinator", _RS.RECALLED, "has_reason", "recall_additions withhold tell_of_recall")
      for state in (_RS.PUBLISHED, _RS.REPLACED)),
    _rule(_RS.RECALLED, _RE.RESTORE, "coordinator", _RS.PUBLISHED, "has_reason can_return",
          "restore_additions give_back close_later mail_restored"),
)
# fmt: on

_RULES = {(rule.source, rule.event): rule for rule in REPORT_RULES}

KIND_LABELS: dict[ReportKind, str] = {
    ReportKind.REPORT: Phrase("Report"),
    ReportKind.CORRECTION: Phrase("Correction"),
    ReportKind.ADDENDUM: Phrase("Addition"),
}
LABELS: dict[ReportState, str] = {
    _RS.DRAFT: Phrase("Being written"),
    _RS.SIGNED: Phrase("Signed, not published yet"),
    _RS.RETURNED: Phrase("Sent back before publication"),
    _RS.PUBLISHED: Phrase("In force"),
    _RS.REPLACED: Phrase("Replaced"),
    _RS.RECALLED: Phrase("Recalled"),
    _RS.DISCARDED: Phrase("Given up"),
}

#: A version that is under way: there is one at most.
OPEN = frozenset((_RS.DRAFT, _RS.SIGNED))
#: Its patient can read it.
READABLE = frozenset((_RS.PUBLISHED, _RS.REPLACED))
#: It was given to the patient.
GIVEN = READABLE | {_RS.RECALLED}
#: Corrections, additions and recalls are possible.
WITH_PATIENT = frozenset((CaseState.PUBLISHED, CaseState.CLOSED))


def report_rule(state: ReportState, event: ReportEvent) -> Rule | None:
    """The rule of a cell of the table, or None where the event is impossible in this state."""
    return _RULES.get((state, event))


def possible(state: ReportState, actor: Actor) -> tuple[ReportEvent, ...]:
    """The events that an actor may bring about in a state, guards aside."""
    return tuple(event for event in ReportEvent if (rule := report_rule(state, event)) and actor in rule.actors)
