//! Lists of records, their pages, and the forms that make, change and delete them.

use serde_json::{Value, json};

use super::super::Served;
use super::Visitor;
use super::form::Form;
use crate::support::edits::{all_is_sent, hubspot_contact};

/// What browsers would run, were it not escaped.
const HOSTILE: &str = "<script>alert('\"1\"')</script>";
/// The same as it stands in a page.
const ESCAPED: &str = "&#60;script&#62;alert(&#39;&#34;1&#34;&#39;)&#60;/script&#62;";

/// A server with so many contacts and companies, and somebody in front of it.
async fn served(contacts: u32, companies: u32) -> (Served, Visitor) {
    let served = Served::start(contacts, companies).await;
    let visitor = Visitor::at(served.api.address());
    (served, visitor)
}

impl Served {
    /// What a contact has of a property; null when it is not set.
    async fn property(&self, id: &Value, name: &str) -> Value {
        self.api.get(&format!("/api/contacts/{id}")).await.ok()["properties"][name].clone()
    }
}

/// How often a text stands in another one.
fn count(text: &str, part: &str) -> usize {
    text.matches(part).count()
}

#[tokio::test]
async fn a_list_shows_every_record_once_page_by_page() {
    let (served, visitor) = served(57, 2).await;
    let first = visitor.get("/contacts").await.ok();
    assert_eq!(count(&first, r#"<a class="name""#), 50);
    assert!(first.contains("1–50 of 57") && first.contains(r#"href="/contacts?page=2""#), "{first}");
    assert!(first.contains(r#"href="/contacts/new""#) && first.contains("New contact"));
    let second = visitor.get("/contacts?page=2").await.ok();
    assert_eq!(count(&second, r#"<a class="name""#), 7);
    assert!(second.contains("51–57 of 57") && !second.contains(r#"rel="next""#), "{second}");
    let all = served.api.get("/api/contacts?limit=200").await.ok();
    for contact in all["data"].as_array().unwrap() {
        let link = format!(r#"href="/contacts/{}""#, contact["id"]);
        assert_eq!(count(&first, &link) + count(&second, &link), 1, "{link}");
    }
    let email = served.contact().await["email"].as_str().unwrap().to_owned();
    assert!(second.contains(&email), "the first row is the last one: the newest come first");
    let sorted = visitor.get("/contacts?sort=email").await.ok();
    assert!(sorted.contains(r#"aria-sort="ascending"><a class="sort" href="/contacts?sort=-email">Email"#));
    let companies = visitor.get("/companies").await.ok();
    let offered = |name: &str| companies.contains(&format!(r#"href="/companies?sort={name}""#));
    assert!(offered("name") && offered("domain") && !offered("industry") && !offered("city"));
    let smallest = served.test.value("SELECT MIN(email) FROM hubspot_contacts").await;
    assert!(sorted.find(&smallest).unwrap() < sorted.len() / 4, "{smallest} stands at the top");
}

#[tokio::test]
async fn a_list_is_searched_and_narrowed_and_says_what_cannot_be_asked() {
    let (served, visitor) = served(12, 2).await;
    let contact = served.contact().await;
    let (id, email) = (&contact["id"], contact["email"].as_str().unwrap());
    let found = visitor.get(&format!("/contacts?search={email}&syncStatus=&archived=")).await.ok();
    assert_eq!(count(&found, r#"<a class="name""#), 1);
    assert!(found.contains(&format!(r#"href="/contacts/{id}""#)) && found.contains("1–1 of 1"));
    assert!(found.contains(&format!(r#"name="search" type="search" value="{email}""#)));
    let nothing = visitor.get("/contacts?search=%3Cscript%3Ealert(%27%221%22%27)%3C/script%3E").await.ok();
    assert!(nothing.contains("Nothing fits") && nothing.contains(ESCAPED) && !nothing.contains(HOSTILE));
    let wrong = visitor.get("/contacts?sort=city").await;
    assert_eq!(wrong.status, 422);
    assert!(wrong.html.contains("has to be one of these") && wrong.html.contains(r#"role="alert""#));
    for query in ["syncStatus=fine", "page=0", "cursor=x", "stage=x"] {
        assert_eq!(visitor.get(&format!("/contacts?{query}")).await.status, 400, "{query}");
    }

    served.api.delete(&format!("/api/contacts/{id}")).await.ok();
    assert!(visitor.get("/contacts").await.ok().contains("1–11 of 11"));
    let deleted = visitor.get("/contacts?archived=true").await.ok();
    assert!(deleted.contains("1–1 of 1") && deleted.contains(r#"<span class="pill idle">deleted</span>"#));
    assert!(visitor.get("/companies?syncStatus=synced").await.ok().contains("1–2 of 2"));
    assert!(visitor.get("/companies?syncStatus=conflict").await.ok().contains("Nothing fits"));
}

#[tokio::test]
async fn a_record_is_shown_with_labels_links_and_its_page_in_hubspot() {
    let (served, visitor) = served(8, 3).await;
    let link = "INSERT INTO hubspot_associations (from_type, from_id, to_type, to_id, category, type_id, label, \
                is_primary, first_seen_at) SELECT 'contacts', p.hubspot_id, 'companies', c.hubspot_id, \
                'USER_DEFINED', 7, 'Employer <i>', TRUE, NOW() FROM (SELECT MIN(hubspot_id) AS hubspot_id \
                FROM hubspot_contacts) p JOIN (SELECT MAX(hubspot_id) AS hubspot_id FROM hubspot_companies) c";
    served.test.execute(link).await;
    let id = served.test.value("SELECT MIN(hubspot_id) FROM hubspot_contacts").await;
    let page = visitor.get(&format!("/contacts/hs-{id}")).await.ok();
    let contact = served.api.get(&format!("/api/contacts/hs-{id}")).await.ok();
    let label = |name: &str| format!(r#"<dt title="{name}">"#);
    for name in contact["properties"].as_object().unwrap().keys() {
        assert_eq!(count(&page, &label(name)), 1, "{name}");
    }
    assert!(page.contains(r#"<dt title="firstname">First Name</dt>"#), "{page}");
    let email = contact["email"].as_str().unwrap();
    assert!(page.contains(&format!(r#"<a href="mailto:{email}">{email}</a>"#)), "{page}");
    assert!(page.contains("properties are not set") && page.contains(r#"<span title="fax">"#));
    let portal = served.test.value("SELECT CAST(portal_id AS CHAR) FROM hubspot_account").await;
    assert!(page.contains(&format!("/contacts/{portal}/record/0-1/{id}\"")), "{page}");
    let company = "SELECT CONCAT(id, '|', name) FROM hubspot_companies ORDER BY hubspot_id DESC LIMIT 1";
    let company = served.test.value(company).await;
    let (company_id, name) = company.split_once('|').unwrap();
    assert!(page.contains(&format!(r#"<a href="/companies/{company_id}">{}"#, name.replace('&', "&#38;"))));
    assert!(page.contains("Primary, Employer &#60;i&#62;"), "{page}");
    let company = visitor.get(&format!("/companies/{company_id}")).await.ok();
    assert!(
        company.contains(&format!(r#"<a href="/contacts/{}">"#, contact["id"])),
        "seen from the other side"
    );
    let same = visitor.get(&format!("/objects/contacts/{}", contact["id"])).await.ok();
    assert!(same.contains(&format!(r#"href="/contacts/{}/edit""#, contact["id"])));
    for path in ["/contacts/999999", "/contacts/hs-1", "/objects/unicorns", "/objects/tickets/1"] {
        let missing = visitor.get(path).await;
        assert_eq!(missing.status, 404, "{path}");
        assert!(missing.html.contains("<h1>Not here</h1>"), "{path}");
    }
}

#[tokio::test]
async fn values_are_shown_as_texts_whatever_they_are() {
    let (served, visitor) = served(2, 1).await;
    let path = format!("/contacts/{}", served.contact().await["id"]);
    let long = "long ".repeat(10_000);
    let hostile = json!({"firstName": HOSTILE, "company": HOSTILE, "properties": {"message": long, "jobtitle": HOSTILE}});
    served.api.patch(&format!("/api{path}"), &hostile).await.ok();
    for path in ["/contacts", &path, &format!("{path}/edit"), &format!("{path}/delete")] {
        let page = visitor.get(path).await.ok();
        assert!(page.contains(ESCAPED) && !page.contains(HOSTILE), "{path}");
    }
    let page = visitor.get(&path).await.ok();
    assert!(page.contains("the first of 50,000 characters"), "{page}");
}

#[tokio::test]
async fn an_edit_changes_what_was_edited_and_nothing_else() {
    let (served, visitor) = served(3, 1).await;
    let before = served.contact().await;
    let path = format!("/contacts/{}", before["id"]);
    let form = Form::of(&visitor.get(&format!("{path}/edit")).await.ok());
    assert_eq!(form.value("value.email"), before["email"]);
    assert!(!form.has("value.hs_object_id"), "nobody can write it");
    let same = visitor.post(&format!("{path}/edit"), &form.fields()).await;
    assert_eq!(same.sent_to(), format!("{path}?done=same"));
    assert_eq!(served.contact().await, before);

    let edited = form.with("value.phone", "+49 30 1234567").with("value.city", "");
    let saved = visitor.post(&format!("{path}/edit"), &edited.fields()).await;
    assert_eq!(saved.sent_to(), format!("{path}?done=saved"));
    assert!(visitor.get(saved.sent_to()).await.ok().contains("Saved here."));
    all_is_sent(&served.test, "hubspot_contacts").await;
    let after = served.contact().await;
    let hubspot = hubspot_contact(&served.simulator, after["hubspotId"].as_str().unwrap()).await;
    assert_eq!(hubspot["properties"]["phone"], "+49 30 1234567");
    let mut expected = before["properties"].clone();
    expected["phone"] = json!("+49 30 1234567");
    expected.as_object_mut().unwrap().remove("city");
    for (name, value) in expected.as_object().unwrap() {
        let by_hubspot = name.starts_with("hs_") || name == "lastmodifieddate";
        assert!(by_hubspot || after["properties"][name] == *value, "{name}: {after}");
    }
    assert_eq!(after["properties"]["city"], Value::Null);
    let page = visitor.get(&path).await.ok();
    assert!(page.contains("Changes sent to HubSpot") && page.contains("City, Phone Number"), "{page}");
}

#[tokio::test]
async fn what_is_wrong_is_said_at_its_field_and_what_was_typed_stays() {
    let (served, visitor) = served(3, 1).await;
    let before = served.contact().await;
    let path = format!("/contacts/{}/edit", before["id"]);
    let form = Form::of(&visitor.get(&path).await.ok());
    let edited = form.clone().with("value.email", "<nobody>").with("value.jobtitle", "Captain");
    let wrong = visitor.post(&path, &edited.fields()).await;
    assert_eq!(wrong.status, 422);
    let problem = r#"<p id="problem-email" class="problem">Email has to be an e-mail address</p>"#;
    assert!(wrong.html.contains(problem), "{}", wrong.html);
    assert!(wrong.html.contains(r#"aria-invalid="true" aria-describedby="problem-email""#));
    let shown = Form::of(&wrong.html);
    assert_eq!((shown.value("value.email"), shown.value("value.jobtitle")), ("<nobody>", "Captain"));
    assert_eq!(served.contact().await, before);

    let taken = served.test.value("SELECT email FROM hubspot_contacts ORDER BY id DESC LIMIT 1").await;
    let refused = visitor.post(&path, &form.clone().with("value.email", &taken).fields()).await;
    assert_eq!(refused.status, 409);
    let other = served.test.value("SELECT CAST(MAX(id) AS CHAR) FROM hubspot_contacts").await;
    assert!(
        refused.html.contains(&format!(r#"<a href="/contacts/{other}">Look at it</a>"#)),
        "{}",
        refused.html
    );
    let mut unknown = form.fields();
    unknown.push(("value.unicorns", "1"));
    let refused = visitor.post(&path, &unknown).await;
    assert_eq!(refused.status, 422);
    assert!(refused.html.contains("unicorns is no property of contacts"), "{}", refused.html);
    assert_eq!(served.contact().await, before);
    let corrected = visitor.post(&path, &shown.with("value.email", "c@b.example").fields()).await;
    assert!(corrected.sent_to().ends_with("?done=saved"));
    assert_eq!(served.property(&before["id"], "jobtitle").await, "Captain");
}

#[tokio::test]
async fn a_form_that_was_overtaken_says_what_changed_and_keeps_what_was_typed() {
    let (served, visitor) = served(2, 1).await;
    let id = served.contact().await["id"].clone();
    let path = format!("/contacts/{id}/edit");
    let form = Form::of(&visitor.get(&path).await.ok());
    let others = json!({"phone": "+1 555 0100", "properties": {"jobtitle": "Pilot"}});
    served.api.patch(&format!("/api/contacts/{id}"), &others).await.ok();
    let edited = form.with("value.phone", "+1 555 0199").with("value.city", "Kiel");
    let stale = visitor.post(&path, &edited.fields()).await;
    assert_eq!(stale.status, 409);
    let row = |label: &str, now: &str, entered: &str| {
        format!(r#"<tr><th scope="row">{label}</th><td>{now}</td><td>{entered}</td></tr>"#)
    };
    assert!(stale.html.contains(&row("Phone Number", "+1 555 0100", "+1 555 0199")), "{}", stale.html);
    let untouched = r#"<span class="muted">not edited</span>"#;
    assert!(stale.html.contains(&row("Job Title", "Pilot", untouched)), "{}", stale.html);
    assert_eq!(served.property(&id, "phone").await, "+1 555 0100", "nothing is saved yet");
    let again = Form::of(&stale.html);
    assert_eq!((again.value("value.phone"), again.value("value.jobtitle")), ("+1 555 0199", "Pilot"));
    assert!(visitor.post(&path, &again.fields()).await.sent_to().ends_with("?done=saved"));
    for (name, value) in [("phone", "+1 555 0199"), ("city", "Kiel"), ("jobtitle", "Pilot")] {
        assert_eq!(served.property(&id, name).await, value, "{name}");
    }
}

#[tokio::test]
async fn a_record_is_made_once_however_often_its_form_is_sent() {
    let (served, visitor) = served(2, 1).await;
    let form = Form::of(&visitor.get("/companies/new").await.ok());
    let empty = visitor.post("/companies/new", &form.fields()).await;
    assert_eq!(empty.status, 422);
    assert!(empty.html.contains("A new company needs a value at least"), "{}", empty.html);
    let filled = form.with("value.name", "Örsted & Söhne").with("value.numberofemployees", "12");
    let made = visitor.post("/companies/new", &filled.fields()).await;
    let twice = visitor.post("/companies/new", &filled.fields()).await;
    assert_eq!(made.sent_to(), twice.sent_to());
    let count =
        "SELECT COUNT(*) FROM hubspot_companies WHERE name = 'Örsted & Söhne' AND numberofemployees = 12";
    assert_eq!(served.test.number(count).await, 1);
    let page = visitor.get(made.sent_to()).await.ok();
    assert!(page.contains("Made here.") && page.contains("Örsted &#38; Söhne"), "{page}");
    let another = Form::of(&visitor.get("/companies/new").await.ok());
    let another = another.with("value.name", "Örsted & Söhne").with("value.numberofemployees", "12");
    assert_ne!(visitor.post("/companies/new", &another.fields()).await.sent_to(), made.sent_to());
    all_is_sent(&served.test, "hubspot_companies").await;
    let page = visitor.get(made.sent_to().split('?').next().unwrap()).await.ok();
    assert!(page.contains("Made in HubSpot") && page.contains("Open in HubSpot"), "{page}");

    let taken = served.contact().await;
    let form = Form::of(&visitor.get("/contacts/new").await.ok());
    let form = form.with("value.email", taken["email"].as_str().unwrap());
    let refused = visitor.post("/contacts/new", &form.fields()).await;
    assert_eq!(refused.status, 409);
    assert!(refused.html.contains(&format!(r#"<a href="/contacts/{}">"#, taken["id"])), "{}", refused.html);
}

#[tokio::test]
async fn a_property_with_many_options_is_found_by_its_name() {
    let (served, visitor) = served(1, 1).await;
    let path = format!("/contacts/{}/edit", served.contact().await["id"]);
    let usual = visitor.get(&path).await.ok();
    assert!(!Form::of(&usual).has("value.hs_timezone"));
    assert!(usual.contains(&format!(r#"href="{path}?find=hs_timezone""#)), "{usual}");
    let found = Form::of(&visitor.get(&format!("{path}?find=hs_timezone")).await.ok());
    assert!(found.has("value.hs_timezone") && !found.has("value.email"));
    let saved = visitor.post(&path, &found.with("value.hs_timezone", "europe_slash_berlin").fields()).await;
    assert!(saved.sent_to().ends_with("?done=saved"));
    let id = served.contact().await["id"].clone();
    assert_eq!(served.property(&id, "hs_timezone").await, "europe_slash_berlin");
    let none = visitor.get(&format!("{path}?find=%3Cscript%3E")).await.ok();
    assert!(none.contains("No property that can be edited") && !none.contains("<script>"), "{none}");
}

#[tokio::test]
async fn a_record_is_deleted_after_a_question() {
    let (served, visitor) = served(2, 1).await;
    let contact = served.contact().await;
    let path = format!("/contacts/{}", contact["id"]);
    let question = visitor.get(&format!("{path}/delete")).await.ok();
    assert!(question.contains("recycle bin"), "{question}");
    let form = Form::of(&question);
    served.api.patch(&format!("/api{path}"), &json!({"phone": "+1 555 0100"})).await.ok();
    let stale = visitor.post(&format!("{path}/delete"), &form.fields()).await;
    assert_eq!(stale.status, 409);
    assert!(stale.html.contains("It was changed since you asked"), "{}", stale.html);
    assert!(!served.contact().await["archived"].as_bool().unwrap());
    let deleted = visitor.post(&format!("{path}/delete"), &Form::of(&stale.html).fields()).await;
    assert_eq!(deleted.sent_to(), format!("{path}?done=deleted"));
    let page = visitor.get(deleted.sent_to()).await.ok();
    assert!(page.contains("Deleted here.") && page.contains(r#"<span class="pill idle">deleted</span>"#));
    assert!(!page.contains(&format!("{path}/edit")) && !page.contains("Open in HubSpot"));
    assert_eq!(visitor.get(&format!("{path}/edit")).await.sent_to(), path);
    assert_eq!(visitor.get(&format!("{path}/delete")).await.sent_to(), path);
}

#[tokio::test]
async fn records_that_are_read_only_have_no_forms() {
    let served = Served::start_with(1, 2, |setup| setup.set("WRITABLE_OBJECTS", "contacts")).await;
    let visitor = Visitor::at(served.api.address());
    let list = visitor.get("/companies").await.ok();
    assert!(list.contains("Read-only here") && !list.contains("/companies/new"), "{list}");
    let page = visitor.get("/companies/1").await.ok();
    assert!(!page.contains("/companies/1/edit") && !page.contains("/companies/1/delete"), "{page}");
    for path in ["/companies/new", "/companies/1/edit", "/companies/1/delete"] {
        let refused = visitor.get(path).await;
        assert_eq!(refused.status, 403, "{path}");
        assert!(refused.html.contains("read-only here"), "{}", refused.html);
        let fields = [("version", "1"), ("value.name", "x")];
        assert_eq!(visitor.post(path, &fields).await.status, 403, "{path}");
    }
    assert_eq!(
        served.test.number("SELECT COUNT(*) FROM hubspot_companies WHERE archived OR name = 'x'").await,
        0
    );
}

#[tokio::test]
async fn a_form_that_cannot_be_read_is_answered_with_a_page() {
    let (_served, visitor) = served(1, 1).await;
    for (path, fields) in
        [("/contacts/1/delete", &[("version", "x")][..]), ("/health/deletes/contacts", &[("wrong", "1")])]
    {
        let page = visitor.post(path, fields).await;
        assert!(page.status.is_client_error(), "{path}: {}", page.status);
        assert_eq!(page.headers["content-type"], "text/html; charset=utf-8", "{path}");
        assert!(page.html.contains("This did not work") || page.html.contains("Not here"), "{path}");
    }
}
