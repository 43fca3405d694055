"""A slash too many at the end of an address leads to what was meant, on every door, and never off TLS."""

from __future__ import annotations

from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from overread.app import portal_app
from overread.services import Services

_ID = "0191d2a0-0000-7000-8000-000000000000"


@pytest.mark.parametrize("base", ["https://portal.example", "http://10.0.0.7:8042"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/dicomweb/studies/"),
        ("GET", "/dicomweb/studies/?PatientID=A%2F1&limit=1"),
        ("GET", "/dicomweb/studies/1.2/"),
        ("GET", "/dicomweb/studies/1.2/series/1.3/instances/1.4/frames/1,2/"),
        ("GET", "/dicomweb/studies/1.2/metadata//"),
        ("GET", "/dicomweb/workitems/"),
        ("POST", "/dicomweb/studies/"),
        ("DELETE", "/dicomweb/studies/1.2/"),
        ("GET", f"/cases/{_ID}/dicomweb/studies/"),
        ("GET", f"/senders/{_ID}/dicomweb/series/"),
        ("GET", "/api/v1/cases/"),
        ("GET", "/sign-in/"),
    ],
)
def test_it_leads_to_the_address_without_it(services: Services, base: str, method: str, path: str) -> None:
    """By its path alone: whatever proxy ends TLS in front, the client stays at the scheme and host that it asked."""
    told = replace(services, settings=services.settings.model_copy(update={"public_url": "https://portal.example"}))
    with TestClient(portal_app(told), base_url=base, follow_redirects=False) as client:
        answer = client.request(method, path)
        assert answer.status_code == 307  # the method and the body stay what they were (RFC 9110 15.4.8)
        plain, mark, query = path.partition("?")
        assert answer.headers["location"] == plain.rstrip("/") + mark + query
        meant = client.request(method, answer.headers["location"])
        assert meant.status_code in (200, 401)  # who asks is asked for there


def test_dicomweb_s_root_is_answered_with_and_without(services: Services) -> None:
    with TestClient(portal_app(services), base_url="http://portal.example", follow_redirects=False) as client:
        assert client.options("/dicomweb").status_code == client.options("/dicomweb/").status_code == 200
