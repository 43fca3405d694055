"""UPS-RS: the worklist service (PS3.18 11)."""

from __future__ import annotations

import re
from collections.abc import Callable

from anyio.to_thread import run_sync
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from dicomweb import payload
from dicomweb.context import Context
from dicomweb.keys import number, path_keys
from dicomweb.uids import need_uid
from overread.kit import whole_body
from overread.kit.errors import BadInput
from overread.kit.http import principal, problem
from overread.kit.language import gettext
from overread.kit.principals import Principal
from pacs.dicom.dicomjson import JsonDataset
from pacs.dicom.part10 import valid_uid
from pacs.ups import attributes, service, subscriptions
from pacs.ups.states import NotPossible, StepRefusal, StepState
from pacs.ups.subscriptions import FILTERED, GLOBAL

DEFAULT_LIMIT = 100
_AE = re.compile(r"[\x20-\x5b\x5d-\x7e]{1,16}")

Act = Callable[[Principal, JsonDataset], Response]


async def create(context: Context, request: Request) -> Response:
    """Create a work item (11.4): 201 with its address."""

    def act(who: Principal, dataset: JsonDataset) -> Response:
        with context.archive.db.transaction() as tx:
            uid = service.create(
                tx, who, _query_uid(request, ("workitem", "workitemUID", "AffectedSOPInstanceUID")), dataset
            )
        return Response(status_code=201, headers={"Location": f"{context.root(request)}/workitems/{uid}"})

    return await _with_body(context, request, act)


def retrieve(context: Context, request: Request) -> Response:
    """Retrieve a work item (11.5)."""
    who = _who(context, request)
    kind, uid = payload.negotiated(request), need_uid(request, "workitem")
    with context.archive.db.transaction() as tx:
        return payload.answer(kind, [service.retrieve(tx, who, uid)], headers={"Cache-Control": "no-store"})


async def update(context: Context, request: Request) -> Response:
    """Set attributes of a work item (11.6); the Transaction UID comes in the query or the data set."""

    def act(who: Principal, dataset: JsonDataset) -> Response:
        transaction = _query_uid(request, ("transaction", "transactionUID", "transaction-uid")) or _transaction(dataset)
        with context.archive.db.transaction() as tx:
            service.update(tx, who, need_uid(request, "workitem"), dataset, transaction)
        address = f"{context.root(request)}/workitems/{need_uid(request, 'workitem')}"
        return Response(headers={"Content-Location": address})

    return await _with_body(context, request, act)


async def change_state(context: Context, request: Request) -> Response:
    """Claim, complete or cancel a work item (11.7)."""

    def act(who: Principal, dataset: JsonDataset) -> Response:
        try:
            wanted = StepState(str(attributes.value(dataset, attributes.STATE)))
        except ValueError as error:
            raise BadInput(
                "no such state",
                safe=gettext("Procedure Step State (0074,1000) must be IN PROGRESS, COMPLETED or CANCELED."),
            ) from error
        with context.archive.db.transaction() as tx:
            uid = need_uid(request, "workitem")
            return _done(service.change_state(tx, who, uid, wanted, _transaction(dataset)))

    return await _with_body(context, request, act)


async def request_cancel(context: Context, request: Request) -> Response:
    """Ask for a work item to be canceled (11.8): 202, whatever its performer will do."""

    def act(who: Principal, dataset: JsonDataset) -> Response:
        with context.archive.db.transaction() as tx:
            return _done(service.request_cancel(tx, who, need_uid(request, "workitem"), dataset), 202)

    return await _with_body(context, request, act, empty=True)


def find(context: Context, request: Request) -> Response:
    """Search the worklist (11.9)."""
    who = _who(context, request)
    kind = payload.negotiated(request)
    keys, warnings = path_keys(request.query_params.multi_items())
    limit, offset = number(request, "limit", DEFAULT_LIMIT), number(request, "offset", 0)
    with context.archive.db.transaction() as tx:
        found, more = service.find_all(tx, who, keys, limit, offset)
    if more:
        warnings.append("There are more results; ask with a larger offset for the rest.")
    if request.query_params.get("fuzzymatching", "").lower() == "true":
        warnings.append("Fuzzy matching is not supported; names were matched literally.")
    headers = {"Warning": ", ".join(f'299 overread "{text}"' for text in warnings)} if warnings else {}
    return payload.answer(kind, found, headers=headers)


def subscribe(context: Context, request: Request) -> Response:
    """Subscribe an AE title to a work item, to all, or to those that a filter matches (11.10)."""
    who = _who(context, request)
    uid, subscriber = need_uid(request, "workitem"), ae_title(request)
    lock = request.query_params.get("deletionlock", "false").lower() == "true"
    with context.archive.db.transaction() as tx:
        if uid in (GLOBAL, FILTERED):
            # Without one of its keys a filter would let in more than was asked for, and nobody would look at a warning.
            keys, _ = path_keys(_filter(request), strict=True) if uid == FILTERED else ({}, [])
            if uid == FILTERED and not keys:
                raise BadInput(
                    "a filter without keys", safe=gettext("A filtered subscription needs filter=ATTRIBUTE=VALUE,….")
                )
            subscriptions.watch(tx, who, subscriber, keys, deletion_lock=lock)
        else:
            item = service.find(tx, who, uid)
            subscriptions.subscribe(tx, who, subscriber, item, deletion_lock=lock)
    root = context.root(request)
    # 11.10.3: where the event channel is opened.
    channel = re.sub("^http", "ws", root) + f"/subscribers/{subscriber}"
    return Response(status_code=201, headers={"Content-Location": channel})


def unsubscribe(context: Context, request: Request) -> Response:
    """End a subscription to a work item, or all of an AE title's (11.11)."""
    who = _who(context, request)
    uid, subscriber = need_uid(request, "workitem"), ae_title(request)
    with context.archive.db.transaction() as tx:
        item = None if uid in (GLOBAL, FILTERED) else service.find(tx, who, uid)
        subscriptions.unsubscribe(tx, who, subscriber, item)
    return Response()


def suspend(context: Context, request: Request) -> Response:
    """Subscribe to nothing new any more; what is subscribed to stays (11.12)."""
    who = _who(context, request)
    uid, subscriber = need_uid(request, "workitem"), ae_title(request)
    if uid not in (GLOBAL, FILTERED):
        raise BadInput("suspend of one work item", safe=gettext("Only a global subscription is suspended."))
    with context.archive.db.transaction() as tx:
        subscriptions.unwatch(tx, who, subscriber)
    return Response()


def ae_title(request: HTTPConnection) -> str:
    """The subscriber's AE title (PS3.5 6.2). Raises BadInput."""
    title = str(request.path_params["aetitle"])
    if not _AE.fullmatch(title) or not title.strip() or title != title.strip():
        raise BadInput("not an AE title", safe=gettext("An AE title has 1 to 16 characters, without a backslash."))
    return title


async def _with_body(context: Context, request: Request, act: Act, *, empty: bool = False) -> Response:
    """Who asks is known before a body is read; a state that does not allow it is said in the words of the standard."""
    who = await run_sync(_who, context, request)
    body = await whole_body.read(request, payload.MOST_BYTES)

    def answer() -> Response:
        try:
            return act(who, payload.dataset(request, body, empty=empty))
        except NotPossible as error:
            response = problem(error)
            response.headers["Warning"] = _warning(error.reason)
            return response

    return await run_sync(answer)


def _who(context: Context, request: Request) -> Principal:
    who = principal(request, context.archive.db)
    subscriptions.visible(who)
    return who


def _done(warning: StepRefusal | None, status: int = 200) -> Response:
    return Response(status_code=status, headers={"Warning": _warning(warning)} if warning else {})


def _warning(reason: StepRefusal) -> str:
    return f'299 overread "{reason.sentence}"'


def _transaction(dataset: JsonDataset) -> str | None:
    given = attributes.value(dataset, attributes.TRANSACTION)
    if given is not None and not (isinstance(given, str) and valid_uid(given)):
        raise BadInput("a bad Transaction UID", safe=gettext("The Transaction UID (0008,1195) is not a valid UID."))
    return given


def _query_uid(request: Request, names: tuple[str, ...]) -> str | None:
    """A UID of the query: by its name, or standing alone as in `/workitems?1.2.3` (11.4.1.2)."""
    parameters = request.query_params
    given = next((parameters[name] for name in names if name in parameters), None)
    if given is None:
        given = next((name for name, value in parameters.items() if not value and name[:1].isdigit()), None)
    if given is not None and not valid_uid(given):
        raise BadInput("a bad UID in the query", safe=gettext("The UID in the query is not a valid UID."))
    return given


def _filter(request: Request) -> list[tuple[str, str]]:
    """The keys of a filtered subscription: `filter=KEY=VALUE,KEY=VALUE` (11.10.1.2)."""
    parts = (part for text in request.query_params.getlist("filter") for part in text.split(",") if part)
    return [(name, value) for name, _, value in (part.partition("=") for part in parts)]
