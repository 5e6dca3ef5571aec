-- Who follows the log, and how far each has come for good. What lies behind any of them is not dropped.
CREATE TABLE {schema}.subscribers (
    subscriber  text   PRIMARY KEY,
    position    bigint NOT NULL,
    reported_at bigint NOT NULL  -- milliseconds since the epoch, UTC
);
