"""The use cases both faces share; see ``service.Service``."""

from batchtui.service.events import SyncReport, TryResult
from batchtui.service.service import Service
from batchtui.service.service_thread import ServiceThread

__all__ = ["Service", "ServiceThread", "SyncReport", "TryResult"]
