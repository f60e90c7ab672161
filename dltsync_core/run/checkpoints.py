"""The checkpoints under the name by which the run knows them: see `dltsync_core.checkpoints`, which every room may use."""

from dltsync_core.checkpoints import *  # noqa: F403
