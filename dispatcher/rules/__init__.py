"""Rules of a campaign: when may this contact be reached.

In: a contact's number and cells, the hours as they are set, an instant. Out: where the contact may be, when that place
is open, and the instants that a row's own times mean. Pure: no clock, no settings, and nothing is read but the data
that the packages bring along.

The promise it owns, with those who ask it: *nothing at the wrong hour*. Where a number leaves several time zones open,
an hour is right only if it is right in each of them.

    places.py    number, zone, state -> place
    numbering.py where the numbering plans say that numbers are; areas.py: states and their area codes (area_codes.toml)
    presets.py   the hours that the program brings along, each with its source; presets.toml has them
    week.py      hours as they are written -> a week
    hours.py     place, hours, instant -> openings
    times.py     a cell with a date or a time -> an instant
    clocks.py    what a zone's clock shows, and when; days_off.py: public holidays
    starts.py    a campaign's start on each clock, and where it was missed
    gate.py      hours, start and deadline of many places -> which may be sent to now, and when the others may
    canary.py    a campaign's first rows, and what became of them -> whether the others go
    guard.py     a run's answers -> whether it is to stop
"""
