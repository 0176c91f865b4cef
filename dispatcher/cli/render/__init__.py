"""What the command line shows: values from the rooms below become lines and tables. Nothing is decided here."""

from __future__ import annotations
