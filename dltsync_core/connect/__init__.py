"""How we talk to a server: connection strings, control and data sessions, faults translated, connecting retried."""
