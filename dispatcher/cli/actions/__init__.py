"""What the commands do: from what was asked, by way of the campaign, to what is shown and the exit code."""

from __future__ import annotations
