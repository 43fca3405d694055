"""What each transaction is called, where it stands, and what it takes and gives: for whoever asks a resource.

The keys are those of the routes; a test compares. The capabilities (PS3.18 8.9) and the conformance statement are made
of this table.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from pacs.store.non_patient import CATEGORIES

_JSON = ("application/dicom+json", "application/json")
_DATA = (*_JSON, "application/dicom+xml", "application/xml")
_IMAGES = ("image/jpeg", "image/png", "image/gif", "image/jp2", "image/jxl")
_THUMBNAILS = _IMAGES[:3]
_INSTANCES = ('multipart/related; type="application/dicom"', "application/dicom")
_OCTETS = ('multipart/related; type="application/octet-stream"', "application/octet-stream")
_STORE = (
    'multipart/related; type="application/dicom"',
    'multipart/related; type="application/dicom+json"',
    'multipart/related; type="application/dicom+xml"',
    "application/dicom",
)
_SEARCH = ("{attributeID}", "includefield", "fuzzymatching", "limit", "offset", "accept")
_RENDER = ("accept", "annotation", "iccprofile", "quality", "viewport", "window")
_THUMBNAIL = ("accept", "viewport")


@dataclass(frozen=True, slots=True)
class Transaction:
    """One transaction: its name, the clause of PS3.18, the media types of bodies, and query parameters."""

    name: str
    clause: str
    takes: tuple[str, ...] = ()
    gives: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()


_STUDY = "/studies/{study}"
_SERIES = _STUDY + "/series/{series}"
_INSTANCE = _SERIES + "/instances/{instance}"
_FRAMES = _INSTANCE + "/frames/{frames}"
_WORKITEM = "/workitems/{workitem}"


def _retrievals() -> dict[tuple[str, str], Transaction]:
    found: dict[tuple[str, str], Transaction] = {}
    for level, path in (("Study", _STUDY), ("Series", _SERIES), ("Instance", _INSTANCE)):
        found |= {
            ("GET", path): Transaction(f"Retrieve {level}", "10.4", (), _INSTANCES, ("accept",)),
            ("DELETE", path): Transaction(f"Delete {level}", "none"),
            ("GET", f"{path}/metadata"): Transaction(f"Retrieve {level} Metadata", "10.4", (), _JSON, ("accept",)),
            ("GET", f"{path}/rendered"): Transaction(f"Retrieve Rendered {level}", "10.4", (), _IMAGES, _RENDER),
            ("GET", f"{path}/thumbnail"): Transaction(
                f"Retrieve {level} Thumbnail", "10.4", (), _THUMBNAILS, _THUMBNAIL
            ),
            ("GET", f"{path}/bulkdata"): Transaction(
                f"Retrieve {level} Bulk Data", "10.4", (), _OCTETS[:1], ("accept",)
            ),
            ("GET", f"{path}/pixeldata"): Transaction(
                f"Retrieve {level} Pixel Data", "10.4", (), _OCTETS[:1], ("accept",)
            ),
        }
    return found


_COMMITMENT = {
    ("POST", "/commitment-requests/{transaction}"): Transaction("Request Storage Commitment", "13.4", _DATA, _DATA),
    ("GET", "/commitment-requests/{transaction}"): Transaction("Check Commitment Result", "13.5", (), _DATA),
}

_WORKLIST = {
    ("POST", "/workitems"): Transaction("Create Workitem", "11.4", _DATA, (), ("workitem",)),
    ("GET", "/workitems"): Transaction(
        "Search for Workitems", "11.9", (), _DATA, ("{attributeID}", "includefield", "limit", "offset", "accept")
    ),
    ("GET", _WORKITEM): Transaction("Retrieve Workitem", "11.5", (), _DATA, ("accept",)),
    ("POST", _WORKITEM): Transaction("Update Workitem", "11.6", _DATA, (), ("transaction",)),
    ("PUT", _WORKITEM + "/state"): Transaction("Change Workitem State", "11.7", _DATA),
    ("POST", _WORKITEM + "/cancelrequest"): Transaction("Request Workitem Cancellation", "11.8", _DATA),
    ("POST", _WORKITEM + "/subscribers/{aetitle}"): Transaction(
        "Create Subscription", "11.10", (), (), ("deletionlock", "filter")
    ),
    ("DELETE", _WORKITEM + "/subscribers/{aetitle}"): Transaction("Delete Subscription", "11.11"),
    ("POST", _WORKITEM + "/subscribers/{aetitle}/suspend"): Transaction("Suspend Global Subscription", "11.12"),
    ("GET", "/subscribers/{aetitle}"): Transaction("Open Event Channel", "8.10.4"),
}

_WADO_URI = Transaction(
    "Retrieve by URI",
    "9.4, 9.5",
    (),
    (*_IMAGES, "text/html", "text/plain", "text/xml", "application/dicom"),
    (
        "requestType",
        "studyUID",
        "seriesUID",
        "objectUID",
        "contentType",
        "charset",
        "frameNumber",
        "rows",
        "columns",
        "region",
        "windowCenter",
        "windowWidth",
        "imageQuality",
        "imageAnnotation",
        "presentationUID",
        "presentationSeriesUID",
        "transferSyntax",
        "anonymize",
    ),
)


def _non_patient() -> dict[tuple[str, str], Transaction]:
    found: dict[tuple[str, str], Transaction] = {}
    for category in CATEGORIES:
        what = category.replace("-", " ").title()
        takes, gives = (_STORE[0], "application/dicom"), ("application/dicom", _STORE[0], *_DATA)
        found |= {
            ("GET", f"/{category}"): Transaction(f"Search for {what}", "12.6", (), _DATA, _SEARCH),
            ("POST", f"/{category}"): Transaction(f"Store {what}", "12.5", takes, _DATA),
            ("POST", f"/{category}/{{instance}}"): Transaction(f"Store One of {what}", "12.5", takes, _DATA),
            ("GET", f"/{category}/{{instance}}"): Transaction(f"Retrieve {what}", "12.4", (), gives, ("accept",)),
        }
    return found


TRANSACTIONS: dict[tuple[str, str], Transaction] = {
    ("GET", "/studies"): Transaction("Search for Studies", "10.6", (), _JSON, _SEARCH),
    ("POST", "/studies"): Transaction("Store Instances", "10.5", _STORE, _DATA),
    ("POST", _STUDY): Transaction("Store Study Instances", "10.5", _STORE, _DATA),
    ("GET", "/series"): Transaction("Search for Series", "10.6", (), _JSON, _SEARCH),
    ("GET", "/instances"): Transaction("Search for Instances", "10.6", (), _JSON, _SEARCH),
    ("GET", _STUDY + "/series"): Transaction("Search for Study Series", "10.6", (), _JSON, _SEARCH),
    ("GET", _STUDY + "/instances"): Transaction("Search for Study Instances", "10.6", (), _JSON, _SEARCH),
    ("GET", _SERIES + "/instances"): Transaction("Search for Series Instances", "10.6", (), _JSON, _SEARCH),
    **_retrievals(),
    ("GET", _FRAMES): Transaction("Retrieve Frames", "10.4", (), _OCTETS, ("accept",)),
    ("GET", _FRAMES + "/rendered"): Transaction("Retrieve Rendered Frames", "10.4", (), _IMAGES, _RENDER),
    ("GET", _FRAMES + "/thumbnail"): Transaction("Retrieve Frame Thumbnail", "10.4", (), _THUMBNAILS, _THUMBNAIL),
    ("GET", _INSTANCE + "/bulkdata/{path}"): Transaction("Retrieve Bulk Data", "10.4", (), _OCTETS, ("accept",)),
    **_COMMITMENT,
    **_WORKLIST,
    **_non_patient(),
    ("GET", "/wado"): _WADO_URI,
    ("GET", "/"): replace(_WADO_URI, name="Retrieve by URI at the root"),
    ("GET", "/changes"): Transaction("Read Changes", "none", (), ("application/json",), ("after", "limit")),
}
