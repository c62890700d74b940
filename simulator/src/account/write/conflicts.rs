//! Values another record has. Source: HubSpot, "Contacts", "Properties".

use std::collections::HashSet;

use crate::account::edit::GivenValues;
use crate::account::write::{Refused, Rules, Target};
use crate::account::{Account, View};
use crate::catalogue::PropertyIndex;
use crate::object_type::Kind;

/// Unique values that rows of a batch will take, in lower case.
#[derive(Debug, Default)]
pub struct Claims(HashSet<(PropertyIndex, String)>);

impl Account {
    /// Refuses values that another record has or an earlier row of the batch takes.
    pub(super) fn check_unique(
        &self,
        kind: Kind,
        target: Target,
        values: &GivenValues,
        claims: &mut Claims,
    ) -> Result<(), Refused> {
        let catalogue = self.catalogue(kind);
        let own = match target {
            Target::New => None,
            Target::Existing(id) => Some(id),
        };
        for (name, text) in values {
            let Some(index) = catalogue.active(name) else { continue };
            if !catalogue.get(index).flags.has_unique_value {
                continue;
            }
            let is_address =
                kind == Kind::CONTACT && matches!(name.as_str(), "email" | "hs_additional_emails");
            // Further addresses are as unique as the first one.
            let index = catalogue.active("email").filter(|_| is_address).unwrap_or(index);
            for one in text.as_deref().unwrap_or_default().split(';').filter(|one| !one.is_empty()) {
                let holder = self.live_holder(kind, index, one).filter(|&holder| Some(holder) != own);
                if holder.is_none() && claims.0.insert((index, one.to_lowercase())) {
                    continue;
                }
                let (value, property) = (one.to_owned(), name.clone());
                return Err(if is_address {
                    Refused::EmailTaken { email: value, holder }
                } else {
                    Refused::ValueTaken { property, value, record: own, holder }
                });
            }
        }
        Ok(())
    }

    /// Keeps the address a contact had as a further one, if the account does that; the new one is no longer among them.
    pub(super) fn keep_old_email(
        &self,
        kind: Kind,
        view: &View<'_>,
        values: &mut GivenValues,
        rules: &Rules,
    ) {
        const FURTHER: &str = "hs_additional_emails";
        let Some(Some(new)) = values.get("email").filter(|_| kind == Kind::CONTACT) else { return };
        if values.contains_key(FURTHER) {
            return;
        }
        let named = |name| view.named(self.catalogue(kind), name).unwrap_or_default();
        let (old, further) = (named("email"), named(FURTHER));
        let mut kept: Vec<&str> = further.split(';').filter(|one| !one.is_empty() && one != new).collect();
        if rules.email_change_keeps_old && !old.is_empty() {
            kept.push(&old);
        }
        let kept = kept.join(";");
        if kept != further {
            values.insert(FURTHER.to_owned(), Some(kept).filter(|text| !text.is_empty()));
        }
    }
}
