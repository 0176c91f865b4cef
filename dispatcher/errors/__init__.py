"""The one exception tree. An error type per thing a caller would do differently. docs/errors.md shows all of it.

Each carries what happened (the message), what was found, and how to fix it: a remedy, which each front end words
(remedies.py). Texts never hold secrets or personal data, nor flags or commands of a front end. Of a class's docstring
the first line is its usual message; `Cause:` and `Fix:` are for the document: `python -m docs.errors` writes it.

The ledger's are in `ledger.py`, what all have in `base.py`; all are imported from here.
"""

from __future__ import annotations

from dispatcher.errors.base import DispatcherError as DispatcherError
from dispatcher.errors.ledger import LeaseLost as LeaseLost
from dispatcher.errors.ledger import LedgerCorrupt as LedgerCorrupt
from dispatcher.errors.ledger import LedgerError as LedgerError
from dispatcher.errors.ledger import LedgerFull as LedgerFull
from dispatcher.errors.ledger import LedgerGone as LedgerGone
from dispatcher.errors.ledger import LedgerKeyLost as LedgerKeyLost
from dispatcher.errors.ledger import LedgerNotMigrated as LedgerNotMigrated
from dispatcher.errors.ledger import LedgerTooNew as LedgerTooNew
from dispatcher.errors.ledger import LedgerUnreachable as LedgerUnreachable
from dispatcher.errors.ledger import LedgerUnwritable as LedgerUnwritable
from dispatcher.model import ExitCode as ExitCode


class UsageError(DispatcherError):
    """The command cannot be carried out as given.

    Cause: a wrong argument, arguments that exclude each other, or a Python call with what cannot be used. Fix: correct
    what the message names; nothing was sent.
    """

    code = "usage"
    exit_code = ExitCode.USAGE


class SettingsError(UsageError):
    """A setting is wrong or missing.

    Cause: a value out of its bounds, a name that is no setting, or none where one is needed; in config.toml, the
    environment or a flag. Fix: set what the message names: config.example.toml has every setting with its meaning.
    """

    code = "settings"


class HoursError(SettingsError):
    """The hours cannot be read, or they never open.

    Cause: `[hours]` names no preset, has a week that cannot be read, or leaves no minute open. Fix: correct `[hours]`;
    docs/rules.md has the forms.
    """

    code = "hours"


class InputError(UsageError):
    """The input file cannot be used.

    Cause: it is missing, empty, cut off, in another encoding or format than its name says, or was changed while it was
    read; or rows of a program hold a value that has no single text. Fix: correct the file or the call and plan it
    again; nothing of it was planned.
    """

    code = "input"


class SheetNotChosen(InputError):
    """A workbook has several sheets with rows. `sheets`: their names.

    Cause: a workbook with more than one visible sheet that has rows; none is guessed. Fix: name the sheet.
    """

    code = "sheet"
    sheets: tuple[str, ...] = ()


class ColumnError(InputError):
    """A column that the settings name is not in the file.

    Cause: another spelling, another header row, another delimiter, or the name is there twice. Fix: name one of the
    columns that the message lists, or the row in which the names stand.
    """

    code = "column"


class SuppressionError(UsageError):
    """A suppression list cannot be used; without it nothing is sent.

    Cause: a file of `[suppress]` is missing, empty, in another encoding, or has no column that is surely the contacts'.
    Fix: put the list where the settings say, or take it out of `[suppress]`.
    """

    code = "suppression"


class SuppressedContact(UsageError):
    """The contact is on a suppression list.

    Cause: the number of a test send is on a list, or its owner has opted out. Fix: test with another number.
    """

    code = "suppressed"


class CampaignNotFound(UsageError):
    """The ledger has no campaign of this name.

    Cause: another spelling, another state folder or account, a rehearsal's campaign, or one of which nothing was
    planned yet. Fix: look at the list of campaigns; a rehearsal is found by its host.
    """

    code = "campaign_not_found"


class CampaignMismatch(UsageError):
    """The campaign belongs to another flow or account.

    Cause: its name was used before, for another flow or account, or its rows were told apart by other columns; some of
    its rows were sent. Fix: give the new campaign a name of its own, or put flow, account and `[columns] key` back.
    """

    code = "campaign_mismatch"


class FlowNotFound(UsageError):
    """Studio has no such flow for this account.

    Cause: a 404: the SID is mistyped, of another account, or the flow was deleted. Fix: compare `[campaign] flow` with
    the flow's address in Twilio's console.
    """

    code = "flow_not_found"


class PreflightFailed(UsageError):
    """The flow cannot do what the campaign wants of it.

    Cause: it is not published, its REST API trigger leads nowhere, or it uses values that no column brings. Fix:
    correct the flow or the columns as the findings say (docs/preflight.md).
    """

    code = "preflight"


class AuthenticationError(DispatcherError):
    """Studio refused the credentials.

    Cause: a 401: a wrong SID, token or key, or one that was revoked; or none are set, or the secret for notices cannot
    be used. Fix: set the credentials anew; the account's health check (`doctor`) tells whether they work.
    """

    code = "authentication"
    exit_code = ExitCode.AUTHENTICATION


class PermissionRefused(AuthenticationError):
    """The credentials lack the right to do this.

    Cause: a 403: a restricted API key, a suspended account, or one that may not use this. Fix: use a key with the right
    to Studio's executions, or ask whoever owns the account.
    """

    code = "permission"


class StudioError(DispatcherError):
    """Studio could not be asked.

    Cause: it answered a read with something unusable: a list that leads back, or a refusal that no other code has a
    word for. Fix: try again later; where it stays, compare the base URL and the API's version.
    """

    code = "studio"
    exit_code = ExitCode.STOPPED


class StudioUnavailable(StudioError):
    """Studio could not be reached, or asked to come back later.

    Cause: no connection, a timeout, a 429 or a 5xx. Fix: look at the network, the proxy and Twilio's status page, then
    resume; the wait that Studio asks for is kept.
    """

    code = "studio_unavailable"
    #: What Retry-After asked for, in seconds.
    retry_after_s: float | None = None
    #: A 429: every request to the account waits, not only this one.
    throttled: bool = False


class ResourceNotFound(StudioError):
    """Studio has no such resource (any more).

    Cause: a 404 for an execution or a step: another account, or older than Studio keeps them. Fix: compare SID and
    account; what is gone cannot be read.
    """

    code = "not_found"
    exit_code = ExitCode.USAGE


class PageExpired(StudioError):
    """The list could not be read on: Studio does not know its page token any more.

    Cause: a list was read for too long, or from a token that was kept. Fix: read the list again from its beginning.
    """

    code = "page_expired"


class CertificateUntrusted(StudioError):
    """The server's TLS certificate is not trusted.

    Cause: a proxy that opens TLS, a missing authority, or another host than it says; nothing was sent to it. Fix: look
    at the machine's clock, and have it trust your proxy's authority (SSL_CERT_FILE).
    """

    code = "certificate"
    exit_code = ExitCode.USAGE


class StoppedEarly(DispatcherError):
    """Sending stopped before the end; the campaign can be resumed.

    Cause: it was stopped from outside, or Studio answered nothing but 429 for longer than anybody should wait. Fix:
    resume it, later or with a lower `[rate] per_second`.
    """

    code = "stopped"
    exit_code = ExitCode.STOPPED


class BreakerOpen(StoppedEarly):
    """Too many consecutive requests failed.

    Cause: Studio or the network is down, or the first rows were all refused for one reason, so that the others would
    be, too. Fix: remove the reason that the message names, then resume; no row is lost.
    """

    code = "breaker_open"


class StartMissed(StoppedEarly):
    """The campaign's start has passed, and nothing of it was sent.

    Cause: `[schedule] start_at` is further back than `grace_min`, and `late` holds it: a job that came too late, or a
    start in the wrong year. Fix: set a new start, or `[schedule] late` to send all the same.
    """

    code = "late"


class LookCutShort(StoppedEarly):
    """Who was reached a short time ago could not be told as far back as was asked for.

    Cause: others have started more executions in the last `repeat_after_h` than `repeat_look_back_max` allows to read.
    Fix: raise `[campaign] repeat_look_back_max`, shorten the period, or accept that some may be reached twice.
    """

    code = "look_cut_short"


class CampaignPaused(StoppedEarly):
    """The campaign is paused: nothing of it is sent until somebody resumes it.

    Cause: somebody has paused it, by a command, a page or a program. Fix: ask who did and why (`status` has the
    reason), then lift the pause.
    """

    code = "paused"


class GuardTripped(CampaignPaused):
    """The campaign's guard has paused it: too many were refused, or have opted out.

    Cause: the share of refusals or opt-outs is above what `[guard]` allows. Fix: read the report's reasons first; then
    accept the verdict when lifting the pause.
    """

    code = "guard"


class CanaryStopped(CampaignPaused):
    """The campaign's canary has paused it: too many of its first rows have failed or opted out.

    Cause: what became of the first rows is worse than `[canary]` allows. Fix: look at what became of them, mend the
    flow or the list, then accept the verdict or cancel the campaign.
    """

    code = "canary"


class AccountLocked(StoppedEarly):
    """Another process is sending for this account.

    Cause: a run on this machine holds the account's lease: one process per account sends at a time. Fix: wait until it
    has finished, or wait for the lease.
    """

    code = "account_locked"


class NotForgotten(StoppedEarly):
    """The person may still be reached, and is not forgotten yet.

    Cause: nobody is forgotten by halves, and something of the person is on its way, unknown, or about to be sent. Fix:
    as the error says: wait for the run, `reconcile`, or `cancel` what waits; then again.
    """

    code = "not_forgotten"


class NotNotified(StoppedEarly):
    """Notices are not delivered.

    Cause: the receiver of a webhook or the mail server did not take them, as often as they were tried. Fix: look at
    `[notify]` and the receiver; undelivered notices are kept and tried again with the next run.
    """

    code = "notices"


class ExtraMissing(DispatcherError):
    """A part of this program is not installed.

    Cause: what only some need (a ledger on PostgreSQL, workers) is installed with an extra. Fix: install it, as the
    error says.
    """

    code = "extra_missing"
    exit_code = ExitCode.USAGE


class ReportError(DispatcherError):
    """The report cannot be written.

    Cause: its folder is missing or may not be written, its suffix is no format, or a file is there that is no report of
    this program's. Fix: choose another path, and write it again; the ledger has all of it.
    """

    code = "report"
    exit_code = ExitCode.USAGE


class Interrupted(DispatcherError):
    """Interrupted; the campaign can be resumed.

    Cause: Ctrl-C, SIGTERM, or `stop()`. Fix: resume it: what was in flight was waited for, or is looked up.
    """

    code = "interrupted"
    exit_code = ExitCode.INTERRUPTED
