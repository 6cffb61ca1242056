"""F4 on the new screen closes open schemas, and is offered where that helps."""

from __future__ import annotations

import json
from pathlib import Path

from tests.intake.helpers import request
