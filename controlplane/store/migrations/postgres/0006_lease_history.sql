-- Leases of both families, and who had an address before. `address_key` sorts as addresses do: the
-- address as 32 hexadecimal digits (IPv4 as it is mapped into IPv6), then the length of its prefix.

ALTER TABLE lease DROP CONSTRAINT lease_address_key;
ALTER TABLE lease ALTER COLUMN mac DROP NOT NULL;
ALTER TABLE lease ALTER COLUMN hostname TYPE TEXT COLLATE "C";
ALTER TABLE lease ADD COLUMN address_key TEXT COLLATE "C";
ALTER TABLE lease ADD COLUMN client TEXT;
ALTER TABLE lease ADD COLUMN epoch BIGINT NOT NULL DEFAULT 0;
ALTER TABLE lease ADD COLUMN sequence BIGINT NOT NULL DEFAULT 0;
UPDATE lease SET address_key = repeat('0', 20) || 'ffff'
  || lpad(to_hex(address::inet - '0.0.0.0'::inet), 8, '0') || '80';
ALTER TABLE lease ALTER COLUMN address_key SET NOT NULL;
ALTER TABLE lease ALTER COLUMN epoch DROP DEFAULT;
ALTER TABLE lease ALTER COLUMN sequence DROP DEFAULT;
ALTER TABLE lease ADD CONSTRAINT lease_by_key UNIQUE (address_key);

CREATE INDEX lease_by_hostname ON lease (lower(hostname));
CREATE INDEX lease_by_state ON lease (state, address_key);
CREATE INDEX lease_by_expiry ON lease (expires_us, state);
CREATE INDEX lease_by_rack ON lease (rack_id, epoch, sequence) WHERE state = 'ACTIVE';

-- One row for each time that a client held an address, once that is over.
CREATE TABLE lease_history (
  id          TEXT COLLATE "C" PRIMARY KEY,
  address     TEXT NOT NULL,
  address_key TEXT COLLATE "C" NOT NULL,
  mac         TEXT,
  client      TEXT,
  hostname    TEXT COLLATE "C",
  rack_id     TEXT NOT NULL,
  from_us     BIGINT NOT NULL,
  until_us    BIGINT NOT NULL,
  ended       TEXT NOT NULL
);
CREATE INDEX lease_history_by_address ON lease_history (address_key, from_us, id);
CREATE INDEX lease_history_by_mac ON lease_history (mac, from_us, id);
CREATE INDEX lease_history_by_end ON lease_history (until_us);
