"""The commands, one file each, named as typed. What takes time to load is imported when the command runs."""

from __future__ import annotations
