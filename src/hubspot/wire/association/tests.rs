//! Answers as HubSpot gives them, and as it should not.

use super::*;

/// Asks for these records from their first link on.
fn asked(ids: &[i64]) -> Vec<(ObjectId, Option<Cursor>)> {
    ids.iter().map(|id| (ObjectId(*id), None)).collect()
}

/// The answer's page for these records.
fn page(body: &str, ids: &[i64]) -> AssociationPage {
    parse_associations(body.as_bytes(), &asked(ids)).unwrap()
}

/// Links in short: from, to, number, label.
fn short(page: &AssociationPage) -> Vec<(i64, i64, i64, Option<&str>)> {
    let short = |link: &'_ Association| (link.from.0, link.to.0, link.kind.type_id);
    page.associations
        .iter()
        .map(|link| {
            let (from, to, type_id) = short(link);
            (from, to, type_id, link.kind.label.as_deref())
        })
        .collect()
}

/// Ids of a list.
fn ids(list: &[ObjectId]) -> Vec<i64> {
    list.iter().map(|id| id.0).collect()
}

/// An error that names these records as having no links.
fn nothing_found(ids: &str) -> String {
    format!(
        r#"{{"status": "error", "category": "OBJECT_NOT_FOUND",
            "subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND",
            "message": "No company is associated with contact 1.", "context": {{"fromObjectId": [{ids}]}}}}"#
    )
}

#[test]
fn links_are_read_with_ids_as_numbers_or_text_and_kinds_are_shared() {
    let body = r#"{"status": "COMPLETE", "results": [
        {"from": {"id": "100"}, "to": [
            {"toObjectId": 200, "associationTypes": [
                {"category": "HUBSPOT_DEFINED", "typeId": 1, "label": "Primary"},
                {"category": "HUBSPOT_DEFINED", "typeId": 279, "label": null}]},
            {"toObjectId": "201", "associationTypes": [
                {"category": "HUBSPOT_DEFINED", "typeId": 279}]}]},
        {"from": {"id": 101}, "to": [
            {"toObjectId": 200, "associationTypes": [
                {"category": "USER_DEFINED", "typeId": 36, "label": "Billing", "unknown": [1]}]}],
         "paging": {"next": {"after": "77", "link": "x"}}}]}"#;
    let page = page(body, &[100, 101]);
    let expected = [
        (100, 200, 1, Some("Primary")),
        (100, 200, 279, None),
        (100, 201, 279, None),
        (101, 200, 36, Some("Billing")),
    ];
    assert_eq!(short(&page), expected);
    assert!(Arc::ptr_eq(&page.associations[1].kind, &page.associations[2].kind));
    assert_eq!(page.associations[3].kind.category, "USER_DEFINED");
    assert_eq!(ids(&page.finished), [100]);
    assert_eq!(page.unfinished, [(ObjectId(101), Cursor("77".to_owned()))]);
    assert_eq!((ids(&page.unread), page.reason.as_str()), (vec![], ""));
}

#[test]
fn having_none_is_an_answer_and_silence_is_not() {
    let body = format!(
        r#"{{"status": "COMPLETE", "results": [{{"from": {{"id": "5"}}, "to": []}}], "errors": [{}]}}"#,
        nothing_found(r#""1", 2"#)
    );
    let page = page(&body, &[1, 2, 3, 5]);
    let mut finished = ids(&page.finished);
    finished.sort_unstable();
    assert_eq!(finished, [1, 2, 5]);
    assert_eq!(ids(&page.unread), [3]);
    assert_eq!(page.reason, "HubSpot's answer does not say what they are linked to");
    assert!(page.associations.is_empty());
}

#[test]
fn what_failed_is_unread_whoever_is_named() {
    let link = r#"{"from": {"id": "1"}, "to": [{"toObjectId": 9, "associationTypes": [{"category": "WORK", "typeId": 3}]}]}"#;
    for (error, unread, reason) in [
        (r#"{"category": "INTERNAL_ERROR", "context": {"fromObjectId": ["2"]}}"#, vec![2], "INTERNAL_ERROR"),
        (
            r#"{"category": "INTERNAL_ERROR", "context": {"fromObjectId": ["1"]}}"#,
            vec![1, 2],
            "INTERNAL_ERROR",
        ),
        (r#"{"category": "OBJECT_NOT_FOUND", "subCategory": "other"}"#, vec![2], "other"),
        (r#""text""#, vec![2], "without a category"),
    ] {
        let page = page(&format!(r#"{{"results": [{link}], "errors": [{error}]}}"#), &[1, 2]);
        assert_eq!(ids(&page.unread), unread, "{error}");
        assert_eq!(page.reason, format!("HubSpot reports error {reason}"), "{error}");
        assert_eq!(page.finished.len() + page.unread.len(), 2, "{error}");
    }
}

#[test]
fn a_record_that_is_understood_in_part_is_not_finished() {
    let good = r#"{"toObjectId": 9, "associationTypes": [{"category": "WORK", "typeId": 3}]}"#;
    for bad in [
        r#"{"toObjectId": "?", "associationTypes": [{"category": "WORK", "typeId": 3}]}"#,
        r#"{"toObjectId": 8, "associationTypes": [{"category": "WORK"}]}"#,
        r#"{"toObjectId": 8, "associationTypes": [{"category": "", "typeId": 3}]}"#,
        r#"{"toObjectId": 8, "associationTypes": [{"category": "two words", "typeId": 3}]}"#,
        r#"{"toObjectId": 8, "associationTypes": []}"#,
        r#"{"toObjectId": 8}"#,
        "8",
    ] {
        let body = format!(r#"{{"results": [{{"from": {{"id": "1"}}, "to": [{good}, {bad}]}}]}}"#);
        let page = page(&body, &[1]);
        assert_eq!((ids(&page.finished), ids(&page.unread)), (vec![], vec![1]), "{bad}");
        assert!(page.associations.is_empty(), "{bad}");
    }
}

#[test]
fn results_nobody_asked_for_are_passed_over() {
    let body = r#"{"results": [{"from": {"id": "7"}, "to": []}, {"from": {"id": "1"}, "to": []}, {"from": {}, "to": []}]}"#;
    let page = page(body, &[1]);
    assert_eq!((ids(&page.finished), ids(&page.unread)), (vec![1], vec![]));
}

#[test]
fn an_unfinished_batch_or_a_cursor_that_stays_is_refused() {
    let pending = br#"{"status": "PENDING", "results": []}"#;
    assert!(parse_associations(pending, &asked(&[1])).is_err());
    let same = br#"{"results": [{"from": {"id": "1"}, "to": [], "paging": {"next": {"after": "5"}}}]}"#;
    let at = |after: &str| [(ObjectId(1), Some(Cursor(after.to_owned())))];
    assert!(parse_associations(same, &at("5")).is_err());
    assert!(parse_associations(same, &at("4")).is_ok());
    for body in ["{}", "[]", "", "<html>"] {
        assert!(parse_associations(body.as_bytes(), &asked(&[1])).is_err(), "{body}");
    }
}

#[test]
fn labels_are_read() {
    let body = br#"{"results": [{"category": "HUBSPOT_DEFINED", "typeId": 279, "label": null},
        {"category": "USER_DEFINED", "typeId": 36, "label": "Billing"}, {"category": "WORK", "typeId": null}]}"#;
    let labels = parse_labels(body).unwrap();
    assert_eq!(labels.iter().map(|kind| kind.type_id).collect::<Vec<_>>(), [279, 36]);
    assert_eq!(labels[1].label.as_deref(), Some("Billing"));
}
