//! The OpenAPI document, made from the table of routes, and a page to read it without a network.

use std::fmt::Write as _;

use axum::Router;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;
use serde_json::Value;
use utoipa::openapi::path::{PathItem, PathsBuilder};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{ComponentsBuilder, InfoBuilder, OpenApi, OpenApiBuilder};

use super::endpoint::{Described, TOKEN, http_method};
use super::guard::JSON;

/// What the document begins with.
const DESCRIPTION: &str = "Reads the mirror of a HubSpot account and writes into it; what is written is sent to HubSpot \
    by the daemon. Times are UTC. Values of properties are texts, as in HubSpot; what is not set is left out.";

/// What the page looks like.
const STYLE: &str = include_str!("openapi.css");

/// The document of the routes.
pub(super) fn document<'d>(endpoints: impl IntoIterator<Item = &'d Described>) -> OpenApi {
    let mut paths = PathsBuilder::new();
    let mut components = ComponentsBuilder::new()
        .security_scheme(TOKEN, SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    for endpoint in endpoints {
        let operation = endpoint.operation.clone();
        paths = paths.path(&endpoint.path, PathItem::new(http_method(&endpoint.method), operation));
        components = components.schemas_from_iter(endpoint.schemas.clone());
    }
    let info = InfoBuilder::new().title("hubspot-connector").version(env!("CARGO_PKG_VERSION"));
    OpenApiBuilder::new()
        .info(info.description(Some(DESCRIPTION)).build())
        .paths(paths.build())
        .components(Some(components.build()))
        .build()
}

/// The routes that serve it; it tells nobody anything of value, so everybody may read it.
pub(super) fn router(document: &OpenApi) -> Router {
    let json = serde_json::to_string(document).expect("the document can be written as JSON");
    let page = page(&serde_json::from_str(&json).expect("it was written as JSON"));
    let policy = "default-src 'none'; style-src 'self'; frame-ancestors 'none'";
    let html =
        [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CONTENT_SECURITY_POLICY, policy)];
    let css = [(header::CONTENT_TYPE, "text/css; charset=utf-8")];
    Router::new()
        .route("/api/openapi.json", get(async move || ([(header::CONTENT_TYPE, JSON)], json.clone())))
        .route("/api/docs", get(async move || (html, page.clone()).into_response()))
        .route("/api/docs.css", get(async move || (css, STYLE)))
}

/// The page: each route with its parameters, body and answers, then each schema.
fn page(document: &Value) -> String {
    let mut page = String::from(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>hubspot-connector: API</title>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <link rel=\"stylesheet\" href=\"/api/docs.css\"></head><body>",
    );
    let info = &document["info"];
    put(&mut page, format_args!("<h1>{} {}</h1>", escape(&info["title"]), escape(&info["version"])));
    put(&mut page, format_args!("<p>{}</p>", prose(&info["description"])));
    page.push_str(
        "<p>The same for programs: <a href=\"/api/openapi.json\">openapi.json</a>. \
         <a href=\"/\">To the dashboard</a></p><nav aria-label=\"Routes\"><table>",
    );
    for (path, item) in entries(&document["paths"]) {
        for (method, operation) in entries(item) {
            let (anchor, verb) = (escape_text(&anchor(method, path)), method.to_uppercase());
            let (path, summary) = (escape_text(path), escape(&operation["summary"]));
            let row = format_args!(
                "<tr><td><a href=\"#{anchor}\"><code>{verb} {path}</code></a></td><td>{summary}</td></tr>"
            );
            put(&mut page, row);
        }
    }
    page.push_str("</table></nav>");
    for (path, item) in entries(&document["paths"]) {
        for (method, operation) in entries(item) {
            put_operation(&mut page, method, path, operation);
        }
    }
    page.push_str("<h2>Schemas</h2>");
    for (name, schema) in entries(&document["components"]["schemas"]) {
        let json = serde_json::to_string_pretty(schema).unwrap_or_default();
        let (name, json) = (escape_text(name), escape_text(&json));
        put(&mut page, format_args!("<h3 id=\"{name}\">{name}</h3><pre>{json}</pre>"));
    }
    page.push_str("</body></html>\n");
    page
}

/// What the part of a route is found by within the page.
fn anchor(method: &str, path: &str) -> String {
    format!("{method}{}", path.replace(['/', '{', '}'], "-"))
}

/// One route.
fn put_operation(page: &mut String, method: &str, path: &str, operation: &Value) {
    let anchor = escape_text(&anchor(method, path));
    let (verb, path, summary) = (method.to_uppercase(), escape_text(path), escape(&operation["summary"]));
    let head = format_args!("<section id=\"{anchor}\"><h2><code>{verb} {path}</code></h2><p>{summary}</p>");
    put(page, head);
    if operation["description"].is_string() {
        put(page, format_args!("<p>{}</p>", prose(&operation["description"])));
    }
    let parameters = operation["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
    if !parameters.is_empty() {
        page.push_str("<table><tr><th>Parameter</th><th>In</th><th></th></tr>");
        for parameter in parameters {
            let [name, place] = ["name", "in"].map(|key| escape(&parameter[key]));
            let text = prose(&parameter["description"]);
            put(page, format_args!("<tr><td><code>{name}</code></td><td>{place}</td><td>{text}</td></tr>"));
        }
        page.push_str("</table>");
    }
    let body = &operation["requestBody"]["content"]["application/json"]["schema"];
    if !body.is_null() {
        put(page, format_args!("<p>Body: {}</p>", link(body)));
    }
    page.push_str("<table><tr><th>Status</th><th></th><th>Answer</th></tr>");
    for (status, response) in entries(&operation["responses"]) {
        let schema = &response["content"]["application/json"]["schema"];
        let (status, text) = (escape_text(status), prose(&response["description"]));
        put(page, format_args!("<tr><td>{status}</td><td>{text}</td><td>{}</td></tr>", link(schema)));
    }
    page.push_str("</table></section>");
}

/// A link to a schema, or the schema itself.
fn link(schema: &Value) -> String {
    match schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        Some(name) => format!("<a href=\"#{0}\">{0}</a>", escape_text(name)),
        None if schema.is_null() => String::new(),
        None => format!("<code>{}</code>", escape_text(&schema.to_string())),
    }
}

/// The entries of an object; none of anything else.
fn entries(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().into_iter().flatten().map(|(key, value)| (key.as_str(), value))
}

/// Prose as HTML: what stands between two grave accents is code. Empty when it is no text.
fn prose(value: &Value) -> String {
    let mut html = String::new();
    for (number, part) in escape(value).split('`').enumerate() {
        let (before, after) = if number % 2 == 1 { ("<code>", "</code>") } else { ("", "") };
        put(&mut html, format_args!("{before}{part}{after}"));
    }
    html
}

/// A text as HTML; empty when it is no text.
fn escape(value: &Value) -> String {
    escape_text(value.as_str().unwrap_or_default())
}

/// The same.
fn escape_text(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Adds to the page.
fn put(page: &mut String, text: std::fmt::Arguments<'_>) {
    page.write_fmt(text).expect("a string can be written to");
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_in_the_document_becomes_markup() {
        let parameter = json!({"name": "\"><b>", "in": "query", "description": "`<i>` or `b`"});
        let operation = json!({"summary": "<script>", "parameters": [parameter]});
        let page = page(&json!({
            "info": {"title": "<i>", "version": "1"},
            "paths": {"/<x>": {"get": operation}},
            "components": {"schemas": {"A<": {"description": "<u>"}}},
        }));
        for markup in ["<script>", "<b>", "<i>", "<x>", "A<", "<u>"] {
            assert!(!page.contains(markup), "{markup}");
        }
        assert!(page.contains("<code>GET /&lt;x&gt;</code>"), "{page}");
        assert!(page.contains("<code>&lt;i&gt;</code> or <code>b</code>"), "{page}");
    }
}
