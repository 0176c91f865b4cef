"""A draft as the store has it."""

from __future__ import annotations

from dispatcher.web.store import Draft, Stage

LAUNCHED = Draft(
    draft_id="d" * 22,
    version=3,
    name="spring",
    profile=None,
    uploads=("u" * 22,),
    planned=1,
    settings={},
    stage=Stage.launched,
    look=None,
    check=None,
    error=None,
    test=None,
    confirmed=10,
    revision=1,
    again=False,
    due_ms=None,
    zone=None,
    created_at_ms=1,
    created_by="Anna",
    launched_at_ms=2,
    launched_by="Anna",
)
