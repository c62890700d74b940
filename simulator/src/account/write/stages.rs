//! Pipelines, their stages, and the lifecycle. Source: HubSpot, "Pipelines", "Contacts".

use crate::account::edit::GivenValues;
use crate::account::pipelines::{Pipeline, Stage};
use crate::account::write::{LifecycleBack, Problem, Refused, Rules};
use crate::account::{Account, View};
use crate::object_type::Kind;

/// The properties that hold the pipeline and the stage of a type's records; `None` for types whose only pipeline is the
/// lifecycle.
const fn stage_properties(kind: Kind) -> Option<[&'static str; 2]> {
    match kind {
        Kind::CONTACT | Kind::COMPANY => None,
        Kind::DEAL => Some(["pipeline", "dealstage"]),
        _ => Some(["hs_pipeline", "hs_pipeline_stage"]),
    }
}

/// Whether a property holds a pipeline or a stage, which is checked with the pipelines and not with the options.
pub fn is_stage_property(kind: Kind, name: &str) -> bool {
    stage_properties(kind).is_some_and(|names| names.contains(&name))
}

impl Account {
    /// What a write will leave in a property.
    fn value_after(
        &self,
        kind: Kind,
        view: Option<&View<'_>>,
        values: &GivenValues,
        name: &str,
    ) -> Option<String> {
        let after = match values.get(name) {
            Some(text) => text.clone(),
            None => view.and_then(|view| view.named(self.catalogue(kind), name)),
        };
        after.filter(|text| !text.is_empty())
    }

    /// The pipeline with an id.
    fn pipeline(&self, kind: Kind, id: &str) -> Option<&Pipeline> {
        self.pipelines(kind).iter().find(|pipeline| pipeline.id == id)
    }

    /// The pipeline and the stage with an id, unique within the type.
    fn stage(&self, kind: Kind, id: &str) -> Option<(&Pipeline, &Stage)> {
        let stages = self
            .pipelines(kind)
            .iter()
            .flat_map(|pipeline| pipeline.stages.iter().map(move |stage| (pipeline, stage)));
        stages.into_iter().find(|(_, stage)| stage.id == id)
    }

    /// What is wrong with the pipeline or the stage among the values.
    pub(super) fn check_stage(
        &self,
        kind: Kind,
        view: Option<&View<'_>>,
        values: &GivenValues,
    ) -> Option<Problem> {
        let [pipeline_name, stage_name] = stage_properties(kind)?;
        let written = |name| values.get(name).and_then(Option::as_deref);
        if let Some(id) = written(pipeline_name)
            && self.pipeline(kind, id).is_none()
        {
            let known: Vec<&str> = self.pipelines(kind).iter().map(|known| known.id.as_str()).collect();
            let message =
                format!("{id} is not a valid pipeline ID. Valid options are: [{}]", known.join(", "));
            return Some(Problem::new(pipeline_name, "INVALID_OPTION", message));
        }
        let id = written(stage_name)?;
        let pipeline = self.value_after(kind, view, values, pipeline_name);
        let found = self.stage(kind, id).map(|(pipeline, _)| pipeline.id.as_str());
        if found.is_some() && (pipeline.is_none() || pipeline.as_deref() == found) {
            return None;
        }
        let is_meant = |known: &&Pipeline| pipeline.as_ref().is_none_or(|pipeline| *pipeline == known.id);
        let options: Vec<String> = self
            .pipelines(kind)
            .iter()
            .filter(is_meant)
            .map(|known| {
                let stages: Vec<&str> = known.stages.iter().map(|stage| stage.id.as_str()).collect();
                format!("pipelineId={} : [{}]", known.id, stages.join(", "))
            })
            .collect();
        let options = options.join(", ");
        let message = format!("{id} is not a valid pipeline stage ID. Valid options are: {options}");
        Some(Problem::new(stage_name, "INVALID_OPTION", message))
    }

    /// Puts a new record that names no pipeline into that of its stage; one that names nothing is left alone.
    pub(super) fn assume_pipeline(&self, kind: Kind, view: Option<&View<'_>>, values: &mut GivenValues) {
        let Some([pipeline_name, stage_name]) = stage_properties(kind) else { return };
        if view.is_some() || values.contains_key(pipeline_name) {
            return;
        }
        let stage = values.get(stage_name).and_then(Option::as_deref);
        if let Some((pipeline, _)) = stage.and_then(|id| self.stage(kind, id)) {
            values.insert(pipeline_name.to_owned(), Some(pipeline.id.clone()));
        }
    }

    /// Brings along what HubSpot derives from a deal's stage: its pipeline, probability and closed flags.
    pub(in crate::account) fn follow_stage(&self, kind: Kind, values: &mut GivenValues) {
        let Some(Some(id)) = values.get("dealstage").filter(|_| kind == Kind::DEAL) else { return };
        let Some((pipeline, stage)) = self.stage(kind, id) else { return };
        let probability = stage.probability.as_deref().unwrap_or_default();
        let (won, lost) = (probability == "1.0", probability == "0.0");
        let derived = [
            ("pipeline", pipeline.id.clone()),
            ("hs_deal_stage_probability", probability.to_owned()),
            ("hs_is_closed", (won || lost).to_string()),
            ("hs_is_closed_won", won.to_string()),
            ("hs_is_closed_lost", lost.to_string()),
        ];
        let known = derived.into_iter().filter(|(name, _)| self.catalogue(kind).active(name).is_some());
        values.extend(known.map(|(name, text)| (name.to_owned(), Some(text))));
    }

    /// Keeps a lifecycle stage from moving back unless it was cleared before. How HubSpot refuses that is not known:
    /// code and text are ours.
    pub(super) fn keep_lifecycle(
        &self,
        kind: Kind,
        view: Option<&View<'_>>,
        values: &mut GivenValues,
        rules: &Rules,
    ) -> Result<(), Refused> {
        const NAME: &str = "lifecyclestage";
        let catalogue = self.catalogue(kind);
        let Some(index) = catalogue.active(NAME) else { return Ok(()) };
        let options = &catalogue.get(index).options;
        let place = |text: &str| options.iter().position(|option| option.value == text);
        let before = view.and_then(|view| view.text(catalogue, index)).and_then(|text| place(&text));
        let after = values.get(NAME).and_then(Option::as_deref).and_then(place);
        if before.zip(after).is_none_or(|(before, after)| after >= before) {
            return Ok(());
        }
        match rules.lifecycle_back {
            LifecycleBack::Allowed => {}
            LifecycleBack::Ignored => drop(values.remove(NAME)),
            LifecycleBack::Refused => {
                let message =
                    "The lifecycle stage can only be moved forward; clear it first to move it back.";
                return Err(Refused::Invalid(vec![Problem::new(NAME, "INVALID_LIFECYCLE_STAGE", message)]));
            }
        }
        Ok(())
    }
}
