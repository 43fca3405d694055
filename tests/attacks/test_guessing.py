"""Sixty guesses and sixty sign-ups at once, against a running server with several workers, from several addresses."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from overread.demo.people import PASSWORD
from tests.live.server import Server

pytestmark = pytest.mark.live

STRANGER, OWNER = "127.0.0.9", "127.0.0.1"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("guessing") / "demo", "demo") as running:
        yield running


def browser(demo: Server, address: str) -> httpx.Client:
    """A browser at one of the machine's own addresses."""
    transport = httpx.HTTPTransport(local_address=address)
    return httpx.Client(base_url=demo.url, transport=transport, headers={"Origin": demo.url}, timeout=180)


def at_once(times: int, post: Callable[[int], int]) -> tuple[Counter[int], float]:
    """The statuses of so many posts at once, and how many seconds they took."""
    began = time.monotonic()
    with ThreadPoolExecutor(times) as pool:
        return Counter(pool.map(post, range(times))), time.monotonic() - began


def test_of_sixty_guesses_at_once_ten_are_looked_at_and_the_owner_signs_in(demo: Server) -> None:
    email = "specialist@example.org"

    def guess(_number: int) -> int:
        with browser(demo, STRANGER) as client:
            return client.post("/sign-in", data={"email": email, "password": "guess"}).status_code

    statuses, seconds = at_once(60, guess)
    assert set(statuses) == {422, 429}
    # One more for each minute and a half that it took.
    assert 10 <= statuses[422] <= 10 + seconds // 90 + 1, statuses
    print(f"60 guesses at once: {statuses[422]} looked at, {statuses[429]} refused")
    with browser(demo, STRANGER) as client:
        wait = client.post("/sign-in", data={"email": email, "password": PASSWORD})
        assert wait.status_code in (429, 303)
        # Nobody else is kept out, not even at the same address.
        other = client.post("/sign-in", data={"email": "coordinator@example.org", "password": PASSWORD})
        assert other.status_code == 303
    with browser(demo, OWNER) as client:
        assert client.post("/sign-in", data={"email": email, "password": PASSWORD}).status_code == 303
        again = client.post("/account", data={"password": PASSWORD, "new_password": PASSWORD})
        assert again.status_code == 303


def test_of_sixty_sign_ups_at_once_ten_are_made(demo: Server) -> None:
    def sign_up(number: int) -> int:
        form = {"name": "Jane Doe", "email": f"jane{number}@example.org", "password": "three words together"}
        with browser(demo, STRANGER) as client:
            return client.post("/sign-up", data=form).status_code

    statuses, seconds = at_once(60, sign_up)
    assert set(statuses) == {303, 429}
    assert 10 <= statuses[303] <= 10 + seconds // 360 + 1, statuses
    print(f"60 sign-ups at once: {statuses[303]} made, {statuses[429]} refused")


def test_a_mail_is_sent_to_the_new_and_holds_nothing_but_a_link(demo: Server) -> None:
    folder = Path(demo.folder) / "mail"
    deadline = time.monotonic() + 60
    while not list(folder.glob("*.eml")) and time.monotonic() < deadline:
        time.sleep(0.2)
    mail = next(folder.glob("*.eml")).read_text()
    assert f"{demo.url}/confirm/" in mail.replace("=\n", "")
    assert "Jane" not in mail.partition("\n\n")[2]
