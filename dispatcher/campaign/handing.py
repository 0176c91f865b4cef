"""The end of a run that is none for anybody else: the campaign goes on in a moment, here or on another machine."""

from __future__ import annotations

from dispatcher.errors import StoppedEarly


class HandedOver(StoppedEarly):
    """A worker has given the campaign back; it goes on by itself. Nobody is told of it, and nothing is held."""

    code = "handed_over"
