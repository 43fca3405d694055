"""The parts of the docs that are made from the program. `python -m tests.architecture.generated` writes them anew.

Each stands between `<!-- generated: NAME -->` and `<!-- end -->`; `test_docs.py` compares.
"""

from __future__ import annotations

import ast
import re
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click
import typer.main
from pydicom.datadict import dictionary_description, keyword_for_tag
from starlette.routing import Route

from billing import states as payment_states
from cases import report_states
from cases import states as case_states
from cases.routes import OPERATIONS
from dicomweb.transactions import TRANSACTIONS
from overread import cli
from overread.app import portal_app
from overread.kit.db import Database
from overread.kit.settings import Settings
from pacs.dicom.dictionary import public_vr
from pacs.dicom.status import FailureReason
from pacs.dimse.listener import Listener
from pacs.index import attributes, keys
from pacs.store.archive import open_archive
from pacs.store.commitment import Failure
from pacs.ups.states import TABLE as WORKITEM_STATES
from pacs.ups.states import StepRefusal, StepState
from tests.architecture import surface
from tests.architecture.source import DOCS, ROOMS, ROOT, modules
from viewer_bridge.site import viewer_app

_BLOCK = re.compile(r"(<!-- generated: ([\w-]+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
#: Handlers that have no sentence of their own, most of them one page each.
_MEANINGS = {
    "/": "The home page: what it is, for whom, how, and what it costs.",
    "/terms": "The terms.",
    "/privacy": "What happens to the data.",
    "/sharing": "The consent to share images and records, to read in peace.",
    "/referrers": "The consent to share the report with whoever referred the patient.",
    "/physicians": "The consent to let a treating physician read the report.",
    "/guides/images": "How to get one's images from a hospital.",
    "/for-physicians": "For referring physicians.",
    "/home": "To the first page of one's role.",
    "/robots.txt": "What search engines may read.",
    "/sitemap.xml": "The pages that search engines may read.",
    "/healthz": "The process answers.",
    "/readyz": "The database answers.",
    "/metrics": "Numbers in Prometheus' format.",
    "/api/v1/openapi.json": "The API's description (OpenAPI 3.1).",
    "/webhooks/stripe": "The payment provider's events.",
}
#: Nobody listens there: routes are made without asking a database.
_NOWHERE = "postgresql://nobody@127.0.0.1:9/nothing"


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    names = list(head)
    lines = [names, ["---"] * len(names), *(list(row) for row in rows)]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def code(text: str) -> str:
    """Text as code, nothing as nothing."""
    return f"`{text}`" if text else ""


def settings() -> str:
    """Every setting: name, environment variable, default, meaning."""
    rows = [
        (code(name), code(f"OVERREAD_{name.upper()}"), _default(field.default), field.description or "")
        for name, field in Settings.model_fields.items()
    ]
    return table(("setting", "environment variable", "default", "meaning"), rows)


def _default(value: object) -> str:
    return "not set" if value is None else code(str(value).lower() if isinstance(value, bool) else str(value))


def commands() -> str:
    """Every command with its arguments, its flags and the first line of its help."""
    rows = [(code(f"overread {path}"), flags, summary) for path, flags, summary in command_lines()]
    return table(("command", "arguments and flags", "what it does"), rows)


def command_lines() -> list[tuple[str, str, str]]:
    """(command, its arguments and flags, its summary), in the order of `--help`."""
    return list(_commands(typer.main.get_command(cli.app), ""))


def _commands(group: Any, prefix: str) -> Iterable[tuple[str, str, str]]:
    for name, command in group.commands.items():
        path = f"{prefix}{name}"
        if hasattr(command, "commands"):
            yield from _commands(command, f"{path} ")
            continue
        words = [_parameter(parameter) for parameter in command.params if parameter.name != "help"]
        yield path, " ".join(map(code, words)), (command.help or "").splitlines()[0]


def _parameter(parameter: Any) -> str:
    name = (parameter.name or "").upper()
    if isinstance(parameter, click.Argument) or parameter.param_type_name == "argument":
        return f"{name}…" if parameter.nargs == -1 else name
    return str(parameter.opts[0])


def portal_routes() -> str:
    """Methods, path and meaning of every route of the portal but DICOMweb's, which the conformance statement has."""
    with tempfile.TemporaryDirectory() as folder:
        app: Any = portal_app(surface.services(Database(_NOWHERE), Path(folder)))
    return _routes(app)


def viewer_routes() -> str:
    """The same of the viewer's origin."""
    app: Any = viewer_app(Settings.model_validate({"database_url": _NOWHERE}), Database(_NOWHERE), [])
    return _routes(app)


def _routes(app: Any) -> str:
    described = {(op.method, op.path): op.summary for op in OPERATIONS}
    rows = [
        (code(method), code(path), described.get((method, path)) or _meaning(route) or _MEANINGS.get(path, ""))
        for method, path, route in surface.routes(app)
        if "/dicomweb" not in path
    ]
    return table(("method", "path", "what"), rows)


def _meaning(route: Route | None) -> str:
    """The first line of what the handler behind a route says of itself."""
    if route is None:
        return "A file of the front end."
    endpoint: Any = route.endpoint
    while endpoint is not None:
        if endpoint.__doc__:
            return str(endpoint.__doc__).strip().splitlines()[0]
        cells = zip(endpoint.__code__.co_freevars, endpoint.__closure__ or (), strict=True)
        endpoint = {name: cell.cell_contents for name, cell in cells}.get("handler")
    return ""


def dicomweb_resources() -> str:
    """The DICOMweb resources below a root: what answers each method, where it stands, what it takes and gives."""
    with tempfile.TemporaryDirectory() as folder:
        app: Any = portal_app(surface.services(Database(_NOWHERE), Path(folder)))
    rows = []
    for method, path, _ in surface.routes(app):
        if path.startswith("/dicomweb"):
            plain = re.sub(r":\w+\}", "}", path.removeprefix("/dicomweb"))
            one = TRANSACTIONS[method, plain]
            at_case = f"/cases/{{case}}{path}" in {found for _, found, _ in surface.routes(app)}
            rows.append((plain, method, one, at_case))
    return table(
        ("resource", "method", "transaction", "clause", "takes", "gives, the first by default", "query", "of a case"),
        (
            (code(path), method, one.name, one.clause.replace("none", "–"), *map(_codes, (one.takes, one.gives)),
             _codes(one.parameters), "yes" if at_case else "")
            for path, method, one, at_case in sorted(rows, key=lambda row: row[:2])
        ),
    )  # fmt: skip


def _codes(texts: Iterable[str]) -> str:
    return ", ".join(map(code, texts))


def commitment_failures() -> str:
    """Why storage is not committed."""
    rows = ((code(f"{one:04X}H"), one.name.lower().replace("_", " ")) for one in Failure)
    return table(("code", "meaning"), rows)


def workitem_states() -> str:
    """What becomes of a request to change a work item's state."""
    rows = [
        (requested.value, present.value, found.value if isinstance(found, StepState) else _status(found))
        for (requested, present), found in WORKITEM_STATES.items()
    ]
    return table(("requested", "present", "result, with the right Transaction UID"), rows)


def _status(reason: StepRefusal) -> str:
    return f"`{reason.code:04X}H` {reason.sentence}"


def matching_keys() -> str:
    """The attributes that a search matches, by the level that they belong to."""
    levels = {**keys.KEPT, **{tag: key.level for tag, key in keys.COLUMNS.items()}}
    rows = [
        (
            code(f"({tag[:4]},{tag[4:]})"),
            keyword_for_tag(int(tag, 16)) + (", and the attributes in it" if public_vr(int(tag, 16)) == "SQ" else ""),
            dictionary_description(int(tag, 16)),
            level.value,
        )
        for level in attributes.Level
        for tag in sorted(tag for tag, of in levels.items() if of is level)
    ]
    return table(("tag", "keyword", "attribute", "level"), rows)


def dimse_services() -> str:
    """What the listener accepts: abstract syntaxes, and the transfer syntaxes that all of the storage classes have."""
    with tempfile.TemporaryDirectory() as folder:
        chosen = Settings.model_validate({"data_dir": folder, "database_url": _NOWHERE})
        listener = Listener(open_archive(chosen, Database(_NOWHERE)), chosen)
    contexts = listener._ae.supported_contexts
    rows = sorted(
        (_name(context.abstract_syntax), code(str(context.abstract_syntax)), str(len(context.transfer_syntax)))
        for context in contexts
    )
    syntaxes = sorted({syntax for context in contexts for syntax in context.transfer_syntax})
    return (
        table(("abstract syntax", "UID", "transfer syntaxes"), rows)
        + "\n"
        + table(("transfer syntax", "UID"), ((_name(syntax), code(str(syntax))) for syntax in syntaxes))
    )


def _name(uid: Any) -> str:
    """A UID's name in PS3.6, as far as pydicom's dictionary has it."""
    return str(uid.name) if uid.name != uid else "–"


def failure_reasons() -> str:
    """The statuses of C-STORE, which are STOW-RS's failure reasons too."""
    return table(
        ("code", "meaning"),
        ((code(f"{reason:04X}H"), reason.name.lower().replace("_", " ")) for reason in FailureReason),
    )


def case_diagram() -> str:
    """The case's state diagram."""
    return f"```mermaid\n{case_states.diagram(case_states.CASE_RULES)}```\n"


def report_diagram() -> str:
    """The state diagram of a report's version."""
    return f"```mermaid\n{case_states.diagram(report_states.REPORT_RULES)}```\n"


def study_diagram() -> str:
    """The state diagram of a study in a case."""
    return f"```mermaid\n{case_states.diagram(case_states.STUDY_RULES)}```\n"


def payment_diagram() -> str:
    """The payment's state diagram."""
    lines = ["stateDiagram-v2", f"    [*] --> {payment_states.PaymentState.NONE}"]
    for source, targets in payment_states.MOVES.items():
        lines += [f"    {source} --> {target}" for target in sorted(targets)] or [f"    {source} --> [*]"]
    return "```mermaid\n" + "\n".join(lines) + "\n```\n"


def rooms_diagram() -> str:
    """Which room imports which, as the code does; overread.kit apart from the roof."""
    edges = {
        (_room(path), _room_of(target))
        for path in modules(*ROOMS)
        for target in _imports(path)
        if target.partition(".")[0] in ROOMS
    }
    lines = [f"    {_node(source)} --> {_node(target)}" for source, target in sorted(edges) if source != target]
    return "```mermaid\nflowchart TD\n" + "\n".join(lines) + "\n```\n"


def _node(room: str) -> str:
    return {"kit": 'kit["overread.kit"]', "roof": 'roof["overread"]'}.get(room, room)


def _room(path: Path) -> str:
    return _room_of(".".join(path.relative_to(ROOT).with_suffix("").parts))


def _room_of(module: str) -> str:
    if module.startswith("overread.kit"):
        return "kit"
    first = module.partition(".")[0]
    return "roof" if first == "overread" else first


def _imports(path: Path) -> Iterable[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            # `from overread import kit` names a module by what it takes.
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


PARTS: dict[str, Callable[[], str]] = {
    "settings": settings,
    "commands": commands,
    "portal-routes": portal_routes,
    "viewer-routes": viewer_routes,
    "dicomweb-resources": dicomweb_resources,
    "matching-keys": matching_keys,
    "dimse-services": dimse_services,
    "failure-reasons": failure_reasons,
    "commitment-failures": commitment_failures,
    "workitem-states": workitem_states,
    "case-diagram": case_diagram,
    "report-diagram": report_diagram,
    "study-diagram": study_diagram,
    "payment-diagram": payment_diagram,
    "rooms-diagram": rooms_diagram,
}


def blocks(text: str) -> dict[str, str]:
    """The generated blocks of a page by name."""
    return {match[2]: match[3] for match in _BLOCK.finditer(text)}


def filled(text: str) -> str:
    """A page with its generated blocks made anew. Raises KeyError for a block of an unknown name."""
    return _BLOCK.sub(lambda match: match[1] + PARTS[match[2]]() + match[4], text)


def main() -> None:
    """Write every page that has such blocks."""
    for path in sorted(DOCS.rglob("*.md")):
        text = path.read_text()
        made = filled(text)
        if made != text:
            path.write_text(made)
            sys.stderr.write(f"{path.name} written\n")


if __name__ == "__main__":
    main()
