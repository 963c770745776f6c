//! What people see: coloured tables on a terminal, JSON for programs.

use clap::ValueEnum;
use comfy_table::{Attribute, Cell, Color, Table, presets};
use serde_json::Value;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    #[default]
    Table,
    Json,
}

/// One column: its head, and the JSON pointer of its value in a row.
pub(crate) type Column = (&'static str, &'static str);

/// Prints rows as a table with the given columns, or as one JSON array.
#[allow(clippy::print_stdout, reason = "this is the program's answer")]
pub(crate) fn print_rows(output: Output, columns: &[Column], rows: &[Value]) {
    if output == Output::Json {
        println!("{:#}", Value::Array(rows.to_vec()));
        return;
    }
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    let head = |(name, _): &Column| Cell::new(name).add_attribute(Attribute::Bold);
    table.set_header(columns.iter().map(head));
    for row in rows {
        table.add_row(columns.iter().map(|(_, pointer)| cell(row.pointer(pointer))));
    }
    println!("{table}");
}

/// Prints one object: as JSON, or one line a field.
#[allow(clippy::print_stdout, reason = "this is the program's answer")]
pub(crate) fn print_object(output: Output, fields: &[Column], object: &Value) {
    if output == Output::Json {
        println!("{object:#}");
        return;
    }
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    for (name, pointer) in fields {
        let name = Cell::new(name).add_attribute(Attribute::Bold);
        table.add_row([name, cell(object.pointer(pointer))]);
    }
    println!("{table}");
}

fn cell(value: Option<&Value>) -> Cell {
    let text = match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(items)) => {
            let items =
                items.iter().map(|item| item.as_str().map_or(item.to_string(), str::to_owned));
            items.collect::<Vec<_>>().join(" ")
        }
        Some(other) => other.to_string(),
    };
    let colour = colour(&text);
    let cell = Cell::new(text);
    match colour {
        Some(colour) => cell.fg(colour),
        None => cell,
    }
}

/// The colour of a state; everything else keeps the terminal's own.
pub(crate) fn colour(text: &str) -> Option<Color> {
    match text {
        "READY" | "DEPLOYED" | "ON" | "DONE" | "ACTIVE" | "good" => Some(Color::Green),
        "BROKEN" | "FAILED" | "DECLINED" | "bad" => Some(Color::Red),
        it if it.starts_with("FAILED_") => Some(Color::Red),
        "COMMISSIONING" | "DEPLOYING" | "RELEASING" | "DISK_ERASING" | "RUNNING" | "poor" => {
            Some(Color::Yellow)
        }
        "NEW" | "ALLOCATED" => Some(Color::Cyan),
        _ => None,
    }
}
