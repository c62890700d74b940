//! The way to every type.

use super::super::Served;
use super::Visitor;

#[tokio::test]
async fn every_mirrored_type_is_reached_from_the_navigation() {
    let types = "contacts,companies,deals,tickets,line_items";
    let served = Served::start_with(3, 2, |setup| {
        setup.set("SYNC_OBJECTS", types).set("WRITABLE_OBJECTS", "contacts,tickets")
    })
    .await;
    let visitor = Visitor::at(served.api.address());
    let overview = visitor.get("/").await.ok();
    assert!(overview.contains(r#"<a href="/objects">Objects"#), "{overview}");
    let html = visitor.get("/objects").await.ok();
    assert!(html.contains(r#"<a href="/objects" aria-current="page">"#), "{html}");
    let lists = ["/contacts", "/companies", "/deals/list", "/objects/tickets", "/objects/line_items"];
    for (path, title) in lists.into_iter().zip(["Contacts", "Companies", "Deals", "Tickets", "Line items"]) {
        assert!(html.contains(&format!(r#"href="{path}">{title}</a>"#)), "{path}: {html}");
        assert!(visitor.get(path).await.ok().contains(&format!("<h1>{title}</h1>")), "{path}");
    }
    assert_eq!((html.matches(">editable<").count(), html.matches(">read-only<").count()), (2, 3));
    assert!(html.contains("hubspot_line_items"), "{html}");
    let tickets = visitor.get("/objects/tickets").await.ok();
    assert!(tickets.contains(r#"<a href="/objects" aria-current="page">"#), "{tickets}");
}
