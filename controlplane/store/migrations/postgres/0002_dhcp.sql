-- What DHCP answers from beyond addresses: fabrics and VLANs, options by scope, client classes,
-- reservations by any identity, IPv6 networks.

CREATE TABLE fabric (
  id         TEXT PRIMARY KEY,
  generation BIGINT NOT NULL DEFAULT 1,
  name       TEXT NOT NULL UNIQUE
);

CREATE TABLE vlan (
  id         TEXT PRIMARY KEY,
  generation BIGINT NOT NULL DEFAULT 1,
  fabric_id  TEXT NOT NULL REFERENCES fabric (id),
  vid        BIGINT NOT NULL,
  name       TEXT NOT NULL,
  mode       TEXT NOT NULL,
  UNIQUE (fabric_id, vid)
);

-- These two are always there: what is said of no other VLAN is on this one.
INSERT INTO fabric (id, name) VALUES ('00000000-0000-7000-8000-000000000001', 'default');
INSERT INTO vlan (id, fabric_id, vid, name, mode) VALUES ('00000000-0000-7000-8000-000000000002',
  '00000000-0000-7000-8000-000000000001', 0, 'untagged', 'FULL');

ALTER TABLE subnet ADD COLUMN vlan_id TEXT REFERENCES vlan (id);
UPDATE subnet SET vlan_id = '00000000-0000-7000-8000-000000000002';
ALTER TABLE subnet ALTER COLUMN vlan_id SET NOT NULL;
CREATE INDEX subnet_by_vlan ON subnet (vlan_id);

-- In the order of `position` the first class that names a boot file wins.
CREATE TABLE client_class (
  id         TEXT PRIMARY KEY,
  generation BIGINT NOT NULL DEFAULT 1,
  name       TEXT NOT NULL UNIQUE,
  position   BIGINT NOT NULL,
  conditions TEXT NOT NULL,
  boot_file  TEXT
);

ALTER TABLE ip_range ADD COLUMN class_id TEXT REFERENCES client_class (id);
CREATE INDEX ip_range_by_class ON ip_range (class_id);

ALTER TABLE reservation ADD COLUMN client_key TEXT;
UPDATE reservation SET client_key = 'mac:' || mac;
ALTER TABLE reservation ALTER COLUMN client_key SET NOT NULL;
ALTER TABLE reservation ALTER COLUMN mac DROP NOT NULL;
ALTER TABLE reservation DROP CONSTRAINT reservation_subnet_id_mac_key;
ALTER TABLE reservation ADD UNIQUE (subnet_id, client_key);

ALTER TABLE machine ADD COLUMN boot_file TEXT;

CREATE TABLE subnet6 (
  id                         TEXT PRIMARY KEY,
  generation                 BIGINT NOT NULL DEFAULT 1,
  vlan_id                    TEXT NOT NULL REFERENCES vlan (id),
  name                       TEXT NOT NULL UNIQUE,
  cidr                       TEXT NOT NULL UNIQUE,
  dns_servers                TEXT NOT NULL,
  domain_search              TEXT NOT NULL,
  preferred_seconds          BIGINT NOT NULL,
  valid_seconds              BIGINT NOT NULL,
  ranges                     TEXT NOT NULL,
  prefix_pools               TEXT NOT NULL,
  advertise                  BOOLEAN NOT NULL,
  advertise_lifetime_seconds BIGINT NOT NULL,
  advertise_autonomous       BOOLEAN NOT NULL
);
CREATE INDEX subnet6_by_vlan ON subnet6 (vlan_id);

CREATE TABLE reservation6 (
  id         TEXT PRIMARY KEY,
  subnet6_id TEXT NOT NULL REFERENCES subnet6 (id) ON DELETE CASCADE,
  client_key TEXT NOT NULL,
  address    TEXT UNIQUE,
  prefix     TEXT UNIQUE,
  hostname   TEXT,
  UNIQUE (subnet6_id, client_key)
);

-- `scope_id` is the id of a row of whatever table the scope says, or `global`.
CREATE TABLE dhcp_option (
  scope_id TEXT NOT NULL,
  scope    TEXT NOT NULL,
  family   TEXT NOT NULL,
  code     BIGINT NOT NULL,
  data     BYTEA NOT NULL,
  forced   BOOLEAN NOT NULL,
  PRIMARY KEY (scope_id, family, code)
);

-- Options go with what they were set on.
CREATE FUNCTION dhcp_options_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM dhcp_option WHERE scope_id = OLD.id;
  RETURN OLD;
END
$$;
CREATE TRIGGER fabric_options AFTER DELETE ON fabric
FOR EACH ROW EXECUTE FUNCTION dhcp_options_delete();
CREATE TRIGGER vlan_options AFTER DELETE ON vlan
FOR EACH ROW EXECUTE FUNCTION dhcp_options_delete();
CREATE TRIGGER subnet_options AFTER DELETE ON subnet
FOR EACH ROW EXECUTE FUNCTION dhcp_options_delete();
CREATE TRIGGER ip_range_options AFTER DELETE ON ip_range
FOR EACH ROW EXECUTE FUNCTION dhcp_options_delete();
CREATE TRIGGER client_class_options AFTER DELETE ON client_class
FOR EACH ROW EXECUTE FUNCTION dhcp_options_delete();
CREATE TRIGGER reservation_options AFTER DELETE ON reservation
FOR EACH ROW EXECUTE FUNCTION dhcp_options_delete();
CREATE TRIGGER machine_options AFTER DELETE ON machine
FOR EACH ROW EXECUTE FUNCTION dhcp_options_delete();
CREATE TRIGGER subnet6_options AFTER DELETE ON subnet6
FOR EACH ROW EXECUTE FUNCTION dhcp_options_delete();
CREATE TRIGGER reservation6_options AFTER DELETE ON reservation6
FOR EACH ROW EXECUTE FUNCTION dhcp_options_delete();
