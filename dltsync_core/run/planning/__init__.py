"""From table configs to plans: facts, probes, what lake and warehouse hold, schema changes."""
