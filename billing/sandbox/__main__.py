"""`python -m billing.sandbox --mode demo …`: the sandbox as a process; its two secrets come by environment."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from billing.sandbox.server import run


def main(arguments: list[str] | None = None) -> None:
    """Parse the arguments and serve; exits with 2 where the mode or a secret is missing."""
    parser = argparse.ArgumentParser(prog="python -m billing.sandbox", description="A payment sandbox. No money moves.")
    parser.add_argument("--mode", required=True, choices=("demo", "test"), help="what it is run for")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8044)
    parser.add_argument("--state-file", type=Path, help="JSON file that keeps the state over a restart")
    parser.add_argument("--webhook-url", help="where events are sent")
    parser.add_argument("--public-url", help="address of the card pages as payers see it")
    chosen = parser.parse_args(arguments)
    key = os.environ.get("OVERREAD_STRIPE_SECRET_KEY", "")
    secret = os.environ.get("OVERREAD_STRIPE_WEBHOOK_SECRET", "")
    if not key or not secret:
        parser.error("OVERREAD_STRIPE_SECRET_KEY and OVERREAD_STRIPE_WEBHOOK_SECRET must be set")
    try:
        run(
            chosen.host,
            chosen.port,
            chosen.state_file,
            chosen.webhook_url,
            secret,
            key,
            mode=chosen.mode,
            public_url=chosen.public_url,
        )
    except ValueError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main(sys.argv[1:])
