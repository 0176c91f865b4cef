"""Who is asking: the person behind a request, and what that person may."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dispatcher.clock import now_ms
from dispatcher.web.access import Action, may
from dispatcher.web.forms import form_token

if TYPE_CHECKING:
    from dispatcher.web.store.records import Session, User


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Somebody who is signed in."""

    session: Session
    #: None: the one person at this machine.
    user: User | None
    #: As it stands in the history.
    name: str
    #: The address the request came from, as far as that is known.
    source: str

    @property
    def is_local(self) -> bool:
        """Whether it is the one person at this machine, who may everything."""
        return self.user is None

    @property
    def ends_in_s(self) -> int:
        """How long it is until the session ends, unless the person does something before."""
        return max(0, self.session.ends_at_ms - now_ms()) // 1000

    @property
    def token(self) -> str:
        """For the forms of this session."""
        return form_token(self.session.csrf_secret)

    def may(self, action: Action | str) -> bool:
        """Whether this person may do that."""
        return self.user is None or may(self.user.role, Action(action))
