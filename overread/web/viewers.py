"""From a case's page into the hosted viewer on its own origin."""

from __future__ import annotations

from starlette.responses import RedirectResponse, Response

from cases.service import viewing
from overread.web.contexts import TxContext


def open_viewer(ctx: TxContext) -> Response:
    """A one-time code for the study that the form names, or for all of the case, and over to the viewer with it.

    The form's `layout` may be "fused": a PET over its CT.
    Raises NotFound for a study that this person may not open, Conflict where there is none yet.
    """
    code = viewing.open_viewer(ctx.tx, ctx.who, ctx.uuid(), ctx.form.text("study"))
    # In the fragment, which browsers send to nobody.
    layout = ".fused" if ctx.form.text("layout") == "fused" else ""
    return RedirectResponse(f"{ctx.services.settings.viewer_base_url}/open#{code}{layout}", 303)
