//! What is around every page.

use askama::Template;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::assets;
use crate::storage::{count_dead, count_quarantined, open_conflicts};
use crate::web::App;
use crate::web::error::ApiError;
use crate::web::guard::HTML;

/// A page of the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    Overview,
    Contacts,
    Companies,
    Deals,
    Objects,
    Conflicts,
    Activity,
    Health,
}

impl Section {
    /// All of them, in the order they are shown.
    const ALL: [Self; 8] = [
        Self::Overview,
        Self::Contacts,
        Self::Companies,
        Self::Deals,
        Self::Objects,
        Self::Conflicts,
        Self::Activity,
        Self::Health,
    ];

    /// What it is called.
    fn title(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Contacts => "Contacts",
            Self::Companies => "Companies",
            Self::Deals => "Deals",
            Self::Objects => "Objects",
            Self::Conflicts => "Conflicts",
            Self::Activity => "Activity",
            Self::Health => "Health",
        }
    }

    /// Where it is.
    fn path(self) -> &'static str {
        match self {
            Self::Overview => "/",
            Self::Contacts => "/contacts",
            Self::Companies => "/companies",
            Self::Deals => "/deals",
            Self::Objects => "/objects",
            Self::Conflicts => "/conflicts",
            Self::Activity => "/activity",
            Self::Health => "/health",
        }
    }
}

/// An entry of the navigation.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) title: &'static str,
    pub(super) path: &'static str,
    pub(super) is_current: bool,
    /// How many things wait there for a person.
    pub(super) waiting: u64,
}

/// What is around a page.
#[derive(Debug)]
pub(super) struct Frame {
    /// Address of the style sheet.
    pub(super) style: &'static str,
    /// Address of the script.
    pub(super) script: &'static str,
    /// The navigation; empty where nobody can go anywhere.
    pub(super) entries: Vec<Entry>,
    /// Whether somebody signed in, and can sign out.
    pub(super) is_signed_in: bool,
    /// Seconds after which the page is loaded again without anybody asking for it.
    pub(super) refresh: Option<u32>,
}

impl Frame {
    /// Around a page of that section.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn new(app: &App, current: Section) -> Result<Self, ApiError> {
        let conflicts: u64 = open_conflicts(&app.database).await?.into_iter().map(|(_, count)| count).sum();
        let dead = count_dead(&app.database).await?;
        let quarantined = count_quarantined(&app.database).await?;
        let waiting = |section| match section {
            Section::Conflicts => conflicts,
            Section::Activity => dead,
            Section::Health => quarantined,
            _ => 0,
        };
        let entry = |section: Section| Entry {
            title: section.title(),
            path: section.path(),
            is_current: section == current,
            waiting: waiting(section),
        };
        let entries = Section::ALL.map(entry).into();
        Ok(Self { entries, is_signed_in: app.password_hash().is_some(), ..Self::bare() })
    }

    /// How many things wait for a person in a section.
    pub(super) fn waiting_in(&self, section: Section) -> u64 {
        let entry = self.entries.iter().find(|entry| entry.path == section.path());
        entry.map_or(0, |entry| entry.waiting)
    }

    /// Around a page from which nobody can go anywhere.
    pub(super) fn bare() -> Self {
        Self {
            style: &assets::STYLE.address,
            script: &assets::SCRIPT.address,
            entries: Vec::new(),
            is_signed_in: false,
            refresh: None,
        }
    }

    /// Around a page that asks again by itself.
    pub(super) fn waiting() -> Self {
        Self { refresh: Some(3), ..Self::bare() }
    }
}

/// A page as an answer.
pub(super) fn page(template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => ([(header::CONTENT_TYPE, HTML)], html).into_response(),
        Err(error) => ApiError::internal(format!("a page could not be written: {error}")).into_response(),
    }
}

/// The same with a status.
pub(super) fn page_with(status: StatusCode, template: &impl Template) -> Response {
    (status, page(template)).into_response()
}
