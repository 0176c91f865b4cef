"""Variables that look like settings: a limit that is misspelled must not be no limit at all."""

from __future__ import annotations

import pytest

from dispatcher.errors import SettingsError
from dispatcher.settings import load
from dispatcher.settings.notices import settings_notices
from dispatcher.settings.variables import misnamed, unused, variable_names


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("DISPATCHER_RATE_PERSECOND", "DISPATCHER_RATE_PER_SECOND"),
        ("DISPATCHER_RATES_PER_SECOND", "DISPATCHER_RATE_PER_SECOND"),
        ("DISPATCHR_RATE_PER_SECOND", "DISPATCHER_RATE_PER_SECOND"),
        ("dispatcher_rate_per_second", "DISPATCHER_RATE_PER_SECOND"),
        ("DISPATCHER_STATE_DIRECTORY", "DISPATCHER_STATE_DIR"),
        ("DISPATCHER_STATEDIR", "DISPATCHER_STATE_DIR"),
    ],
)
def test_a_slip_names_what_was_meant(name: str, nearest: str) -> None:
    """Error, exit 2, with the nearest setting: the value does not get lost in silence."""
    with pytest.raises(SettingsError, match=f"{name}: no such setting; did you mean {nearest}"):
        load(environ={name: "5"})


def test_a_known_table_without_a_near_name_is_told() -> None:
    """Of a table that is known, everything else is wrong, however far it is."""
    assert list(misnamed({"DISPATCHER_RATE_ZZQXJ": "1"}))
    assert unused({"DISPATCHER_RATE_ZZQXJ": "1"}) == []


def test_every_other_name_of_ours_is_one_notice() -> None:
    """It may be another program's; said once for all of them, and nothing is refused."""
    environ = {"DISPATCHER_HOME": "/srv", "DISPATCHER_QUEUE": "spring", "PATH": "/bin", "DISPATCHER_RATE_PACE": "spike"}
    assert load(environ=environ).settings.rate.pace == "spike"
    (notice,) = settings_notices(environ)
    assert "DISPATCHER_HOME, DISPATCHER_QUEUE" in notice.text
    assert settings_notices({"PATH": "/bin"}) == []


def test_a_setting_s_own_variable_is_never_a_slip() -> None:
    """No setting's name is taken for a slip of another's, and an empty variable says nothing."""
    environ = dict.fromkeys(variable_names().values(), "1")
    assert list(misnamed(environ)) == []
    assert unused(environ) == []
    assert load(environ={"DISPATCHER_RATE_PERSECOND": ""}).provenance == {}
