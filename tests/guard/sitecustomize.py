"""Python imports this at start where this folder is on PYTHONPATH: a test's child processes are guarded, too."""

from __future__ import annotations

from tests.guard import home, loopback

loopback.install()
home.install()
