# The public names: the one list. Type checkers read it as it stands, and so does `__init__.py` when the program runs:
# one name a line, `from MODULE import NAME as NAME` with the same name twice.

from dispatcher.campaign import Campaign as Campaign
from dispatcher.campaign import RunResult as RunResult
from dispatcher.campaign import open_campaign as open_campaign
from dispatcher.errors import DispatcherError as DispatcherError
from dispatcher.errors import ExitCode as ExitCode
from dispatcher.events import EventBus as EventBus
from dispatcher.ledger.records import CampaignStatus as CampaignStatus
from dispatcher.ledger.records import PlanCounts as PlanCounts
from dispatcher.model import RowState as RowState
from dispatcher.sandbox import Sandbox as Sandbox
from dispatcher.sandbox import SandboxSettings as SandboxSettings
from dispatcher.settings import Credentials as Credentials
from dispatcher.settings import Settings as Settings
from dispatcher.settings import load_credentials as load_credentials
from dispatcher.settings import load_settings as load_settings
from dispatcher.studio.client import Studio as Studio
from dispatcher.version import __version__ as __version__

__all__: list[str]
