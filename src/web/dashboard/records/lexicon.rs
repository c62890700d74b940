//! What names and values of a type mean: its catalogue, the owners and the pipelines.

use std::collections::BTreeMap;

use super::value::{Shown, plain};
use crate::model::{ObjectId, ObjectType, Owner, Pipeline, Property};
use crate::storage::{load_catalogue, load_owners, load_pipelines};
use crate::web::App;
use crate::web::error::ApiError;

/// All that is needed to read records of a type.
#[derive(Debug)]
pub(in crate::web::dashboard) struct Lexicon {
    /// The type.
    pub(in crate::web::dashboard) object_type: &'static ObjectType,
    /// Its properties, in name order.
    pub(in crate::web::dashboard) catalogue: Vec<Property>,
    /// Owners by id.
    pub(in crate::web::dashboard) owners: BTreeMap<String, Owner>,
    /// Its pipelines, in HubSpot's order.
    pub(in crate::web::dashboard) pipelines: Vec<Pipeline>,
}

/// A value one may choose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::web::dashboard) struct Choice {
    /// As HubSpot stores it.
    pub(in crate::web::dashboard) value: String,
    /// What people see.
    pub(in crate::web::dashboard) label: String,
}

impl Lexicon {
    /// Reads what is known of a type.
    ///
    /// # Errors
    /// When the database fails.
    pub(in crate::web::dashboard) async fn load(
        app: &App,
        object_type: &'static ObjectType,
    ) -> Result<Self, ApiError> {
        Ok(Self {
            object_type,
            catalogue: load_catalogue(&app.database, object_type).await?,
            owners: load_owners(&app.database).await?,
            pipelines: load_pipelines(&app.database, object_type).await?,
        })
    }

    /// The property of that name; `None` when HubSpot has none any more.
    pub(in crate::web::dashboard) fn property(&self, name: &str) -> Option<&Property> {
        let found = self.catalogue.binary_search_by(|property| property.name.as_str().cmp(name));
        // The database orders by bytes, as this search does.
        found.ok().map(|index| &self.catalogue[index])
    }

    /// What people call a property.
    pub(in crate::web::dashboard) fn label(&self, name: &str) -> String {
        let label =
            self.property(name).map(|property| property.label.trim()).filter(|label| !label.is_empty());
        label.unwrap_or(name).to_owned()
    }

    /// A value of a property in words.
    pub(in crate::web::dashboard) fn shown(&self, name: &str, value: &str) -> Shown {
        if self.object_type.primary_company_property() == Some(name)
            && let Ok(id) = value.parse::<ObjectId>()
        {
            return Shown::text(value).leading_to(format!("/companies/hs-{id}"));
        }
        let Some(property) = self.property(name) else { return Shown::text(value) };
        if property.data_type != "enumeration" && !self.is_placed_by(name) {
            return plain(name, &property.data_type, value);
        }
        let labels: Vec<_> = if property.field_type == "checkbox" {
            value.split(';').filter(|part| !part.is_empty()).map(|part| self.choice(property, part)).collect()
        } else {
            vec![self.choice(property, value)]
        };
        Shown::text(&labels.join(", "))
    }

    /// What people call one of the values of a property; the value itself where nobody has said.
    fn choice(&self, property: &Property, value: &str) -> String {
        let name = property.name.as_str();
        let option = || options(property).find(|choice| choice.value == value).map(|choice| choice.label);
        let owner = || self.owners.get(value).filter(|_| options(property).next().is_none()).map(owner_name);
        self.placed(name, value).or_else(option).or_else(owner).unwrap_or_else(|| value.to_owned())
    }

    /// Whether the property names a pipeline or a stage.
    fn is_placed_by(&self, name: &str) -> bool {
        self.object_type.stage_properties().is_some_and(|(pipeline, stage)| [pipeline, stage].contains(&name))
    }

    /// What a pipeline or a stage is called, if the property names one.
    fn placed(&self, name: &str, value: &str) -> Option<String> {
        let (pipeline, stage) = self.object_type.stage_properties()?;
        let label = if name == pipeline {
            self.pipelines.iter().find(|known| known.id == value).map(|known| &known.label)
        } else if name == stage {
            let mut stages = self.pipelines.iter().flat_map(|known| &known.stages);
            stages.find(|known| known.id == value).map(|known| &known.label)
        } else {
            None
        };
        label.cloned()
    }

    /// What one may choose for a property: its options, owners, pipelines or stages. Empty where anything may be entered.
    pub(in crate::web::dashboard) fn choices(&self, property: &Property) -> Vec<Choice> {
        let (pipeline, stage) = self.object_type.stage_properties().unzip();
        let name = Some(property.name.as_str());
        if name == stage {
            return self.stages();
        }
        if name == pipeline {
            let live = self.pipelines.iter().filter(|pipeline| !pipeline.archived);
            return live.map(|live| Choice { value: live.id.clone(), label: live.label.clone() }).collect();
        }
        if name == Some("hubspot_owner_id") {
            return self.live_owners();
        }
        options(property).collect()
    }

    /// The stages of all pipelines, with the pipeline in front where there are several.
    pub(in crate::web::dashboard) fn stages(&self) -> Vec<Choice> {
        let live: Vec<_> = self.pipelines.iter().filter(|pipeline| !pipeline.archived).collect();
        let is_alone = live.len() < 2;
        let of_pipeline = |pipeline: &&Pipeline| {
            let stages = pipeline.stages.iter().filter(|stage| !stage.archived);
            let label = |stage: &str| {
                if is_alone { stage.to_owned() } else { format!("{}: {stage}", pipeline.label) }
            };
            let choices = stages.map(|stage| Choice { value: stage.id.clone(), label: label(&stage.label) });
            choices.collect::<Vec<_>>()
        };
        live.iter().flat_map(of_pipeline).collect()
    }

    /// Owners records may be given to, by name.
    fn live_owners(&self) -> Vec<Choice> {
        let live = self.owners.values().filter(|owner| !owner.archived);
        let mut choices: Vec<_> =
            live.map(|owner| Choice { value: owner.id.clone(), label: owner_name(owner) }).collect();
        choices.sort_by_key(|choice| choice.label.to_lowercase());
        choices
    }
}

/// The options of a property, in HubSpot's order.
fn options(property: &Property) -> impl Iterator<Item = Choice> {
    let listed = property.options.as_array().map(Vec::as_slice).unwrap_or_default();
    listed.iter().filter_map(|option| {
        let value = option["value"].as_str()?.to_owned();
        let label = option["label"].as_str().filter(|label| !label.is_empty()).unwrap_or(&value).to_owned();
        Some(Choice { value, label })
    })
}

/// What people call an owner.
fn owner_name(owner: &Owner) -> String {
    let parts = [&owner.first_name, &owner.last_name].into_iter().flatten();
    let full = parts.map(|part| part.trim()).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
    let name = if full.is_empty() { owner.email.clone().unwrap_or_else(|| owner.id.clone()) } else { full };
    if owner.archived { format!("{name} (no longer active)") } else { name }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::Stage;
    use crate::web::dashboard::naming::in_words;

    /// A property of that kind with options.
    pub(in crate::web::dashboard::records) fn property(
        name: &str,
        (data_type, field_type): (&str, &str),
        options: &[(&str, &str)],
    ) -> Property {
        Property {
            label: in_words(name),
            field_type: field_type.into(),
            group_name: "dealinformation".into(),
            options: options.iter().map(|(value, label)| json!({"value": value, "label": label})).collect(),
            ..Property::named(name, data_type)
        }
    }

    /// What is known of deals.
    pub(in crate::web::dashboard::records) fn lexicon(mut catalogue: Vec<Property>) -> Lexicon {
        catalogue.sort_by(|left, right| left.name.cmp(&right.name));
        let stage = Stage {
            id: "won".into(),
            label: "Closed won".into(),
            display_order: 0,
            probability: None,
            is_closed: None,
            metadata: json!({}),
            archived: false,
            created_at: None,
            updated_at: None,
        };
        let pipeline = Pipeline {
            id: "default".into(),
            label: "Sales".into(),
            display_order: 0,
            stages: vec![stage],
            archived: false,
            created_at: None,
            updated_at: None,
        };
        let owner = Owner {
            id: "77".into(),
            email: Some("o@b.example".into()),
            first_name: Some("Olga".into()),
            last_name: None,
            kind: None,
            user_id: None,
            teams: json!([]),
            archived: false,
            created_at: None,
            updated_at: None,
        };
        Lexicon {
            object_type: ObjectType::named("deals").unwrap(),
            catalogue,
            owners: BTreeMap::from([("77".to_owned(), owner)]),
            pipelines: vec![pipeline],
        }
    }

    #[test]
    fn choices_are_told_by_their_labels() {
        let lexicon = lexicon(vec![
            property("dealstage", ("enumeration", "radio"), &[]),
            property("hubspot_owner_id", ("enumeration", "select"), &[]),
            property("tags", ("enumeration", "checkbox"), &[("a", "Alpha"), ("b", "Beta")]),
            property("kind", ("enumeration", "select"), &[("77", "Seventy-seven")]),
        ]);
        for (name, value, words) in [
            ("dealstage", "won", "Closed won"),
            ("dealstage", "gone", "gone"),
            ("hubspot_owner_id", "77", "Olga"),
            ("hubspot_owner_id", "78", "78"),
            ("tags", "b;a;x", "Beta, Alpha, x"),
            ("kind", "77", "Seventy-seven"),
            ("unknown", "1", "1"),
        ] {
            assert_eq!(lexicon.shown(name, value).text, words, "{name} {value}");
        }
    }
}
