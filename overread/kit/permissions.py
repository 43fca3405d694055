"""What may be done, by name, and by which roles: services, pages and the table on screen read it here.

What depends on the part that somebody has in a case, and on no role alone, is in `cases.parts`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from overread.kit.principals import Principal, Role


class Permission(StrEnum):
    """One thing that somebody may do."""

    # By role.
    CASE_CREATE = "case.create"
    CASE_SEARCH = "case.search"
    ACCOUNT_ADDRESS = "account.address"
    DELEGATES_MANAGE = "delegates.manage"
    REFERRALS_MAKE = "referrals.make"
    REFERRALS_READ_REPORT = "referrals.read_report"
    REFERRALS_TAKE_UP = "referrals.take_up"
    INBOX_MANAGE = "inbox.manage"
    FEES_READ = "fees.read"
    PAYMENT_RECORD = "payment.record"
    REFUND_PART = "refund.part"
    REFUND_ANY = "refund.any"
    IMAGES_SEND = "images.send"
    IMAGES_SENT = "images.sent"
    IMAGES_ORIGINAL = "images.original"
    IMAGES_OF_SENDER = "images.of_sender"
    IMAGES_DELETE = "images.delete"
    IMAGES_REVIEW = "images.review"
    IMAGES_RELEASE = "images.release"
    IMAGES_REIDENTIFY = "images.reidentify"
    NON_PATIENT_READ = "non_patient.read"
    NON_PATIENT_STORE = "non_patient.store"
    WORKLIST_SCHEDULE = "worklist.schedule"
    WORKLIST_SUBSCRIBE = "worklist.subscribe"
    ERASURE_READ = "erasure.read"
    ERASURE_BEGIN = "erasure.begin"
    ERASURE_CARRY_OUT = "erasure.carry_out"
    LEGAL_HOLD = "legal_hold.set"
    LICENCE_READ = "licence.read"
    LICENCE_VERIFY = "licence.verify"
    LICENCE_SET = "licence.set"
    READER_CHANGE = "reader.change"
    READERS_READ = "readers.read"
    READERS_CONFIRM = "readers.confirm"
    SIGNATURE_SET = "signature.set"
    PLACE_RULES_READ = "place_rules.read"
    PLACE_RULES_SET = "place_rules.set"
    PROGRAMS_READ = "programs.read"
    PROGRAMS_MANAGE = "programs.manage"
    MAILS_MANAGE = "mails.manage"
    MAILS_OWN = "mails.own"
    MAILS_UNDELIVERED = "mails.undelivered"
    DEADLINES_READ = "deadlines.read"
    AFTERCARE_MANAGE = "aftercare.manage"
    CHECK_IN_ANSWER = "check_in.answer"
    FIGURES_READ = "figures.read"
    DESK_USE = "desk.use"
    PROFILES_READ = "profiles.read"
    PROFILES_CHANGE = "profiles.change"
    PEERS_READ = "peers.read"
    PEERS_MANAGE = "peers.manage"
    PEOPLE_MANAGE = "people.manage"
    AUDIT_READ = "audit.read"
    # By the part in a case.
    CASE_CHANGE = "case.change"
    CASE_CONSENT = "case.consent"
    CASE_PAY = "case.pay"
    CASE_MESSAGE = "case.message"
    CASE_FOLLOW_UP = "case.follow_up"
    CASE_FEEDBACK = "case.feedback"
    CASE_VISIT = "case.visit"
    CASE_WITHDRAW = "case.withdraw"
    CASE_IMAGES_SEND = "case.images_send"
    CASE_DOCUMENTS = "case.documents"
    CASE_STUDIES = "case.studies"
    CASE_CLOCK = "case.clock"
    CASE_OFFER = "case.offer"
    CASE_ANSWER_OFFER = "case.answer_offer"
    CASE_ACCESS_LOG = "case.access_log"
    CASE_ASK_ERASURE = "case.ask_erasure"
    CASE_AUTHORITY = "case.authority"
    CASE_CORRECT = "case.correct"
    CASE_DESK = "case.desk"
    CASE_VIEW = "case.view"
    REPORT_WRITE = "report.write"
    REPORT_SIGN = "report.sign"
    REPORT_PUBLISH = "report.publish"
    REPORT_READ = "report.read"
    REPORT_RECALL = "report.recall"
    REPORT_HAND_OVER = "report.hand_over"


def _roles(names: str) -> frozenset[Role]:
    return frozenset(map(Role, names.split()))


#: The roles that have a permission, whatever part they have in a case.
ROLES: Mapping[Permission, frozenset[Role]] = {
    Permission.CASE_CREATE: _roles("patient coordinator"),
    Permission.CASE_SEARCH: _roles("patient coordinator"),
    Permission.ACCOUNT_ADDRESS: _roles("patient"),
    Permission.DELEGATES_MANAGE: _roles("patient"),
    Permission.REFERRALS_MAKE: _roles("hospital coordinator"),
    Permission.REFERRALS_READ_REPORT: _roles("hospital"),
    Permission.REFERRALS_TAKE_UP: _roles("patient"),
    Permission.INBOX_MANAGE: _roles("coordinator"),
    Permission.FEES_READ: _roles("specialist"),
    Permission.PAYMENT_RECORD: _roles("coordinator"),
    Permission.REFUND_PART: _roles("coordinator admin"),
    Permission.REFUND_ANY: _roles("admin"),
    # Of originals, outside of a case's own root.
    Permission.IMAGES_SEND: _roles("patient hospital coordinator admin"),
    Permission.IMAGES_SENT: _roles("hospital"),
    Permission.IMAGES_ORIGINAL: _roles("patient hospital coordinator admin"),
    Permission.IMAGES_OF_SENDER: _roles("coordinator admin"),
    Permission.IMAGES_DELETE: _roles("coordinator admin"),
    Permission.IMAGES_REVIEW: _roles("coordinator"),
    Permission.IMAGES_RELEASE: _roles("coordinator"),
    Permission.IMAGES_REIDENTIFY: _roles("coordinator"),
    Permission.NON_PATIENT_READ: _roles("coordinator admin specialist"),
    Permission.NON_PATIENT_STORE: _roles("coordinator admin"),
    Permission.WORKLIST_SCHEDULE: _roles("coordinator admin"),
    Permission.WORKLIST_SUBSCRIBE: _roles("coordinator admin specialist"),
    Permission.ERASURE_READ: _roles("admin coordinator auditor"),
    Permission.ERASURE_BEGIN: _roles("admin"),
    Permission.ERASURE_CARRY_OUT: _roles("admin coordinator"),
    Permission.LEGAL_HOLD: _roles("admin auditor"),
    Permission.LICENCE_READ: _roles("specialist coordinator admin"),
    Permission.LICENCE_SET: _roles("specialist admin"),
    Permission.LICENCE_VERIFY: _roles("admin"),
    Permission.READER_CHANGE: _roles("specialist"),
    Permission.READERS_READ: _roles("coordinator admin"),
    Permission.READERS_CONFIRM: _roles("admin"),
    Permission.SIGNATURE_SET: _roles("specialist"),
    Permission.PLACE_RULES_READ: _roles("coordinator admin"),
    Permission.PLACE_RULES_SET: _roles("admin"),
    Permission.PROGRAMS_READ: _roles("coordinator admin"),
    Permission.PROGRAMS_MANAGE: _roles("admin"),
    Permission.MAILS_OWN: frozenset(Role),
    Permission.MAILS_MANAGE: _roles("admin"),
    Permission.MAILS_UNDELIVERED: _roles("coordinator"),
    Permission.DEADLINES_READ: _roles("coordinator"),
    Permission.AFTERCARE_MANAGE: _roles("coordinator"),
    Permission.CHECK_IN_ANSWER: _roles("specialist"),
    Permission.FIGURES_READ: _roles("coordinator admin"),
    Permission.DESK_USE: _roles("coordinator"),
    Permission.PROFILES_READ: _roles("coordinator admin"),
    Permission.PROFILES_CHANGE: _roles("admin"),
    Permission.PEERS_READ: _roles("coordinator admin"),
    Permission.PEERS_MANAGE: _roles("admin"),
    Permission.PEOPLE_MANAGE: _roles("admin"),
    Permission.AUDIT_READ: _roles("admin auditor"),
}


def require(who: Principal, permission: Permission) -> None:
    """Refuse with Forbidden unless somebody has a permission by their role."""
    who.require(*ROLES[permission])


def has(who: Principal, permission: Permission) -> bool:
    """Whether somebody has a permission by their role."""
    return who.role in ROLES[permission]
