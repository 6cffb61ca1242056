"""The parts of the service that do the work, and what they need of each other."""

from __future__ import annotations

from batchtui.service.changing import Changer
from batchtui.service.committing import Committer
from batchtui.service.context import Context
from batchtui.service.elsewhere import Elsewhere
from batchtui.service.fetching import Fetcher
from batchtui.service.looking import Looker
from batchtui.service.sending import Sender
from batchtui.service.settling import Settler
from batchtui.service.telling import Teller


class Parts:
    """One of each, sharing a Context."""

    def __init__(self, context: Context) -> None:
        self.committer = Committer(context)
        self.settler = Settler(context)
        self.sender = Sender(context, self.committer, self.settler)
        self.fetcher = Fetcher(context, self.settler)
        self.looker = Looker(context, self.sender, self.settler, self.fetcher, Teller(context))
        self.elsewhere = Elsewhere(context, self.settler)
        self.changer = Changer(context, self.committer, self.sender, self.looker, self.elsewhere)
