"""The profiles there are, as choices."""

from __future__ import annotations

from textual.content import Content

from batchtui import safetext
from batchtui.config import sdk_profiles
from batchtui.service import Service
from batchtui.tui.glyphs import GLYPHS


def profile_choices(service: Service) -> list[tuple[str, str | Content]]:
    """Name and line of each profile, the one in use marked."""
    config, current = service.config, service.profile.name
    names = sorted({"default", config.default_profile, current, *config.profiles, *sdk_profiles()})
    choices: list[tuple[str, str | Content]] = []
    for name in names:
        profile = service.profile if name == current else config.profiles.get(name)
        where = (profile.base_url if profile else "") or "api.anthropic.com or ANTHROPIC_BASE_URL"
        workspace = f" {GLYPHS.dot} {profile.workspace}" if profile and profile.workspace else ""
        sign = GLYPHS.running if name == current else " "
        line = Content.assemble((f"{sign} ", "$text-primary"), f"{safetext.line(name, 30):<16} ")
        choices.append((name, line + Content.styled(safetext.line(where + workspace, 80), "$foreground 60%")))
    return choices
