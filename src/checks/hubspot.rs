//! What HubSpot says: reachability, token, account, scopes, limits, clock, and every type that is to be mirrored.

use std::collections::BTreeSet;

use tokio_util::sync::CancellationToken;

use super::{CLOCK_TOLERANCE, Report, Verdict, check_settings};
use crate::config::{Config, SyncConfig};
use crate::hubspot::{HubSpotClient, LimiterSnapshot, Priority};
use crate::model::{CustomType, Selected};
use crate::sync::Chain;

/// Scopes of which a token needs one to read the owners.
const OWNER_SCOPES: &[&str] = &["crm.objects.owners.read"];

/// Scopes it takes to find out what a custom object is and to read it, one of each list.
const UNREAD_SCOPES: &[&[&str]] = &[&["crm.schemas.custom.read"], &["crm.objects.custom.read"]];

/// Reachability, token, account, scopes, limits and clock.
pub async fn check_hubspot(config: &mut Config, stop: &CancellationToken, report: &mut Report<'_>) {
    let stop = stop.child_token();
    let _end = stop.clone().drop_guard();
    let hubspot = match HubSpotClient::new(&config.hubspot, stop) {
        Ok(hubspot) => hubspot,
        Err(error) => return report.failure("HubSpot", &error, error.advice()),
    };
    let account = match hubspot.account(Priority::Interactive).await {
        Ok(account) => account,
        Err(error) => return report.failure("HubSpot", &error, error.advice()),
    };
    let id = account.portal_id;
    match config.sync.portal_id.filter(|expected| *expected != id) {
        Some(expected) => report.line(
            Verdict::Failed,
            "HubSpot",
            format!("the token is for account {id}, HUBSPOT_PORTAL_ID says {expected}; use the token of that account"),
        ),
        None => report.line(Verdict::Ok, "HubSpot", format!("account {id} ({})", account.account_type)),
    }
    check_scopes(&hubspot, &config.sync, report).await;
    check_custom_types(&hubspot, &mut config.sync, report).await;
    check_types(&hubspot, &config.sync, report).await;
    if let Some(skew) = hubspot.clock_skew().filter(|skew| skew.abs() > CLOCK_TOLERANCE) {
        let seconds = skew.num_seconds();
        report.line(
            Verdict::Warning,
            "clock",
            format!("this machine's clock is off by {seconds} s from HubSpot's; run an NTP client"),
        );
    }
    report.line(Verdict::Ok, "limits", limits_in_words(&hubspot.limits()));
}

/// Whether the token has the scopes of what is to be mirrored. What it lacks is a warning only: the reads that follow
/// decide, and HubSpot has older names for some scopes.
async fn check_scopes(hubspot: &HubSpotClient, sync: &SyncConfig, report: &mut Report<'_>) {
    let token = match hubspot.token_info().await {
        Ok(token) => token,
        Err(error) => {
            let text = format!("HubSpot does not tell the scopes of this token: {}", Chain(&error));
            return report.line(Verdict::Note, "scopes", text);
        }
    };
    let missing = missing_scopes(&token.scopes, &sync.objects);
    if missing.is_empty() {
        report.line(Verdict::Ok, "scopes", "the token may read what is to be mirrored");
    } else {
        let missing: Vec<_> = missing.into_iter().collect();
        let text = format!("the token lacks {}; grant it to the app or key in HubSpot", missing.join(", "));
        report.line(Verdict::Warning, "scopes", text);
    }
    for object_type in Selected::known(&sync.objects) {
        if sync.push.is_writable(object_type) && token.may_write(object_type) == Some(false) {
            let scopes = object_type.write_scopes();
            let scope = scopes.first().map_or("a scope to write them", String::as_str);
            let text = format!("{object_type} stay read-only: the token lacks {scope}");
            report.line(Verdict::Note, "scopes", text);
        }
    }
}

/// The scopes that reading `objects` and owners takes and that are not among `granted`. Property lists and pipelines
/// answer with the scope of the records. Source: the scope lists of HubSpot's API specifications.
fn missing_scopes(granted: &[String], objects: &[Selected]) -> BTreeSet<&'static str> {
    let of_type = |selected: &Selected| match selected {
        Selected::Known(object_type) => vec![object_type.scopes],
        Selected::Unread(_) => UNREAD_SCOPES.to_vec(),
    };
    let needed = objects.iter().flat_map(of_type).chain([OWNER_SCOPES]);
    let is_granted = |scope: &&str| granted.iter().any(|granted| granted == scope);
    let lacking = needed.filter(|scopes| !scopes.iter().any(is_granted));
    lacking.filter_map(|scopes| scopes.first().copied()).collect()
}

/// The account's limits and what is used of them.
fn limits_in_words(limits: &LimiterSnapshot) -> String {
    let per_10_seconds =
        format!("using {} of {} requests per 10 s", limits.burst.capacity, limits.burst.limit);
    let search = format!("{} of {} searches per s", limits.search.capacity, limits.search.limit);
    match (limits.daily.remaining, limits.daily.limit) {
        (Some(remaining), Some(limit)) => {
            format!("{per_10_seconds}, {search}; {remaining} of {limit} left today")
        }
        _ => format!("{per_10_seconds}, {search}; HubSpot tells no daily limit"),
    }
}

/// Whether HubSpot knows the custom objects whose schema was not read yet. What is found is only used here.
async fn check_custom_types(hubspot: &HubSpotClient, sync: &mut SyncConfig, report: &mut Report<'_>) {
    let mut found = Vec::new();
    for selected in &sync.objects {
        let Selected::Unread(name) = selected else { continue };
        match hubspot.schema(*name, Priority::Interactive).await {
            Ok(schema) => found.push(CustomType::new(&schema, &found)),
            Err(error) => report.failure(name.as_str(), &error, error.advice()),
        }
    }
    sync.objects = Selected::resolve(&sync.objects, &found);
    for finding in check_settings(sync) {
        report.add(finding);
    }
}

/// Whether the token may read what is to be mirrored.
async fn check_types(hubspot: &HubSpotClient, sync: &SyncConfig, report: &mut Report<'_>) {
    for object_type in Selected::known(&sync.objects) {
        let readable = async {
            let properties = hubspot.properties(object_type, Priority::Interactive).await?;
            hubspot.list_records(object_type, &[], None, Priority::Interactive).await?;
            let total = hubspot.count_records(object_type, Priority::Interactive).await?;
            if object_type.has_pipelines {
                hubspot.pipelines(object_type, Priority::Interactive).await?;
            }
            Ok::<_, crate::hubspot::HubSpotError>((properties, total))
        };
        match readable.await {
            Ok((properties, total)) => {
                let text = format!("{total} record(s), {} properties", properties.len());
                report.line(Verdict::Ok, object_type.name, text);
                let is_unknown = |name: &&String| !properties.iter().any(|property| property.name == **name);
                let columns = sync.columns.get(object_type.name).into_iter().flatten();
                for name in columns.filter(is_unknown) {
                    let variable = format!("COLUMNS_{}", object_type.name.to_uppercase());
                    let text = format!("{variable} names `{name}`, which HubSpot does not know");
                    report.line(Verdict::Warning, object_type.name, text);
                }
            }
            Err(error) => report.failure(object_type.name, &error, error.advice()),
        }
    }
    match hubspot.owners(Priority::Interactive).await {
        Ok(owners) => report.line(Verdict::Ok, "owners", format!("{} owner(s)", owners.len())),
        Err(error) => report.failure("owners", &error, error.advice()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scopes_a_token_lacks_are_named() {
        let objects = ["contacts", "deals"].map(|name| Selected::named(name).expect("a known type"));
        let granted = ["oauth", "crm.objects.contacts.read", "crm.schemas.deals.read"].map(str::to_owned);
        let missing = ["crm.objects.deals.read", "crm.objects.owners.read"];
        assert_eq!(missing_scopes(&granted, &objects), BTreeSet::from(missing));
    }

    #[test]
    fn one_of_several_scopes_is_enough_and_the_usual_one_is_named() {
        let objects = ["tickets", "notes", "p1_cars"].map(|name| Selected::named(name).expect("a type"));
        let granted = ["crm.objects.owners.read", "crm.objects.tickets.read"].map(str::to_owned);
        let missing = ["crm.objects.contacts.read", "crm.objects.custom.read", "crm.schemas.custom.read"];
        assert_eq!(missing_scopes(&granted, &objects), BTreeSet::from(missing));
    }
}
