"""The caller of verbs, for all tests of the command line."""

from tests.cli.calling import call

__all__ = ["call"]
