//! What the commands for nouns share: finding one by what people call it, and changing it.

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::client::Client;
use crate::machine::all_pages;

/// How one noun is listed and recognised.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Noun {
    /// What people call it in a sentence.
    pub(crate) what: &'static str,
    /// The query that lists all, with `$after` unless the list is a plain one.
    pub(crate) document: &'static str,
    /// The field of that query.
    pub(crate) list: &'static str,
    /// Fields by which one is named; the first is shown where a name is unknown.
    pub(crate) names: &'static [&'static str],
}

pub(crate) const RACK: Noun = Noun {
    what: "rack",
    document: include_str!("documents/rack_list.graphql"),
    list: "racks",
    names: &["name"],
};
pub(crate) const FABRIC: Noun = Noun {
    what: "fabric",
    document: include_str!("documents/fabric_list.graphql"),
    list: "fabrics",
    names: &["name"],
};
pub(crate) const VLAN: Noun = Noun {
    what: "VLAN",
    document: include_str!("documents/vlan_list.graphql"),
    list: "vlans",
    names: &["place", "name"],
};
pub(crate) const SUBNET: Noun = Noun {
    what: "subnet",
    document: include_str!("documents/subnet_list.graphql"),
    list: "subnets",
    names: &["name", "cidr"],
};
pub(crate) const SUBNET6: Noun = Noun {
    what: "IPv6 subnet",
    document: include_str!("documents/subnet6_list.graphql"),
    list: "subnets6",
    names: &["name", "cidr"],
};
pub(crate) const CLASS: Noun = Noun {
    what: "client class",
    document: include_str!("documents/client_class_list.graphql"),
    list: "clientClasses",
    names: &["name"],
};
pub(crate) const MACHINE: Noun = Noun {
    what: "machine",
    document: include_str!("documents/machine_list.graphql"),
    list: "machines",
    names: &["hostname"],
};

impl Noun {
    /// All there are.
    pub(crate) async fn rows(&self, client: &Client) -> anyhow::Result<Vec<Value>> {
        // A list that is bounded by what it is has no pages.
        let mut rows = match self.document.contains("$after") {
            true => all_pages(client, self.document, self.list, json!({})).await?,
            false => {
                let mut data = client.run(self.document, json!({})).await?;
                let rows = data.get_mut(self.list).context("the answer lacks the list")?.take();
                rows.as_array().cloned().unwrap_or_default()
            }
        };
        for row in &mut rows {
            if let (Some(fabric), Some(vid)) = (row["fabric"]["name"].as_str(), row["vid"].as_u64())
            {
                row["place"] = json!(format!("{fabric}/{vid}"));
            }
        }
        Ok(rows)
    }

    /// The one that was meant by a name or its id.
    ///
    /// # Errors
    /// If there is none, with the names that there are; if there are several, with how many.
    pub(crate) async fn find(&self, client: &Client, wanted: &str) -> anyhow::Result<Value> {
        self.pick(self.rows(client).await?, wanted)
    }

    pub(crate) fn pick(&self, rows: Vec<Value>, wanted: &str) -> anyhow::Result<Value> {
        let is_it =
            |row: &Value| row["id"] == wanted || self.names.iter().any(|it| row[*it] == wanted);
        let found: Vec<&Value> = rows.iter().filter(|it| is_it(it)).collect();
        match found[..] {
            [one] => Ok(one.clone()),
            [] => {
                let known: Vec<_> =
                    rows.iter().filter_map(|it| it[self.names[0]].as_str()).collect();
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                anyhow::bail!("no {} is called `{wanted}`; there are: {known}", self.what)
            }
            [..] => {
                let (count, what) = (found.len(), self.what);
                anyhow::bail!("`{wanted}` names {count} of kind {what}; use the id instead")
            }
        }
    }

    /// The id of the one that was meant; null where none was.
    pub(crate) async fn id(&self, client: &Client, wanted: Option<&str>) -> anyhow::Result<Value> {
        match wanted {
            None => Ok(Value::Null),
            Some(wanted) => Ok(self.find(client, wanted).await?["id"].clone()),
        }
    }
}

/// Runs a mutation that takes an id, an input or both, and answers no more than whether it worked.
///
/// # Errors
/// As [`Client::run`].
pub(crate) async fn change(
    client: &Client,
    mutation: &str,
    id: Option<&Value>,
    input: Option<Value>,
) -> anyhow::Result<()> {
    let (document, variables) = mutation_of(mutation, id, input);
    client.run(&document, variables).await.map(drop)
}

fn mutation_of(mutation: &str, id: Option<&Value>, input: Option<Value>) -> (String, Value) {
    let (mut types, mut arguments, mut variables) = (Vec::new(), Vec::new(), json!({}));
    if let Some(id) = id {
        types.push("$id: ID!".to_owned());
        arguments.push("id: $id");
        variables["id"] = id.clone();
    }
    if let Some(input) = input {
        let (first, rest) = mutation.split_at(1);
        types.push(format!("$input: {}{rest}Input!", first.to_uppercase()));
        arguments.push("input: $input");
        variables["input"] = input;
    }
    let (types, arguments) = (types.join(", "), arguments.join(", "));
    let errors = "userErrors { code field message }";
    let document = format!("mutation({types}) {{ {mutation}({arguments}) {{ {errors} }} }}");
    (document, variables)
}

/// An input object without the fields that were not given: what is absent stays as it is.
pub(crate) fn given<const N: usize>(fields: [(&str, Value); N]) -> Value {
    let is_given =
        |value: &Value| !value.is_null() && value.as_array().is_none_or(|it| !it.is_empty());
    let fields = fields.into_iter().filter(|(_, value)| is_given(value));
    fields.map(|(name, value)| (name.to_owned(), value)).collect::<serde_json::Map<_, _>>().into()
}

/// Splits `FIRST-LAST`.
pub(crate) fn first_last(text: &str) -> anyhow::Result<(&str, &str)> {
    text.split_once('-').with_context(|| format!("`{text}` is no range: write FIRST-LAST"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mutations_take_what_they_need() {
        let rows = [
            (
                "vlanUpdate",
                true,
                true,
                "mutation($id: ID!, $input: VlanUpdateInput!) { vlanUpdate(id: $id, input: $input) \
                 { userErrors { code field message } } }",
            ),
            (
                "fabricDelete",
                true,
                false,
                "mutation($id: ID!) { fabricDelete(id: $id) \
                 { userErrors { code field message } } }",
            ),
            (
                "subnet6Create",
                false,
                true,
                "mutation($input: Subnet6CreateInput!) { subnet6Create(input: $input) \
                 { userErrors { code field message } } }",
            ),
        ];
        for (mutation, with_id, with_input, want) in rows {
            let id = json!("X");
            let (document, variables) =
                mutation_of(mutation, with_id.then_some(&id), with_input.then(|| json!({})));
            assert_eq!(document, want);
            assert_eq!(variables["id"] == "X", with_id);
            assert_eq!(variables["input"].is_object(), with_input);
        }
    }

    #[test]
    fn one_name_means_one_thing() {
        let rows = vec![
            json!({"id": "1", "name": "a", "place": "f/1"}),
            json!({"id": "2", "name": "b", "place": "f/2"}),
            json!({"id": "3", "name": "b", "place": "g/2"}),
        ];
        for (wanted, want) in [("a", Some("1")), ("f/2", Some("2")), ("3", Some("3"))] {
            let got = VLAN.pick(rows.clone(), wanted).ok();
            assert_eq!(got.and_then(|it| it["id"].as_str().map(str::to_owned)).as_deref(), want);
        }
        let error = VLAN.pick(rows.clone(), "c").unwrap_err().to_string();
        assert_eq!(error, "no VLAN is called `c`; there are: f/1, f/2, g/2");
        let error = VLAN.pick(rows, "b").unwrap_err().to_string();
        assert_eq!(error, "`b` names 2 of kind VLAN; use the id instead");
        assert!(VLAN.pick(Vec::new(), "b").unwrap_err().to_string().ends_with("none"));
    }
}
