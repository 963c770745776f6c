-- What DHCP answers from beyond addresses: fabrics and VLANs, options by scope, client classes,
-- reservations by any identity, IPv6 networks.

CREATE TABLE fabric (
  id         TEXT PRIMARY KEY,
  generation INTEGER NOT NULL DEFAULT 1,
  name       TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE vlan (
  id         TEXT PRIMARY KEY,
  generation INTEGER NOT NULL DEFAULT 1,
  fabric_id  TEXT NOT NULL REFERENCES fabric (id),
  vid        INTEGER NOT NULL,
  name       TEXT NOT NULL,
  mode       TEXT NOT NULL,
  UNIQUE (fabric_id, vid)
) STRICT;

-- These two are always there: what is said of no other VLAN is on this one.
INSERT INTO fabric (id, name) VALUES ('00000000-0000-7000-8000-000000000001', 'default');
INSERT INTO vlan (id, fabric_id, vid, name, mode) VALUES ('00000000-0000-7000-8000-000000000002',
  '00000000-0000-7000-8000-000000000001', 0, 'untagged', 'FULL');

ALTER TABLE subnet ADD COLUMN vlan_id TEXT REFERENCES vlan (id);
UPDATE subnet SET vlan_id = '00000000-0000-7000-8000-000000000002';
CREATE INDEX subnet_by_vlan ON subnet (vlan_id);

-- In the order of `position` the first class that names a boot file wins.
CREATE TABLE client_class (
  id         TEXT PRIMARY KEY,
  generation INTEGER NOT NULL DEFAULT 1,
  name       TEXT NOT NULL UNIQUE,
  position   INTEGER NOT NULL,
  conditions TEXT NOT NULL,
  boot_file  TEXT
) STRICT;

ALTER TABLE ip_range ADD COLUMN class_id TEXT REFERENCES client_class (id);
CREATE INDEX ip_range_by_class ON ip_range (class_id);

CREATE TABLE reservation_by_key (
  id         TEXT PRIMARY KEY,
  subnet_id  TEXT NOT NULL REFERENCES subnet (id) ON DELETE CASCADE,
  client_key TEXT NOT NULL,
  mac        TEXT,
  address    TEXT NOT NULL UNIQUE,
  hostname   TEXT,
  UNIQUE (subnet_id, client_key)
) STRICT;
INSERT INTO reservation_by_key (id, subnet_id, client_key, mac, address, hostname)
  SELECT id, subnet_id, 'mac:' || mac, mac, address, hostname FROM reservation;
DROP TABLE reservation;
ALTER TABLE reservation_by_key RENAME TO reservation;
CREATE INDEX reservation_by_mac ON reservation (mac);

ALTER TABLE machine ADD COLUMN boot_file TEXT;

CREATE TABLE subnet6 (
  id                         TEXT PRIMARY KEY,
  generation                 INTEGER NOT NULL DEFAULT 1,
  vlan_id                    TEXT NOT NULL REFERENCES vlan (id),
  name                       TEXT NOT NULL UNIQUE,
  cidr                       TEXT NOT NULL UNIQUE,
  dns_servers                TEXT NOT NULL,
  domain_search              TEXT NOT NULL,
  preferred_seconds          INTEGER NOT NULL,
  valid_seconds              INTEGER NOT NULL,
  ranges                     TEXT NOT NULL,
  prefix_pools               TEXT NOT NULL,
  advertise                  INTEGER NOT NULL,
  advertise_lifetime_seconds INTEGER NOT NULL,
  advertise_autonomous       INTEGER NOT NULL
) STRICT;
CREATE INDEX subnet6_by_vlan ON subnet6 (vlan_id);

CREATE TABLE reservation6 (
  id         TEXT PRIMARY KEY,
  subnet6_id TEXT NOT NULL REFERENCES subnet6 (id) ON DELETE CASCADE,
  client_key TEXT NOT NULL,
  address    TEXT UNIQUE,
  prefix     TEXT UNIQUE,
  hostname   TEXT,
  UNIQUE (subnet6_id, client_key)
) STRICT;

-- `scope_id` is the id of a row of whatever table the scope says, or `global`.
CREATE TABLE dhcp_option (
  scope_id TEXT NOT NULL,
  scope    TEXT NOT NULL,
  family   TEXT NOT NULL,
  code     INTEGER NOT NULL,
  data     BLOB NOT NULL,
  forced   INTEGER NOT NULL,
  PRIMARY KEY (scope_id, family, code)
) STRICT;

-- Options go with what they were set on.
CREATE TRIGGER fabric_options AFTER DELETE ON fabric
BEGIN
  DELETE FROM dhcp_option WHERE scope_id = OLD.id;
END;
CREATE TRIGGER vlan_options AFTER DELETE ON vlan
BEGIN
  DELETE FROM dhcp_option WHERE scope_id = OLD.id;
END;
CREATE TRIGGER subnet_options AFTER DELETE ON subnet
BEGIN
  DELETE FROM dhcp_option WHERE scope_id = OLD.id;
END;
CREATE TRIGGER ip_range_options AFTER DELETE ON ip_range
BEGIN
  DELETE FROM dhcp_option WHERE scope_id = OLD.id;
END;
CREATE TRIGGER client_class_options AFTER DELETE ON client_class
BEGIN
  DELETE FROM dhcp_option WHERE scope_id = OLD.id;
END;
CREATE TRIGGER reservation_options AFTER DELETE ON reservation
BEGIN
  DELETE FROM dhcp_option WHERE scope_id = OLD.id;
END;
CREATE TRIGGER machine_options AFTER DELETE ON machine
BEGIN
  DELETE FROM dhcp_option WHERE scope_id = OLD.id;
END;
CREATE TRIGGER subnet6_options AFTER DELETE ON subnet6
BEGIN
  DELETE FROM dhcp_option WHERE scope_id = OLD.id;
END;
CREATE TRIGGER reservation6_options AFTER DELETE ON reservation6
BEGIN
  DELETE FROM dhcp_option WHERE scope_id = OLD.id;
END;
