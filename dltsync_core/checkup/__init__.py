"""What a pipeline needs, and whether it is there: for `dltsync check`. Connects, and changes nothing."""
