//! What people call by name is found by name: ids are for programs.

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::client::Client;

/// A kind of thing that commands name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Noun {
    /// For people, e.g. `subnet`.
    pub(crate) what: &'static str,
    document: &'static str,
    /// The list's field in the answer.
    list: &'static str,
    /// What a thing can be called by beside its id; the first is shown when nothing fits.
    fields: &'static [&'static str],
}

pub(crate) const RACK: Noun = Noun {
    what: "rack",
    document: include_str!("documents/rack_list.graphql"),
    list: "racks",
    fields: &["/name"],
};
pub(crate) const SUBNET: Noun = Noun {
    what: "subnet",
    document: include_str!("documents/subnet_list.graphql"),
    list: "subnets",
    fields: &["/name", "/cidr"],
};

/// Every row of a kind.
pub(crate) async fn all(client: &Client, noun: Noun) -> anyhow::Result<Vec<Value>> {
    crate::machine::all_pages(client, noun.document, noun.list, json!({})).await
}

/// The one row that is called so, by name or id.
pub(crate) async fn row(client: &Client, noun: Noun, wanted: &str) -> anyhow::Result<Value> {
    pick(noun, all(client, noun).await?, wanted)
}

/// The id of what is called so; null where nothing is named.
pub(crate) async fn id(client: &Client, noun: Noun, wanted: Option<&str>) -> anyhow::Result<Value> {
    let Some(wanted) = wanted else { return Ok(Value::Null) };
    Ok(row(client, noun, wanted).await?["id"].take())
}

fn pick(noun: Noun, rows: Vec<Value>, wanted: &str) -> anyhow::Result<Value> {
    let is_called = |row: &Value, field: &&str| row.pointer(field).is_some_and(|it| *it == wanted);
    let is_it =
        |row: &Value| row["id"] == wanted || noun.fields.iter().any(|field| is_called(row, field));
    let known: Vec<String> = rows
        .iter()
        .filter_map(|row| row.pointer(noun.fields[0])?.as_str().map(str::to_owned))
        .collect();
    let mut found = rows.into_iter().filter(is_it);
    let first = found.next().with_context(|| match known.is_empty() {
        true => format!("there is no {} yet; `{wanted}` names nothing", noun.what),
        false => format!("no {} is called `{wanted}`; there are: {}", noun.what, known.join(", ")),
    })?;
    let others = found.count();
    anyhow::ensure!(
        others == 0,
        "{} {}s are called `{wanted}`: give the id instead (`--output json` shows it)",
        others + 1,
        noun.what
    );
    Ok(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cidrs_and_ids_find_one_row() {
        let rows = [
            // What is asked for, the id that is found or part of the refusal.
            ("lab", Ok("1")),
            ("10.0.0.0/24", Ok("1")),
            ("2", Ok("2")),
            ("nothing", Err("there are: lab, twin, twin")),
            ("twin", Err("2 subnets are called `twin`")),
        ];
        let known = vec![
            json!({ "id": "1", "name": "lab", "cidr": "10.0.0.0/24" }),
            json!({ "id": "2", "name": "twin", "cidr": "10.0.1.0/24" }),
            json!({ "id": "3", "name": "twin", "cidr": "10.0.2.0/24" }),
        ];
        for (wanted, want) in rows {
            match (pick(SUBNET, known.clone(), wanted), want) {
                (Ok(row), Ok(id)) => assert_eq!(row["id"], id, "{wanted}"),
                (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
                (got, want) => panic!("{wanted}: {got:?}, want {want:?}"),
            }
        }
        let none = pick(RACK, Vec::new(), "r").expect_err("there is none");
        assert!(none.to_string().contains("no rack yet"), "{none}");
    }
}
