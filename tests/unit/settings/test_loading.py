"""Where a setting's value comes from: defaults < config.toml < environment < flags, and every problem told at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from dispatcher.errors import SettingsError
from dispatcher.settings import Settings, load


def write(folder: Path, text: str) -> Path:
    path = folder / "config.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_without_anything_defaults_hold() -> None:
    """No file, no variables, no flags: the settings are the defaults."""
    loaded = load(environ={})
    assert loaded.settings == Settings()
    assert loaded.provenance == {}
    assert loaded.config_path is None


def test_the_nearer_source_wins(tmp_path: Path) -> None:
    """Flags stand above variables, variables above the file; who stood below is told."""
    path = write(tmp_path, "[rate]\nper_second = 1\nwindow_s = 2\nin_flight = 3\n")
    loaded = load(
        path,
        environ={"DISPATCHER_RATE_PER_SECOND": "4", "DISPATCHER_RATE_WINDOW_S": "5"},
        flags={"rate.per_second": 6.0, "rate.headroom": None},
    )
    rate = loaded.settings.rate
    assert (rate.per_second, rate.window_s, rate.in_flight) == (6, 5, 3)
    assert rate.headroom == Settings().rate.headroom  # a flag that was not given
    per_second = loaded.provenance["rate.per_second"]
    assert len(per_second.overrides) == 2
    assert "DISPATCHER_RATE_PER_SECOND" in " ".join(per_second.overrides)
    assert set(loaded.provenance) == {"rate.per_second", "rate.window_s", "rate.in_flight"}


def test_the_folder_s_file_is_found(tmp_path: Path) -> None:
    """config.toml in the working folder is read without being named; one that is named must be there."""
    write(tmp_path, "[rate]\nper_second = 7\n")
    assert load(environ={}).settings.rate.per_second == 7
    with pytest.raises(SettingsError):
        load(tmp_path / "other.toml", environ={})


def test_what_stands_in_the_file_s_place_is_not_passed_over(tmp_path: Path) -> None:
    """A folder of its name, as containers make of a file that they do not find, or a link to nothing: no defaults."""
    place = tmp_path / "config.toml"
    place.mkdir()
    with pytest.raises(SettingsError, match=r"config\.toml cannot be read"):
        load(environ={})
    place.rmdir()
    place.symlink_to("nowhere.toml")
    with pytest.raises(SettingsError, match=r"config\.toml does not exist"):
        load(environ={})


def test_twilio_s_own_variables_count() -> None:
    """TWILIO_REGION and TWILIO_EDGE, as in Twilio's own client."""
    loaded = load(environ={"TWILIO_REGION": "ie1", "TWILIO_EDGE": "dublin"})
    assert loaded.settings.studio_url == "https://studio.dublin.ie1.twilio.com"


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    """Whoever corrects one is not told of the next only then; an unknown name gets the nearest one."""
    path = write(tmp_path, '[rate]\nper_secnd = 5\nin_flight = "many"\n[account]\nbase_url = "studio"\n')
    with pytest.raises(SettingsError) as caught:
        load(path, environ={})
    told = f"{caught.value} {caught.value.found}"
    for part in ("per_secnd", "per_second", "in_flight", "base_url"):
        assert part in told


@pytest.mark.parametrize("text", ["[rate", "rate = 5", "[[rate]]\nper_second = 5", "[rats]\nper_second = 5"])
def test_a_file_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    """Broken TOML, a table that is none, a table that nobody knows."""
    with pytest.raises(SettingsError):
        load(write(tmp_path, text), environ={})
