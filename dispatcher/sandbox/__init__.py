"""A local Studio on a real socket, for rehearsals, the demo and every test of the project.

In: HTTP requests as any Studio client sends them, v1 and v2. Out: the answers that Studio would give, from executions
kept in memory; faults by name and probability; under `/_sandbox/`, the truth about what was created. What Studio's
documents leave open is a named setting. The promise: it shares no code with what is tested against it, and it counts
for itself.
"""

from __future__ import annotations

from dispatcher.sandbox.contacts import ContactScript
from dispatcher.sandbox.faults import FAULTS, Fault, FaultPhase, parse_fault
from dispatcher.sandbox.flows import DEFAULT_FLOW_SID, FlowRevision, SandboxFlow, default_flow, load_flow
from dispatcher.sandbox.server import Sandbox
from dispatcher.sandbox.settings import CHANGEABLE, SandboxSettings, parse_change

__all__ = [
    "CHANGEABLE",
    "DEFAULT_FLOW_SID",
    "FAULTS",
    "ContactScript",
    "Fault",
    "FaultPhase",
    "FlowRevision",
    "Sandbox",
    "SandboxFlow",
    "SandboxSettings",
    "default_flow",
    "load_flow",
    "parse_change",
    "parse_fault",
]
