"""The settings that go with an order: every one of the campaign's, none of the machine's, and no guess."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dispatcher.errors import SettingsError
from dispatcher.settings import Settings, tables
from dispatcher.settings.ordered import OWN_TABLES, settings_from, settings_to_send

OWN = Settings.model_validate(
    {
        "state": {"url": "postgresql://db/x"},
        "cluster": {"shifts": 3},
        "notify": {"webhook": "https://own.example/hook"},
        "campaign": {"from": "+15550009999"},
    }
)


def ordered(**more: Any) -> Settings:
    return Settings.model_validate(
        {
            "campaign": {"from": "+15550001111", "flow": "FW" + "1" * 32},
            "columns": {"to": "phone", "parameters": {"name": "first_name"}, "key": ["id"]},
            "rate": {"per_second": 7},
            "hours": {"open": {"mon-fri": "09:00-20:00"}, "mode": "wait"},
            **more,
        }
    )


def test_what_is_sent_comes_back_with_the_machine_s_own() -> None:
    """All of the campaign's settings are the ledger's, whatever the worker's own file says of them."""
    back = settings_from(settings_to_send(ordered()), OWN)
    for name, _ in tables():
        expected = OWN if name in OWN_TABLES else ordered()
        assert getattr(back, name) == getattr(expected, name), name


def test_nothing_of_the_machine_is_in_it() -> None:
    """Neither its ledger, nor its page, nor a program that another machine would have to run."""
    command = ["/usr/local/bin/tell", "Hu8"]
    sent = json.loads(settings_to_send(ordered(notify={"command": command}, state={"dir": "/Hu8"})))
    assert set(sent) == {name for name, _ in tables()} - set(OWN_TABLES)
    assert "Hu8" not in json.dumps(sent)


def test_the_machine_s_own_stand_above_what_the_ledger_says() -> None:
    """Whoever can write to the ledger does not say which programs run on a worker, nor where its ledger is."""
    tables_of = json.loads(settings_to_send(ordered()))
    tables_of |= {"notify": {"command": ["rm"]}, "state": {"dir": "/elsewhere"}, "cluster": {"tick_s": 9}}
    back = settings_from(json.dumps(tables_of), OWN)
    assert (back.notify, back.state, back.cluster) == (OWN.notify, OWN.state, OWN.cluster)


def test_defaults_are_sent_too() -> None:
    """A default that changes with a version does not change a campaign that was ordered before."""
    sent = json.loads(settings_to_send(Settings()))
    assert sent["campaign"]["repeat_after_h"] == Settings().campaign.repeat_after_h
    assert "from" in sent["campaign"]


def test_lists_are_named_as_the_ledger_names_them(tmp_path: Path) -> None:
    """By absolute paths: the worker's folder is another."""
    settings = ordered(suppress={"files": ["dnc.csv"], "sha256_files": ["/lists/x.sha256"]})
    assert settings_from(settings_to_send(settings), OWN).suppress.files == [str(tmp_path / "dnc.csv")]
    assert settings_from(settings_to_send(settings), OWN).suppress.sha256_files == ["/lists/x.sha256"]


@pytest.mark.parametrize(("table", "name"), [("rate", "per_minute"), ("weather", "rain")])
def test_a_newer_version_is_told_and_not_guessed(table: str, name: str) -> None:
    """A limit that this version does not know is no limit that it would hold."""
    tables_of = json.loads(settings_to_send(ordered()))
    tables_of.setdefault(table, {})[name] = "+15550002222"
    with pytest.raises(SettingsError, match="another version") as caught:
        settings_from(json.dumps(tables_of), OWN)
    assert table in (caught.value.found or "")
    assert "2222" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "[]", "null", "{", '"x"'])
def test_what_is_no_object(text: str) -> None:
    """Is refused."""
    with pytest.raises(SettingsError, match="cannot be read"):
        settings_from(text, OWN)


def test_a_wrong_value_is_named_and_not_shown() -> None:
    """By its setting alone."""
    tables_of = json.loads(settings_to_send(ordered()))
    tables_of["rate"]["per_second"] = -15550002222
    with pytest.raises(SettingsError, match="cannot be used") as caught:
        settings_from(json.dumps(tables_of), OWN)
    assert caught.value.found == "rate.per_second"
