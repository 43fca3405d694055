"""What a kind of opinion asks of everybody who wants one, besides their own questions.

Kept with the kind as plain JSON; a case keeps the answers by the questions' keys. A question that is taken off its kind
leaves the answers that were given.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from overread.kit.errors import Unprocessable
from overread.kit.language import gettext

MOST = 30
_MOST_LABEL, _MOST_OPTIONS, _MOST_ANSWER = 300, 20, 5_000


class AnswerForm(StrEnum):
    """How a question is answered."""

    LINE = "line"
    TEXT = "text"
    YES_NO = "yes_no"
    CHOICE = "choice"


@dataclass(frozen=True, slots=True)
class KindQuestion:
    """One question. `options`: what a choice offers; `required`: nothing is sent without an answer."""

    key: str
    label: str
    hint: str = ""
    form: AnswerForm = AnswerForm.LINE
    options: tuple[str, ...] = ()
    required: bool = False

    def refusal(self, answer: str) -> str | None:
        """Why an answer can't be one, as a sentence; an empty one always can."""
        if len(answer) > _MOST_ANSWER:
            return gettext("This is too long: %(most)s characters at most.", most=_MOST_ANSWER)
        if not answer or self.form in (AnswerForm.LINE, AnswerForm.TEXT):
            return None
        allowed = self.options if self.form is AnswerForm.CHOICE else ("yes", "no")
        return None if answer in allowed else gettext("Please choose one of the answers.")


def of(asks: Iterable[Mapping[str, Any]]) -> tuple[KindQuestion, ...]:
    """The questions as a kind keeps them."""
    return tuple(
        KindQuestion(
            one["key"], one["label"], one["hint"], AnswerForm(one["form"]), tuple(one["options"]), one["required"]
        )
        for one in asks
    )


def kept(questions: Sequence[KindQuestion]) -> list[dict[str, Any]]:
    """The questions as a kind keeps them. Raises Unprocessable for what can be no question."""
    if len(questions) > MOST or len({one.key for one in questions}) != len(questions):
        raise Unprocessable(
            "questions of a kind", safe=gettext("A kind asks %(most)s questions at most, each once.", most=MOST)
        )
    for one in questions:
        if not (one.key.isascii() and one.key.replace("_", "").isalnum() and len(one.key) <= 32):
            raise Unprocessable(
                "key of a question", safe=gettext("A question's key is made of letters, digits and underscores.")
            )
        if not one.label.strip() or len(one.label) > _MOST_LABEL or len(one.hint) > _MOST_LABEL:
            raise Unprocessable(
                "label of a question",
                safe=gettext("A question has a text of %(most)s characters at most.", most=_MOST_LABEL),
            )
        bad = len(one.options) > _MOST_OPTIONS or any(not o or len(o) > _MOST_LABEL for o in one.options)
        if bad or (one.form is AnswerForm.CHOICE) != (len(one.options) > 1):
            raise Unprocessable("options of a question", safe=gettext("A choice offers two to twenty answers."))
    return [{**asdict(one), "form": one.form.value, "options": list(one.options)} for one in questions]


def told(questions: Sequence[KindQuestion], answers: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """The questions that were answered, and the answers, as people read them."""
    words = {"yes": gettext("Yes"), "no": gettext("No")}
    return tuple(
        (one.label, words.get(text, text) if one.form is AnswerForm.YES_NO else text)
        for one in questions
        if (text := answers.get(one.key, ""))
    )


def unanswered(questions: Sequence[KindQuestion], answers: Mapping[str, str]) -> list[KindQuestion]:
    """The questions that have to be answered and are not."""
    return [one for one in questions if one.required and not answers.get(one.key, "").strip()]
