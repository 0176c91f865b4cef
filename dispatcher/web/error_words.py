"""What each error says to somebody who has the page and no terminal, by the error's code. Words only.

No commands, no flags, no names of settings; a sentence each, ended as one.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """`message`: what has happened. `what_to_do`: one or two sentences.

    `own`: whether the error's own message stands in place of `message` where it can stand on a page: it names the row,
    the column or the file. `own_found`: whether what was found may be shown, too; of the server's own troubles it is
    paths and other programs' texts, which are nobody's here. `own_fix`: whether the error's own remedy comes before
    `what_to_do`, where the page has words for it.
    """

    message: str
    what_to_do: str
    own: bool = False
    own_found: bool = False
    own_fix: bool = False


#: Who can do something about the server itself.
ADMIN = "whoever runs this server"


def _input(message: str, what_to_do: str) -> Said:
    """About the file or what was typed: the error's own words are the best."""
    return Said(message=message, what_to_do=what_to_do, own=True, own_found=True, own_fix=True)


def _server(message: str, what_to_do: str) -> Said:
    """About the server: nobody at a page can mend it, and its own words are for who can."""
    return Said(message=message, what_to_do=what_to_do)


ERROR_WORDS: dict[str, Said] = {
    "internal": _server(
        "Something went wrong that this page has no better word for.",
        f"Try again. If it stays, tell {ADMIN} at what time it happened; nothing is sent twice.",
    ),
    "usage": _input("That cannot be done as it was asked for.", "Correct what the message names and try again."),
    "settings": _input(
        "A choice for this campaign is missing or cannot be used.",
        f"Correct it on this page; if it is not there, ask {ADMIN}.",
    ),
    "hours": _input(
        "The hours in which contacts may be reached cannot be read, or never open.",
        f"Choose other hours, or ask {ADMIN}.",
    ),
    "input": _input("The file cannot be used.", "Correct it and upload it again; nothing was sent."),
    "sheet": _input("The workbook has several sheets with rows.", "Choose the sheet that has the contacts."),
    "column": _input(
        "The choice of columns does not fit this file.",
        "Choose the columns again, or upload the file that has them.",
    ),
    "suppression": _server(
        "The list of contacts who must not be reached cannot be used, so nothing is sent.",
        f"Ask {ADMIN} to put the list right; then check again.",
    ),
    "suppressed": Said(
        message="This contact is on the list of those who must not be reached.",
        what_to_do="Test with another number.",
    ),
    "campaign_not_found": _server(
        "There is no campaign of this name.", "Look for it under Campaigns; it may have another name."
    ),
    "campaign_mismatch": Said(
        message="This name belongs to a campaign with another flow, account or way to tell rows apart.",
        what_to_do="Give this campaign another name, or choose what that one has.",
    ),
    "flow_not_found": Said(
        message="Studio does not know this flow.", what_to_do="Choose another flow; this one may have been deleted."
    ),
    "preflight": Said(
        message="The flow cannot do what this campaign wants of it.",
        what_to_do="Correct the flow in Studio or the columns here, as the findings say, and check again.",
        own_found=True,
    ),
    "authentication": _server(
        "Twilio does not accept this server's credentials, so nothing can be sent.",
        f"Ask {ADMIN} to renew them. Uploading and checking work all the same.",
    ),
    "permission": _server(
        "This server's credentials may not do this at Twilio.",
        f"Ask {ADMIN}, or whoever owns the Twilio account, for the right to use Studio.",
    ),
    "studio": _server("Studio gave an answer that cannot be used.", f"Try again later. If it stays, tell {ADMIN}."),
    "studio_unavailable": _server(
        "There is no answer from Studio.",
        "Try again in a few minutes. What was sent is safe, and nothing is sent twice.",
    ),
    "not_found": _server(
        "Studio does not have this any more.", "Nothing to do: Studio keeps what became of a contact for 30 days."
    ),
    "page_expired": _server("Studio's list changed while it was read.", "Try again."),
    "certificate": _server(
        "The connection to Twilio is not safe, so nothing was sent over it.",
        f"Ask {ADMIN} to look at the server's clock and its certificates.",
    ),
    "stopped": _server("Sending stopped before the end.", "Go on when you are ready: nobody is sent twice."),
    "breaker_open": Said(
        message="Too many requests failed one after the other, so sending stopped.",
        what_to_do="Look at the reasons of the refused rows. Go on when they are mended: no row is lost.",
        own=True,
        own_found=True,
    ),
    "late": Said(
        message="The time at which it was to begin is over, and nothing was sent.",
        what_to_do="Choose a new time, or send it now.",
    ),
    "look_cut_short": Said(
        message="It could not be seen far enough back who was reached a short time ago.",
        what_to_do="Wait until fewer executions are that young, or tick that some contacts may be reached twice.",
    ),
    "paused": Said(
        message="The campaign is paused.", what_to_do="Ask who paused it and why; then go on, or stop it for good."
    ),
    "guard": Said(
        message="The campaign paused itself: too many contacts were refused, or have opted out.",
        what_to_do="Read the reasons of the refused rows first. Then go on all the same, or stop it for good.",
        own_found=True,
    ),
    "canary": Said(
        message="The campaign paused itself: too many of its first contacts failed or opted out.",
        what_to_do="Look at what became of them, and mend the flow or the file. Then go on, or stop it for good.",
        own_found=True,
    ),
    "account_locked": _server(
        "Another program on this server is sending for the same account.",
        "Nothing to do: this begins when that one is done.",
    ),
    "not_forgotten": Said(
        message="This person may still be reached, and is not forgotten yet.",
        what_to_do="Wait until the campaign is done and its rows in doubt are looked up, or stop it; then try again.",
    ),
    "notices": _server(
        "Messages about this campaign could not be delivered.",
        f"Nothing to do here: they are tried again. Tell {ADMIN} if you miss them.",
    ),
    "ledger": _server(
        "The record of what was sent cannot be used now, so nothing is sent.",
        f"Tell {ADMIN}. Go on afterwards: nobody is sent twice.",
    ),
    "disk_full": _server(
        "The server's disk is full, so nothing more is sent.",
        f"Ask {ADMIN} to make room. Go on afterwards: nobody is sent twice.",
    ),
    "ledger_gone": _server(
        "The record of what was sent has been moved or deleted. Sending stopped at once.",
        f"Tell {ADMIN} at once, and send nothing before it is back: without it nobody knows who was reached.",
    ),
    "ledger_unreachable": _server(
        "The record of what was sent cannot be reached now: another program has it, or the disk failed.",
        f"Try again in a minute. If it stays, tell {ADMIN}.",
    ),
    "state_unwritable": _server(
        "The server may not write to its own folder, so nothing can be sent.",
        f"Ask {ADMIN} to give it the right to.",
    ),
    "ledger_corrupt": _server(
        "The record of what was sent is damaged, so nothing is sent.",
        f"Tell {ADMIN} at once: it must be put back from a backup, not begun anew.",
    ),
    "ledger_too_new": _server(
        "The record of what was sent is of a newer version of this program.",
        f"Ask {ADMIN} to upgrade the server.",
    ),
    "ledger_not_migrated": _server(
        "The record of what was sent is of an older version of this program, or was never made on its server.",
        f"Ask {ADMIN} to bring it up to date.",
    ),
    "extra_missing": _server(
        "The server lacks a part of this program that the record of what was sent needs.",
        f"Ask {ADMIN} to install it.",
    ),
    "ledger_key": _server(
        "It cannot be told who asked to be forgotten, so nothing is sent.",
        f"Tell {ADMIN}: a file that tells them is missing, and must be put back from a backup.",
    ),
    "lease_lost": _server(
        "Another program has taken over sending for this account.",
        "Nothing to do: it goes on with the campaign. Nobody is sent twice.",
    ),
    "report": _server("The report cannot be written.", f"Try again. If it stays, tell {ADMIN}: nothing is lost."),
    # Of the page's own (web.running.errors).
    "somebody_was_first": Said(
        message="Somebody else has changed this campaign meanwhile.",
        what_to_do="Open its page anew to see how it stands now.",
        own_found=True,
    ),
    "name_taken": Said(
        message="There is a campaign of this name already.", what_to_do="Give this one another name.", own_found=True
    ),
    "more_than_confirmed": Said(
        message="More contacts would be reached than were confirmed, so nothing more is sent.",
        what_to_do="Look at the number, and confirm it anew.",
        own_found=True,
    ),
    "flow_changed": Said(
        message="The flow was published anew after this campaign was confirmed, so nothing more is sent.",
        what_to_do="Look at what contacts get now, and confirm it anew.",
        own_found=True,
    ),
    "file_gone": Said(
        message="The uploaded file was deleted before all of it was sent.", what_to_do="Upload it again."
    ),
    "account_busy": Said(
        message="The account is sending another campaign.",
        what_to_do="Try again when that one is done, or pause it first.",
        own_found=True,
    ),
    "server_stops": Said(
        message="The server is being stopped.", what_to_do="Nothing to do: it goes on by itself when it is there again."
    ),
    "makes_room": Said(
        message="It stands still for a moment, for something else on the same account.",
        what_to_do="Nothing to do: it goes on by itself.",
    ),
    "interrupted": _server("Sending was interrupted.", "Go on when you are ready: nobody is sent twice."),
}
