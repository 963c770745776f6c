-- Leases of both families, and who had an address before. `address_key` sorts as addresses do: the
-- address as 32 hexadecimal digits (IPv4 as it is mapped into IPv6), then the length of its prefix.

CREATE TABLE lease_next (
  id          TEXT PRIMARY KEY,
  address     TEXT NOT NULL,
  address_key TEXT NOT NULL UNIQUE,
  mac         TEXT,
  client      TEXT,
  hostname    TEXT,
  state       TEXT NOT NULL,
  started_us  INTEGER NOT NULL,
  expires_us  INTEGER NOT NULL,
  rack_id     TEXT NOT NULL,
  epoch       INTEGER NOT NULL,
  sequence    INTEGER NOT NULL
) STRICT;
INSERT INTO lease_next
  SELECT id, address, printf('%020d%s%02x%02x%02x%02x80', 0, 'ffff', a, b, c, d),
    mac, NULL, hostname, state, started_us, expires_us, rack_id, 0, 0
  FROM (SELECT *, CAST(substr(rest, 1, instr(rest, '.') - 1) AS INTEGER) AS c,
      CAST(substr(rest, instr(rest, '.') + 1) AS INTEGER) AS d
    FROM (SELECT *, CAST(substr(rest_b, 1, instr(rest_b, '.') - 1) AS INTEGER) AS b,
        substr(rest_b, instr(rest_b, '.') + 1) AS rest
      FROM (SELECT *, CAST(substr(address, 1, instr(address, '.') - 1) AS INTEGER) AS a,
          substr(address, instr(address, '.') + 1) AS rest_b
        FROM lease)));
DROP TABLE lease;
ALTER TABLE lease_next RENAME TO lease;

CREATE INDEX lease_by_mac ON lease (mac);
CREATE INDEX lease_by_hostname ON lease (lower(hostname));
CREATE INDEX lease_by_state ON lease (state, address_key);
CREATE INDEX lease_by_expiry ON lease (expires_us, state);
CREATE INDEX lease_by_rack ON lease (rack_id, epoch, sequence) WHERE state = 'ACTIVE';

-- One row for each time that a client held an address, once that is over.
CREATE TABLE lease_history (
  id          TEXT PRIMARY KEY,
  address     TEXT NOT NULL,
  address_key TEXT NOT NULL,
  mac         TEXT,
  client      TEXT,
  hostname    TEXT,
  rack_id     TEXT NOT NULL,
  from_us     INTEGER NOT NULL,
  until_us    INTEGER NOT NULL,
  ended       TEXT NOT NULL
) STRICT;
CREATE INDEX lease_history_by_address ON lease_history (address_key, from_us, id);
CREATE INDEX lease_history_by_mac ON lease_history (mac, from_us, id);
CREATE INDEX lease_history_by_end ON lease_history (until_us);
