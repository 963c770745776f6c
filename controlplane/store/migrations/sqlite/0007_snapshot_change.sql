-- What changed in the snapshot of racks, by the generation that brought it. Only the newest are
-- kept: whoever is further behind reads everything.

CREATE TABLE snapshot_change (
  generation INTEGER NOT NULL,
  part       TEXT NOT NULL,
  key        TEXT NOT NULL,
  PRIMARY KEY (generation, part, key)
) STRICT, WITHOUT ROWID;
