"""What a draft keeps, where it goes on, which places are served, and to which texts patients consent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from uuid import UUID

import pytest
from sqlalchemy import select

from cases import consents, licences
from cases.consents import Section
from cases.licence_models import LicenceRule
from cases.models import CONSENTS, Case, Consent
from cases.repository import active_program, load
from cases.service import assignment, eligibility, intake, payments, people, presentation, read, reporting
from cases.service.intake import Changes
from cases.states import CaseEvent, CaseState, ImagesBy, LicenceRequirement, case_rule
from cases.views import PatientCase
from overread.kit import passwords, proofs
from overread.kit.db import Session
from overread.kit.errors import Conflict, Forbidden, TooManyRequests, Unprocessable
from overread.kit.principals import PrincipalRow
from overread.kit.proofs import Proof
from tests.cases.world import World, proof

#: The digests of the texts that patients agreed to, by version. A changed text gets a new version and a new line.
RECORDED = {
    ("terms", "1"): "7f716e763ce624663e64de4387fa5bd99241f65a257daeba518c137fe049cbad",
    ("privacy", "1"): "978a3ed70b00bf2ff45666aa67bf9791c784973d7f1bbba408d5c195936ee4d1",
    ("authority_to_share", "1"): "36799b29ade106700b809ac0a5d95a8a4a54990e57c4feaef62640dae7ef50fd",
    ("authority_to_share", "2"): "c20e42a16ff843328eb802add8923362df811083f44f62cb0ace8728366a6082",
}


def _own(world: World, case_id: UUID) -> PatientCase:
    with world.db.transaction() as tx:
        found = read.show(tx, world.patient, case_id)
    assert isinstance(found, PatientCase)
    return found


def test_a_change_leaves_what_it_does_not_name_and_a_lost_one_is_told(world: World) -> None:
    case_id = world.draft(history="None")
    first = _own(world, case_id)
    with world.db.transaction() as tx:
        intake.update(tx, world.patient, case_id, Changes(symptoms="A cough"), edition=first.edition)
    second = _own(world, case_id)
    assert (second.symptoms, second.history, second.place, second.birth_date) == (
        "A cough",
        "None",
        "US-CA",
        first.birth_date,
    )
    assert [q.text for q in second.questions] == [q.text for q in first.questions]
    # The other window still has what was there before: neither its words nor its questions overwrite anything.
    changes: tuple[Callable[[Session], None], ...] = (
        lambda tx: intake.update(tx, world.patient, case_id, Changes(symptoms="x"), edition=first.edition),
        lambda tx: intake.set_questions(tx, world.patient, case_id, ["x"], edition=first.edition),
    )
    for change in changes:
        with world.db.transaction() as tx, pytest.raises(Conflict) as told:
            change(tx)
        assert "changed since you opened it" in told.value.safe
    assert _own(world, case_id) == second
    # Questions count, too; and images that arrive meanwhile are no change of the form.
    uid = world.upload(case_id)
    world.settle(uid)
    assert _own(world, case_id).edition == second.edition
    with world.db.transaction() as tx:
        intake.set_questions(tx, world.patient, case_id, ["Why?"], edition=second.edition)
    assert _own(world, case_id).edition != second.edition


def test_a_lost_change_of_a_report_is_told_and_no_answer_is_erased(world: World) -> None:
    case_id = world.in_review()
    with world.db.transaction() as tx:
        one, two = (str(q.question_id) for q in read.show(tx, world.specialist, case_id).questions)
        reporting.save_draft(tx, world.specialist, case_id, {one: "No."}, {"impression": "Stable."}, [], edition="")
    with world.db.transaction() as tx, pytest.raises(Conflict):
        reporting.save_draft(tx, world.specialist, case_id, {one: "Yes."}, {"impression": ""}, [], edition="")
    with world.db.transaction() as tx:
        found = reporting.read(tx, world.specialist, case_id)
        reporting.save_draft(
            tx, world.specialist, case_id, {two: "Never."}, {"impression": "Stable."}, [], edition=found.edition
        )
    with world.db.transaction() as tx:
        assert [a.answer for a in reporting.read(tx, world.specialist, case_id).answers] == ["No.", "Never."]


@pytest.mark.parametrize("rule", [None, LicenceRequirement.UNKNOWN, LicenceRequirement.BLOCKED])
def test_a_place_that_nobody_may_serve_is_refused_at_every_step(world: World, rule: LicenceRequirement | None) -> None:
    """No rule, an unknown one and a blocked one are the same: at intake, submission, payment, offer and acceptance."""

    def close() -> None:
        with world.db.transaction() as tx:
            if rule is None:
                for row in tx.scalars(select(LicenceRule).where(LicenceRule.place == "US-CA")):
                    tx.delete(row)
            else:
                people.add_rule(tx, world.admin, "US-CA", rule, "a statute", world.today())

    def open_() -> None:
        with world.db.transaction() as tx:
            people.add_rule(tx, world.admin, "US-CA", LicenceRequirement.LICENSED, "a statute", world.today())

    def refused(step: Callable[..., object], *args: object, **named: object) -> str:
        with world.db.transaction() as tx, pytest.raises(Unprocessable) as found:
            step(tx, *args, **named)
        return found.value.safe

    offered = world.ready()
    draft = world.draft("msk", images_by=ImagesBy.HOSPITAL)
    close()
    with world.db.transaction() as tx:
        assert not eligibility.check(tx, "msk", "US-CA").can_help
        assert not licences.is_open(tx, "US-CA")
    assert refused(intake.create, world.patient, "msk", Changes(place="US-CA")) == licences.NOT_SERVED
    assert refused(intake.update, world.patient, draft, Changes(place="us-ca")) == licences.NOT_SERVED
    assert licences.NOT_SERVED in refused(intake.submit, world.patient, draft)
    pages = {"success_url": "https://a/", "cancel_url": "https://a/"}
    assert licences.NOT_SERVED in refused(payments.checkout, world.patient, draft, world.gateway, **pages)
    assert _own(world, draft).step == "patient"
    assert licences.NOT_SERVED in _own(world, draft).missing
    # An offer, and no exception opens the place.
    assert "US-CA" in refused(assignment.offer, world.coordinator, offered, world.specialist.id)
    exception = (world.coordinator, offered, world.specialist.id, "because")
    assert "blocked or has no rule" in refused(assignment.record_exception, *exception)
    open_()
    with world.db.transaction() as tx:
        assignment.record_exception(tx, *exception)
        assignment.offer(tx, world.coordinator, offered, world.specialist.id)
    close()
    assert "US-CA" in refused(assignment.accept, world.specialist, offered, world.gateway)
    assert world.state(offered) == "offered"


def test_the_texts_are_those_that_were_recorded() -> None:
    assert {(one.name, one.version): one.digest for one in consents.CONSENTS}.items() <= RECORDED.items()
    assert set(consents.CURRENT) == set(CONSENTS)


def test_a_consent_is_to_the_servers_own_text(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    case_id = world.draft("free")
    with world.db.transaction() as tx:
        rows = tx.scalars(select(Consent).where(Consent.case_id == case_id)).all()
        assert {(r.kind, r.version): r.text_digest for r in rows} == {
            (one.name, one.version): one.digest for one in consents.CONSENTS
        }
    terms = consents.CURRENT["terms"]
    newer = replace(terms, version="2", words=replace(terms.words, sections=(Section("Other", ("Other words.",)),)))
    monkeypatch.setattr(consents, "CURRENT", {**consents.CURRENT, "terms": newer})
    # What was agreed to is another text by now: it is asked for again, and the old page can't give it.
    assert set(_own(world, case_id).consents) == {"privacy", "authority_to_share"}
    for version, digest in (("1", None), ("1", terms.digest), ("2", terms.digest), ("9", None), ("", None)):
        with world.db.transaction() as tx, pytest.raises(Conflict) as told:
            intake.consent(tx, world.patient, case_id, "terms", version=version, digest=digest)
        assert told.value.extra["version"] == "2"
        assert "Other words." in told.value.extra["words"]
    with world.db.transaction() as tx, pytest.raises(Unprocessable, match="refused by its guards"):
        intake.submit(tx, world.patient, case_id)
    with world.db.transaction() as tx:
        intake.consent(tx, world.patient, case_id, "terms", version="2", digest=newer.digest)
        recorded = tx.scalars(select(Consent.text_digest).where(Consent.kind == "terms", Consent.version == "2")).all()
    assert recorded == [newer.digest]


def test_a_signature_needs_the_password_whatever_way_it_comes(world: World) -> None:
    case_id = world.written()
    specialist, password = world.specialist, "three words together"
    with pytest.raises(Unprocessable) as none:
        proofs.by_password(world.db, specialist, password, "192.0.2.1")
    assert "this account has none" in none.value.safe
    hashed = passwords.hashed(password)
    with world.db.transaction() as tx:
        tx.get_one(PrincipalRow, specialist.id).password_hash = hashed
    with pytest.raises(Unprocessable) as wrong:
        proofs.by_password(world.db, specialist, "another one", "192.0.2.1")
    assert wrong.value.safe == "This is not your password."
    fresh = proofs.by_password(world.db, specialist, password, "192.0.2.1")
    for bad in (proof(world.coordinator), replace(fresh, at=fresh.at.replace(year=fresh.at.year - 1))):
        with world.db.transaction() as tx, pytest.raises(Forbidden):
            reporting.sign(tx, specialist, case_id, bad)
    assert world.state(case_id) == "in_review"
    with world.db.transaction() as tx:
        reporting.sign(tx, specialist, case_id, fresh)
    assert world.state(case_id) == "signed"


def test_guesses_of_a_signers_password_are_counted(world: World) -> None:
    hashed = passwords.hashed("three words together")
    with world.db.transaction() as tx:
        tx.get_one(PrincipalRow, world.specialist.id).password_hash = hashed
    with pytest.raises(TooManyRequests):  # noqa: PT012  it is one of the next fifty
        for _ in range(50):
            with pytest.raises(Unprocessable):
                proofs.by_password(world.db, world.specialist, "another one", "192.0.2.1")
    assert isinstance(proof(world.specialist), Proof)


def _no_place(world: World, case_id: UUID) -> None:
    with world.db.transaction() as tx:
        tx.get_one(Case, case_id).place = ""


def _no_birth_date(world: World, case_id: UUID) -> None:
    with world.db.transaction() as tx:
        tx.get_one(Case, case_id).birth_date = None


def _no_questions(world: World, case_id: UUID) -> None:
    with world.db.transaction() as tx:
        intake.set_questions(tx, world.patient, case_id, [])


def _emergency(world: World, case_id: UUID) -> None:
    with world.db.transaction() as tx:
        intake.update(tx, world.patient, case_id, Changes(emergency=True))


def _no_consent(world: World, case_id: UUID) -> None:
    with world.db.transaction() as tx:
        tx.delete(tx.scalars(select(Consent).where(Consent.case_id == case_id, Consent.kind == "terms")).one())


def test_a_draft_goes_on_at_the_first_step_where_something_is_missing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "MAX_DRAFTS", 100)
    wanted = {_no_place: "patient", _no_birth_date: "patient", _no_questions: "question", _emergency: "question",
              _no_consent: "consent"}  # fmt: skip
    for spoil, step in wanted.items():
        case_id = world.draft("free", images_by=ImagesBy.HOSPITAL)
        assert _own(world, case_id).step == "consent", "complete and free: the page with the price sends it"
        spoil(world, case_id)
        seen = _own(world, case_id)
        assert seen.step == step, spoil.__name__
        assert len(seen.missing) == 1
        # An earlier step comes first, whatever the order of the guards is.
        with world.db.transaction() as tx:
            tx.get_one(Case, case_id).images_by = None
        seen = _own(world, case_id)
        assert seen.step == ("images" if step == "consent" else step)
        with world.db.transaction() as tx:
            steps = [name for name, _ in presentation.missing(tx, world.patient, load(tx, world.patient, case_id)[0])]
        assert steps == sorted(steps, key=presentation.STEPS.index)
    # Chosen to be uploaded, but nothing is here; then something is.
    case_id = world.draft("free")
    assert _own(world, case_id).step == "images"
    world.upload(case_id)
    assert (_own(world, case_id).step, _own(world, case_id).images_here) == ("consent", True)
    with world.db.transaction() as tx:
        intake.submit(tx, world.patient, case_id)
    assert _own(world, case_id).step == ""


def test_every_guard_of_intake_is_asked_for_by_a_step() -> None:
    rule = case_rule(CaseState.DRAFT, CaseEvent.SUBMIT)
    assert rule is not None
    assert set(rule.guards) == set(presentation.STEP_OF)
    assert set(presentation.STEP_OF.values()) == set(presentation.STEPS)


def test_a_place_is_served_by_the_newest_rule_that_is_valid(world: World) -> None:
    with world.db.transaction() as tx:
        program = active_program(tx, "free")
        assert licences.served_places(tx, [program])[program.id] == {"US-CA", "DE"}
        people.add_rule(tx, world.admin, "FR", LicenceRequirement.DIRECT, "a decree", date(2999, 1, 1))
        assert "FR" not in licences.served_places(tx, [program])[program.id], "not valid yet"
        people.add_rule(tx, world.admin, "DE", LicenceRequirement.UNKNOWN, "withdrawn", world.today())
        assert licences.served_places(tx, [program])[program.id] == {"US-CA"}
