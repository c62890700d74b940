//! A client of the API that holds each answer to the OpenAPI document.

use std::sync::Arc;

use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::support::{eventually, holds};

/// A client of a server.
#[derive(Clone)]
pub(super) struct Api {
    http: reqwest::Client,
    base: String,
    token: Option<String>,
    document: Arc<Value>,
}

/// An answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Value,
}

impl Api {
    /// A client without a token of the server at `address`.
    pub(super) async fn at(address: &str) -> Self {
        let (http, base) = (reqwest::Client::builder().build().unwrap(), format!("http://{address}"));
        let document = http.get(format!("{base}/api/openapi.json")).send().await.unwrap();
        let document: Value = document.json().await.unwrap();
        assert!(document["paths"].is_object(), "{document}");
        Self { http, base, token: None, document: Arc::new(document) }
    }

    /// The same with a token.
    pub(super) fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// Where the server listens: host and port.
    pub(super) fn address(&self) -> &str {
        self.base.trim_start_matches("http://")
    }

    /// What the server says of itself.
    pub(super) fn document(&self) -> &Value {
        &self.document
    }

    /// Waits until the server is ready.
    pub(super) async fn is_ready(&self) {
        eventually("the server is ready", async || {
            let answer = self.get("/health/ready").await;
            holds(answer.status == 200, answer)
        })
        .await;
    }

    /// A request that is not sent yet.
    pub(super) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// Sends a request, and checks the answer.
    pub(super) async fn send(&self, request: RequestBuilder) -> Answer {
        let request = request.build().unwrap();
        let (method, path) = (request.method().clone(), request.url().path().to_owned());
        let response = self.http.execute(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.unwrap();
        // Figures are no JSON; what they say is the business of their own tests.
        if headers.get("content-type").is_none_or(|kind| kind != "application/json") {
            return Answer { status, headers, body: Value::String(text) };
        }
        let body =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{method} {path}: {error}: {text}"));
        let answer = Answer { status, headers, body };
        self.check(&method, &path, &answer);
        answer
    }

    /// `GET`.
    pub(super) async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    /// `POST` of JSON.
    pub(super) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(self.request(Method::POST, path).json(body)).await
    }

    /// `PATCH` of JSON.
    pub(super) async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.send(self.request(Method::PATCH, path).json(body)).await
    }

    /// `PUT` of JSON.
    pub(super) async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send(self.request(Method::PUT, path).json(body)).await
    }

    /// `DELETE`.
    pub(super) async fn delete(&self, path: &str) -> Answer {
        self.send(self.request(Method::DELETE, path)).await
    }

    /// Holds an answer to the document. What is no route is told in the form of errors all the same.
    fn check(&self, method: &Method, path: &str, answer: &Answer) {
        let request_id = answer.headers["x-request-id"].to_str().unwrap();
        if !answer.status.is_success() {
            assert_eq!(answer.body["error"]["requestId"], request_id, "{method} {path}: {}", answer.body);
        }
        let Some(operation) = self.operation(method, path) else {
            assert!([404, 405].contains(&answer.status.as_u16()), "{method} {path} is in no document");
            return;
        };
        let responses = &operation["responses"];
        let status = answer.status.as_str();
        let response = responses.get(status).unwrap_or_else(|| {
            assert!(!answer.status.is_success(), "{method} {path}: {status} is in no document");
            &responses["default"]
        });
        let schema = &response["content"]["application/json"]["schema"];
        assert!(schema.is_object(), "{method} {path}: {status} has no schema: {response}");
        let whole = json!({ "allOf": [schema], "components": self.document["components"] });
        let validator = jsonschema::validator_for(&whole).unwrap();
        let errors: Vec<_> = validator
            .iter_errors(&answer.body)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{method} {path}: {status}: {errors:#?} in {}", answer.body);
    }

    /// What the document says of a request. Of several paths that fit, the one with the fewest parameters counts.
    fn operation(&self, method: &Method, path: &str) -> Option<&Value> {
        let fits = |template: &&String| {
            let (template, path): (Vec<_>, Vec<_>) =
                (template.split('/').collect(), path.split('/').collect());
            let same = |(part, given): (&&str, &&str)| part.starts_with('{') || part == given;
            template.len() == path.len() && template.iter().zip(&path).all(same)
        };
        let paths = self.document["paths"].as_object().unwrap();
        let template = paths.keys().filter(fits).min_by_key(|template| template.matches('{').count())?;
        paths[template].get(method.as_str().to_lowercase())
    }
}

impl Answer {
    /// Its body, if the request was carried out.
    pub(super) fn ok(self) -> Value {
        assert!(self.status.is_success(), "{}: {}", self.status, self.body);
        self.body
    }

    /// Its error, which has this status and code.
    pub(super) fn refused(self, status: u16, code: &str) -> Value {
        let error = self.body["error"].clone();
        assert_eq!((self.status.as_u16(), error["code"].as_str()), (status, Some(code)), "{}", self.body);
        self.body
    }

    /// The fields an error of invalid fields names, in order.
    pub(super) fn wrong_fields(self) -> Vec<String> {
        let body = self.refused(422, "invalid_fields");
        let fields = body["error"]["fields"].as_array().cloned().unwrap_or_default();
        fields.iter().map(|field| field["field"].as_str().unwrap().to_owned()).collect()
    }
}
