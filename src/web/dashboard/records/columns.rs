//! What a list shows of each record beside its name, by type.

use super::lexicon::Lexicon;
use super::value::{Shown, money};
use crate::model::ColumnType;
use crate::storage::RowView;
use crate::web::dashboard::listing::shortened;
use crate::web::dashboard::naming::naming_properties;

/// Columns of types that have no list of their own.
const FEW: usize = 3;

/// Most characters of a cell.
const LONGEST: usize = 60;

/// A column of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    /// What stands above it.
    pub(super) title: String,
    /// The property it shows.
    pub(super) property: String,
    /// Whether it is a number, whose digits stand below each other.
    pub(super) is_number: bool,
}

/// What a cell holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cell {
    /// The value in words; `None` when it is not set.
    pub(super) shown: Option<Shown>,
    /// Whether it is a number.
    pub(super) is_number: bool,
}

/// By which property a list is ordered that is ordered by name; `None` where no index helps.
pub(super) fn naming_order(lexicon: &Lexicon) -> Option<&'static str> {
    match lexicon.object_type.name {
        "contacts" => Some("lastname"),
        _ => naming_properties(lexicon.object_type).first().copied(),
    }
}

/// The columns of a type.
pub(super) fn columns(lexicon: &Lexicon) -> Vec<Column> {
    let titled: &[(&str, &str)] = match lexicon.object_type.name {
        "contacts" => &[("email", "Email"), ("company", "Company"), ("phone", "Phone")],
        "companies" => &[("domain", "Domain"), ("industry", "Industry"), ("city", "City")],
        "deals" => &[
            ("amount", "Amount"),
            ("dealstage", "Stage"),
            ("closedate", "Closes"),
            ("hubspot_owner_id", "Owner"),
        ],
        _ => return first_columns(lexicon),
    };
    let column = |(property, title): &(&str, &str)| Column {
        title: (*title).to_owned(),
        property: (*property).to_owned(),
        is_number: *property == "amount",
    };
    titled.iter().map(column).collect()
}

/// The first typed columns of a type that say more than its name does.
fn first_columns(lexicon: &Lexicon) -> Vec<Column> {
    let object_type = lexicon.object_type;
    let name = naming_order(lexicon);
    let says_more = |column: &&crate::model::ColumnDef| {
        Some(column.name) != name
            && column.column_type != ColumnType::LongText
            && column.name != object_type.last_modified_property
            && !object_type.created_properties().contains(&column.name)
    };
    let column = |column: &crate::model::ColumnDef| Column {
        title: lexicon.label(column.name),
        property: column.name.to_owned(),
        is_number: column.column_type == ColumnType::Number,
    };
    object_type.columns.iter().filter(says_more).take(FEW).map(column).collect()
}

/// What a row has in a column.
pub(super) fn cell(lexicon: &Lexicon, column: &Column, row: &RowView) -> Cell {
    let value = row.properties.get(&column.property);
    let shown = value.map(|value| match (lexicon.object_type.name, column.property.as_str()) {
        ("deals", "amount") => {
            Shown::text(&money(&value, row.properties.get("deal_currency_code").as_deref()))
        }
        // To the day: the time of it is on the page of the deal.
        ("deals", "closedate") => Shown::text(
            &super::value::time(&value)
                .map_or_else(|| value.clone().into_owned(), |at| at.date_naive().to_string()),
        ),
        // The domain is a link on the company's page; in a list every row has one link, its name.
        _ => Shown { link: None, ..lexicon.shown(&column.property, &value) },
    });
    let shown = shown.map(|shown| Shown { text: shortened(&shown.text, LONGEST), ..shown });
    Cell { shown, is_number: column.is_number }
}

#[cfg(test)]
mod tests {
    use super::super::lexicon::tests::{lexicon, property};
    use super::*;
    use crate::model::ObjectType;

    #[test]
    fn a_deal_shows_its_money_its_stage_and_its_day() {
        let lexicon = lexicon(vec![property("dealstage", ("enumeration", "radio"), &[])]);
        let row = RowView::holding(&[
            ("amount", "1500.5"),
            ("deal_currency_code", "EUR"),
            ("dealstage", "won"),
            ("closedate", "2026-01-31T08:00:00Z"),
        ]);
        let cells: Vec<_> = columns(&lexicon)
            .iter()
            .map(|column| cell(&lexicon, column, &row).shown.map(|shown| shown.text))
            .collect();
        let words = ["1,500.50 EUR", "Closed won", "2026-01-31"].map(|words| Some(words.to_owned()));
        assert_eq!(cells, [&words[..], &[None]].concat());
    }

    #[test]
    fn a_type_without_a_list_of_its_own_shows_its_first_columns() {
        let object_type = ObjectType::named("tickets").unwrap();
        let lexicon = Lexicon { object_type, ..lexicon(Vec::new()) };
        let shown: Vec<_> = columns(&lexicon).into_iter().map(|column| column.property).collect();
        assert_eq!(shown, ["hs_ticket_priority", "source_type", "closed_date"]);
        assert_eq!(naming_order(&lexicon), Some("subject"));
    }
}
