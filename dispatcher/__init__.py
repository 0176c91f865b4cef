"""Start one Twilio Studio Flow Execution per row of a contacts file.

Never above the account's rate, never twice for a row, and with an answer for every row.
"""

from __future__ import annotations

__version__ = "0.1.0"
