"""The details of executions that have ended: path, error, chosen values, for about one read each.

The context has errors and values, and mostly proves the path (`paths.proved_path`); the steps tell the path, and by
their events whether anything failed. One of the two is read for each execution, and the other where the first left
something open, for no more than a twelfth of them: `[tracking] steps = "always"` reads both always.

A proof rests on what widgets leave in contexts, which is observed and not promised. So the first execution of each
path is compared with its steps, and after one contradiction nothing is claimed from that revision's contexts any more.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from dispatcher.errors import ResourceNotFound, StudioError
from dispatcher.settings import TrackingSettings
from dispatcher.studio.client import Studio
from dispatcher.studio.definition import Definition, read_definition
from dispatcher.studio.resources import Step
from dispatcher.tracking.context_values import WidgetError, chosen_values, last_error, widget_errors
from dispatcher.tracking.optouts import opted_out
from dispatcher.tracking.paths import Path, path_of_steps, proved_path

#: Second reads: one for this many executions, so that with the lists all stay below 1.1 for each; a few more at first.
ONE_SECOND_READ_IN = 12
#: After this many contexts it shows whether they prove paths: in nine of ten at least, or the steps tell more.
SAMPLE = 20
PROVED_MIN = 0.9
#: A revision that Studio does not give is asked for this often, each time tried again as the settings say.
MISSES_MAX = 5
#: A step's event, in small letters: the contact has answered.
_REPLIED = "incomingmessage"
#: What is shown for a flow that ended before its first widget.
AT_TRIGGER = "Trigger"


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """What became of one execution."""

    #: None: not known.
    path: Path | None
    error: WidgetError | None
    variables: dict[str, str] = field(default_factory=dict)
    #: False: details not fully read; a second request would be needed.
    is_complete: bool = True
    #: How the contact has opted out; None: not that it is seen.
    opted_out: str | None = None

    @property
    def last_step(self) -> str | None:
        """The widget it came to last; None: not known."""
        if self.path is None:
            return None
        return self.path[-1] if self.path else AT_TRIGGER


class _Claim(NamedTuple):
    version: int
    path: Path


class DetailReader:
    """Reads details; one object for one look at a campaign. Its reads may run side by side."""

    def __init__(
        self, studio: Studio, flow_sid: str, settings: TrackingSettings, opt_out_words: Collection[str] | None = None
    ) -> None:
        """`opt_out_words`: replies that are an opt-out; None: nobody asks who has opted out."""
        self._studio = studio
        self._opt_out_words = opt_out_words
        self._flow_sid = flow_sid
        self._variables = settings.named_variables
        self._steps = settings.steps
        self._second_reads_free = SAMPLE + settings.concurrency
        self._definitions: dict[int, Definition | None] = {}
        self._misses: Counter[int] = Counter()
        self._reading = asyncio.Lock()
        self._checked: set[_Claim] = set()
        self._contradicted: set[int] = set()
        self._executions = 0
        self._second_reads = 0
        self._contexts = 0
        self._unproved = 0

    async def read(self, execution_sid: str, flow_version: int | None) -> Details:
        """Raises: ResourceNotFound, StudioError, AuthenticationError."""
        self._executions += 1
        if self._steps == "auto" and not self._variables and self._contexts_prove_little():
            return await self._by_steps(execution_sid, flow_version)
        return await self._by_context(execution_sid, flow_version)

    async def _by_context(self, execution_sid: str, flow_version: int | None) -> Details:
        context = await self._context(execution_sid)
        self._contexts += 1
        claim = await self._claim(context, flow_version) if self._steps != "always" else None
        path: Path | None = None
        is_complete = True
        if claim is not None and (claim in self._checked or self._steps == "never"):
            path = claim.path
        elif self._steps != "never":
            self._unproved += claim is None
            if self._may_read_more():
                path = path_of_steps(await self._steps_of(execution_sid))
                if claim is not None:
                    self._check(claim, path)
            else:
                is_complete = False
        errors = widget_errors(context)
        return Details(
            path=path,
            error=last_error(errors, path or ()),
            variables=chosen_values(context, self._variables),
            is_complete=is_complete,
            opted_out=await self._opted_out(context, errors, flow_version),
        )

    async def _by_steps(self, execution_sid: str, flow_version: int | None) -> Details:
        steps = await self._steps_of(execution_sid)
        path = path_of_steps(steps)
        events = {(step.name or "").lower() for step in steps}
        has_failed = any("fail" in event for event in events)
        if self._opt_out_words is not None and (has_failed or _REPLIED in events):
            # Whoever wants nothing any more is never missed for the sake of a read.
            self._second_reads += 1
        elif not has_failed:
            return Details(path=path, error=None)
        elif not self._may_read_more():
            return Details(path=path, error=None, is_complete=False)
        context = await self._context(execution_sid)
        errors = widget_errors(context)
        opted_out = await self._opted_out(context, errors, flow_version)
        return Details(path=path, error=last_error(errors, path), opted_out=opted_out)

    async def _opted_out(
        self, context: Mapping[str, Any], errors: Sequence[WidgetError], version: int | None
    ) -> str | None:
        words = self._opt_out_words
        if words is None or not opted_out(context, errors, words, None):
            return None
        # What a word means is asked of the flow only where it was said.
        return opted_out(context, errors, words, None if version is None else await self._definition(version))

    def _contexts_prove_little(self) -> bool:
        return self._contexts >= SAMPLE and self._unproved > (1 - PROVED_MIN) * self._contexts

    def _may_read_more(self) -> bool:
        most = self._second_reads_free + self._executions // ONE_SECOND_READ_IN
        if self._steps == "auto" and self._second_reads >= most:
            return False
        self._second_reads += 1
        return True

    def _check(self, claim: _Claim, path: Path) -> None:
        if claim.path == path:
            self._checked.add(claim)
        else:
            self._contradicted.add(claim.version)
            self._checked = {checked for checked in self._checked if checked.version != claim.version}

    async def _claim(self, context: Mapping[str, Any], version: int | None) -> _Claim | None:
        if version is None or version in self._contradicted:
            return None
        definition = await self._definition(version)
        path = proved_path(definition, context) if definition else None
        return None if path is None or version in self._contradicted else _Claim(version, path)

    async def _definition(self, version: int) -> Definition | None:
        async with self._reading:  # once, whoever asks first
            if version not in self._definitions:
                await self._find_definition(version)
        return self._definitions.get(version)

    async def _find_definition(self, version: int) -> None:
        """The revision that executions ran; v1 has none. Where there is none, their steps are asked."""
        if self._studio.api_version == "v1":
            self._definitions[version] = None
            return
        try:
            flow = await self._studio.flow_revision(self._flow_sid, str(version))
        except ResourceNotFound:
            self._definitions[version] = None
        except StudioError:
            # Not now: the next execution asks again, but not for ever.
            self._misses[version] += 1
            if self._misses[version] >= MISSES_MAX:
                self._definitions[version] = None
        else:
            self._definitions[version] = read_definition(flow.definition)

    async def _context(self, execution_sid: str) -> Mapping[str, Any]:
        context = (await self._studio.execution_context(self._flow_sid, execution_sid)).context
        return context if isinstance(context, Mapping) else {}

    async def _steps_of(self, execution_sid: str) -> list[Step]:
        return [step async for step in self._studio.steps(self._flow_sid, execution_sid)]
