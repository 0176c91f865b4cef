"""Python imports this at start where this folder is on PYTHONPATH: the tests' child processes stay on loopback too."""

from __future__ import annotations

from tests.guard import loopback

loopback.install()
