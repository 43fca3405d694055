"""What the worker does each minute, as it is wired."""

from __future__ import annotations

from dataclasses import replace

from cases import digest
from overread import wiring
from overread.kit import clock
from overread.services import Services
from tests.cases.test_lists import stray
from tests.cases.world import BORN, World


def test_the_coordinators_mail_goes_when_its_period_is_over(world: World, services: Services) -> None:
    with world.db.transaction() as tx:
        digest.note(tx, "unmatched", item=stray(tx, world, 1, "DOE^JO", BORN, at=clock.now()))
    for minutes, mails in ((15, 0), (0, 1), (0, 1)):
        settings = services.settings.model_copy(update={"digest_minutes": minutes})
        bus = wiring.wire(replace(services, settings=settings))
        [send] = [
            action for cron, name, action in bus._periodic if name.endswith("digests_send") and cron == "* * * * *"
        ]
        send()
        world.drain()
        assert len(world.mails()) == mails
