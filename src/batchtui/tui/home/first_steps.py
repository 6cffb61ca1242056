"""What the home screen says while there are no batches: what to do first, and what is missing for it."""

from __future__ import annotations

from textual.content import Content

from batchtui import safetext
from batchtui.domain.schedule import LookState

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
    parts += [
        *_key("i", "import a file: it is checked and priced before anything is sent"),
        *_key("n", "compose requests in a form"),
        *_key("o", _others(look)),
        *_key("?", "keyboard shortcuts"),
    ]
    if not demo:
        parts += [("\nTry everything without a key and without cost:  ", _DIM), ("batchtui demo", _CODE)]
    return Content.assemble(*parts)


def _key(key: str, what: str) -> list[Piece]:
    return [(f"  {key}", _CODE), f"   {what}\n"]


def _others(look: LookState) -> str:
    if not look.others:
        return "other batches in this workspace"
    more = "+" if look.more_others else ""
    count = f"{look.others:,}{more} {'batch exists' if look.others == 1 and not more else 'batches exist'}"
    return f"{count} in this workspace that {'is' if look.others == 1 and not more else 'are'} not tracked here"


def _no_key(look: LookState) -> list[Piece]:
    return [
        ("batchtui needs an API key to submit and check batches\n", "bold $text-warning"),
        f"{safetext.line(look.error, 300)}\n\n",
        ("  export ANTHROPIC_API_KEY=…\n", _CODE),
        "      in the shell, then start batchtui again\n",
        ('  [profiles.default]\n  api_key_command = "pass show anthropic"\n', _CODE),
        "      in config.toml (press , then e), then press R\n\n",
    ]


def _wrong_key(look: LookState) -> list[Piece]:
    return [
        ("The API does not accept the API key\n", "bold $text-warning"),
        f"{safetext.line(look.error, 300)}\n\n",
        "  Replace the key where it comes from, then press R. After a change of an\n"
        "  environment variable start batchtui again.  ",
        ("batchtui doctor", _CODE),
        " shows which key is used.\n\n",
    ]


def _unreachable(look: LookState) -> list[Piece]:
    advice = f"  {safetext.line(look.advice, 300)}\n" if look.advice else ""
    return [
        ("The API can't be reached\n", "bold $text-warning"),
        f"{safetext.line(look.error, 300)}\n\n",
        advice,
        "  batchtui keeps trying; press R to check now.\n\n",
    ]
