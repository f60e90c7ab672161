"""The system views: their declarations, and functions from the declared catalogue to rows."""
