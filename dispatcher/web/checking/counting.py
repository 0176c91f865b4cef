"""The job `check`: the files planned into a scratch ledger, as a send would plan them, and what that comes to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dispatcher.campaign import rehearse_campaign
from dispatcher.campaign.planning import PlanOptions
from dispatcher.campaign.problems import examples
from dispatcher.errors import UsageError
from dispatcher.events import Event, EventBus, Planned, PlanProgress
from dispatcher.ledger.records import PlanCounts
from dispatcher.model import Reason, RowState
from dispatcher.settings import Credentials, Settings
from dispatcher.web.checking.jobs import CheckJob, Tell
from dispatcher.web.checking.looking import told


class _Listener:
    """Hands on how far planning is, and keeps what was told of how the file was read."""

    def __init__(self, tell: Tell, files: int) -> None:
        self.file = 1
        self.notes: tuple[str, ...] = ()
        self._tell, self._files = tell, files

    def __call__(self, event: Event) -> None:
        if isinstance(event, PlanProgress):
            self._tell(
                rows=event.rows,
                done_bytes=event.done_bytes,
                total_bytes=event.total_bytes,
                file=self.file,
                files=self._files,
            )
        elif isinstance(event, Planned):
            self.notes = event.notes


async def check(job: CheckJob, tell: Tell) -> dict[str, Any]:
    """What the draft keeps of its check. Raises: InputError, SettingsError, CampaignMismatch, LedgerError."""
    if not job.files:
        raise UsageError("there is no file to check")
    settings = Settings.model_validate(job.settings)
    bus, listener = EventBus(), _Listener(tell, len(job.files))
    bus.subscribe(listener)
    sid = job.account_sid
    # Whose campaign it is matters, and no secret does: nothing is asked of Studio here.
    credentials = Credentials(account_sid=sid, username=sid, password="") if sid else None
    opening = rehearse_campaign(job.campaign, settings, credentials, bus=bus, scratch=Path(job.scratch), anew=True)
    async with opening as rehearsal:
        notes: list[str] = []
        for number, file in enumerate(job.files):
            listener.file = number + 1
            # The first is the whole; what comes later is corrected rows, which remove nothing.
            options = PlanOptions(again=job.again, add=job.planned + number > 0)
            counts = await rehearsal.plan(file.path, options)
            notes += [note for note in told(listener.notes, file) if note not in notes]
        status, inputs = await rehearsal.status(), await rehearsal.inputs()
        overlap = await rehearsal.overlap()
        rows = {state.value: counts.rows[state] for state in RowState}
        # Rows of the files before wait to be sent, too; what was wrong in them is what this file corrects.
        earlier = status.earlier_rows.get(RowState.planned, 0)
        rows[RowState.planned.value] += earlier
        return {
            "rows": rows,
            "total": counts.total + earlier,
            "file": _file_object(counts),
            "reasons": counts.reasons,
            "examples": await examples(rehearsal, counts),
            "contacted": counts.reasons.get(Reason.contacted.value, 0),
            "repeat_after_h": settings.campaign.repeat_after_h,
            "notes": notes,
            "files": [
                {"upload_id": file.upload_id, "name": file.name, "sha256": one.sha256}
                for file, one in zip(job.files, inputs[-len(job.files) :], strict=True)
            ],
            "overlap": overlap.as_json(),
        }


def _file_object(counts: PlanCounts) -> dict[str, int]:
    """What planning the last file did."""
    return {
        "total": counts.total,
        "new": counts.new,
        "corrected": counts.corrected,
        "repeats": counts.repeats,
        "changed": counts.changed,
        "earlier_planned": counts.left_planned,
    }
