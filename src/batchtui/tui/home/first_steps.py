"""What the home screen says while there are no batches: what to do first, and what is missing for it."""

from __future__ import annotations

from textual.content import Content

from batchtui import safetext
from batchtui.domain.schedule import LookState
from batchtui.tui.bindings import key_of, sign_of

Piece = tuple[str, str] | str
_DIM = "$foreground 60%"
_CODE = "bold $text-primary"


def first_steps(look: LookState, *, demo: bool) -> Content:
    """The steps, in lines of at most 76 cells."""
    parts: list[Piece] = []
    if look.trouble == "no key":
        parts += _no_key(look)
    elif look.trouble == "wrong key":
        parts += _wrong_key(look)
    elif look.blind_since is not None:
        parts += _unreachable(look)
    else:
        parts += [("No batches yet\n\n", "bold")]
    steps = {
        "import": "import a file: it is checked and priced before anything is sent",
        "new": "compose requests in a form",
        "elsewhere": _others(look),
        "help": "keyboard shortcuts",
    }
    room = max(len(sign_of(name)) for name in steps)
    for name, what in steps.items():
        parts += [(f"  {sign_of(name):<{room}}", _CODE), f"   {what}\n"]
    if not demo:
        parts += [("\nTry everything without a key and without cost:  ", _DIM), ("batchtui demo", _CODE)]
    return Content.assemble(*parts)


def _others(look: LookState) -> str:
    if not look.others:
        return "other batches in this workspace"
    more = "+" if look.more_others else ""
    count = f"{look.others:,}{more} {'batch exists' if look.others == 1 and not more else 'batches exist'}"
    return f"{count} in this workspace that {'is' if look.others == 1 and not more else 'are'} not tracked here"


def _no_key(look: LookState) -> list[Piece]:
    settings, edit, refresh = map(key_of, ("settings", "edit", "refresh"))
    return [
        ("batchtui needs an API key to submit and check batches\n", "bold $text-warning"),
        f"{safetext.line(look.error, 300)}\n\n",
        ("  export ANTHROPIC_API_KEY=…\n", _CODE),
        "      in the shell, then start batchtui again\n",
        ('  [profiles.default]\n  api_key_command = "pass show anthropic"\n', _CODE),
        f"      in config.toml (press {settings} then {edit}), then press {refresh}\n\n",
    ]


def _wrong_key(look: LookState) -> list[Piece]:
    return [
        ("The API does not accept the API key\n", "bold $text-warning"),
        f"{safetext.line(look.error, 300)}\n\n",
        f"  Replace the key where it comes from, then press {key_of('refresh')}. After changing an\n"
        "  environment variable, start batchtui again. To see which key is used:\n",
        ("  batchtui doctor\n\n", _CODE),
    ]


def _unreachable(look: LookState) -> list[Piece]:
    advice = f"  {safetext.line(look.advice, 300)}\n" if look.advice else ""
    return [
        ("The API can't be reached\n", "bold $text-warning"),
        f"{safetext.line(look.error, 300)}\n\n",
        advice,
        f"  batchtui keeps trying; press {key_of('refresh')} to check now.\n\n",
    ]
