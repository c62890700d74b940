//! The tables of definitions in `catalogue/*.tsv`.
//!
//! A line has eight columns split by tabs: name, label, type, field type, group, flags, options, and how values are
//! generated (see [`crate::generate::rule`]). `-` stands for none, `+name` for a list in `options.tsv`.
//!
//! A table several types share has `@` and their names, `@*`, or `@=pipelines` for types with pipelines before each line.
//!
//! Flags: `r` read-only value, `h` hidden, `c` calculated, `x` external options, `u` unique values, `f` form field,
//! `n` cannot be archived, `d` definition may be edited, `o` read-only options, `m` made by the portal, `$` money,
//! `@TYPE` refers to records of a type.

use std::collections::HashMap;

use anyhow::{Context, Result, bail};

use crate::catalogue::{Flags, Property, PropertyOption, ValueType};
use crate::generate::rule::Fill;
use crate::object_type::ObjectType;

/// Named option lists that tables refer to as `+name`.
const OPTION_SETS: &str = include_str!("options.tsv");

/// The definitions of a type, in table order.
///
/// # Errors
/// Names the line that cannot be read.
pub fn read(object_type: &ObjectType) -> Result<Vec<Property>> {
    let sets = option_sets()?;
    let lines = object_type.property_table.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| own_line(object_type, line))
        .map(|line| {
            parse_line(line, &sets)
                .with_context(|| format!("in the {} table, line {line:?}", object_type.plural))
        })
        .collect()
}

/// The part of a line that is about a type; `None` for a line of a shared table that is about others.
fn own_line<'a>(object_type: &ObjectType, line: &'a str) -> Option<&'a str> {
    let Some((types, rest)) = line.strip_prefix('@').and_then(|line| line.split_once('\t')) else {
        return Some(line);
    };
    let is_meant = match types {
        "*" => true,
        "=pipelines" => object_type.has_pipelines,
        names => names.split(',').any(|name| name == object_type.plural),
    };
    is_meant.then_some(rest)
}

/// Option lists by name.
fn option_sets() -> Result<HashMap<&'static str, Vec<PropertyOption>>> {
    OPTION_SETS
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let (name, entries) = line.split_once('\t').context("an option set needs a name and entries")?;
            Ok((name, entries.split(';').map(parse_option).collect()))
        })
        .collect()
}

/// Reads `value=Label`, `value`, or either with a leading `~` for a hidden one.
fn parse_option(entry: &str) -> PropertyOption {
    let (hidden, entry) = entry.strip_prefix('~').map_or((false, entry), |rest| (true, rest));
    let (value, label) = entry.split_once('=').unwrap_or((entry, entry));
    PropertyOption { label: label.to_owned(), value: value.to_owned(), hidden }
}

/// Reads one table line.
fn parse_line(line: &str, sets: &HashMap<&str, Vec<PropertyOption>>) -> Result<Property> {
    let columns: Vec<&str> = line.split('\t').collect();
    let [name, label, value_type, field_type, group, flags, options, fill] = columns[..] else {
        bail!("expected 8 columns, found {}", columns.len());
    };
    let (flags, referenced_type) = parse_flags(flags)?;
    let options = match options.strip_prefix('+') {
        Some(set) => sets.get(set).with_context(|| format!("no option set {set}"))?.clone(),
        None => Vec::new(),
    };
    let mut property = Property {
        name: name.to_owned(),
        label: label.to_owned(),
        description: String::new(),
        value_type: ValueType::parse(value_type).with_context(|| format!("no type {value_type}"))?,
        field_type: field_type.to_owned(),
        group: group.to_owned(),
        options,
        referenced_type,
        flags,
        archived_at: None,
        fill: None,
    };
    property.fill = Fill::parse(fill, &property)?;
    Ok(property)
}

/// Reads the flag letters and the type a property refers to.
fn parse_flags(text: &str) -> Result<(Flags, Option<String>)> {
    let (letters, referenced_type) =
        text.split_once('@').map_or((text, None), |(letters, name)| (letters, Some(name.to_owned())));
    let mut flags = Flags::default();
    for letter in letters.chars().filter(|&letter| letter != '-') {
        match letter {
            'r' => flags.read_only_value = true,
            'h' => flags.hidden = true,
            'c' => flags.calculated = true,
            'x' => flags.external_options = true,
            'u' => flags.has_unique_value = true,
            'f' => flags.form_field = true,
            'n' => flags.permanent = true,
            'd' => flags.editable_definition = true,
            'o' => flags.read_only_options = true,
            'm' => flags.custom = true,
            '$' => flags.money = true,
            _ => bail!("no flag {letter}"),
        }
    }
    Ok((flags, referenced_type))
}
