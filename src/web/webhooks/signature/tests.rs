//! Values published by HubSpot (documentation and `HubSpot/hubspot-api-nodejs`) and some computed apart.

use proptest::prelude::*;

use super::*;

/// Secret of the published values.
const P: &str = "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy";
/// URL of the published values.
const U: &str = "https://www.example.com/webhook_uri";
/// Secret of the others.
const K: &str = "sim-app-secret-0001";
/// URL of the others.
const A: &str = "https://sync.example.test/hubspot/webhooks";
/// Body of the published v1 value.
const B1: &str = r#"[{"eventId":1,"subscriptionId":12345,"portalId":62515,"occurredAt":1564113600000,"subscriptionType":"contact.creation","attemptNumber":0,"objectId":123,"changeSource":"CRM","changeFlag":"NEW","appId":54321}]"#;
/// A body beyond ASCII.
const B2: &str = r#"[{"eventId":100,"subscriptionId":7,"portalId":62515,"appId":54321,"occurredAt":1780000000000,"subscriptionType":"contact.propertyChange","attemptNumber":0,"objectId":512,"propertyName":"lastname","propertyValue":"Müller 😀","changeSource":"CRM_UI","sourceId":"userId:9586504"}]"#;

/// The check at that time, of a request without any header but those given.
fn check(
    presented: Presented<'_>,
    secret: &str,
    method: &str,
    url: &str,
    body: &str,
    at: i64,
) -> Result<(), Distrust> {
    let now = DateTime::from_timestamp_millis(at).expect("a time");
    presented.verify(secret, Signed { method, url, body: body.as_bytes() }, now)
}

/// The check of a v3 signature at the time it says.
fn v3(secret: &str, url: &str, body: &str, timestamp: &str, signature: &str) -> Result<(), Distrust> {
    let presented = Presented { v3: Some(signature), timestamp: Some(timestamp), ..Presented::default() };
    check(presented, secret, "POST", url, body, timestamp.parse().expect("a number"))
}

/// The check of an older signature.
fn old(
    version: Option<&str>,
    secret: &str,
    method: &str,
    url: &str,
    body: &str,
    signature: &str,
) -> Result<(), Distrust> {
    let presented = Presented { old: Some(signature), old_version: version, ..Presented::default() };
    check(presented, secret, method, url, body, 0)
}

#[test]
fn version_1_is_that_of_secret_and_body() {
    let published = "232db2615f3d666fe21a8ec971ac7b5402d33b9a925784df3ca654d05f4817de";
    let beyond_ascii = "9c06d8b278e8b4755db55cd3a83c3ec2708853dd63f1cd92bbfb7fd7b44dbfab";
    for version in [None, Some("v1")] {
        assert_eq!(old(version, P, "POST", U, B1, published), Ok(()));
        assert_eq!(old(version, K, "POST", A, B2, beyond_ascii), Ok(()));
        assert_eq!(old(version, K, "POST", A, B1, beyond_ascii), Err(Distrust::Forged));
    }
}

#[test]
fn version_2_is_that_of_secret_method_url_and_body() {
    let get = "eee2dddcc73c94d699f5e395f4b9d454a069a6855fbfa152e91e88823087200e";
    let post = "9569219f8ba981ffa6f6f16aa0f48637d35d728c7e4d93d0d52efaa512af7900";
    let beyond_ascii = "47ccd4df7bd39b10cf27e1c0e6a811da29147a8a8eaeb866edfcce54fc590cf6";
    let version = Some("v2");
    assert_eq!(old(version, P, "GET", U, "", get), Ok(()));
    assert_eq!(old(version, P, "POST", U, r#"{"example_field":"example_value"}"#, post), Ok(()));
    assert_eq!(old(version, K, "POST", A, B2, beyond_ascii), Ok(()));
    assert_eq!(old(version, K, "POST", U, B2, beyond_ascii), Err(Distrust::Forged));
}

#[test]
fn version_3_is_that_of_method_url_body_and_time() {
    let single_quotes = "{'example_field':'example_value'}";
    for (url, secret, body, timestamp, signature) in [
        (U, P, single_quotes, "1693657560000", "K36dawei4A+QBNolUOqo7s91KQDWQ5MXZ/QufNYuk/Y="),
        (U, P, single_quotes, "1700000300000", "RnbPH7+UMKVkbV32P8bz450N4M56aPmcru1+D3kSDtw="),
        (
            U,
            P,
            r#"{"example_field":"example_value"}"#,
            "1693657560000",
            "oaA3M5dEtt6kFsseJD/Hv/x+JNl1vsoxFj4oxmwP6Go=",
        ),
        (A, K, B2, "1780000000123", "hZz/7DEaDNYPjhW21dcbCrCiu4eQkFDkV7rrk/LdLYw="),
        (A, K, "[]", "1780000000123", "LByzmsodgIGerbNaS9TlbLTi3y7Z0snx2ULtBMDJVCw="),
    ] {
        assert_eq!(v3(secret, url, body, timestamp, signature), Ok(()), "{url} {body}");
        assert_eq!(v3("another", url, body, timestamp, signature), Err(Distrust::Forged));
        assert_eq!(v3(secret, "https://other.example", body, timestamp, signature), Err(Distrust::Forged));
        assert_eq!(v3(secret, url, &format!("{body} "), timestamp, signature), Err(Distrust::Forged));
    }
}

#[test]
fn some_escapes_of_the_url_are_decoded_and_others_are_not() {
    let url = format!("{A}?tenant=a%2Fb&x=%20y&z=%3a1");
    assert_eq!(decoded(&url), format!("{A}?tenant=a/b&x=%20y&z=:1"));
    assert_eq!(decoded("%3A%2F%3F%40%21%24%27%28%29%2A%2C%3B"), ":/?@!$'()*,;");
    assert_eq!(decoded("%253A %2 %é %"), "%253A %2 %é %");
    let decoded = "FV+Elm250N3l3lr43xcHll48cbBa/FioRHk2vMg/hwI=";
    assert_eq!(v3(K, &url, B2, "1780000000123", decoded), Ok(()));
    let verbatim = "5k3/MDJoDZeTArG8jXzDrNdubushXcXvQjbkJUvgELo=";
    assert_eq!(v3(K, &url, B2, "1780000000123", verbatim), Err(Distrust::Forged));
}

#[test]
fn a_time_more_than_five_minutes_away_is_stale() {
    let signature = "hZz/7DEaDNYPjhW21dcbCrCiu4eQkFDkV7rrk/LdLYw=";
    let presented =
        Presented { v3: Some(signature), timestamp: Some("1780000000123"), ..Presented::default() };
    let at = |ms: i64| check(presented, K, "POST", A, B2, 1_780_000_000_123 + ms);
    assert_eq!([at(300_000), at(-300_000)], [Ok(()), Ok(())]);
    assert_eq!([at(300_001), at(-300_001)], [Err(Distrust::Stale); 2]);
    for timestamp in [None, Some(""), Some("now"), Some("9223372036854775807")] {
        let presented = Presented { timestamp, ..presented };
        let now = DateTime::from_timestamp_millis(1_780_000_000_123).expect("a time");
        assert_eq!(presented.precheck(now), Err(Distrust::Stale), "{timestamp:?}");
    }
}

#[test]
fn without_any_signature_nothing_is_believed() {
    assert_eq!(check(Presented::default(), K, "POST", A, B2, 0), Err(Distrust::Unsigned));
    assert_eq!(Presented::default().precheck(DateTime::UNIX_EPOCH), Err(Distrust::Unsigned));
}

#[test]
fn what_cannot_be_a_signature_is_refused_before_the_body_is_read() {
    let now = DateTime::from_timestamp_millis(1_780_000_000_123).expect("a time");
    let timestamp = Some("1780000000123");
    let v3 = |v3: &str| Presented { v3: Some(v3), timestamp, ..Presented::default() }.precheck(now);
    assert_eq!(v3("LByzmsodgIGerbNaS9TlbLTi3y7Z0snx2ULtBMDJVCw="), Ok(()));
    for text in ["", "x", "LByzmsodgIGerbNaS9TlbLTi3y7Z0snx2ULtBMDJVA==", &"ä".repeat(44), &"A".repeat(44)] {
        assert_eq!(v3(text), Err(Distrust::Forged), "{text}");
    }
    let old = |old: &str| Presented { old: Some(old), ..Presented::default() }.precheck(now);
    assert_eq!([old(&"0".repeat(64)), old(&"aF".repeat(32))], [Ok(()), Ok(())]);
    for text in ["", "x", &"0".repeat(63), &"0".repeat(65), &"g".repeat(64), &"ä".repeat(32)] {
        assert_eq!(old(text), Err(Distrust::Forged), "{text}");
    }
}

#[test]
fn a_wrong_version_3_is_not_saved_by_a_right_version_1() {
    let v1 = "9c06d8b278e8b4755db55cd3a83c3ec2708853dd63f1cd92bbfb7fd7b44dbfab";
    let presented = Presented {
        v3: Some("LByzmsodgIGerbNaS9TlbLTi3y7Z0snx2ULtBMDJVCw="),
        timestamp: Some("1780000000123"),
        old: Some(v1),
        old_version: Some("v1"),
    };
    assert_eq!(check(presented, K, "POST", A, B2, 1_780_000_000_123), Err(Distrust::Forged));
}

proptest! {
    #[test]
    fn no_other_text_passes_for_a_signature(text in ".{0,80}") {
        prop_assert_eq!(v3(K, A, B2, "1780000000123", &text), Err(Distrust::Forged));
        prop_assert_eq!(old(None, K, "POST", A, B2, &text), Err(Distrust::Forged));
    }
}
