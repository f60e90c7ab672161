"""The only room that wires the others."""
