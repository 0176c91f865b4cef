"""What can be wrong with a ledger."""

from __future__ import annotations

from dispatcher.errors.base import DispatcherError
from dispatcher.model import ExitCode


class LedgerError(DispatcherError):
    """The ledger cannot be used now.

    Cause: the database failed in a way that no other code has a word for. Fix: look at the disk and its folder, then
    resume.
    """

    code = "ledger"
    exit_code = ExitCode.STOPPED


class LedgerFull(LedgerError):
    """The disk is full: the ledger can take no more intents, so nothing more is sent.

    Cause: no space, or a quota. Fix: make room, then resume; what was in flight is looked up first.
    """

    code = "disk_full"


class LedgerGone(LedgerError):
    """The ledger's file is not where it was opened any more.

    Cause: it was deleted, moved or replaced while a run used it; sending stopped at once. Fix: put it back from a copy
    before anything is sent: without it nobody knows who was reached.
    """

    code = "ledger_gone"


class LedgerUnreachable(LedgerError):
    """The ledger cannot be reached now.

    Cause: another program keeps it locked, or its disk failed. Fix: close what has it open, or look at the disk, then
    resume.
    """

    code = "ledger_unreachable"


class LedgerUnwritable(LedgerError):
    """The state folder cannot be written.

    Cause: no right to write there, or a file system that is read-only. Fix: give the right, or set `[state] dir` to a
    folder that you may write.
    """

    code = "state_unwritable"
    exit_code = ExitCode.USAGE


class LedgerCorrupt(LedgerError):
    """The ledger file is damaged or no ledger.

    Cause: a failing disk, a copy that was made while it was written, or another program's file. Fix: put a backup in
    its place; do not start with an empty one, which would not know who was reached.
    """

    code = "ledger_corrupt"
    exit_code = ExitCode.USAGE


class LedgerTooNew(LedgerError):
    """The ledger was written by a newer version of this program.

    Cause: two installations with one ledger, or a downgrade. Fix: upgrade this one.
    """

    code = "ledger_too_new"
    exit_code = ExitCode.USAGE


class LedgerNotMigrated(LedgerError):
    """The database has no tables of this version.

    Cause: it is new, or this program was upgraded and its tables were not. Fix: `dispatcher ledger migrate`, as the
    database's owner; older workers end then, and are to be upgraded, too.
    """

    code = "ledger_not_migrated"
    exit_code = ExitCode.USAGE


class LedgerKeyLost(LedgerError):
    """The key that tells forgotten people is not there.

    Cause: people were forgotten, and the key's file, which tells them again, was lost or left behind. Fix: put the file
    back where the error says, from a copy; without it nobody can tell who must not be reached.
    """

    code = "ledger_key"
    exit_code = ExitCode.USAGE


class LeaseLost(LedgerError):
    """Another run has taken this account over.

    Cause: this process stood still so long (suspended, swapped out) that its lease ran out. Fix: nothing: the other run
    goes on with the campaign, and looks up what this one had in flight.
    """

    code = "lease_lost"
