"""Which replica owns which shards, and how far each shard has been read."""
