"""The Studio API, v1 and v2: one HTTP client, typed resources, and the table that says what an answer proves.

In: requests. Out: answers, classified by a pure function. Owns the line between "nothing was created" and "unknown"
(*never twice*): only a failure to connect, a 429 and a 4xx are proof that nothing was created.
"""

from __future__ import annotations

from dispatcher.studio.outcomes import Answer, Failure, Verdict, classify
from dispatcher.studio.resources import Execution, ExecutionContext, Flow, Step, StepContext

__all__ = [
    "Answer",
    "Execution",
    "ExecutionContext",
    "Failure",
    "Flow",
    "Step",
    "StepContext",
    "Verdict",
    "classify",
]
