"""The peer of the first paint: the smallest Textual app with a line of text."""

from textual.app import App, ComposeResult
from textual.widgets import Static


class Bare(App[None]):
    """One line of text."""

    def compose(self) -> ComposeResult:
        """The line."""
        yield Static("bare app")


if __name__ == "__main__":
    Bare().run()
