"""What must not be lost: the ledger of loads and the heads they committed."""
