//! `ironherd dhcp explain`: the account of one answer.

use clap::{Args, ValueEnum};
use comfy_table::{Attribute, Cell, Color, Table, presets};
use serde_json::{Value, json};

use crate::client::Client;
use crate::noun::{RACK, SUBNET};
use crate::output::Output;

const EXPLAIN: &str = include_str!("../documents/dhcp_explain.graphql");

#[derive(Args, Debug)]
pub(crate) struct Explain {
    /// The client's network card.
    #[arg(long)]
    mac: String,
    /// Its architecture (option 93): bios, x64, arm64, x64-http, …, or a number like 0x0007; may
    /// be given several times. Makes it a PXE client unless --vendor-class says otherwise.
    #[arg(long = "arch", value_name = "ARCH")]
    architectures: Vec<String>,
    /// Option 60, e.g. PXEClient or HTTPClient.
    #[arg(long)]
    vendor_class: Option<String>,
    /// Option 77.
    #[arg(long, conflicts_with = "ipxe")]
    user_class: Option<String>,
    /// It is iPXE: the same as --user-class iPXE.
    #[arg(long)]
    ipxe: bool,
    /// Option 61: text, or 0x and hexadecimal digits.
    #[arg(long)]
    client_id: Option<String>,
    /// Option 97: the SMBIOS UUID.
    #[arg(long)]
    uuid: Option<String>,
    /// Address of the relay that it is behind.
    #[arg(long)]
    relay: Option<String>,
    /// Option 82, sub-option 1: text, or 0x and hexadecimal digits.
    #[arg(long)]
    circuit_id: Option<String>,
    /// Option 82, sub-option 2, likewise.
    #[arg(long)]
    remote_id: Option<String>,
    /// Option 50: the address that it asks for.
    #[arg(long = "request", value_name = "ADDRESS")]
    requested: Option<String>,
    /// A code that it asks for (option 55); may be given several times.
    #[arg(long = "want", value_name = "CODE")]
    wants: Vec<u8>,
    /// Option 12.
    #[arg(long)]
    hostname: Option<String>,
    /// What it sends.
    #[arg(long, value_enum, default_value_t)]
    message: Message,
    /// It asks on port 4011, as PXE clients do of a boot server.
    #[arg(long)]
    proxy_port: bool,
    /// Name, CIDR or id of the subnet that it is on; left out: where it was last seen.
    #[arg(long)]
    subnet: Option<String>,
    /// Name or id of the rack to ask; left out: the one at that subnet.
    #[arg(long)]
    rack: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Message {
    #[default]
    Discover,
    Request,
    Inform,
}

#[allow(clippy::print_stdout, reason = "this is the program's answer")]
pub(super) async fn run(client: &Client, output: Output, it: Explain) -> anyhow::Result<()> {
    let message = match it.message {
        Message::Discover => "DISCOVER",
        Message::Request => "REQUEST",
        Message::Inform => "INFORM",
    };
    let boots = !it.architectures.is_empty() || it.ipxe;
    let http = it.architectures.iter().any(|it| it.ends_with("-http"));
    let usual = boots.then_some(if http { "HTTPClient" } else { "PXEClient" });
    let input = json!({
        "macAddress": it.mac, "architectures": it.architectures, "message": message,
        "vendorClass": it.vendor_class.or(usual.map(str::to_owned)),
        "userClass": it.user_class.or(it.ipxe.then(|| "iPXE".to_owned())),
        "clientId": it.client_id, "uuid": it.uuid, "relay": it.relay,
        "circuitId": it.circuit_id, "remoteId": it.remote_id,
        "requestedAddress": it.requested, "hostname": it.hostname, "proxyPort": it.proxy_port,
        "wants": if it.wants.is_empty() { Value::Null } else { json!(it.wants) },
        "subnetId": SUBNET.id(client, it.subnet.as_deref()).await?,
        "rackId": RACK.id(client, it.rack.as_deref()).await?,
    });
    let data = client.run(EXPLAIN, json!({ "input": input })).await?;
    let explanation = &data["dhcpExplain"];
    if output == Output::Json {
        println!("{explanation:#}");
        return Ok(());
    }
    println!("{}", account(explanation));
    let options = options(&explanation["options"]);
    if 0 < options.row_count() {
        println!("\n{options}");
    }
    Ok(())
}

/// One line a fact; what does not apply is left out.
fn account(it: &Value) -> Table {
    let mut table = plain();
    let text = |pointer: &str| match it.pointer(pointer) {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text.clone()).filter(|it| !it.is_empty()),
        Some(other) => Some(other.to_string()),
    };
    let both = |what: &str, why: &str| match (text(what), text(why)) {
        (Some(what), Some(why)) => Some(format!("{what}: {why}")),
        (what, why) => what.or(why),
    };
    let answered = it["answered"] == true;
    let outcome = match answered {
        true => Cell::new(both("/replyKind", "/refusal").unwrap_or_default()),
        false => Cell::new(format!(
            "none: {} ({})",
            text("/drop/text").unwrap_or_default(),
            text("/drop/reason").unwrap_or_default()
        )),
    };
    let granted = answered && it["replyKind"] != "NAK";
    let colour = if granted { Color::Green } else { Color::Red };
    table.add_row([bold("ANSWER"), outcome.fg(colour).add_attribute(Attribute::Bold)]);
    let rack = format!(
        "{} on {} ({}), snapshot {}",
        text("/rack/name").unwrap_or_default(),
        text("/interface").unwrap_or_default(),
        text("/server").unwrap_or_default(),
        text("/snapshotGeneration").unwrap_or_default(),
    );
    let classes = it["classes"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let classes: Vec<&str> = classes.collect();
    let range = text("/range/first").zip(text("/range/last")).map(|(a, b)| format!("{a} - {b}"));
    let facts = [
        ("RACK", Some(rack)),
        ("VLAN", text("/vlan/name")),
        ("MODE", text("/mode")),
        ("SUBNET", text("/subnet/name")),
        ("MACHINE", text("/machine/name")),
        ("CLASSES", Some(classes.join(", ")).filter(|it| !it.is_empty())),
        ("RESERVATION", both("/reservation/address", "/reservation/matchedBy")),
        ("RANGE", range),
        ("ADDRESS", both("/address", "/addressWhy")),
        ("LEASE", text("/leaseSeconds").map(|it| format!("{it} s"))),
        ("BOOT", both("/boot/file", "/boot/why")),
        ("SENT TO", text("/destination")),
    ];
    for (name, fact) in facts {
        let Some(fact) = fact else { continue };
        let mut cell = Cell::new(fact);
        if matches!(name, "ADDRESS" | "BOOT") && answered {
            cell = cell.fg(Color::Cyan);
        }
        table.add_row([bold(name), cell]);
    }
    table
}

/// The options: text where it is known, else the bytes; and what is not sent, with the reason.
fn options(list: &Value) -> Table {
    let mut table = plain();
    table.set_header(["CODE", "OPTION", "VALUE", "FROM"].map(bold));
    for it in list.as_array().into_iter().flatten() {
        let text = |name: &str| it[name].as_str().unwrap_or_default().to_owned();
        let unsent = match it["fate"].as_str() {
            Some("NOT_ASKED") => Some("not asked for"),
            Some("SUPPRESSED") => Some("suppressed"),
            Some("NO_ROOM") => Some("no room"),
            _ => None,
        };
        let value = match it["text"].as_str() {
            Some(text) => text.to_owned(),
            None => format!("0x{}", text("hex")),
        };
        let value = match unsent {
            Some(why) => Cell::new(format!("({why}) {value}")).fg(Color::DarkGrey),
            None => Cell::new(value),
        };
        let scope = text("scope");
        let from = match scope.as_str() {
            "protocol" | "boot" => Cell::new(scope),
            _ => Cell::new(scope).fg(Color::Yellow),
        };
        table.add_row([Cell::new(&it["code"]), Cell::new(text("name")), value, from]);
    }
    table
}

fn plain() -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table
}

fn bold(text: &str) -> Cell {
    Cell::new(text).add_attribute(Attribute::Bold)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_tells_what_and_why() {
        let offer = json!({
            "answered": true, "replyKind": "OFFER", "rack": { "name": "r1" },
            "interface": "eth0", "server": "10.77.0.1", "snapshotGeneration": 7,
            "mode": "FULL", "vlan": null, "subnet": { "name": "10.77.0.0/24" },
            "classes": ["dell", "gpu"], "address": "10.77.0.137",
            "addressWhy": "it is reserved", "leaseSeconds": 600,
            "boot": { "file": null, "why": "it does not boot" },
        });
        let text = account(&offer).to_string();
        for want in [
            "OFFER",
            "r1 on eth0 (10.77.0.1), snapshot 7",
            "10.77.0.137: it is reserved",
            "dell, gpu",
            "600 s",
            "it does not boot",
        ] {
            assert!(text.contains(want), "{want}: {text}");
        }
        assert!(!text.contains("RANGE") && !text.contains("MACHINE"), "{text}");
        let dropped = json!({
            "answered": false,
            "drop": { "reason": "dhcp_no_address", "text": "No address is free." },
        });
        let text = account(&dropped).to_string();
        assert!(text.contains("none: No address is free. (dhcp_no_address)"), "{text}");
        let list = json!([
            { "code": 3, "name": "router", "hex": "0a4d0001", "text": "10.77.0.1",
              "scope": "subnet" },
            { "code": 224, "name": null, "hex": "beef", "text": null, "scope": "class a",
              "fate": "NOT_ASKED" },
        ]);
        let text = options(&list).to_string();
        assert!(text.contains("10.77.0.1") && text.contains("(not asked for) 0xbeef"), "{text}");
    }
}
