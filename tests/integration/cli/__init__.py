"""The command line in processes of its own: what it prints, where, and with which exit code it ends."""
