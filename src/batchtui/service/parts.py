"""The parts of the service that do the work, and what they need of each other."""

from __future__ import annotations

from batchtui.service.context import Context, EndAnnouncer
from batchtui.service.fetcher import Fetcher
from batchtui.service.plan_commit import PlanCommitter
from batchtui.service.poll_loop import Poller
from batchtui.service.reconcile import Reconciler
from batchtui.service.sender import Sender
from batchtui.service.sync import RemoteBatches


class Parts:
    """One of each, sharing a Context."""

    def __init__(self, context: Context) -> None:
        self.committer = PlanCommitter(context)
        self.reconciler = Reconciler(context)
        self.sender = Sender(context, self.committer, self.reconciler)
        self.fetcher = Fetcher(context, self.reconciler)
        self.poller = Poller(context, self.sender, self.reconciler, self.fetcher, EndAnnouncer(context))
        self.remote = RemoteBatches(context, self.reconciler)
