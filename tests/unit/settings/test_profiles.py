"""Profiles: laid over the rest of the file, below environment and flags; chosen exactly, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from dispatcher.errors import SettingsError
from dispatcher.settings import load
from dispatcher.settings.loading import UnusableSettings
from dispatcher.settings.profiles import variable_of
from dispatcher.settings.variables import misnamed, unused

TEXT = """
[rate]
per_second = 20
burst = 0.5
[campaign]
flow = "FW00000000000000000000000000000001"
[profiles.eu]
account = { region = "ie1", edge = "dublin" }
rate.per_second = 5
[profiles.eu.campaign]
flow = "FW00000000000000000000000000000002"
[profiles.uk-west]
"""


def write(text: str) -> Path:
    path = Path("config.toml")
    path.write_text(text, encoding="utf-8")
    return path


def file_without(text: str = TEXT) -> str:
    return text.replace("burst = 0.5\n", "")


@pytest.fixture
def config() -> Path:
    return write(file_without())


def test_a_profile_is_laid_over_the_rest(config: Path) -> None:
    """Its own settings, and of the others what the file says; each with where it came from."""
    found = load(config, profile="eu", environ={})
    settings = found.settings
    assert (settings.rate.per_second, settings.account.region) == (5, "ie1")
    assert settings.studio_url == "https://studio.dublin.ie1.twilio.com"
    assert settings.campaign.flow == "FW00000000000000000000000000000002"
    assert found.profile == "eu"
    assert found.provenance["rate.per_second"].source == "config.toml [profiles.eu]"
    assert found.provenance["rate.per_second"].overrides == ("config.toml",)
    assert found.is_from_file("account.region")


def test_without_a_profile_none_is_used(config: Path) -> None:
    """The file's own tables hold, and an empty profile changes nothing."""
    assert load(config, environ={}).settings.rate.per_second == 20
    assert load(config, environ={}).profile is None
    assert load(config, profile="uk-west", environ={}).settings == load(config, environ={}).settings


def test_environment_and_flags_stand_above_it(config: Path) -> None:
    """As above the rest of the file."""
    environ = {"DISPATCHER_PROFILE": "eu", "DISPATCHER_RATE_PER_SECOND": "7"}
    assert load(config, environ=environ).settings.rate.per_second == 7
    assert load(config, environ=environ, flags={"rate.per_second": 8.0}).settings.rate.per_second == 8
    assert load(config, profile="uk-west", environ={"DISPATCHER_PROFILE": "eu"}).settings.rate.per_second == 20


@pytest.mark.parametrize(
    ("name", "meant"), [("ue", "eu"), ("EU", "eu"), ("uk_west", "uk-west"), ("uk", "uk-west"), ("other", None)]
)
def test_an_unknown_profile_is_told_the_nearest(config: Path, name: str, meant: str | None) -> None:
    """It never falls back to the usual account; the names that there are, are told."""
    with pytest.raises(SettingsError, match=f"no profile '{name}'") as caught:
        load(config, profile=name, environ={})
    assert "eu, uk-west" in (caught.value.found or "")
    assert meant is None or repr(meant) in repr(caught.value.fix)
    with pytest.raises(SettingsError, match="DISPATCHER_PROFILE names"):
        load(config, environ={"DISPATCHER_PROFILE": name})


def test_a_profile_without_a_file_is_unknown() -> None:
    """Where there is no config.toml, no profile is known."""
    with pytest.raises(SettingsError, match="no profile 'eu'") as caught:
        load(profile="eu", environ={})
    assert "profiles.eu" in repr(caught.value.fix)


def test_an_unknown_profile_names_the_file_read() -> None:
    """Where another file than config.toml was read, it is the one to write the profile into."""
    Path("spring.toml").write_text("", encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        load("spring.toml", profile="eu", environ={})
    assert "[profiles.eu] into spring.toml" in repr(caught.value.fix)


def test_without_a_file_only_credentials_differ(config: Path) -> None:
    """Where no file is read, as by `init`, a profile needs no table: it says whose credentials are meant."""
    found = load(environ={"DISPATCHER_PROFILE": "eu", "DISPATCHER_RATE_PER_SECOND": "7"}, no_file=True)
    assert (found.profile, found.config_path, found.settings.rate.per_second) == ("eu", None, 7)
    assert load(environ={}, no_file=True).settings.campaign.flow is None
    with pytest.raises(SettingsError, match="cannot be a profile's name"):
        load(environ={"DISPATCHER_PROFILE": "a b"}, no_file=True)


@pytest.mark.parametrize("name", ["", "a b", "-eu", "../eu", "eu@x", "é"])
def test_what_cannot_be_a_name_is_refused(config: Path, name: str) -> None:
    """It becomes a part of a variable's and of a file's name; no profile is proposed that there may not be."""
    with pytest.raises(SettingsError, match="cannot be a profile's name") as caught:
        load(config, profile=name, environ={})
    assert "eu" not in repr(caught.value.fix)
    if name:
        with pytest.raises(SettingsError, match="cannot be a profile's name") as caught:
            load(config, environ={"DISPATCHER_PROFILE": name})
        assert "unset DISPATCHER_PROFILE" in repr(caught.value.fix)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[profiles.eu]\nrate = 3\n", "[profiles.eu] rate: it belongs into a table"),
        ("[profiles]\neu = 3\n", "[profiles] eu: it must be a table"),
        ("profiles = 3\n", "[profiles]: it must hold a table for each profile"),
        ("[profiles.eu.rate]\nper_secnd = 3\n", "did you mean rate.per_second? (config.toml, line 2)"),
        ("[profiles.eu.rate]\nper_second = 0\n", "[profiles.eu.rate] per_second"),
        ("[profiles.eu.rat]\nper_second = 3\n", "[profiles.eu.rat]: no such setting; did you mean rate?"),
        ("[profiles.eu.account]\nauth_token = 'canary'\n", "set TWILIO_EU_AUTH_TOKEN in the environment"),
        ("[profiles.eu]\nauth_token = 'canary'\n", "set TWILIO_EU_AUTH_TOKEN in the environment"),
        ("[profiles.eu-a]\n[profiles.eu_a]\n", "its variables would be those of [profiles.eu-a]"),
        ("[profiles.eu]\n[profiles.EU]\n", "its variables would be those of [profiles.eu]"),
        ("[profile.eu.rate]\nper_second = 3\n", "did you mean profiles?"),
    ],
)
@pytest.mark.parametrize("profile", [None, "eu"])
def test_a_wrong_profile_is_told_at_once(text: str, told: str, profile: str | None) -> None:
    """Where it stands, whichever profile is chosen: not on the day when that one is needed."""
    with pytest.raises(UnusableSettings) as caught:
        load(write(text), profile=profile, environ={})
    assert told in caught.value.message
    assert "canary" not in caught.value.message
    assert len([one for one in caught.value.problems if "no profile" not in one]) == 1


def test_a_problem_of_the_rest_is_told_once() -> None:
    """What is wrong outside the profiles is not told again for each of them."""
    with pytest.raises(UnusableSettings) as caught:
        load(write("[rate]\nper_second = 0\n[profiles.eu.rate]\nwindow_s = 9\n[profiles.uk.rate]\n"), environ={})
    assert [one for one in caught.value.problems if "per_second" in one] == [*caught.value.problems][:1]


def test_a_broken_file_with_profiles_is_taken_apart() -> None:
    """The lines that cannot be read are told; a profile's are called by its own name."""
    with pytest.raises(UnusableSettings) as caught:
        load(write("[rate]\nper_second = 5\n[profiles.eu-x.rate]\nper_second = 5 a second\n"), environ={})
    assert [one for one in caught.value.problems if "line 4" not in one] == []


def test_files_of_a_profile_lie_beside_the_config() -> None:
    """As those of the rest do."""
    folder = Path("settings")
    folder.mkdir()
    path = folder / "config.toml"
    path.write_text('[profiles.eu.suppress]\nfiles = ["dnc.csv"]\n', encoding="utf-8")
    assert load(path, profile="eu", environ={}).settings.suppress.files == [str(folder / "dnc.csv")]


def test_each_profile_has_variables_of_its_own() -> None:
    """Its name stands within the usual one."""
    assert variable_of("TWILIO_API_KEY", None) == "TWILIO_API_KEY"
    assert variable_of("TWILIO_API_KEY", "uk-west") == "TWILIO_UK_WEST_API_KEY"


def test_the_profiles_variable_is_known() -> None:
    """It is no setting that is none; a slip of it is told."""
    assert unused({"DISPATCHER_PROFILE": "eu"}) == []
    (told,) = misnamed({"DISPATCHER_PROFIL": "eu"})
    assert "did you mean DISPATCHER_PROFILE?" in told
