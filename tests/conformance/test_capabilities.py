"""Retrieve Capabilities: PS3.18 8.9 and annex H."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import Any

import pytest
from pydicom.uid import generate_uid
from starlette.testclient import TestClient

from dicomweb.transactions import TRANSACTIONS
from overread.services import Services
from tests.architecture import surface
from tests.conformance.samples import path, store

WADL = "{http://wadl.dev.java.net/2009/02}"
NOBODY = {"Authorization": ""}


def routes(portal: Services) -> dict[str, set[str]]:
    from overread.app import portal_app

    found: dict[str, set[str]] = {}
    app: Any = portal_app(portal)
    for method, template in surface.routes_of(app):
        if template.startswith("/dicomweb/"):
            plain = re.sub(r"\{(\w+):\w+\}", r"{\1}", template.removeprefix("/dicomweb"))
            found.setdefault(plain, set()).add(method)
    return found


def described(element: ET.Element, below: str = "") -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for resource in element.findall(f"{WADL}resource"):
        place = f"{below}/{resource.attrib['path']}"
        if methods := {method.attrib["name"] for method in resource.findall(f"{WADL}method")}:
            found[place] = methods
        found |= described(resource, place)
    return found


def resources(content: bytes) -> ET.Element:
    top = ET.fromstring(content)
    assert top.tag == f"{WADL}application"
    (found,) = list(top)
    return found


def test_8_9_1_the_base_answers_options_with_a_wadl_of_every_route(client: TestClient, portal: Services) -> None:
    response = client.options("")
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/vnd.sun.wadl+xml"
    found = resources(response.content)
    assert found.attrib["base"] == "http://test/dicomweb/"
    assert described(found) == routes(portal)


def test_h_every_method_has_an_id_and_its_media_types(client: TestClient) -> None:
    methods = list(ET.fromstring(client.options("").content).iter(f"{WADL}method"))
    ids = [method.attrib["id"] for method in methods]
    assert len(ids) == len(set(ids)) > 20
    (search,) = [m for m in methods if m.attrib["id"] == "SearchForStudies"]
    assert [p.attrib["name"] for p in search.iter(f"{WADL}param") if p.attrib["style"] == "query"][:2] == [
        "{attributeID}", "includefield",
    ]  # fmt: skip
    assert "application/dicom+json" in {o.attrib["value"] for o in search.iter(f"{WADL}option")}


def test_every_route_is_described_and_nothing_else(portal: Services) -> None:
    known = {(method, template) for template, methods in routes(portal).items() for method in methods}
    assert set(TRANSACTIONS) == known


def test_h_a_resource_describes_itself_and_what_is_below(client: TestClient, portal: Services) -> None:
    response = client.options(f"studies/{generate_uid()}/series/{generate_uid()}")
    series = "/studies/{study}/series/{series}"
    expected = {p: m for p, m in routes(portal).items() if p == series or p.startswith(series + "/")}
    assert described(resources(response.content)) == expected
    assert response.headers["allow"] == "DELETE, GET, HEAD, OPTIONS"


def test_8_9_the_same_as_json(client: TestClient) -> None:
    response = client.options("", headers={"Accept": "application/json"})
    top = response.json()["application"]["resources"][0]
    assert top["base"] == "http://test/dicomweb/"
    names = [one["path"] for one in top["resource"]]
    assert "studies" in names
    assert "instances" in names


@pytest.mark.parametrize("accept", ["image/png", "text/html"])
def test_8_7_other_types_are_not_acceptable(client: TestClient, accept: str) -> None:
    response = client.options("studies", headers={"Accept": accept})
    assert response.status_code == 406
    assert "application/vnd.sun.wadl+xml" in response.json()["detail"]
    assert "OPTIONS" in response.headers["allow"]


def test_it_tells_nothing_of_what_is_there(client: TestClient) -> None:
    ds = store(client)
    nobody = client.options(path(ds), headers=NOBODY)
    other = client.options(f"studies/{generate_uid()}/series/{generate_uid()}/instances/{generate_uid()}")
    assert nobody.status_code == other.status_code == 200
    assert nobody.content == other.content


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "POST"])
def test_rfc9110_15_5_6_other_methods_are_told_which_there_are(client: TestClient, method: str) -> None:
    response = client.request(method, "series")
    assert response.status_code == 405
    assert response.headers["allow"] == "GET, HEAD, OPTIONS"
    assert "GET" in response.json()["detail"]
