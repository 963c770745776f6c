//! Telling a region about the lab it stands in.

use anyhow::Context as _;
use ironherd_bmc_sim::BmcKind;
use serde_json::{Value, json};

use super::{Lab, Network};
use crate::client::Client;

const SUBNETS: &str = include_str!("documents/subnets.graphql");
const SUBNET_CREATE: &str = include_str!("documents/subnet_create.graphql");
const RANGE_CREATE: &str = include_str!("documents/range_create.graphql");
const RESERVATION_CREATE: &str = include_str!("documents/reservation_create.graphql");
const SETTINGS_UPDATE: &str = include_str!("documents/settings_update.graphql");
const CREDENTIAL_SET: &str = include_str!("documents/bmc_credential_set.graphql");

/// Hosts of the lab's network that are handed out on demand.
const DYNAMIC: (u32, u32) = (100, 199);
const LEASE_SECONDS: i32 = 600;
/// Both boards' serial ports; the kernel takes the last one that exists.
const KERNEL_ARGS: &str = "console=ttyAMA0,115200 console=ttyS0,115200";
/// Regions in the lab's reach have few subnets; a page without end is a fault of theirs.
const PAGES_MAX: usize = 100;

/// Creates the lab's subnet with its dynamic range and the BMCs' addresses, hands over the
/// credentials of the Redfish BMCs, and has kernels talk on the serial port. May be repeated: what
/// is there already is left as it is.
///
/// # Errors
/// What the region refused, in its words.
pub(crate) async fn prepare_region(client: &Client, lab: &Lab) -> anyhow::Result<()> {
    let network: Network = lab.state.cidr.parse()?;
    let known = find_subnet(client, &network.to_string()).await?;
    let id = match known["id"].as_str() {
        Some(id) => id.to_owned(),
        None => create_subnet(client, lab, network).await?,
    };
    if known["ranges"].as_array().is_none_or(Vec::is_empty) {
        let (first, last) = (network.host(DYNAMIC.0), network.host(DYNAMIC.1));
        let input = json!({ "subnetId": id, "first": first, "last": last });
        client.run(RANGE_CREATE, json!({ "input": input })).await?;
    }
    reserve_bmcs(client, lab, &id, &known).await?;
    // The simulators speak plain HTTP, and nobody else is in the lab's network.
    let settings = json!({
        "enlist": true, "ephemeralKernelArgs": KERNEL_ARGS, "bmcDefaultsOverHttp": true,
    });
    client.run(SETTINGS_UPDATE, json!({ "input": settings })).await?;
    let mut configs = lab.machines.iter().map(ironherd_bmc_sim::Machine::config);
    if let Some(config) = configs.find(|it| it.bmc.kind == BmcKind::Redfish) {
        let (username, password) = (&config.bmc.username, &config.bmc.password.0);
        let input = json!({ "protocol": "REDFISH", "username": username, "password": password });
        client.run(CREDENTIAL_SET, json!({ "input": input })).await?;
    }
    Ok(())
}

/// The region's subnet with this CIDR; null if it has none.
async fn find_subnet(client: &Client, cidr: &str) -> anyhow::Result<Value> {
    let mut after = Value::Null;
    for _ in 0..PAGES_MAX {
        let mut data = client.run(SUBNETS, json!({ "after": after })).await?;
        let page = data["subnets"].take();
        let nodes = page["nodes"].as_array().context("the region lists no subnets")?;
        if let Some(subnet) = nodes.iter().find(|it| it["cidr"] == cidr) {
            return Ok(subnet.clone());
        }
        if page["pageInfo"]["hasNextPage"] != true {
            return Ok(Value::Null);
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
    Ok(Value::Null)
}

async fn create_subnet(client: &Client, lab: &Lab, network: Network) -> anyhow::Result<String> {
    let input = json!({
        "name": lab.state.name,
        "cidr": network.to_string(),
        "gateway": network.bridge(),
        "leaseSeconds": LEASE_SECONDS,
    });
    let data = client.run(SUBNET_CREATE, json!({ "input": input })).await?;
    let id = data["subnetCreate"]["subnet"]["id"].as_str();
    Ok(id.context("the region created a subnet without an id")?.to_owned())
}

/// Keeps the region from giving a BMC's address to a machine.
async fn reserve_bmcs(
    client: &Client,
    lab: &Lab,
    subnet: &str,
    known: &Value,
) -> anyhow::Result<()> {
    let taken = known["reservations"].as_array().map(Vec::as_slice).unwrap_or_default();
    for config in lab.machines.iter().map(ironherd_bmc_sim::Machine::config) {
        let address = config.bmc.address.to_string();
        if taken.iter().any(|it| it["address"] == address.as_str()) {
            continue;
        }
        let input = json!({
            "subnetId": subnet,
            "macAddress": config.bmc.mac,
            "address": address,
            "hostname": format!("{}-bmc", config.name),
        });
        client.run(RESERVATION_CREATE, json!({ "input": input })).await?;
    }
    Ok(())
}
