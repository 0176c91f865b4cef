"""A flow by its name: the one that is meant, or which there are."""

from __future__ import annotations

import pytest

from dispatcher.campaign.flow_names import find_flow, nearest, with_flow_sid
from dispatcher.errors import SettingsError
from dispatcher.remedies import AnyOf, Command, Setting
from dispatcher.settings import Settings, load
from dispatcher.studio.resources import Flow


def sid(n: int) -> str:
    return f"FW{n:032x}"


def flows(*names: str | None) -> list[Flow]:
    return [Flow(sid=sid(n), friendly_name=name, status="published") for n, name in enumerate(names)]


@pytest.mark.parametrize(
    ("wanted", "names", "position"),
    [
        ("Reminder", ["Other", "Reminder"], 1),
        ("Reminder ", [" Reminder", "reminder"], 0),
        ("reminder", ["Reminder", "reminder"], 1),
        ("Cafe\u0301", ["Caf\u00e9"], 0),
        ("Spring  sale", ["Spring\u00a0sale", None], 0),
    ],
)
def test_the_flow_of_a_name(wanted: str, names: list[str | None], position: int) -> None:
    """What looks the same is the same; capitals count."""
    assert find_flow(wanted, flows(*names)).sid == sid(position)


@pytest.mark.parametrize(
    ("wanted", "names", "near"),
    [
        ("reminder", ["Reminder", "Other"], "Reminder"),
        ("Remin", ["Reminder", "Other"], "Reminder"),
        ("Remindre", ["Reminder", "Other"], "Reminder"),
        ("Re", ["Reminder", "Recall"], None),
        ("xyz", ["Reminder"], None),
        ("xyz", [], None),
        ("", ["Reminder"], None),
    ],
)
def test_no_flow_of_a_name(wanted: str, names: list[str], near: str | None) -> None:
    """Neither by case nor by prefix is a flow taken: the nearest is told, and which there are."""
    assert nearest(wanted, names) == near
    with pytest.raises(SettingsError) as raised:
        find_flow(wanted, flows(*names))
    assert all(name in (raised.value.found or "") for name in names)
    lists = Command("flows", does="lists the account's flows")
    assert raised.value.fix == (AnyOf(Setting("campaign.flow", near), lists) if near else lists)


def test_several_flows_of_a_name() -> None:
    """Each is told by its SID, and none is taken."""
    with pytest.raises(SettingsError, match='has 12 flows named "Sale"') as raised:
        find_flow("Sale", flows(*["Sale"] * 12, "Other"))
    assert f"{sid(0)} (published), {sid(1)} (published)" in (raised.value.found or "")
    assert (raised.value.found or "").endswith(" and 2 more")
    assert raised.value.fix == AnyOf(*(Setting("campaign.flow", sid(n)) for n in range(3)))


async def test_a_name_without_credentials() -> None:
    """It cannot be found out: then no flow is set. A SID stays, and so does none."""
    named = Settings.model_validate({"campaign": {"flow": "Reminder"}})
    assert (await with_flow_sid(named, None)).campaign.flow is None
    for flow in (sid(1), None):
        settings = Settings.model_validate({"campaign": {"flow": flow}})
        assert await with_flow_sid(settings, None) is settings


@pytest.mark.parametrize(
    "flow", ["FW123456", "FW" + "0" * 31, "FW" + "g" * 32, "AC" + "0" * 32, "FW\u2026", " ", "FW..."]
)
def test_a_broken_sid_is_no_name(flow: str) -> None:
    """What is meant for a SID is told at once, and no flow is looked for by it."""
    with pytest.raises(SettingsError, match="must be FW and 32 hex digits, or the flow's name"):
        load(flags={"campaign.flow": flow}, environ={})


@pytest.mark.parametrize("flow", ["FW Reminder", "FWD: sale", "Facade", "MG", 'a "b" \\ [c]'])
def test_odd_names_are_names(flow: str) -> None:
    """A flow may be called anything else."""
    assert load(flags={"campaign.flow": flow}, environ={}).settings.campaign.flow == flow
