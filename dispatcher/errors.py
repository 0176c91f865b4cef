"""The one exception tree. An error type per thing a caller would do differently.

    DispatcherError                      exit 1   a bug, or anything not named below
    ├── UsageError                       exit 2   the command or the Python call is wrong
    │   ├── SettingsError                exit 2   a setting is wrong or missing
    │   │   └── HoursError               exit 2   hours that cannot be read, or that never open
    │   ├── InputError                   exit 2   the file cannot be used
    │   │   └── ColumnError              exit 2   a named column is not in the file
    │   ├── SuppressionError             exit 2   a suppression list cannot be used: nothing is sent
    │   ├── SuppressedContact            exit 2   a test's number is on a suppression list
    │   ├── CampaignNotFound             exit 2
    │   ├── CampaignMismatch             exit 2   the name belongs to another flow or account
    │   ├── FlowNotFound                 exit 2   404 for the flow: wrong flow or wrong account
    │   └── PreflightFailed              exit 2   the flow cannot do what the campaign wants
    ├── AuthenticationError              exit 4   credentials missing or refused (401)
    │   └── PermissionRefused            exit 4   credentials without the right (403)
    ├── StudioError                      exit 5   Studio answered a read with something unusable
    │   ├── StudioUnavailable            exit 5   429, 5xx or no connection: worth another try
    │   ├── ResourceNotFound             exit 2   404 for an execution, a step, a page
    │   ├── PageExpired                  exit 5   a list's next page is gone: the list must be read again from there
    │   └── CertificateUntrusted         exit 2   TLS: not the server we were to talk to
    ├── StoppedEarly                     exit 5   sending stopped; resumable
    │   ├── BreakerOpen                  exit 5   a run of failures
    │   ├── StartMissed                  exit 5   its start has passed, and nothing of it was sent
    │   ├── LookCutShort                 exit 5   who was reached lately could not be told far enough back
    │   ├── CampaignPaused               exit 5   somebody has paused it: nothing of it is sent until that is lifted
    │   │   ├── GuardTripped             exit 5   its guard has: too many were refused, or have opted out
    │   │   └── CanaryStopped            exit 5   its canary has: too many of its first rows have failed, or opted out
    │   ├── AccountLocked                exit 5   another process is sending for this account
    │   ├── NotForgotten                 exit 5   a person may still be reached, and is not forgotten yet
    │   └── NotNotified                  exit 5   asked to deliver notices, and not all are delivered
    ├── LedgerError                      exit 5   the ledger cannot be used now
    │   ├── LedgerFull                   exit 5   disk full: sending stops at once
    │   ├── LedgerGone                   exit 5   deleted or replaced under the run: sending stops at once
    │   ├── LedgerUnreachable            exit 5   busy or away: worth another try for a while
    │   ├── LedgerUnwritable             exit 2   read-only folder, no permission
    │   ├── LedgerCorrupt                exit 2   not a ledger, or damaged
    │   ├── LedgerTooNew                 exit 2   written by a newer program
    │   ├── LedgerKeyLost                exit 2   people were forgotten, and the key that tells them again is not there
    │   └── LeaseLost                    exit 5   another run has taken the account over
    ├── ReportError                      exit 2   the report cannot be written there
    └── Interrupted                      exit 130 Ctrl-C or SIGTERM; resumable

Each carries what happened (the message), what was found, and how to fix it: a remedy, which each front end words
(remedies.py). Texts never hold secrets or personal data, nor flags or commands of a front end.
"""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar

from dispatcher.remedies import Advice, Remedy


class ExitCode(IntEnum):
    """The program's exit codes; scripts depend on them."""

    #: all created (or skipped on purpose)
    OK = 0
    BUG = 1
    #: usage, configuration or input
    USAGE = 2
    #: finished, some rows rejected, busy or invalid
    SOME_REFUSED = 3
    AUTHENTICATION = 4
    #: stopped early, resumable
    STOPPED = 5
    #: rows left unknown
    SOME_UNKNOWN = 6
    #: only rows are left that wait for hours, a start or their own times
    WAITING = 7
    INTERRUPTED = 130


class DispatcherError(Exception):
    """Something went wrong that the program has no better word for."""

    code: ClassVar[str] = "internal"
    exit_code: ClassVar[ExitCode] = ExitCode.BUG

    def __init__(
        self, message: str | None = None, *, found: str | None = None, fix: Remedy | str | None = None
    ) -> None:
        self.message = message or (self.__doc__ or "").strip().splitlines()[0]
        self.found = found
        self.fix: Remedy | None = Advice(fix) if isinstance(fix, str) else fix
        super().__init__(self.message)

    def __str__(self) -> str:
        found = f" (found: {self.found})" if self.found else ""
        return f"{self.message}{found}"


class UsageError(DispatcherError):
    """The command cannot be carried out as given."""

    code = "usage"
    exit_code = ExitCode.USAGE


class SettingsError(UsageError):
    """A setting is wrong or missing."""

    code = "settings"


class HoursError(SettingsError):
    """The hours cannot be read, or they never open."""

    code = "hours"


class InputError(UsageError):
    """The input file cannot be used."""

    code = "input"


class ColumnError(InputError):
    """A column that the settings name is not in the file."""

    code = "column"


class SuppressionError(UsageError):
    """A suppression list cannot be used; without it nothing is sent."""

    code = "suppression"


class SuppressedContact(UsageError):
    """The contact is on a suppression list."""

    code = "suppressed"


class CampaignNotFound(UsageError):
    """The ledger has no campaign of this name."""

    code = "campaign_not_found"


class CampaignMismatch(UsageError):
    """The campaign belongs to another flow or account."""

    code = "campaign_mismatch"


class FlowNotFound(UsageError):
    """Studio has no such flow for this account."""

    code = "flow_not_found"


class PreflightFailed(UsageError):
    """The flow cannot do what the campaign wants of it."""

    code = "preflight"


class AuthenticationError(DispatcherError):
    """Studio refused the credentials."""

    code = "authentication"
    exit_code = ExitCode.AUTHENTICATION


class PermissionRefused(AuthenticationError):
    """The credentials lack the right to do this."""

    code = "permission"


class StudioError(DispatcherError):
    """Studio could not be asked."""

    code = "studio"
    exit_code = ExitCode.STOPPED


class StudioUnavailable(StudioError):
    """Studio could not be reached, or asked to come back later."""

    code = "studio_unavailable"
    #: What Retry-After asked for, in seconds.
    retry_after_s: float | None = None
    #: A 429: every request to the account waits, not only this one.
    throttled: bool = False


class ResourceNotFound(StudioError):
    """Studio has no such resource (any more)."""

    code = "not_found"
    exit_code = ExitCode.USAGE


class PageExpired(StudioError):
    """The list could not be read on: Studio does not know its page token any more."""

    code = "page_expired"


class CertificateUntrusted(StudioError):
    """The server's TLS certificate is not trusted."""

    code = "certificate"
    exit_code = ExitCode.USAGE


class StoppedEarly(DispatcherError):
    """Sending stopped before the end; the campaign can be resumed."""

    code = "stopped"
    exit_code = ExitCode.STOPPED


class BreakerOpen(StoppedEarly):
    """Too many consecutive requests failed."""

    code = "breaker_open"


class StartMissed(StoppedEarly):
    """The campaign's start has passed, and nothing of it was sent."""

    code = "late"


class LookCutShort(StoppedEarly):
    """Who was reached a short time ago could not be told as far back as was asked for."""

    code = "look_cut_short"


class CampaignPaused(StoppedEarly):
    """The campaign is paused: nothing of it is sent until somebody resumes it."""

    code = "paused"


class GuardTripped(CampaignPaused):
    """The campaign's guard has paused it: too many were refused, or have opted out."""

    code = "guard"


class CanaryStopped(CampaignPaused):
    """The campaign's canary has paused it: too many of its first rows have failed or opted out."""

    code = "canary"


class AccountLocked(StoppedEarly):
    """Another process is sending for this account."""

    code = "account_locked"


class NotForgotten(StoppedEarly):
    """Nobody is forgotten by halves: something of the person is on its way, unknown, or about to be sent."""

    code = "not_forgotten"


class NotNotified(StoppedEarly):
    """Notices are not delivered."""

    code = "notices"


class LedgerError(DispatcherError):
    """The ledger cannot be used now."""

    code = "ledger"
    exit_code = ExitCode.STOPPED


class LedgerFull(LedgerError):
    """The disk is full: the ledger can take no more intents, so nothing more is sent."""

    code = "disk_full"


class LedgerGone(LedgerError):
    """The ledger's file is not where it was opened any more."""

    code = "ledger_gone"


class LedgerUnreachable(LedgerError):
    """The ledger cannot be reached now."""

    code = "ledger_unreachable"


class LedgerUnwritable(LedgerError):
    """The state folder cannot be written."""

    code = "state_unwritable"
    exit_code = ExitCode.USAGE


class LedgerCorrupt(LedgerError):
    """The ledger file is damaged or no ledger."""

    code = "ledger_corrupt"
    exit_code = ExitCode.USAGE


class LedgerTooNew(LedgerError):
    """The ledger was written by a newer version of this program."""

    code = "ledger_too_new"
    exit_code = ExitCode.USAGE


class LedgerKeyLost(LedgerError):
    """The key that tells forgotten people is not there."""

    code = "ledger_key"
    exit_code = ExitCode.USAGE


class LeaseLost(LedgerError):
    """Another run has taken this account over."""

    code = "lease_lost"


class ReportError(DispatcherError):
    """The report cannot be written."""

    code = "report"
    exit_code = ExitCode.USAGE


class Interrupted(DispatcherError):
    """Interrupted; the campaign can be resumed."""

    code = "interrupted"
    exit_code = ExitCode.INTERRUPTED
