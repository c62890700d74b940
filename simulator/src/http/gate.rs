//! The order in which a request is judged.
//!
//! 1. the control API answers without token, limits, latency and faults;
//! 2. a path that is too long or means nothing is turned away by the servers in front;
//! 3. the token is checked;
//! 4. the request is counted and may be refused by a limit;
//! 5. a fault may strike;
//! 6. the answer waits for the set latency;
//! 7. the scope is checked and the handler answers.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::Request;
use hyper::body::Incoming;
use hyper::header::{ACCEPT, AUTHORIZATION};

use crate::faults::{self, Action, Odds};
use crate::http::query::Query;
use crate::http::reply::{ApiError, Reply};
use crate::http::route::{NoRoute, Route};
use crate::http::{
    account_info, associations, batch, control, definitions, lifecycle, objects, owners, pipelines,
    properties, schemas, search, writes,
};
use crate::limits::{Admission, INTERVAL_MS, Policy, Quota, Usage};
use crate::object_type::ObjectType;
use crate::scopes::{self, Area};
use crate::settings::Settings;
use crate::simulator::Simulator;

/// Largest accepted body, in bytes; more than any call HubSpot takes.
const LARGEST_BODY: usize = 16 * 1024 * 1024;

/// What the connection does with a request.
pub enum Outcome {
    /// Sends an answer.
    Answer(Reply),
    /// Sends half of an answer and closes.
    Torn(Reply),
    /// Closes without answering.
    Reset,
}

/// Answers one request.
pub async fn handle(simulator: &Arc<Simulator>, request: Request<Incoming>) -> Outcome {
    let (parts, body) = request.into_parts();
    let method = parts.method.as_str();
    let path = parts.uri.path();
    simulator.settle_day();
    if let Some(rest) = path.strip_prefix("/_sim/") {
        return match read_body(body).await {
            Some(body) => Outcome::Answer(control::handle(simulator, method, rest, parts.uri.query(), &body)),
            None => Outcome::Reset,
        };
    }
    let settings = simulator.settings();
    let target = parts.uri.path_and_query().map_or(path, |target| target.as_str());
    let route = Route::find(method, path);
    simulator.stats().count(route.as_ref().map_or("unknown", |route| route.family()), simulator.clock.now());
    let turned_away = match &route {
        _ if target.len() > settings.url_limit => Some(Reply::html(414, "Request-URI Too Long")),
        Err(NoRoute::UnknownPath) => Some(Reply::html(404, "Not Found")),
        Err(NoRoute::WrongMethod) => Some(Reply::html(405, "Method Not Allowed")),
        Ok(_) => None,
    };
    let (Ok(route), None) = (route, &turned_away) else {
        return finish(
            simulator,
            Outcome::Answer(turned_away.unwrap_or_else(|| Reply::html(404, "Not Found"))),
        );
    };
    let header = |name| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let call = Call {
        simulator,
        settings: &settings,
        method,
        target,
        query: parts.uri.query().unwrap_or_default(),
        authorization: header(AUTHORIZATION),
        accepts_json: header(ACCEPT).is_some_and(|accept| accept.contains("application/json")),
    };
    finish(simulator, call.judge(&route, body).await)
}

/// Counts what goes out.
fn finish(simulator: &Simulator, outcome: Outcome) -> Outcome {
    let status = match &outcome {
        Outcome::Answer(reply) | Outcome::Torn(reply) => reply.status,
        Outcome::Reset => 0,
    };
    simulator.stats().answered(status);
    outcome
}

/// Reads a body whole; `None` when the client goes away or sends too much.
async fn read_body(body: Incoming) -> Option<Bytes> {
    let limited = http_body_util::Limited::new(body, LARGEST_BODY);
    limited.collect().await.ok().map(http_body_util::Collected::to_bytes)
}

/// A request that means something.
struct Call<'a> {
    /// The account and everything around it.
    simulator: &'a Simulator,
    /// Settings at the time it came.
    settings: &'a Settings,
    /// Its method.
    method: &'a str,
    /// Its path with query.
    target: &'a str,
    /// Its query.
    query: &'a str,
    /// Its `Authorization` header.
    authorization: Option<&'a str>,
    /// Whether it accepts JSON in so many words.
    accepts_json: bool,
}

impl Call<'_> {
    /// Takes the request through steps 3 to 7.
    async fn judge(&self, route: &Route, body: Incoming) -> Outcome {
        let is_introspection = *route == Route::TokenInfo;
        if !is_introspection && !self.is_authorized() {
            return Outcome::Answer(ApiError::no_credentials().into());
        }
        let admission = if is_introspection { Admission::Admitted(None) } else { self.admit(route) };
        let usage = match admission {
            Admission::Admitted(usage) => usage,
            Admission::Refused(policy, usage) => {
                self.wait(self.settings.latency_ms).await;
                return Outcome::Answer(self.refusal(policy, usage));
            }
        };
        let fault = {
            let Settings { fault_rate, lost_answer_rate, fault_seed, .. } = *self.settings;
            let odds = Odds { any: fault_rate, lost_answer: lost_answer_rate, seed: fault_seed };
            let request = faults::Request {
                method: self.method,
                target: self.target,
                family: route.family(),
                writes: route.writes(),
            };
            self.simulator.faults().strike(&request, odds)
        };
        self.wait(self.settings.latency_ms).await;
        match fault {
            None => self.answer(route, body, usage, false).await,
            Some(action) => self.misbehave(action, route, body, usage).await,
        }
    }

    /// Whether the token is the right one.
    fn is_authorized(&self) -> bool {
        self.authorization.and_then(|value| value.split_once(' ')).is_some_and(|(scheme, token)| {
            scheme.eq_ignore_ascii_case("bearer") && token.trim() == self.simulator.config.token
        })
    }

    /// Counts the request.
    fn admit(&self, route: &Route) -> Admission {
        let quota = match route {
            Route::Search(_) => Quota::Search,
            Route::Associations(..) => Quota::Association,
            _ => Quota::General,
        };
        self.simulator.limiter().admit(quota, self.settings, self.simulator.clock.now())
    }

    /// The 429 answer of a policy; `usage` says what is left of the quota that ran out.
    fn refusal(&self, policy: Policy, usage: Option<Usage>) -> Reply {
        let mut reply = Reply::from(ApiError::rate_limited(policy));
        if let (Policy::TenSecondlyRolling, Some(usage)) = (policy, usage) {
            reply = with_usage(reply, Usage { remaining: 0, ..usage });
        }
        if self.settings.retry_after {
            let seconds = match policy {
                Policy::Secondly => 1,
                Policy::TenSecondlyRolling => 10,
                Policy::Daily => {
                    let now = self.simulator.clock.now();
                    (self.simulator.limiter().today(now).1 - now) / 1_000 + 1
                }
            };
            reply = reply.with_header("retry-after", seconds.to_string());
        }
        reply
    }

    /// Sleeps, if there is anything to wait for.
    async fn wait(&self, ms: u64) {
        if ms > 0 {
            tokio::time::sleep(Duration::from_millis(ms)).await;
        }
    }

    /// Does what a fault says.
    async fn misbehave(
        &self,
        action: Action,
        route: &Route,
        body: Incoming,
        usage: Option<Usage>,
    ) -> Outcome {
        match action {
            Action::Reset => Outcome::Reset,
            Action::Hang { ms } => {
                self.wait(ms).await;
                Outcome::Reset
            }
            Action::Delay { ms } => {
                self.wait(ms).await;
                self.answer(route, body, usage, false).await
            }
            Action::ShortPage => self.answer(route, body, usage, true).await,
            Action::Truncate => match self.answer(route, body, usage, false).await {
                Outcome::Answer(reply) => Outcome::Torn(reply),
                other => other,
            },
            Action::LoseAnswer { ms, status } => match self.answer(route, body, usage, false).await {
                Outcome::Answer(_) => {
                    self.wait(ms).await;
                    let in_front = status.map(|status| Reply::html(status, "Gateway Time-out"));
                    in_front.map_or(Outcome::Reset, Outcome::Answer)
                }
                other => other,
            },
            Action::Garbage => Outcome::Answer(Reply::html(200, "Please wait")),
            Action::RateLimit { policy } => Outcome::Answer(self.refusal(policy, usage)),
            Action::Status { status, body, retry_after } => {
                let reply = match body {
                    Some(text) => Reply::json_text(status, text.into_bytes()),
                    None => ApiError::new(status, "internal error").into(),
                };
                Outcome::Answer(match retry_after {
                    Some(seconds) => reply.with_header("retry-after", seconds.to_string()),
                    None => reply,
                })
            }
        }
    }

    /// Lets the handler answer.
    async fn answer(&self, route: &Route, body: Incoming, usage: Option<Usage>, halve: bool) -> Outcome {
        let Some(body) = read_body(body).await else { return Outcome::Reset };
        let reply = self.dispatch(route, &body, halve).unwrap_or_else(Reply::from);
        Outcome::Answer(match usage {
            Some(usage) => with_usage(reply, usage),
            None => reply,
        })
    }

    /// Finds the handler of a route and asks it.
    fn dispatch(&self, route: &Route, body: &[u8], halve: bool) -> Result<Reply, ApiError> {
        let simulator = self.simulator;
        let query = Query::parse(self.query);
        if let Route::Associations(call, answers_empty) = route {
            let [from, to] = [&call.from, &call.to].map(|name| self.readable_type(name, Area::Records));
            let (from, to) = (from?, to?);
            if route.writes() {
                refuse(scopes::missing(self.settings, &from, Area::Writes))?;
            }
            return associations::answer(simulator, call, [&from, &to], &query, body, *answers_empty);
        }
        if let Some(name) = route.object_type() {
            return self.dispatch_typed(
                route,
                &*self.readable_type(name, route.area())?,
                &query,
                body,
                halve,
            );
        }
        match route {
            Route::Owners | Route::Owner(_)
                if self.settings.denied_scopes.iter().any(|scope| scope == scopes::OWNERS) =>
            {
                Err(ApiError::missing_scopes(&[scopes::OWNERS.to_owned()]))
            }
            Route::Owners => owners::list(simulator, &query),
            Route::Owner(id) => owners::get(simulator, id, &query),
            Route::Schemas => {
                refuse(scopes::missing_for_list(self.settings))?;
                Ok(schemas::list(simulator, &query))
            }
            Route::DefineSchema => schemas::create(simulator, body),
            Route::AccountDetails => Ok(account_info::details(simulator)),
            Route::DailyUsage => Ok(account_info::daily_usage(simulator)),
            Route::TokenInfo => account_info::token_info(simulator, body),
            _ => Err(ApiError::not_found()),
        }
    }

    /// Asks the handler of a route about an object type.
    fn dispatch_typed(
        &self,
        route: &Route,
        object_type: &ObjectType,
        query: &Query<'_>,
        body: &[u8],
        halve: bool,
    ) -> Result<Reply, ApiError> {
        let simulator = self.simulator;
        match route {
            Route::List(_) => objects::list(simulator, object_type, query, halve),
            Route::Get(_, id) => objects::get(simulator, object_type, id, query),
            Route::Search(_) => search::search(simulator, object_type, body, halve),
            Route::BatchRead(_) => batch::read(simulator, object_type, query, body, halve),
            Route::Write(_, write, version) => {
                writes::answer(simulator, object_type, write, version, query, body)
            }
            Route::Merge(_) => lifecycle::merge(simulator, object_type, body),
            Route::PrivacyDelete(_) => lifecycle::privacy_delete(simulator, object_type, body),
            Route::Define(_, change) => definitions::answer(simulator, object_type, change, body),
            Route::Properties(_) => Ok(properties::list(simulator, object_type, query)),
            Route::Property(_, name) => properties::get(simulator, object_type, name, query),
            Route::PropertyGroups(_) => Ok(properties::groups(simulator, object_type)),
            Route::PropertyBatchRead(_) => properties::batch_read(simulator, object_type, body),
            Route::Schema(_) => schemas::get(simulator, object_type, query),
            Route::PatchSchema(_) => schemas::patch(simulator, object_type, body),
            Route::ArchiveSchema(_) => schemas::archive(simulator, object_type),
            Route::Pipelines(_) => Ok(pipelines::list(simulator, object_type)),
            Route::Pipeline(_, id) => Ok(pipelines::get(simulator, object_type, id, self.accepts_json)),
            Route::Stages(_, id) => Ok(pipelines::stages(simulator, object_type, id, self.accepts_json)),
            Route::Stage(_, id, stage) => {
                Ok(pipelines::stage(simulator, object_type, id, stage, self.accepts_json))
            }
            _ => Err(ApiError::not_found()),
        }
    }

    /// The type a path names, if there is one and the token may see what the request wants of it.
    fn readable_type(&self, name: &str, area: Area) -> Result<Arc<ObjectType>, ApiError> {
        let found = self.simulator.account().registry().find(name).cloned();
        let object_type = found.ok_or_else(|| ApiError::unknown_type(name))?;
        refuse(scopes::missing(self.settings, &object_type, area))?;
        Ok(object_type)
    }
}

/// Refuses a request whose token lacks scopes.
fn refuse(missing: Option<Vec<String>>) -> Result<(), ApiError> {
    missing.map_or(Ok(()), |scopes| Err(ApiError::missing_scopes(&scopes)))
}

/// Adds the rate-limit headers. Source: HubSpot, "Usage guidelines".
fn with_usage(reply: Reply, usage: Usage) -> Reply {
    reply
        .with_header("x-hubspot-ratelimit-daily", usage.daily_limit.to_string())
        .with_header("x-hubspot-ratelimit-daily-remaining", usage.daily_remaining.to_string())
        .with_header("x-hubspot-ratelimit-interval-milliseconds", INTERVAL_MS.to_string())
        .with_header("x-hubspot-ratelimit-max", usage.limit.to_string())
        .with_header("x-hubspot-ratelimit-remaining", usage.remaining.to_string())
}
