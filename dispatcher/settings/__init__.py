"""What the user has set: the schema, where the values come from, and the credentials."""

from __future__ import annotations

from dispatcher.secret_names import NOTIFY_SECRET
from dispatcher.settings.authentication import load_account, load_credentials
from dispatcher.settings.cluster import ClusterSettings
from dispatcher.settings.config_file import DEFAULT_CONFIG
from dispatcher.settings.credentials import SECRET_NAMES, Credentials, load_notify_secret
from dispatcher.settings.flow_sids import is_flow_sid
from dispatcher.settings.loading import LoadedSettings, Provenance, load
from dispatcher.settings.notify import NotifySettings
from dispatcher.settings.rate import RateSettings
from dispatcher.settings.rules import (
    OPT_OUT_WORDS,
    CanarySettings,
    GuardSettings,
    HoursSettings,
    ScheduleSettings,
    SuppressSettings,
)
from dispatcher.settings.schema import (
    DEFAULT_BASE_URL,
    AccountSettings,
    CampaignSettings,
    ColumnsSettings,
    InputSettings,
    ReconcileSettings,
    RetrySettings,
    Settings,
    TimeoutSettings,
    setting_names,
    tables,
)
from dispatcher.settings.state import StateSettings
from dispatcher.settings.tracking import TrackingSettings, variable_path
from dispatcher.settings.web import WebSettings

#: Its name in the Python API.
load_settings = load

__all__ = [
    "DEFAULT_BASE_URL",
    "DEFAULT_CONFIG",
    "NOTIFY_SECRET",
    "OPT_OUT_WORDS",
    "SECRET_NAMES",
    "AccountSettings",
    "CampaignSettings",
    "CanarySettings",
    "ClusterSettings",
    "ColumnsSettings",
    "Credentials",
    "GuardSettings",
    "HoursSettings",
    "InputSettings",
    "LoadedSettings",
    "NotifySettings",
    "Provenance",
    "RateSettings",
    "ReconcileSettings",
    "RetrySettings",
    "ScheduleSettings",
    "Settings",
    "StateSettings",
    "SuppressSettings",
    "TimeoutSettings",
    "TrackingSettings",
    "WebSettings",
    "is_flow_sid",
    "load",
    "load_account",
    "load_credentials",
    "load_notify_secret",
    "load_settings",
    "setting_names",
    "tables",
    "variable_path",
]
