//! Custom object types: what is read once outlives restarts, and no name in it can do harm.

use hubspot_mariadb_connector::model::{ColumnType, Property, Schema, Selected};
use hubspot_mariadb_connector::storage::{create_tables, load_mirror_table, recall_types, store_schema};
use serde_json::json;

use crate::support::database::TestDatabase;

/// A property definition.
fn property(name: &str, data_type: &str) -> Property {
    Property {
        name: name.to_owned(),
        label: name.to_owned(),
        data_type: data_type.to_owned(),
        field_type: "text".to_owned(),
        group_name: String::new(),
        description: String::new(),
        calculated: false,
        read_only: false,
        has_unique_value: false,
        hidden: false,
        hubspot_defined: false,
        options: json!([]),
        updated_at: None,
    }
}

/// A type of account 123 that needs every one of its properties.
fn schema(type_id: &str, name: &str, properties: &[(&str, &str)]) -> Schema {
    Schema {
        type_id: type_id.to_owned(),
        fully_qualified_name: format!("p123_{name}"),
        name: name.to_owned(),
        singular_label: "é".repeat(300),
        plural_label: String::new(),
        display_properties: Vec::new(),
        required_properties: properties.iter().map(|(name, _)| (*name).to_owned()).collect(),
        properties: properties.iter().map(|(name, data_type)| property(name, data_type)).collect(),
    }
}

#[tokio::test]
async fn properties_called_like_our_own_columns_stand_in_no_way() {
    let test = TestDatabase::migrated().await;
    let named = [("id", "string"), ("Archived", "bool"), ("version", "number"), ("type", "enumeration")];
    let odd = [("select", "number"), ("naïve", "string"), ("a`b", "string"), ("created_at", "datetime")];
    let things = schema("2-1", "things", &[named, odd].concat());
    let lease = test.lease().await;
    let object_type = store_schema(&test.database, &lease, &things).await.unwrap().descriptor();
    create_tables(&test.database, &[object_type]).await.unwrap();
    create_tables(&test.database, &[object_type]).await.unwrap();
    let columns: Vec<_> =
        object_type.columns.iter().map(|column| (column.name, column.column_type)).collect();
    let kept = [("type", ColumnType::Text), ("select", ColumnType::Number)];
    assert_eq!(columns[..2], kept);
    assert_eq!(columns[2..], [("hs_lastmodifieddate", ColumnType::DateTime)]);
    assert_eq!(load_mirror_table(&test.database, object_type).await.unwrap().object_type(), object_type);
}

#[tokio::test]
async fn a_type_keeps_its_name_and_columns_whatever_its_schema_says_later() {
    let test = TestDatabase::migrated().await;
    let lease = test.lease().await;
    let first =
        store_schema(&test.database, &lease, &schema("2-1", "cars", &[("vin", "string")])).await.unwrap();
    let renamed = schema("2-1", "vehicles", &[("plate", "string")]);
    assert_eq!(store_schema(&test.database, &lease, &renamed).await.unwrap(), first);
    let other = store_schema(&test.database, &lease, &schema("2-2", "CARS", &[])).await.unwrap();
    assert_eq!((first.name.as_str(), other.name.as_str()), ("cars", "p123_cars"));

    let selected = ["2-1", "p123_CARS", "2-3", "contacts"].map(|name| Selected::named(name).unwrap());
    let recalled = recall_types(&test.database, &selected).await.unwrap();
    let names: Vec<_> = recalled.iter().map(ToString::to_string).collect();
    assert_eq!(names, ["cars", "2-3", "contacts"], "one type of two names is one type");
}

#[tokio::test]
async fn a_database_without_tables_knows_no_custom_type() {
    let test = TestDatabase::empty().await;
    let selected = ["2-1", "contacts"].map(|name| Selected::named(name).unwrap());
    assert_eq!(recall_types(&test.database, &selected).await.unwrap(), selected);
}
