"""What the user has set: the schema, where the values come from, and the credentials."""

from __future__ import annotations

from dispatcher.settings.config_file import DEFAULT_CONFIG
from dispatcher.settings.credentials import SECRET_NAMES, Credentials, load_credentials
from dispatcher.settings.guard import GuardSettings
from dispatcher.settings.loading import LoadedSettings, Provenance, load
from dispatcher.settings.schema import (
    DEFAULT_BASE_URL,
    OPT_OUT_WORDS,
    AccountSettings,
    CampaignSettings,
    ColumnsSettings,
    InputSettings,
    RateSettings,
    ReconcileSettings,
    RetrySettings,
    Settings,
    StateSettings,
    SuppressSettings,
    TimeoutSettings,
    TrackingSettings,
    setting_names,
    tables,
    variable_path,
)

#: Its name in the Python API.
load_settings = load

__all__ = [
    "DEFAULT_BASE_URL",
    "DEFAULT_CONFIG",
    "OPT_OUT_WORDS",
    "SECRET_NAMES",
    "AccountSettings",
    "CampaignSettings",
    "ColumnsSettings",
    "Credentials",
    "GuardSettings",
    "InputSettings",
    "LoadedSettings",
    "Provenance",
    "RateSettings",
    "ReconcileSettings",
    "RetrySettings",
    "Settings",
    "StateSettings",
    "SuppressSettings",
    "TimeoutSettings",
    "TrackingSettings",
    "load",
    "load_credentials",
    "load_settings",
    "setting_names",
    "tables",
    "variable_path",
]
