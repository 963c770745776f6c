//! From samples to rows: medians over the rounds, ratios within each round.

use std::collections::BTreeMap;

use serde::Serialize;

use comfy_table::{Table, presets};

use crate::load::whole;

/// One line of the result, in the form that all benches share.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Row {
    pub(crate) bench: &'static str,
    pub(crate) row: String,
    pub(crate) unit: &'static str,
    pub(crate) ours: f64,
    pub(crate) peers: BTreeMap<&'static str, f64>,
    /// Ours against the best peer, turned so that above 1 is better; absent without peers.
    pub(crate) ratio: Option<f64>,
    pub(crate) cpu_us_per_unit: Option<f64>,
}

/// Which way a number is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Better {
    More,
    Less,
}

/// One of the servers that are compared.
pub(crate) trait Compared: Copy + Ord {
    fn name(self) -> &'static str;
    fn is_ours(self) -> bool;
}

/// What was measured of one thing, by server and round.
#[derive(Clone, Debug)]
pub(crate) struct Samples<K>(BTreeMap<K, Vec<f64>>);

impl<K> Default for Samples<K> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Compared> Samples<K> {
    pub(crate) fn add(&mut self, kind: K, value: f64) {
        self.0.entry(kind).or_default().push(value);
    }

    pub(crate) fn median(&self, kind: K) -> Option<f64> {
        median(self.0.get(&kind)?)
    }

    pub(crate) fn row(
        &self,
        bench: &'static str,
        ours: K,
        row: &str,
        unit: &'static str,
        better: Better,
        cpu: Option<&Self>,
    ) -> Option<Row> {
        let values = self.0.get(&ours)?;
        let peers = self.0.keys().filter(|it| !it.is_ours());
        let peers = peers.filter_map(|it| Some((it.name(), self.median(*it)?))).collect();
        let ratios: Vec<f64> =
            (0..values.len()).filter_map(|round| self.ratio(ours, round, better)).collect();
        Some(Row {
            bench,
            row: format!("{row}/{}", ours.name()),
            unit,
            ours: median(values)?,
            peers,
            ratio: median(&ratios),
            cpu_us_per_unit: cpu.and_then(|it| it.median(ours)),
        })
    }

    /// Ours against the best peer of the same round.
    fn ratio(&self, ours: K, round: usize, better: Better) -> Option<f64> {
        let ours = *self.0.get(&ours)?.get(round)?;
        let peers = self.0.iter().filter(|(kind, _)| !kind.is_ours());
        let peers = peers.filter_map(|(_, values)| values.get(round).copied());
        let (upper, lower) = match better {
            Better::More => (ours, peers.reduce(f64::max)?),
            Better::Less => (peers.reduce(f64::min)?, ours),
        };
        (0.0 < lower).then_some(upper / lower)
    }
}

impl Row {
    /// Of our server alone.
    pub(crate) fn alone(bench: &'static str, row: String, unit: &'static str, ours: f64) -> Self {
        let peers = BTreeMap::new();
        Self { bench, row, unit, ours, peers, ratio: None, cpu_us_per_unit: None }
    }
}

/// Shows rows as a table, or as JSON for programs.
#[allow(clippy::print_stdout, reason = "this is the program's answer")]
pub(crate) fn print(output: &str, rows: &[Row]) -> anyhow::Result<()> {
    if output == "json" {
        println!("{}", serde_json::to_string_pretty(rows)?);
        return Ok(());
    }
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_header(["row", "unit", "ours", "peers", "ratio", "cpu us"]);
    for row in rows {
        let peers = row.peers.iter().map(|(name, value)| format!("{name} {value:.1}"));
        let optional = |it: Option<f64>| it.map_or(String::new(), |it| format!("{it:.2}"));
        table.add_row([
            row.row.clone(),
            row.unit.to_owned(),
            format!("{:.1}", row.ours),
            peers.collect::<Vec<_>>().join(", "),
            optional(row.ratio),
            optional(row.cpu_us_per_unit),
        ]);
    }
    println!("{table}");
    Ok(())
}

/// The value that so large a part of the values does not exceed; the greatest at 1.
pub(crate) fn quantile(values: &[f64], part: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = whole(part * f64::from(u32::try_from(sorted.len()).ok()?));
    sorted.get(usize::try_from(rank.max(1) - 1).ok()?).copied()
}

pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = *sorted.get(sorted.len() / 2)?;
    let lower = *sorted.get((sorted.len() - 1) / 2)?;
    Some(f64::midpoint(lower, upper))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::servers::Kind;

    #[test]
    fn ratios_compare_within_a_round_and_with_the_best_peer() {
        let mut samples = Samples::default();
        // The second round ran on a busy computer; the ratio does not mind.
        for (ours, kea, dnsmasq) in [(100.0, 20.0, 1.0), (50.0, 10.0, 1.0), (120.0, 20.0, 1.0)] {
            samples.add(Kind::Durable, ours);
            samples.add(Kind::Kea, kea);
            samples.add(Kind::Dnsmasq, dnsmasq);
        }
        let row =
            samples.row("dhcp", Kind::Durable, "rate", "leases/s", Better::More, None).unwrap();
        assert_eq!((row.ours, row.ratio), (100.0, Some(5.0)));
        assert_eq!(row.peers, BTreeMap::from([("kea_memfile", 20.0), ("dnsmasq", 1.0)]));
        let row = samples.row("dhcp", Kind::Durable, "wait", "us", Better::Less, None).unwrap();
        assert_eq!(row.ratio, Some(0.01));
    }

    #[test]
    fn of_a_hundred_values_one_may_be_above_the_ninety_ninth() {
        let values: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        let at = |part| quantile(&values, part).unwrap().round();
        assert_eq!((at(0.5), at(0.99), at(1.0)), (50.0, 99.0, 100.0));
        assert_eq!(quantile(&[7.0], 0.99), Some(7.0));
        assert_eq!(quantile(&[], 0.5), None);
    }

    #[test]
    fn the_median_of_an_even_count_lies_between() {
        assert_eq!(median(&[4.0, 1.0]), Some(2.5));
        assert_eq!(median(&[3.0, 9.0, 1.0]), Some(3.0));
        assert_eq!(median(&[]), None);
    }
}
