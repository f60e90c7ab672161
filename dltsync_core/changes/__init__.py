"""What differs: the digest of rows in Arrow, the same bytes as the server computes."""
