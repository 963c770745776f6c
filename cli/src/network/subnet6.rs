use anyhow::Context as _;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::client::Client;
use crate::noun::{SUBNET6, VLAN, change, first_last, given};
use crate::output::{self, Column, Output};

const COLUMNS: &[Column] = &[
    ("NAME", "/name"),
    ("CIDR", "/cidr"),
    ("VLAN", "/vlanText"),
    ("DNS", "/dnsServers"),
    ("RANGES", "/rangeTexts"),
    ("DELEGATES", "/poolTexts"),
    ("ADVERTISED", "/routerAdvertisement/enabled"),
];

#[derive(Debug, Subcommand)]
pub(crate) enum Subnet6Command {
    /// Lists IPv6 subnets.
    List,
    /// Adds an IPv6 subnet, e.g.
    /// `ironherd subnet6 create fd00:20::/64 --range fd00:20::1000-fd00:20::ffff`.
    Create(Box<Create>),
    /// Removes an IPv6 subnet and its reservations.
    Delete {
        /// Name, CIDR or id of the subnet.
        subnet: String,
    },
    /// Keeps an address or a prefix for one client.
    Reserve {
        /// Name, CIDR or id of the subnet.
        subnet: String,
        /// Its network card.
        #[arg(long, required_unless_present = "duid")]
        mac: Option<String>,
        /// Its DUID in hexadecimal digits.
        #[arg(long)]
        duid: Option<String>,
        /// The address.
        #[arg(long, required_unless_present = "prefix")]
        address: Option<String>,
        /// The prefix, e.g. fd80:0:1::/56.
        #[arg(long)]
        prefix: Option<String>,
        /// The hostname that the client is told.
        #[arg(long)]
        hostname: Option<String>,
    },
}

#[derive(Args, Debug)]
pub(crate) struct Create {
    /// The network, e.g. fd00:20::/64.
    cidr: String,
    /// What people call it; left out, its CIDR.
    #[arg(long)]
    name: Option<String>,
    /// FABRIC/VID, name or id of its VLAN.
    #[arg(long)]
    vlan: Option<String>,
    /// DNS server; may be given several times.
    #[arg(long = "dns")]
    dns_servers: Vec<String>,
    /// Domain that short names are looked up in; may be given several times.
    #[arg(long = "search")]
    domain_search: Vec<String>,
    /// Addresses for clients without a reservation, FIRST-LAST; may be given several times.
    #[arg(long = "range")]
    ranges: Vec<String>,
    /// Prefixes for clients that ask for one, PREFIX=LENGTH, e.g. fd80::/48=56.
    #[arg(long = "delegate")]
    pools: Vec<String>,
    /// How long an address is good for new connections.
    #[arg(long)]
    preferred_seconds: Option<u32>,
    /// How long an address is good at all.
    #[arg(long)]
    valid_seconds: Option<u32>,
    /// Send no Router Advertisements: another router does.
    #[arg(long)]
    no_advertisements: bool,
    /// Let clients make themselves addresses (SLAAC).
    #[arg(long)]
    autonomous: bool,
    /// Make us the clients' default router for so long.
    #[arg(long)]
    router_lifetime_seconds: Option<u32>,
}

pub(crate) async fn run(
    client: &Client,
    output: Output,
    command: Subnet6Command,
) -> anyhow::Result<()> {
    match command {
        Subnet6Command::List => {}
        Subnet6Command::Create(it) => {
            let vlan = VLAN.id(client, it.vlan.as_deref()).await?;
            change(client, "subnet6Create", None, Some(input(&it, vlan)?)).await?;
        }
        Subnet6Command::Delete { subnet } => {
            let id = SUBNET6.id(client, Some(&subnet)).await?;
            change(client, "subnet6Delete", Some(&id), None).await?;
        }
        Subnet6Command::Reserve { subnet, mac, duid, address, prefix, hostname } => {
            let input = given([
                ("subnetId", SUBNET6.id(client, Some(&subnet)).await?),
                ("macAddress", json!(mac)),
                ("duid", json!(duid)),
                ("address", json!(address)),
                ("prefix", json!(prefix)),
                ("hostname", json!(hostname)),
            ]);
            change(client, "reservation6Create", None, Some(input)).await?;
        }
    }
    let mut rows = SUBNET6.rows(client).await?;
    rows.iter_mut().for_each(describe);
    output::print_rows(output, COLUMNS, &rows);
    Ok(())
}

fn input(it: &Create, vlan: Value) -> anyhow::Result<Value> {
    let range = |text: &String| {
        first_last(text).map(|(first, last)| json!({ "first": first, "last": last }))
    };
    let pool = |text: &String| {
        let parts = text.split_once('=').and_then(|(prefix, length)| {
            let length: u8 = length.parse().ok()?;
            Some(json!({ "prefix": prefix, "delegatedLength": length }))
        });
        parts.with_context(|| format!("--delegate {text}: write PREFIX=LENGTH"))
    };
    let advertisement = given([
        ("enabled", json!(it.no_advertisements.then_some(false))),
        ("autonomous", json!(it.autonomous.then_some(true))),
        ("routerLifetimeSeconds", json!(it.router_lifetime_seconds)),
    ]);
    Ok(given([
        ("name", json!(it.name)),
        ("vlanId", vlan),
        ("cidr", json!(it.cidr)),
        ("dnsServers", json!(it.dns_servers)),
        ("domainSearch", json!(it.domain_search)),
        ("preferredSeconds", json!(it.preferred_seconds)),
        ("validSeconds", json!(it.valid_seconds)),
        ("ranges", it.ranges.iter().map(range).collect::<anyhow::Result<_>>()?),
        ("prefixPools", it.pools.iter().map(pool).collect::<anyhow::Result<_>>()?),
        ("routerAdvertisement", advertisement),
    ]))
}

fn describe(row: &mut Value) {
    let text = |it: &Value| it.as_str().unwrap_or_default().to_owned();
    let each = |list: &Value, show: &dyn Fn(&Value) -> String| -> Value {
        list.as_array().into_iter().flatten().map(show).collect()
    };
    row["rangeTexts"] =
        each(&row["ranges"], &|it| format!("{}-{}", text(&it["first"]), text(&it["last"])));
    row["poolTexts"] = each(&row["prefixPools"], &|it| {
        format!("{}={}", text(&it["prefix"]), it["delegatedLength"])
    });
    if let Some(vid) = row["vlan"]["vid"].as_u64() {
        row["vlanText"] = json!(format!("{}/{vid}", text(&row["vlan"]["fabric"]["name"])));
    }
}
