-- Instants are microseconds since 1970 in UTC. Ids are UUIDs (version 7) as text, so that the order
-- by id is the order by age. Lists that are never searched are space-separated texts.

CREATE TABLE counter (
  name  TEXT PRIMARY KEY,
  value BIGINT NOT NULL
);
INSERT INTO counter (name, value) VALUES ('event', 0), ('snapshot', 1);

CREATE TABLE setting (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
);

CREATE TABLE lifecycle_step (
  from_state TEXT NOT NULL,
  event      TEXT NOT NULL,
  to_state   TEXT NOT NULL,
  PRIMARY KEY (from_state, event)
);

CREATE TABLE machine (
  id               TEXT PRIMARY KEY,
  generation       BIGINT NOT NULL DEFAULT 1,
  hostname         TEXT NOT NULL UNIQUE,
  state            TEXT NOT NULL,
  state_since_us   BIGINT NOT NULL,
  deadline_us      BIGINT,
  failure          TEXT,
  owner            TEXT,
  architecture     TEXT,
  firmware         TEXT,
  smbios_uuid      TEXT,
  power_protocol   TEXT NOT NULL,
  power_address    TEXT,
  power_username   TEXT,
  power_password   BYTEA,
  power_state      TEXT NOT NULL,
  power_checked_us BIGINT,
  power_error      TEXT,
  boot_stage       TEXT,
  boot_stage_us    BIGINT,
  agent_seen_us    BIGINT,
  attempt          BIGINT NOT NULL DEFAULT 0,
  boot_key         BYTEA NOT NULL,
  kernel_args      TEXT NOT NULL DEFAULT '',
  hardware         TEXT,
  commissioned     BOOLEAN NOT NULL DEFAULT FALSE,
  image_written    BOOLEAN NOT NULL DEFAULT FALSE,
  disk_dirty       BOOLEAN NOT NULL DEFAULT FALSE,
  erase_pending    TEXT,
  image_id         TEXT,
  ssh_keys         TEXT,
  user_data        TEXT,
  created_us       BIGINT NOT NULL
);
CREATE INDEX machine_by_state ON machine (state, id);
CREATE INDEX machine_by_deadline ON machine (deadline_us) WHERE deadline_us IS NOT NULL;
CREATE INDEX machine_by_smbios ON machine (smbios_uuid);
CREATE INDEX machine_by_image ON machine (image_id);

CREATE FUNCTION machine_state_check() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.state <> 'NEW' THEN
      RAISE EXCEPTION 'lifecycle: a machine begins as NEW';
    END IF;
  ELSIF NEW.state <> OLD.state AND NOT EXISTS (
      SELECT 1 FROM lifecycle_step WHERE from_state = OLD.state AND to_state = NEW.state) THEN
    RAISE EXCEPTION 'lifecycle: no step leads from this state to that one';
  END IF;
  RETURN NEW;
END
$$;
CREATE TRIGGER machine_state_check BEFORE INSERT OR UPDATE OF state ON machine
FOR EACH ROW EXECUTE FUNCTION machine_state_check();

CREATE TABLE nic (
  mac        TEXT PRIMARY KEY,
  machine_id TEXT NOT NULL REFERENCES machine (id) ON DELETE CASCADE,
  position   BIGINT NOT NULL
);
CREATE INDEX nic_by_machine ON nic (machine_id, position);

CREATE TABLE subnet (
  id            TEXT PRIMARY KEY,
  generation    BIGINT NOT NULL DEFAULT 1,
  name          TEXT NOT NULL UNIQUE,
  cidr          TEXT NOT NULL UNIQUE,
  gateway       TEXT,
  dns_servers   TEXT NOT NULL,
  ntp_servers   TEXT NOT NULL,
  domain        TEXT,
  mtu           BIGINT,
  lease_seconds BIGINT NOT NULL
);

CREATE TABLE ip_range (
  id        TEXT PRIMARY KEY,
  subnet_id TEXT NOT NULL REFERENCES subnet (id) ON DELETE CASCADE,
  first     TEXT NOT NULL,
  last      TEXT NOT NULL
);
CREATE INDEX ip_range_by_subnet ON ip_range (subnet_id);

CREATE TABLE reservation (
  id        TEXT PRIMARY KEY,
  subnet_id TEXT NOT NULL REFERENCES subnet (id) ON DELETE CASCADE,
  mac       TEXT NOT NULL,
  address   TEXT NOT NULL UNIQUE,
  hostname  TEXT,
  UNIQUE (subnet_id, mac)
);
CREATE INDEX reservation_by_mac ON reservation (mac);

CREATE TABLE image (
  id             TEXT PRIMARY KEY,
  name           TEXT NOT NULL,
  kind           TEXT NOT NULL,
  sha256         TEXT NOT NULL,
  size_bytes     BIGINT NOT NULL,
  disk_bytes     BIGINT,
  architecture   TEXT,
  state          TEXT NOT NULL,
  created_us     BIGINT NOT NULL,
  UNIQUE (kind, name)
);
CREATE INDEX image_by_sha256 ON image (sha256);

CREATE TABLE event (
  sequence     BIGINT PRIMARY KEY,
  at_us        BIGINT NOT NULL,
  machine_id   TEXT,
  machine_name TEXT,
  kind         TEXT NOT NULL,
  message      TEXT NOT NULL,
  actor        TEXT NOT NULL
);
CREATE INDEX event_by_machine ON event (machine_id, sequence);

CREATE TABLE operation (
  id            TEXT PRIMARY KEY,
  kind          TEXT NOT NULL,
  state         TEXT NOT NULL,
  machine_id    TEXT NOT NULL,
  request_id    TEXT,
  created_us    BIGINT NOT NULL,
  finished_us   BIGINT,
  deadline_us   BIGINT,
  error         TEXT,
  step          TEXT,
  percent       BIGINT,
  bytes_done    BIGINT,
  bytes_total   BIGINT,
  message       TEXT,
  progress_us   BIGINT,
  UNIQUE (request_id)
);
CREATE INDEX operation_by_machine ON operation (machine_id, id);
CREATE INDEX operation_running ON operation (machine_id) WHERE state = 'RUNNING';

CREATE TABLE operation_step (
  operation_id TEXT NOT NULL REFERENCES operation (id) ON DELETE CASCADE,
  position     BIGINT NOT NULL,
  name         TEXT NOT NULL,
  started_us   BIGINT NOT NULL,
  finished_us  BIGINT,
  error        TEXT,
  PRIMARY KEY (operation_id, position)
);

CREATE TABLE effect (
  id             TEXT PRIMARY KEY,
  machine_id     TEXT NOT NULL REFERENCES machine (id) ON DELETE CASCADE,
  operation_id   TEXT,
  kind           TEXT NOT NULL,
  boot           TEXT,
  attempt        BIGINT NOT NULL,
  state          TEXT NOT NULL,
  run_after_us   BIGINT NOT NULL,
  lease_until_us BIGINT,
  tries          BIGINT NOT NULL DEFAULT 0,
  error          TEXT,
  created_us     BIGINT NOT NULL
);
CREATE INDEX effect_waiting ON effect (run_after_us) WHERE state IN ('QUEUED', 'RUNNING');
CREATE INDEX effect_by_machine ON effect (machine_id);

CREATE TABLE rack (
  id                  TEXT PRIMARY KEY,
  name                TEXT NOT NULL UNIQUE,
  version             TEXT NOT NULL,
  addresses           TEXT NOT NULL,
  token_id            TEXT,
  last_seen_us        BIGINT,
  snapshot_generation BIGINT
);
CREATE INDEX rack_by_token ON rack (token_id);

CREATE TABLE rack_report (
  rack_id  TEXT NOT NULL REFERENCES rack (id) ON DELETE CASCADE,
  epoch    BIGINT NOT NULL,
  sequence BIGINT NOT NULL,
  at_us    BIGINT NOT NULL,
  PRIMARY KEY (rack_id, epoch)
);

CREATE TABLE lease (
  id         TEXT PRIMARY KEY,
  address    TEXT NOT NULL UNIQUE,
  mac        TEXT NOT NULL,
  hostname   TEXT,
  state      TEXT NOT NULL,
  started_us BIGINT NOT NULL,
  expires_us BIGINT NOT NULL,
  rack_id    TEXT NOT NULL
);

CREATE INDEX lease_by_mac ON lease (mac);

CREATE TABLE token (
  id          TEXT PRIMARY KEY,
  kind        TEXT NOT NULL,
  name        TEXT NOT NULL,
  sha256      BYTEA NOT NULL UNIQUE,
  machine_id  TEXT REFERENCES machine (id) ON DELETE CASCADE,
  attempt     BIGINT,
  task        TEXT,
  finished    TEXT,
  created_us  BIGINT NOT NULL,
  expires_us  BIGINT,
  used_us     BIGINT
);
CREATE UNIQUE INDEX token_user_name ON token (name) WHERE kind = 'USER';
CREATE INDEX token_by_machine ON token (machine_id);

CREATE TABLE boot_nonce (
  nonce   BYTEA PRIMARY KEY,
  used_us BIGINT NOT NULL
);

CREATE TABLE bmc_credential (
  id       TEXT PRIMARY KEY,
  protocol TEXT NOT NULL UNIQUE,
  username TEXT NOT NULL,
  password BYTEA NOT NULL
);
