"""The demo: sample people, prices and studies, and a sandbox in the place of the payment provider."""

from overread.demo.run import run

__all__ = ["run"]
