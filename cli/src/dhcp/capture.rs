//! `ironherd dhcp capture`: the packets that racks have kept.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::{Value, json};

use crate::client::Client;
use crate::noun::RACK;
use crate::output::{self, Column, Output};

const CAPTURE: &str = include_str!("../documents/dhcp_capture.graphql");

const COLUMNS: &[Column] = &[
    ("AT", "/at"),
    ("RACK", "/rack"),
    ("INTERFACE", "/interface"),
    ("FROM", "/from"),
    ("TO", "/to"),
    ("MAC", "/macAddress"),
    ("MESSAGE", "/message"),
    ("OUTCOME", "/outcome"),
];

#[derive(Args, Debug)]
pub(crate) struct Capture {
    /// The client's network card; left out: every client.
    mac: Option<String>,
    /// Saves the packets to this pcap file; `-` is standard output.
    #[arg(short, long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// Only packets from then on, e.g. 2026-03-01T12:30:00Z.
    #[arg(long)]
    since: Option<String>,
    /// Only packets up to then.
    #[arg(long)]
    until: Option<String>,
    /// Name or id of the rack to ask; left out: every connected rack.
    #[arg(long)]
    rack: Option<String>,
}

#[allow(clippy::print_stderr, reason = "for the person, beside the answer")]
pub(super) async fn run(client: &Client, output: Output, it: Capture) -> anyhow::Result<()> {
    let input = json!({
        "macAddress": it.mac, "since": it.since, "until": it.until,
        "rackId": RACK.id(client, it.rack.as_deref()).await?,
    });
    let data = client.run(CAPTURE, json!({ "input": input })).await?;
    let capture = &data["dhcpCapture"]["capture"];
    for rack in capture["racksMissing"].as_array().into_iter().flatten() {
        eprintln!("{}: no answer", rack.as_str().unwrap_or_default());
    }
    if let Some(left_out) = capture["leftOutCount"].as_u64().filter(|it| 0 < *it) {
        eprintln!("{left_out} older packets do not fit the file; --since and --until cut it");
    }
    let Some(path) = it.write else {
        let packets = capture["packets"].as_array().cloned().unwrap_or_default();
        output::print_rows(output, COLUMNS, &packets);
        return Ok(());
    };
    let bytes = download(client, &capture["downloadPath"]).await?;
    if path.as_os_str() == "-" {
        use std::io::Write as _;
        std::io::stdout().write_all(&bytes).context("standard output is closed")?;
        return Ok(());
    }
    std::fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
    eprintln!("{} packets in {}", capture["packetCount"], path.display());
    Ok(())
}

async fn download(client: &Client, path: &Value) -> anyhow::Result<Vec<u8>> {
    let path = path.as_str().context("the region named no file")?;
    let request = client.http.get(format!("{}{path}", client.url));
    let answer = request.bearer_auth(client.token.reveal()).send().await;
    let answer = answer.context("cannot fetch the capture")?;
    if !answer.status().is_success() {
        bail!("the region answered {} to {path}", answer.status());
    }
    Ok(answer.bytes().await.context("the capture was cut")?.to_vec())
}
