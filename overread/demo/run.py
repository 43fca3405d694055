"""`overread demo`: everything that a visitor needs to walk a case through, started with one command."""

from __future__ import annotations

import json
import secrets
from functools import partial
from pathlib import Path

from pydantic import SecretStr

from billing.sandbox import server as sandbox
from overread import serve
from overread.demo import people, samples
from overread.kit import passwords
from overread.kit.principals import Role
from overread.kit.settings import Settings, address
from overread.processes import Child
from overread.services import Services, build
from pacs.store import ingest
from pacs.store.ingest import Prepared, Source


def run(settings: Settings) -> None:
    """Serve the demo until SIGTERM or SIGINT; the first start makes the sample data."""
    settings = _configured(settings)
    serve.run(settings, more=[_sandbox(settings)], before=_seed_once, ready_lines=_welcome(settings))


def _configured(settings: Settings) -> Settings:
    """The settings with the demo's own payment keys, made at the first start, and exported to the child processes."""
    path = settings.data_dir / "demo.json"
    if not path.exists():
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        keys = {"key": f"sk_test_{secrets.token_hex(16)}", "webhook": f"whsec_{secrets.token_hex(16)}"}
        path.touch(mode=0o600)
        path.write_text(json.dumps(keys))
    keys = json.loads(path.read_text())
    return settings.model_copy(
        update={
            "demo": True,
            "stripe_secret_key": SecretStr(keys["key"]),
            "stripe_webhook_secret": SecretStr(keys["webhook"]),
            "stripe_api_base": f"http://{settings.sandbox}",
        }
    )


def _sandbox(settings: Settings) -> Child:
    host, port = address(settings.sandbox)
    assert settings.stripe_webhook_secret is not None
    assert settings.stripe_secret_key is not None
    serve_sandbox = partial(
        sandbox.run,
        host,
        port,
        settings.data_dir / "sandbox.json",
        f"http://{settings.http}/webhooks/stripe",
        settings.stripe_webhook_secret.get_secret_value(),
        settings.stripe_secret_key.get_secret_value(),
        mode="demo",
    )
    return Child("payment sandbox", serve_sandbox, probe=settings.sandbox)


def _seed_once(settings: Settings) -> None:
    marker = settings.data_dir / "seeded"
    if marker.exists():
        return
    services = build(settings, pool_size=2)
    folder = settings.data_dir / "samples"
    samples.write_all(folder)
    hashed = passwords.hashed(people.PASSWORD)
    with services.db.transaction() as tx:
        someone = people.seed(tx, hashed)
    _send(services, Source(someone[Role.HOSPITAL], "import"), folder / "stray-ct")
    services.db.close()
    marker.touch()


def _send(services: Services, source: Source, folder: Path) -> None:
    ready: list[Prepared] = []
    for path in sorted(folder.iterdir()):
        with ingest.receive(services.archive, source) as incoming:
            incoming.write(path.read_bytes())
            prepared = incoming.finish()
        if isinstance(prepared, Prepared):
            ready.append(prepared)
    ingest.store(services.archive, source, ready)


def _welcome(settings: Settings) -> list[str]:
    samples_folder = (settings.data_dir / "samples").resolve()
    host, port = address(settings.dicom)
    return [
        "",
        f"  Portal       {settings.base_url}",
        f"  DICOMweb     {settings.base_url}/dicomweb",
        f"  API          {settings.base_url}/api/v1/openapi.json",
        f"  Viewer       {settings.viewer_base_url}",
        f"  DICOM        {settings.ae_title}@{settings.dicom}, calling AE title {people.HOSPITAL_AE}",
        f"  Mails        {settings.mail_dir.resolve()}",
        "",
        f"  Sign in with the password {people.PASSWORD!r}:",
        *(f"    {role.value:12} {email:26} {name}" for role, name, email in people.PEOPLE),
        "",
        f"  Images to upload as the patient: {samples_folder / 'maria-upload'}",
        "  Test card: 4242 4242 4242 4242, any future date, any CVC",
        (
            f"  Send as the hospital: storescu -aet {people.HOSPITAL_AE} -aec REFERENCE {host} {port} "
            f"{samples_folder / 'hospital-mr'}/*"
        ),
        "  (REFERENCE is the case's reference number)",
        "",
    ]
