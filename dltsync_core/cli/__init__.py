"""The command `dltsync`. Other packages add commands through the entry-point group `dltsync.commands`."""

from __future__ import annotations

from dltsync_core.cli.app import app, main

__all__ = ["app", "main"]
