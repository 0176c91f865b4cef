"""The commands, one file each, named as typed: how each is asked for. Its action is the only import at run time."""

from __future__ import annotations
