"""What only tests and the demo use: canned answers, occasions for faults."""
