"""What must not be lost: the ledger of loads and the committed units they committed."""
