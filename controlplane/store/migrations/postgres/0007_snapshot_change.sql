-- What changed in the snapshot of racks, by the generation that brought it. Only the newest are
-- kept: whoever is further behind reads everything.

CREATE TABLE snapshot_change (
  generation BIGINT NOT NULL,
  part       TEXT COLLATE "C" NOT NULL,
  key        TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (generation, part, key)
);
