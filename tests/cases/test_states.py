"""Both state machines: every cell of their tables, also the forbidden ones; guards and effects all exist."""

from __future__ import annotations

from itertools import product

import pytest
from sqlalchemy import select

from cases import effects, guards, machine, version_effects, version_guards, versions
from cases.models import Case, CaseStudy, OpinionKind, Program, Report
from cases.move import Move, StudyMove
from cases.report_states import LABELS as REPORT_LABELS
from cases.report_states import REPORT_RULES, ReportEvent, ReportState, report_rule
from cases.report_states import possible as possible_of_version
from cases.repository import steps_of
from cases.states import (
    CASE_RULES,
    ENDED,
    LABELS,
    SELVES,
    STUDY_LABELS,
    STUDY_RULES,
    Actor,
    CaseEvent,
    CaseState,
    StudyEvent,
    StudyState,
    case_rule,
    diagram,
    possible,
    study_rule,
)
from cases.version_move import VersionMove
from overread.kit import principals
from overread.kit.audit import AuditRow
from overread.kit.db import Session
from overread.kit.errors import Conflict, Forbidden
from overread.kit.principals import Role


@pytest.fixture
def case(tx: Session) -> Case:
    patient = principals.create(tx, role=Role.PATIENT, name="A Person")
    program = Program(slug="p", name="P")
    kind = OpinionKind(program=program, slug="k", name="K")
    made = Case(reference="OV-2222-2222", program=program, kind=kind, patient_id=patient.id, created_by=patient.id)
    tx.add(made)
    tx.flush()
    return made


def test_every_cell_of_the_case(tx: Session, case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards open and effects off: what is left is the table, and the machine does just what it says."""
    monkeypatch.setattr(guards, "GUARDS", dict.fromkeys(guards.GUARDS, lambda move: None))
    ran: list[str] = []
    monkeypatch.setattr(effects, "EFFECTS", {name: lambda move, n=name: ran.append(n) for name in effects.EFFECTS})
    allowed = 0
    for state, event, actor in product(CaseState, CaseEvent, Actor):
        case.state = state
        ran.clear()
        rule = case_rule(state, event)
        if rule is not None and actor in rule.actors:
            machine.transition(Move(tx, case, event, actor, None))
            assert case.state is rule.target
            assert ran == list(rule.effects)
            allowed += 1
        else:
            ever = any(r.event == event and actor in r.actors for r in CASE_RULES)
            with pytest.raises(Conflict if ever else Forbidden):
                machine.transition(Move(tx, case, event, actor, None))
            assert case.state is state
            assert ran == []
    assert allowed == sum(len(rule.actors) for rule in CASE_RULES)


def test_every_cell_of_a_version(tx: Session, case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    guards_off = dict.fromkeys(version_guards.GUARDS, lambda move: None)
    monkeypatch.setattr(version_guards, "GUARDS", guards_off)
    ran: list[str] = []
    effects_off = {name: lambda move, n=name: ran.append(n) for name in version_effects.EFFECTS}
    monkeypatch.setattr(version_effects, "EFFECTS", effects_off)
    report = Report(case_id=case.id, author_id=case.patient_id)
    tx.add(report)
    tx.flush()
    allowed = 0
    for state, event, actor in product(ReportState, ReportEvent, Actor):
        report.state = state
        ran.clear()
        move = VersionMove(tx, case, report, event, actor, None, "because")
        rule = report_rule(state, event)
        if rule is not None and actor in rule.actors:
            assert versions.move(move)
            assert report.state is rule.target
            assert ran == list(rule.effects)
            allowed += 1
        else:
            ever = any(r.event == event and actor in r.actors for r in REPORT_RULES)
            with pytest.raises(Conflict if ever else Forbidden):
                versions.move(move)
            assert report.state is state
            assert ran == []
    assert allowed == sum(len(rule.actors) for rule in REPORT_RULES)


def test_nobody_but_the_author_signs_a_version_and_nobody_but_coordinators_recalls_one() -> None:
    for state, actor in product(ReportState, Actor):
        events = possible_of_version(state, actor)
        assert (ReportEvent.SIGN in events) <= (actor is Actor.ASSIGNED)
        assert (ReportEvent.RECALL in events) <= (actor is Actor.COORDINATOR)
        if actor in (Actor.PATIENT, Actor.OFFERED, Actor.SECOND_PERSON):
            assert events == ()


def test_every_cell_of_a_study(tx: Session, case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(effects, "STUDY_EFFECTS", dict.fromkeys(effects.STUDY_EFFECTS, lambda move: None))
    study = CaseStudy(case_id=case.id, study_uid="1.2.3", study_pk=1, sender_id=case.patient_id)
    tx.add(study)
    for state, event, actor in product(StudyState, StudyEvent, Actor):
        study.state = state
        move = StudyMove(tx, case, study, event, actor, None, "because")
        rule = study_rule(state, event)
        if rule is not None and actor in rule.actors:
            machine.move_study(move)
            assert study.state is rule.target
            assert study.reason == "because"
        else:
            ever = any(r.event == event and actor in r.actors for r in STUDY_RULES)
            with pytest.raises(Conflict if ever else Forbidden):
                machine.move_study(move)
            assert study.state is state


def test_the_tables_name_only_what_exists() -> None:
    assert {name for rule in CASE_RULES for name in rule.guards} == set(guards.GUARDS)
    assert {name for rule in CASE_RULES for name in rule.effects} == set(effects.EFFECTS)
    assert {name for rule in REPORT_RULES for name in rule.guards} == set(version_guards.GUARDS)
    assert {name for rule in REPORT_RULES for name in rule.effects} == set(version_effects.EFFECTS)
    assert len({(rule.source, rule.event) for rule in REPORT_RULES}) == len(REPORT_RULES)
    assert set(REPORT_LABELS) == set(ReportState)
    assert {name for rule in STUDY_RULES for name in rule.effects} == set(effects.STUDY_EFFECTS)
    assert len({(rule.source, rule.event) for rule in CASE_RULES}) == len(CASE_RULES)
    assert len({(rule.source, rule.event) for rule in STUDY_RULES}) == len(STUDY_RULES)
    assert set(LABELS) == set(CaseState)
    assert set(STUDY_LABELS) == set(StudyState)


def test_every_case_can_end_and_no_ended_one_moves() -> None:
    ways = {state: {CaseState(r.target) for r in CASE_RULES if r.source is state} for state in CaseState}
    for state in CaseState:
        reached, seen = {state}, {state}
        while reached:
            reached = {t for s in reached for t in ways[s]} - seen
            seen |= reached
        assert seen & ENDED
        assert (not ways[state] - {CaseState.ERASED}) == (state in ENDED)
        assert (CaseState.ERASED in ways[state]) == (state is not CaseState.ERASED)


def test_nobody_but_the_patient_withdraws_and_no_specialist_sees_a_draft() -> None:
    for state, actor in product(CaseState, Actor):
        events = possible(state, actor)
        assert (CaseEvent.WITHDRAW in events) <= (actor in SELVES)
        assert (CaseEvent.SIGN in events) <= (actor is Actor.ASSIGNED)
        assert (CaseEvent.ERASE in events) == (actor is Actor.SECOND_PERSON and state is not CaseState.ERASED)
        if state in (CaseState.DRAFT, CaseState.SUBMITTED) and actor in (Actor.OFFERED, Actor.ASSIGNED):
            assert events == ()


def test_the_diagram_draws_every_rule() -> None:
    drawn = diagram(CASE_RULES)
    assert drawn.startswith("stateDiagram-v2\n    [*] --> draft\n")
    assert "    offered --> in_review: accept (offered)\n" in drawn
    assert drawn.count("-->") == len(CASE_RULES) + 2
    assert "    erased --> [*]" in drawn
    assert "    revoked --> quarantined: stable (coordinator)\n" in diagram(STUDY_RULES)
    # Whatever was taken out may come back: no study's way ends.
    assert "--> [*]" not in diagram(STUDY_RULES)


def test_a_history_line_a_transition(tx: Session, case: Case) -> None:
    machine.transition(Move(tx, case, CaseEvent.WITHDRAW, Actor.PATIENT, None, reason="changed my\x00 mind "))
    [step] = steps_of(tx, case.id)
    assert (step.source, step.target, step.actor, step.reason) == ("draft", "withdrawn", "patient", "changed my mind")
    [line] = tx.scalars(select(AuditRow).where(AuditRow.action == "case.withdraw"))
    # The audit log holds no free text: a reason may name the patient.
    assert line.detail == {"source": "draft", "target": "withdrawn"}
