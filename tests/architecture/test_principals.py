"""Nothing of a case or a study is asked for without saying who asks: by signature, held by the syntax tree."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.architecture.source import ROOMS, ROOT, modules, name

#: Services that no request reaches as they are, or that show nothing of anybody.
_WITHOUT = {
    "on_stable": "hears the archive's event",
    "studies": "a part of what an offer tells, whose case was loaded for its specialist",
    "missing": "a part of what an offer tells, whose case was loaded for its specialist",
    "compare_again": "hears the case's event",
    "deidentify": "hears the case's event",
    "bring_back": "hears the archive's event",
    "wait": "puts into the inbox what the archive's event tells of",
    "take": "takes out of the inbox what a coordinator matches, whom its caller asked for",
    "forget": "hears the archive's event",
    "sender": "takes an identifier out of an inbox that somebody was let see",
    "expire_offer": "hears a time-out",
    "offer_next": "hears that an offer came to nothing",
    "submit_if_complete": "hears the payment's event",
    "on_offer": "what every visitor sees",
    "program": "what every visitor sees",
    "acted": "says who did a step of a case that somebody was let see",
    "of_case": "says it of a case that somebody was let see",
    "in_force": "what every visitor sees",
    "untouched": "takes a draft of the patient who begins another one",
    "now": "what every visitor sees",
    "check": "what every visitor sees",
    "house_zone": "what every visitor sees",
    "tell": "done by the clock",
    "close": "done by the clock",
    "published": "what every visitor sees",
    "sign_up": "anybody makes an account of their own",
    "ask": "takes the account that was just made, or somebody's own",
    "document": "takes a case that somebody was let see",
    "studies_sentences": "takes a case that somebody was let see",
    "known": "takes a case that somebody was let see",
    "notes": "takes a case that somebody was let see",
    "free_reference": "draws a number that is nobody's",
    "named": "hears the case's event",
    "sweep": "done by the clock",
    "opened": "shows what a mailed link and its code were given for",
    "pdf": "shows what a mailed link and its code were given for",
    "name_of": "takes an identifier out of a case that somebody was let see",
}
#: Who makes a scope: the rooms that own the rule.
_SCOPE_MAKERS = {
    "pacs/index/scope.py": "the originals, by role",
    "cases/access.py": "a case's images, by the part that somebody has in it",
    "cases/imaging.py": "what matching compares, for the system",
    "cases/service/reporting.py": "the studies that a report names",
    "cases/service/for_specialist.py": "the studies of a grant",
    "cases/service/offered.py": "the released studies of the view of a case that is offered",
}
_ASKERS = frozenset(("Principal", "Scope", "TxContext", "Call"))


def _functions(path: str) -> Iterator[ast.FunctionDef]:
    for node in ast.parse((ROOT / path).read_text()).body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield node


def _takes(function: ast.FunctionDef) -> dict[str, str]:
    arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    return {a.arg: ast.unparse(a.annotation) if a.annotation else "" for a in arguments}


def _asks(function: ast.FunctionDef) -> bool:
    return any(_ASKERS & set(re.findall(r"\w+", kind)) for kind in _takes(function).values())


def test_every_service_of_cases_says_who_asks() -> None:
    services = [f for path in modules("cases/service") for f in _functions(name(path)) if "tx" in _takes(f)]
    archive = [f for path in modules("cases/service") for f in _functions(name(path)) if "archive" in _takes(f)]
    assert len(services) > 50
    assert {f.name for f in (*services, *archive) if not _asks(f)} == set(_WITHOUT)


def test_every_query_of_the_archive_takes_a_scope() -> None:
    asked = [
        f for path in ("pacs/index/query.py", "pacs/serve/retrieve.py") for f in _functions(path) if "tx" in _takes(f)
    ]
    assert len(asked) >= 3
    assert [f.name for f in asked if _takes(f).get("scope") != "Scope"] == []


def test_scopes_are_made_by_those_who_own_the_rule() -> None:
    makers = set()
    for path in modules(*ROOMS):
        for node in ast.walk(ast.parse(path.read_text())):
            # Starlette's Scope is a type of dictionaries, and never called.
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("Scope", "scope.Scope", "ViewScope"):
                makers.add(name(path))
    assert makers == set(_SCOPE_MAKERS)


def test_a_case_is_loaded_unasked_only_below_the_pages() -> None:
    users = {name(path) for path in modules(*ROOMS) if "load_unasked" in path.read_text()}
    assert users
    assert {path for path in users if not path.startswith("cases/")} == set()
    assert "cases/routes.py" not in users
