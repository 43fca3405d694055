"""From a case's page into the hosted viewer on its own origin."""

from __future__ import annotations

from starlette.responses import RedirectResponse, Response

from cases.service import assignment
from overread.kit.errors import NotFound
from overread.web.visits import Visit
from viewer_bridge import launch


def open_viewer(visit: Visit) -> Response:
    """A one-time code for the study that the form names, or for all of the case, and over to the viewer with it.

    The form's `layout` may be "fused": a PET over its CT.
    Raises NotFound for a study that this person may not open, Conflict where there is none yet.
    """
    case_id = visit.uuid()
    allowed = assignment.view_studies(visit.tx, visit.who, case_id)
    wanted = visit.form.text("study")
    if wanted and wanted not in allowed:
        raise NotFound(f"study {wanted[:64]!r} of case {case_id} for {visit.who.id}")
    chosen = [wanted] if wanted else allowed[: launch.MOST_STUDIES]
    code = launch.create(visit.tx, visit.who, case_id, chosen)
    # In the fragment, which browsers send to nobody.
    layout = ".fused" if visit.form.text("layout") == "fused" else ""
    return RedirectResponse(f"{visit.services.settings.viewer_base_url}/open#{code}{layout}", 303)
