"""``python -m batchtui``."""

from batchtui.cli import main

main()
