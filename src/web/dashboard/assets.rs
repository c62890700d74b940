//! Style sheet, scripts and icon: part of the program, and kept by browsers for as long as they stay the same.

use std::sync::LazyLock;

use axum::Router;
use axum::http::{HeaderValue, header};
use axum::routing::get;
use sha2::{Digest, Sha256};

/// Browsers ask once for each version: the address of an asset changes with its content.
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// A file that belongs to pages.
pub(super) struct Asset {
    /// Where it is, with a mark of its content.
    pub(super) address: String,
    path: &'static str,
    kind: &'static str,
    content: &'static str,
}

/// The style sheet.
pub(super) static STYLE: LazyLock<Asset> = LazyLock::new(|| {
    let content = concat!(
        include_str!("../../../assets/base.css"),
        include_str!("../../../assets/overview.css"),
        include_str!("../../../assets/records.css"),
        include_str!("../../../assets/deals.css"),
        include_str!("../../../assets/activity.css"),
        include_str!("../../../assets/conflicts.css"),
    );
    Asset::new("/assets/dashboard.css", "text/css; charset=utf-8", content)
});

/// The script.
pub(super) static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    let content = include_str!("../../../assets/live.js");
    Asset::new("/assets/live.js", "text/javascript; charset=utf-8", content)
});

/// What browsers show beside the title.
static ICON: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new("/assets/icon.svg", "image/svg+xml", include_str!("../../../assets/icon.svg"))
});

impl Asset {
    /// An asset with that content.
    fn new(path: &'static str, kind: &'static str, content: &'static str) -> Self {
        let mark = hex::encode(&Sha256::digest(content)[..8]);
        Self { address: format!("{path}?{mark}"), path, kind, content }
    }
}

/// The routes that serve them, to everybody.
pub(super) fn router() -> Router {
    [&STYLE, &SCRIPT, &ICON].into_iter().fold(Router::new(), |router, asset| {
        let headers =
            [(header::CONTENT_TYPE, HeaderValue::from_static(asset.kind)), (header::CACHE_CONTROL, FOR_EVER)];
        router.route(asset.path, get(async move || (headers, asset.content)))
    })
}
