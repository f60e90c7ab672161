"""`python -m dltsync_core.cli`: the command where it is not on the PATH."""

from dltsync_core.cli import main

main()
