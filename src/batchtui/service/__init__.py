"""The use cases both faces share; see ``core.Service``."""

from batchtui.service.core import Service
from batchtui.service.engine import Engine
from batchtui.service.values import Selection, SyncReport, TryResult

__all__ = ["Engine", "Selection", "Service", "SyncReport", "TryResult"]
