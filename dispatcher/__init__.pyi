# The public names: the one list. Type checkers read it as it stands, and so does `__init__.py` when the program runs:
# one name a line, `from MODULE import NAME as NAME` with the same name twice.

from dispatcher.campaign import Campaign as Campaign
from dispatcher.campaign import CampaignView as CampaignView
from dispatcher.campaign import FlowPreview as FlowPreview
from dispatcher.campaign import PlannedRequest as PlannedRequest
from dispatcher.campaign import Rehearsal as Rehearsal
from dispatcher.campaign import RunResult as RunResult
from dispatcher.campaign import open_campaign as open_campaign
from dispatcher.campaign import rehearse_campaign as rehearse_campaign
from dispatcher.campaign import view_campaign as view_campaign
from dispatcher.campaign.flow_check import FlowCheck as FlowCheck
from dispatcher.campaign.flow_check import check_flow as check_flow
from dispatcher.campaign.launch import Launched as Launched
from dispatcher.campaign.launch import LaunchOptions as LaunchOptions
from dispatcher.campaign.launch import launch as launch
from dispatcher.campaign.next_steps import next_steps as next_steps
from dispatcher.campaign.outlook import Outlook as Outlook
from dispatcher.campaign.outlook import outlook as outlook
from dispatcher.campaign.planning import PlanOptions as PlanOptions
from dispatcher.campaign.problems import BadRow as BadRow
from dispatcher.campaign.problems import bad_rows as bad_rows
from dispatcher.campaign.problems import examples as examples
from dispatcher.campaign.retry_choice import RetryChoice as RetryChoice
from dispatcher.campaign.retry_choices import facets as facets
from dispatcher.campaign.retry_choices import plan_again as plan_again
from dispatcher.errors import DispatcherError as DispatcherError
from dispatcher.errors import ExitCode as ExitCode
from dispatcher.errors import StoppedEarly as StoppedEarly
from dispatcher.events import Event as Event
from dispatcher.events import EventBus as EventBus
from dispatcher.events import Snapshot as Snapshot
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
