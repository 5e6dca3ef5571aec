-- Which profiles became part of which: what was started for those counts for these as well, as where
-- a cooldown is measured from. The runs of the former stay where they are.
CREATE TABLE {schema}.formers (
    shard        int  NOT NULL,
    workspace    text NOT NULL,
    profile      text NOT NULL,
    former_shard int  NOT NULL,
    former       text NOT NULL,
    PRIMARY KEY (shard, workspace, profile, former)
);
