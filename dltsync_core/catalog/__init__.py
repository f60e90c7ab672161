"""What the server has: facts about databases, tables, columns, keys and partitions."""
