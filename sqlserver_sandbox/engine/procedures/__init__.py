"""System procedures, by name, and the descriptions of parameters and results."""
