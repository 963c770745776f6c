-- Instants are microseconds since 1970 in UTC. Ids are UUIDs (version 7) as text, so that the order
-- by id is the order by age. Lists that are never searched are space-separated texts.

CREATE TABLE counter (
  name  TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT;
INSERT INTO counter (name, value) VALUES ('event', 0), ('snapshot', 1);

CREATE TABLE setting (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT;

CREATE TABLE lifecycle_step (
  from_state TEXT NOT NULL,
  event      TEXT NOT NULL,
  to_state   TEXT NOT NULL,
  PRIMARY KEY (from_state, event)
) STRICT;

CREATE TABLE machine (
  id               TEXT PRIMARY KEY,
  generation       INTEGER NOT NULL DEFAULT 1,
  hostname         TEXT NOT NULL UNIQUE,
  state            TEXT NOT NULL,
  state_since_us   INTEGER NOT NULL,
  deadline_us      INTEGER,
  failure          TEXT,
  owner            TEXT,
  architecture     TEXT,
  firmware         TEXT,
  smbios_uuid      TEXT,
  power_protocol   TEXT NOT NULL,
  power_address    TEXT,
  power_username   TEXT,
  power_password   BLOB,
  power_state      TEXT NOT NULL,
  power_checked_us INTEGER,
  power_error      TEXT,
  boot_stage       TEXT,
  boot_stage_us    INTEGER,
  agent_seen_us    INTEGER,
  attempt          INTEGER NOT NULL DEFAULT 0,
  boot_key         BLOB NOT NULL,
  kernel_args      TEXT NOT NULL DEFAULT '',
  hardware         TEXT,
  commissioned     INTEGER NOT NULL DEFAULT 0,
  image_written    INTEGER NOT NULL DEFAULT 0,
  disk_dirty       INTEGER NOT NULL DEFAULT 0,
  erase_pending    TEXT,
  image_id         TEXT,
  ssh_keys         TEXT,
  user_data        TEXT,
  created_us       INTEGER NOT NULL
) STRICT;
CREATE INDEX machine_by_state ON machine (state, id);
CREATE INDEX machine_by_deadline ON machine (deadline_us) WHERE deadline_us IS NOT NULL;
CREATE INDEX machine_by_smbios ON machine (smbios_uuid);
CREATE INDEX machine_by_image ON machine (image_id);

CREATE TRIGGER machine_state_insert BEFORE INSERT ON machine
WHEN NEW.state <> 'NEW'
BEGIN
  SELECT RAISE(ABORT, 'lifecycle: a machine begins as NEW');
END;
CREATE TRIGGER machine_state_update BEFORE UPDATE OF state ON machine
WHEN NEW.state <> OLD.state AND NOT EXISTS (
  SELECT 1 FROM lifecycle_step WHERE from_state = OLD.state AND to_state = NEW.state)
BEGIN
  SELECT RAISE(ABORT, 'lifecycle: no step leads from this state to that one');
END;

CREATE TABLE nic (
  mac        TEXT PRIMARY KEY,
  machine_id TEXT NOT NULL REFERENCES machine (id) ON DELETE CASCADE,
  position   INTEGER NOT NULL
) STRICT;
CREATE INDEX nic_by_machine ON nic (machine_id, position);

CREATE TABLE subnet (
  id            TEXT PRIMARY KEY,
  generation    INTEGER NOT NULL DEFAULT 1,
  name          TEXT NOT NULL UNIQUE,
  cidr          TEXT NOT NULL UNIQUE,
  gateway       TEXT,
  dns_servers   TEXT NOT NULL,
  ntp_servers   TEXT NOT NULL,
  domain        TEXT,
  mtu           INTEGER,
  lease_seconds INTEGER NOT NULL
) STRICT;

CREATE TABLE ip_range (
  id        TEXT PRIMARY KEY,
  subnet_id TEXT NOT NULL REFERENCES subnet (id) ON DELETE CASCADE,
  first     TEXT NOT NULL,
  last      TEXT NOT NULL
) STRICT;
CREATE INDEX ip_range_by_subnet ON ip_range (subnet_id);

CREATE TABLE reservation (
  id        TEXT PRIMARY KEY,
  subnet_id TEXT NOT NULL REFERENCES subnet (id) ON DELETE CASCADE,
  mac       TEXT NOT NULL,
  address   TEXT NOT NULL UNIQUE,
  hostname  TEXT,
  UNIQUE (subnet_id, mac)
) STRICT;
CREATE INDEX reservation_by_mac ON reservation (mac);

CREATE TABLE image (
  id             TEXT PRIMARY KEY,
  name           TEXT NOT NULL,
  kind           TEXT NOT NULL,
  sha256         TEXT NOT NULL,
  size_bytes     INTEGER NOT NULL,
  disk_bytes     INTEGER,
  architecture   TEXT,
  state          TEXT NOT NULL,
  created_us     INTEGER NOT NULL,
  UNIQUE (kind, name)
) STRICT;
CREATE INDEX image_by_sha256 ON image (sha256);

CREATE TABLE event (
  sequence     INTEGER PRIMARY KEY,
  at_us        INTEGER NOT NULL,
  machine_id   TEXT,
  machine_name TEXT,
  kind         TEXT NOT NULL,
  message      TEXT NOT NULL,
  actor        TEXT NOT NULL
) STRICT;
CREATE INDEX event_by_machine ON event (machine_id, sequence);

CREATE TABLE operation (
  id            TEXT PRIMARY KEY,
  kind          TEXT NOT NULL,
  state         TEXT NOT NULL,
  machine_id    TEXT NOT NULL,
  request_id    TEXT,
  created_us    INTEGER NOT NULL,
  finished_us   INTEGER,
  deadline_us   INTEGER,
  error         TEXT,
  step          TEXT,
  percent       INTEGER,
  bytes_done    INTEGER,
  bytes_total   INTEGER,
  message       TEXT,
  progress_us   INTEGER,
  UNIQUE (request_id)
) STRICT;
CREATE INDEX operation_by_machine ON operation (machine_id, id);
CREATE INDEX operation_running ON operation (machine_id) WHERE state = 'RUNNING';

CREATE TABLE operation_step (
  operation_id TEXT NOT NULL REFERENCES operation (id) ON DELETE CASCADE,
  position     INTEGER NOT NULL,
  name         TEXT NOT NULL,
  started_us   INTEGER NOT NULL,
  finished_us  INTEGER,
  error        TEXT,
  PRIMARY KEY (operation_id, position)
) STRICT;

CREATE TABLE effect (
  id             TEXT PRIMARY KEY,
  machine_id     TEXT NOT NULL REFERENCES machine (id) ON DELETE CASCADE,
  operation_id   TEXT,
  kind           TEXT NOT NULL,
  boot           TEXT,
  attempt        INTEGER NOT NULL,
  state          TEXT NOT NULL,
  run_after_us   INTEGER NOT NULL,
  lease_until_us INTEGER,
  tries          INTEGER NOT NULL DEFAULT 0,
  error          TEXT,
  created_us     INTEGER NOT NULL
) STRICT;
CREATE INDEX effect_waiting ON effect (run_after_us) WHERE state IN ('QUEUED', 'RUNNING');
CREATE INDEX effect_by_machine ON effect (machine_id);

CREATE TABLE rack (
  id                  TEXT PRIMARY KEY,
  name                TEXT NOT NULL UNIQUE,
  version             TEXT NOT NULL,
  addresses           TEXT NOT NULL,
  token_id            TEXT,
  last_seen_us        INTEGER,
  snapshot_generation INTEGER
) STRICT;
CREATE INDEX rack_by_token ON rack (token_id);

CREATE TABLE rack_report (
  rack_id  TEXT NOT NULL REFERENCES rack (id) ON DELETE CASCADE,
  epoch    INTEGER NOT NULL,
  sequence INTEGER NOT NULL,
  at_us    INTEGER NOT NULL,
  PRIMARY KEY (rack_id, epoch)
) STRICT;

CREATE TABLE lease (
  id         TEXT PRIMARY KEY,
  address    TEXT NOT NULL UNIQUE,
  mac        TEXT NOT NULL,
  hostname   TEXT,
  state      TEXT NOT NULL,
  started_us INTEGER NOT NULL,
  expires_us INTEGER NOT NULL,
  rack_id    TEXT NOT NULL
) STRICT;

CREATE INDEX lease_by_mac ON lease (mac);

CREATE TABLE token (
  id          TEXT PRIMARY KEY,
  kind        TEXT NOT NULL,
  name        TEXT NOT NULL,
  sha256      BLOB NOT NULL UNIQUE,
  machine_id  TEXT REFERENCES machine (id) ON DELETE CASCADE,
  attempt     INTEGER,
  task        TEXT,
  finished    TEXT,
  created_us  INTEGER NOT NULL,
  expires_us  INTEGER,
  used_us     INTEGER
) STRICT;
CREATE UNIQUE INDEX token_user_name ON token (name) WHERE kind = 'USER';
CREATE INDEX token_by_machine ON token (machine_id);

CREATE TABLE boot_nonce (
  nonce   BLOB PRIMARY KEY,
  used_us INTEGER NOT NULL
) STRICT;

CREATE TABLE bmc_credential (
  id       TEXT PRIMARY KEY,
  protocol TEXT NOT NULL UNIQUE,
  username TEXT NOT NULL,
  password BLOB NOT NULL
) STRICT;
