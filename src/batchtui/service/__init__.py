"""The use cases both faces share; see ``core.Service``."""

from batchtui.service.core import Service
from batchtui.service.elsewhere import SyncReport
from batchtui.service.engine import Engine
from batchtui.service.planning import Selection, TryResult

__all__ = ["Engine", "Selection", "Service", "SyncReport", "TryResult"]
