"""What the supervisor refuses, as errors that a page words. None of them leaves the page."""

from __future__ import annotations

from dispatcher.errors import StoppedEarly, UsageError


class SomebodyWasFirst(UsageError):
    """Somebody else has changed this campaign meanwhile."""

    code = "somebody_was_first"


class NameTaken(UsageError):
    """There is a campaign of this name already."""

    code = "name_taken"


class MoreThanConfirmed(UsageError):
    """More contacts would be reached than were confirmed."""

    code = "more_than_confirmed"


class FlowChanged(UsageError):
    """The flow was published anew after this campaign was confirmed."""

    code = "flow_changed"
    #: The one that is published now.
    revision: int | None = None


class FileGone(UsageError):
    """The uploaded file was deleted before it was sent."""

    code = "file_gone"


class AccountBusy(StoppedEarly):
    """The account is sending another campaign."""

    code = "account_busy"


class ServerStops(StoppedEarly):
    """The server stops; it goes on by itself when it is there again."""

    code = "server_stops"


class MakesRoom(StoppedEarly):
    """It stands still for a moment, for something else on the same account."""

    code = "makes_room"
