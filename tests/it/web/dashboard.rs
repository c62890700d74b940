//! The pages for people, over HTTP.

mod activity;
mod conflicts;
mod cost;
mod deals;
mod failure;
mod form;
mod health;
mod login;
mod objects;
mod overview;
mod records;

use reqwest::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap, LOCATION, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Method, StatusCode};
use url::form_urlencoded::Serializer;

pub(crate) use login::{PASSWORD, hash_of};

/// Most bytes of a page.
const PAGE_BYTES: usize = 100 * 1024;

/// Somebody in front of a browser: follows no redirect by itself, so that each can be looked at, and keeps one cookie.
#[derive(Clone)]
pub(super) struct Visitor {
    http: reqwest::Client,
    base: String,
    cookie: Option<String>,
}

/// A page, or where to go instead.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) html: String,
}

impl Visitor {
    /// A visitor of the server at `address`.
    pub(super) fn at(address: &str) -> Self {
        let http = reqwest::Client::builder().redirect(Policy::none()).build().unwrap();
        Self { http, base: format!("http://{address}"), cookie: None }
    }

    /// Opens a page.
    pub(super) async fn get(&self, path: &str) -> Page {
        self.send(Method::GET, path, &[]).await
    }

    /// Sends a form.
    pub(super) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Page {
        self.send(Method::POST, path, fields).await
    }

    /// Sends a form, with headers of a browser's own.
    pub(super) async fn send_with(
        &self,
        method: Method,
        path: &str,
        fields: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Page {
        let mut request = self.http.request(method.clone(), format!("{}{path}", self.base));
        if method == Method::POST {
            let body = Serializer::new(String::new()).extend_pairs(fields).finish();
            request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body);
        }
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let html = response.text().await.unwrap();
        assert!(html.len() <= PAGE_BYTES, "{path} has {} bytes", html.len());
        Page { status, headers, html }
    }

    /// The same without such headers.
    async fn send(&self, method: Method, path: &str, fields: &[(&str, &str)]) -> Page {
        self.send_with(method, path, fields, &[]).await
    }

    /// Takes the cookie of an answer.
    fn keep_cookie(&mut self, page: &Page) {
        let cookie = page.headers[SET_COOKIE].to_str().unwrap();
        self.cookie = Some(cookie.split(';').next().unwrap().to_owned());
    }
}

impl Page {
    /// Expects a page that is well, and returns what stands in it.
    #[track_caller]
    pub(super) fn ok(self) -> String {
        assert_eq!(self.status, 200, "{}", self.html);
        assert_eq!(self.headers[CONTENT_TYPE], "text/html; charset=utf-8");
        let policy = self.headers[CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert!(!self.html.contains("style=") && !self.html.contains("onclick="), "{}", self.html);
        self.html
    }

    /// Expects to be sent on, and returns where to.
    #[track_caller]
    pub(super) fn sent_to(&self) -> &str {
        assert_eq!(self.status, 303, "{}", self.html);
        self.headers[LOCATION].to_str().unwrap()
    }
}
