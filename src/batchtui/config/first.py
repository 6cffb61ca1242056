"""The config.toml that is made on first use: every setting, in comments."""

from __future__ import annotations

from pathlib import Path

from batchtui.config.load import config_path
from batchtui.domain.errors import ConfigError, StoreError
from batchtui.store import files


def write_first_config(path: Path | None = None) -> Path:
    """Make a config.toml of comments only, when there is none; returns its path.  Raises ConfigError."""
    where = path or config_path()
    if where.exists():
        return where
    advice = "set BATCHTUI_CONFIG_DIR to a folder that you can write"
    try:
        files.make_private_dir(where.parent)
        with files.open_private(where, "xb") as file:
            file.write(FIRST_CONFIG.encode())
    except StoreError as error:
        raise ConfigError(str(error), advice=advice) from error
    except OSError as error:
        raise ConfigError(f"can't write {where}: {error.strerror}", advice=advice) from error
    return where


FIRST_CONFIG = """\
# batchtui settings, all optional.  Never put a key in this file.

# default_profile = "default"
# max_cost = 25.0                      # dollars; a plan that may cost more is not sent

# [profiles.work]
# api_key_env = "WORK_ANTHROPIC_KEY"   # or api_key_command = "pass show anthropic", or sdk_profile = "work"
# base_url = "https://api.anthropic.com"
# allow_http = false                   # true: the key may go over plain http to another machine
# allow_http_proxy = false             # true: the key may go over plain http through a proxy
# api_version = "2026-10-21"
# workspace = "a name to show"
# default_model = "claude-haiku-4-5"
# queue_limit = 200000                 # requests in the processing queue; further batches wait
# max_cost = 10.0

# [limits]
# max_requests = 100000                # per batch
# max_bytes = 256000000
# queue = 0                            # 0: no limit

# [notify]
# bell = true
# terminal = true                      # OSC 9 and OSC 777 notifications
# on_end = ""                          # a command; it gets the record as JSON on standard input and in BATCHTUI_RECORD

# [screen]
# theme = "textual-dark"               # any of Textual's, ansi, high-contrast
# mouse = true                         # false leaves selecting text to the terminal
# ascii = false
# copy_raw = false                     # true copies answers as received, with control characters
# columns = []                         # of the home screen; empty: by width

# [settle]                             # when an unconfirmed batch counts as not created
# looks = 6                            # at least 2
# seconds = 180                        # at least 180
# leeway_seconds = 300                 # seconds that the API's clock may differ from yours; at least 60

# [keys]
# cancel = "ctrl+k"                    # names: press ? on any screen

# [prices."my-model"]                  # dollars per million tokens
# input = 1.0
# output = 5.0
# cache_write_5m = 1.25
# cache_write_1h = 2.0
# cache_read = 0.1

# [models."my-model"]                  # what a model takes: "ok", "refused", "deprecated", "to_high" or "unconfirmed"
# adaptive = "ok"
# enabled = "refused"
# efforts = ["low", "medium", "high"]
# cache_min = 1024                     # tokens
"""
