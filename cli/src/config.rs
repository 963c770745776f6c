//! `ironherd.toml` < `IRONHERD__SECTION__KEY` < flags. An unknown key is an error with a remedy.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use ironherd_rack::Durability;
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

const ENVIRONMENT_PREFIX: &str = "IRONHERD__";

/// Everything that can be set. The defaults are a whole, working `ironherd up`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) data_dir: PathBuf,
    /// Network namespace for everything but the API's listener; empty: stay where we are.
    pub(crate) netns: String,
    pub(crate) region: Region,
    pub(crate) rack: Rack,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Region {
    /// Where the API, the console and the images are served.
    pub(crate) listen: String,
    /// `postgres://…`; empty: SQLite in the data folder.
    pub(crate) database_url: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Rack {
    /// Unique among the racks of a region; empty: the host's name.
    pub(crate) name: String,
    pub(crate) region_url: String,
    /// File with the rack's token; empty: `rack.token` in the data folder.
    pub(crate) token_file: String,
    /// Interfaces to serve; empty: each that holds an address of a known subnet.
    pub(crate) interfaces: Vec<String>,
    /// A port of 0 turns the service off.
    pub(crate) dhcp_port: u16,
    pub(crate) proxy_port: u16,
    pub(crate) dhcp6_port: u16,
    pub(crate) tftp_port: u16,
    pub(crate) http_port: u16,
    pub(crate) gateway_port: u16,
    pub(crate) router_advertisements: bool,
    /// The last DHCP packets that each shard keeps for captures, in bytes; 0: none.
    pub(crate) capture_bytes: usize,
    /// Threads that answer; 0: one for each processor but one.
    pub(crate) shards: u32,
    /// `durable`: no lease is granted before it is on disk; `relaxed`: the disk follows in 50 ms.
    pub(crate) durability: Durability,
    /// DHCP packets a second that one card may send, with bursts of eight seconds' worth; 0: any.
    pub(crate) card_rate: u32,
    /// The same for all that one relay passes on; 0: any.
    pub(crate) relay_rate: u32,
    /// How often each link is asked for foreign DHCP servers, in seconds; 0: never.
    pub(crate) foreign_probe_seconds: u32,
    /// Where `GET /metrics` of the rack is answered; empty: nowhere.
    pub(crate) metrics_listen: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("./ironherd-data"),
            netns: String::new(),
            region: Region::default(),
            rack: Rack::default(),
        }
    }
}

impl Default for Region {
    fn default() -> Self {
        Self { listen: "127.0.0.1:5240".to_owned(), database_url: String::new() }
    }
}

impl Default for Rack {
    fn default() -> Self {
        Self {
            name: String::new(),
            region_url: "http://127.0.0.1:5240".to_owned(),
            token_file: String::new(),
            interfaces: Vec::new(),
            dhcp_port: 67,
            proxy_port: 4011,
            dhcp6_port: 547,
            tftp_port: 69,
            http_port: 5248,
            gateway_port: 5249,
            router_advertisements: true,
            capture_bytes: 4 << 20,
            shards: 0,
            durability: Durability::Durable,
            card_rate: 8,
            relay_rate: 0,
            foreign_probe_seconds: 60,
            metrics_listen: "127.0.0.1:5247".to_owned(),
        }
    }
}

/// Reads the file (when named, or when `ironherd.toml` is there) and lays the environment over it.
pub(crate) fn load(file: Option<&Path>) -> anyhow::Result<Config> {
    let default = Path::new("ironherd.toml");
    let path = file.or_else(|| default.exists().then_some(default));
    let mut table = match path {
        None => Table::new(),
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("cannot read the configuration {}", path.display()))?;
            text.parse::<Table>()
                .with_context(|| format!("{} is not well-formed TOML", path.display()))?
        }
    };
    let environment = std::env::vars().filter(|(key, _)| key.starts_with(ENVIRONMENT_PREFIX));
    overlay(&mut table, environment)?;
    decode(table)
}

/// Lays `IRONHERD__RACK__DHCP_PORT=1067` over `[rack] dhcp_port`.
fn overlay(
    table: &mut Table,
    environment: impl Iterator<Item = (String, String)>,
) -> anyhow::Result<()> {
    for (key, text) in environment {
        let path = key.trim_start_matches(ENVIRONMENT_PREFIX).to_lowercase();
        let mut place = &mut *table;
        let mut parts = path.split("__").peekable();
        while let Some(part) = parts.next() {
            if parts.peek().is_none() {
                place.insert(part.to_owned(), scalar(&text));
                break;
            }
            let section = place.entry(part).or_insert_with(|| Value::Table(Table::new()));
            let Value::Table(section) = section else {
                bail!("{key}: `{part}` is a value, not a section");
            };
            place = section;
        }
    }
    Ok(())
}

/// Numbers, booleans and lists are read as TOML; everything else is text.
fn scalar(text: &str) -> Value {
    let line = format!("value = {text}");
    let parsed = line.parse::<Table>().ok().and_then(|mut table| table.remove("value"));
    parsed.unwrap_or_else(|| Value::String(text.to_owned()))
}

fn decode(table: Table) -> anyhow::Result<Config> {
    let known = Table::try_from(Config::default()).context("the default configuration")?;
    refuse_unknown(&table, &known, "")?;
    table.try_into().context("the configuration has a value of the wrong kind")
}

fn refuse_unknown(table: &Table, known: &Table, section: &str) -> anyhow::Result<()> {
    for (key, value) in table {
        match (known.get(key), value) {
            (Some(Value::Table(known)), Value::Table(table)) => {
                refuse_unknown(table, known, &format!("{section}{key}."))?;
            }
            (Some(_), _) => {}
            (None, _) => {
                let nearest = known.keys().min_by_key(|it| distance(it, key));
                let nearest = nearest.map_or(String::new(), |it| format!("{section}{it}"));
                bail!("unknown configuration key `{section}{key}`; did you mean `{nearest}`?");
            }
        }
    }
    Ok(())
}

/// Edit distance (Levenshtein), for suggestions only.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, left) in a.chars().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, right) in b.chars().enumerate() {
            let changed = diagonal + usize::from(left != right);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.chars().count()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_lies_over_the_file_and_unknown_keys_are_refused() {
        type Row =
            (&'static str, &'static [(&'static str, &'static str)], Result<u16, &'static str>);
        let rows: [Row; 6] = [
            ("", &[], Ok(67)),
            ("[rack]\ndhcp_port = 1067", &[], Ok(1067)),
            ("[rack]\ndhcp_port = 1067", &[("IRONHERD__RACK__DHCP_PORT", "2067")], Ok(2067)),
            ("", &[("IRONHERD__RACK__DHCP_POR", "1")], Err("did you mean `rack.dhcp_port`")),
            ("[rck]\nx = 1", &[], Err("did you mean `rack`")),
            ("[rack]\ndhcp_port = \"many\"", &[], Err("wrong kind")),
        ];
        for (file, environment, want) in rows {
            let mut table: Table = file.parse().unwrap();
            let environment = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
            overlay(&mut table, environment).unwrap();
            match (decode(table), want) {
                (Ok(config), Ok(want)) => assert_eq!(config.rack.dhcp_port, want, "{file}"),
                (Err(error), Err(want)) => {
                    assert!(format!("{error:#}").contains(want), "{file}: {error:#}");
                }
                (got, want) => panic!("{file}: got {got:?}, want {want:?}"),
            }
        }
    }
}
