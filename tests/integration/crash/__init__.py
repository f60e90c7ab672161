"""The crash matrix: real processes, killed at every named moment, and what the next run makes of it."""
