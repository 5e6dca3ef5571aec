"""Takes in what people do: an acknowledged event is committed in Postgres."""
