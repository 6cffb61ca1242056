"""The use cases both faces share; see ``service.Service``."""

from batchtui.service.events import Selection, SyncReport, TryResult
from batchtui.service.service import Service
from batchtui.service.service_thread import ServiceThread

__all__ = ["Selection", "Service", "ServiceThread", "SyncReport", "TryResult"]
