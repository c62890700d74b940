//! One request to HubSpot, whatever it asks: permit, deadline, status, error body, retry, log line.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use chrono::DateTime;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, DATE, HeaderMap, HeaderValue};
use reqwest::{Client, Method, Response, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::Priority;
use super::error::HubSpotError;
use super::failure::Failure;
use super::limiter::{Limiter, Limits, NoPermit, Permit, Quota, RateHeaders, Throttle, retry_after};
use super::path::route;
use super::server_clock::ServerClock;
use super::wire::Malformed;
use super::wire::failure::FailureBody;
use crate::clock;
use crate::config::HubSpotConfig;
use crate::metrics::{HUBSPOT_REQUEST_DURATION, HUBSPOT_REQUESTS};
use crate::retry::{Remedy, RetryPolicy, remedy};

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long an unused connection is kept; shorter than what servers and balancers keep, so that a request rarely
/// meets a connection that is being closed.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// Largest answer that is taken, uncompressed, in bytes: a hundred times a usual page. Anything above it would end the
/// process on a small machine.
const LARGEST_BODY: usize = 64 * 1024 * 1024;

/// Largest answer about associations that is taken, in bytes. Their number has no limit; the same can be asked for in
/// smaller parts, and one record's page is far smaller.
const LARGEST_ASSOCIATIONS_BODY: usize = 16 * 1024 * 1024;

/// How often a call may be refused for its rate before it fails. Such a refusal costs no try, because it says
/// nothing about the call; but a limit that never lifts must not hold a run for ever.
const MAX_THROTTLES: u32 = 10;

/// Longest wait before another try inside a run; when HubSpot asks for more, the run fails and the next one tries.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// One call, ready to be sent any number of times.
#[derive(Debug)]
pub(super) struct Call {
    /// What it does, as in "could not …": `list contacts`.
    pub operation: String,
    /// HTTP method.
    pub method: Method,
    /// Path without query; holds type names, versions and ids only, so it may be logged.
    pub path: String,
    /// The rest of the path, percent-encoded, which may not be logged: an address. Empty or with a leading slash.
    pub tail: String,
    /// Query without the question mark, percent-encoded; may be empty.
    pub query: String,
    /// JSON body.
    pub body: Option<Vec<u8>>,
    /// Which limit counts it.
    pub quota: Quota,
    /// Its place among those who wait.
    pub priority: Priority,
    /// Whether sending it twice does no harm.
    pub idempotent: bool,
    /// Largest answer that is taken, uncompressed, in bytes.
    pub largest_answer: usize,
}

impl Call {
    /// A GET of `path`.
    pub fn get(operation: String, path: String, query: String, priority: Priority) -> Self {
        let (method, quota, largest_answer) = (Method::GET, Quota::Burst, LARGEST_BODY);
        let (body, tail) = (None, String::new());
        Self { operation, method, path, tail, query, body, quota, priority, idempotent: true, largest_answer }
    }

    /// A POST of `body` to `path` that only reads.
    pub fn read_by_post(operation: String, path: String, body: Vec<u8>, priority: Priority) -> Self {
        Self { method: Method::POST, body: Some(body), ..Self::get(operation, path, String::new(), priority) }
    }

    /// A write of `body` to `path` that may be done twice with the result of once.
    pub fn write(operation: String, method: Method, path: String, body: Vec<u8>, priority: Priority) -> Self {
        Self { method, ..Self::read_by_post(operation, path, body, priority) }
    }

    /// A POST of `body` to `path` that creates something each time it is done.
    pub fn create(operation: String, path: String, body: Vec<u8>, priority: Priority) -> Self {
        Self { idempotent: false, ..Self::read_by_post(operation, path, body, priority) }
    }

    /// The same call, counted as one about associations.
    pub fn about_associations(self) -> Self {
        Self { quota: Quota::Associations, largest_answer: LARGEST_ASSOCIATIONS_BODY, ..self }
    }
}

/// Sends calls. Holds the connection pool, the limiter and HubSpot's clock.
#[derive(Debug)]
pub(super) struct Transport {
    /// The one HTTP client; adds the token to every request.
    http: Client,
    /// Scheme and host.
    base_url: String,
    /// Which calls are repeated how often.
    policy: RetryPolicy,
    /// Whose permission every request needs.
    pub limiter: Limiter,
    /// HubSpot's time.
    pub server_clock: ServerClock,
    /// Ends every wait.
    shutdown: CancellationToken,
}

/// An answer with a success status or a refusal.
struct Answer {
    /// HTTP status.
    status: StatusCode,
    /// `x-hubspot-correlation-id`.
    correlation_id: Option<String>,
    /// `Retry-After`.
    retry_after: Option<Duration>,
    /// The whole body.
    body: Vec<u8>,
}

/// What follows a failed attempt.
enum NextStep {
    /// The call has failed.
    GiveUp,
    /// Ask the limiter again: its gate opens when HubSpot allows it.
    QueueAgain,
    /// Try again after this long.
    Pause(Duration),
}

/// What is known of a call while it is being tried.
struct Course {
    /// When the first attempt asked for a permit.
    started: Instant,
    /// Requests sent.
    attempts: u32,
    /// How many of them were refused for their rate.
    throttles: u32,
}

impl Transport {
    /// A transport for the configured account; its limiter ends with `shutdown`.
    pub fn new(
        config: &HubSpotConfig,
        policy: RetryPolicy,
        shutdown: CancellationToken,
    ) -> Result<Self, HubSpotError> {
        let limits = Limits {
            burst: config.requests_per_10_seconds,
            search: config.search_requests_per_second,
            associations: config.association_requests_per_10_seconds,
            threshold: config.limit_threshold,
        };
        Ok(Self {
            http: http_client(config)?,
            base_url: config.base_url.clone(),
            policy,
            limiter: Limiter::start(limits, &shutdown),
            server_clock: ServerClock::default(),
            shutdown,
        })
    }

    /// The URL of a call.
    pub fn url(&self, path: &str, query: &str) -> String {
        let separator = if query.is_empty() { "" } else { "?" };
        format!("{}{path}{separator}{query}", self.base_url)
    }

    /// Sends `call` until it succeeds or trying again is pointless, and parses the body with `decode`. `run` counts
    /// the requests besides the total.
    pub async fn send<T>(
        &self,
        call: &Call,
        run: Option<&AtomicU64>,
        decode: impl Fn(&[u8]) -> Result<T, Malformed>,
    ) -> Result<T, HubSpotError> {
        let mut course = Course { started: Instant::now(), attempts: 0, throttles: 0 };
        let mut delays = self.policy.delays();
        loop {
            let failure = match self.attempt(call, run, &mut course, &decode).await {
                Ok(value) => return Ok(value),
                Err(failure) => failure,
            };
            match self.next_step(call, &failure, &mut course, &mut delays) {
                NextStep::GiveUp => return Err(course.fail(call, failure)),
                NextStep::QueueAgain => warn_of(call, &course, &failure, "waiting for the limit"),
                NextStep::Pause(pause) => {
                    warn_of(call, &course, &failure, &format!("trying again in {} ms", pause.as_millis()));
                    if self.shutdown.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                        return Err(course.fail(call, Failure::Cancelled));
                    }
                }
            }
        }
    }

    /// What to do about a failed attempt. A refusal for the rate closes the limiter's gate on the way.
    fn next_step(
        &self,
        call: &Call,
        failure: &Failure,
        course: &mut Course,
        delays: &mut impl Iterator<Item = Duration>,
    ) -> NextStep {
        let Some(fault) = failure.fault() else { return NextStep::GiveUp };
        match remedy(fault, call.idempotent) {
            Remedy::GiveUp => NextStep::GiveUp,
            Remedy::BackOff => {
                let pause = delays.next().map(|delay| delay.max(failure.hint().unwrap_or_default()));
                pause.filter(|pause| *pause <= LONGEST_PAUSE).map_or(NextStep::GiveUp, NextStep::Pause)
            }
            Remedy::ObeyHint => {
                course.throttles += 1;
                let throttle = failure.throttle();
                self.limiter.throttle(call.quota, throttle, failure.hint());
                // A person is waiting and would go on waiting until midnight.
                let hopeless = throttle == Throttle::Daily && call.priority == Priority::Interactive;
                if course.throttles < MAX_THROTTLES && !hopeless {
                    NextStep::QueueAgain
                } else {
                    NextStep::GiveUp
                }
            }
        }
    }

    /// One attempt: waits for a permit, sends, reads, parses.
    async fn attempt<T>(
        &self,
        call: &Call,
        run: Option<&AtomicU64>,
        course: &mut Course,
        decode: impl Fn(&[u8]) -> Result<T, Malformed>,
    ) -> Result<T, Failure> {
        let permit = self.limiter.acquire(call.quota, call.priority);
        let permit = self.shutdown.run_until_cancelled(permit).await;
        let permit = permit.ok_or(Failure::Cancelled)?.map_err(|reason| match reason {
            NoPermit::Stopped => Failure::Cancelled,
            NoPermit::DayUsedUp => Failure::DayUsedUp,
        })?;
        course.attempts += 1;
        if let Some(run) = run {
            run.fetch_add(1, Ordering::Relaxed);
        }
        let answer = self.shutdown.run_until_cancelled(self.exchange(call, permit, course.attempts)).await;
        let answer = answer.ok_or(Failure::Abandoned)??;
        let Answer { status, correlation_id, retry_after, body } = answer;
        if !status.is_success() {
            let mut body = FailureBody::parse(&body);
            body.correlation_id = correlation_id.or(body.correlation_id);
            return Err(Failure::Refused { status, body, retry_after });
        }
        decode(&body).map_err(|flaw| Failure::Malformed { status, flaw, correlation_id })
    }

    /// Sends the request and reads the answer. The permit is given back when the headers are in: HubSpot has counted
    /// the request by then, however long the body takes.
    async fn exchange(&self, call: &Call, permit: Permit, attempt: u32) -> Result<Answer, Failure> {
        let sent = Instant::now();
        let path = format!("{}{}", call.path, call.tail);
        let mut request = self.http.request(call.method.clone(), self.url(&path, &call.query));
        if let Some(body) = &call.body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.clone());
        }
        let response = request.send().await.inspect_err(|_| count(call, None))?;
        count(call, Some(response.status()));
        self.observe(call.quota, response.headers(), sent);
        drop(permit);
        let status = response.status();
        let header = |name| response.headers().get(name)?.to_str().ok().map(str::to_owned);
        let correlation_id = header("x-hubspot-correlation-id");
        let retry_after = retry_after(response.headers(), clock::now());
        let Some(body) = read_body(response, call.largest_answer).await? else {
            return Err(Failure::TooLarge { status, most: call.largest_answer, correlation_id });
        };
        let (method, route) = (call.method.to_string(), route(&call.path));
        HUBSPOT_REQUEST_DURATION.record(sent.elapsed().as_secs_f64(), [("method", method), ("route", route)]);
        debug!(
            method = %call.method, path = call.path, attempt, status = status.as_u16(), body_bytes = body.len(),
            hubspot.correlation_id = correlation_id, duration_ms = sent.elapsed().as_millis() as u64,
            "HubSpot answered"
        );
        Ok(Answer { status, correlation_id, retry_after, body })
    }

    /// Takes in what the headers of an answer say about limits and time.
    fn observe(&self, quota: Quota, headers: &HeaderMap, sent: Instant) {
        self.limiter.observe(quota, &RateHeaders::read(headers));
        let date = headers.get(DATE).and_then(|date| date.to_str().ok());
        if let Some(date) = date.and_then(|date| DateTime::parse_from_rfc2822(date).ok()) {
            self.server_clock.observe(date.to_utc(), sent, Instant::now());
        }
    }
}

/// Counts a request by the status of its answer, if there was one.
fn count(call: &Call, status: Option<StatusCode>) {
    let status = status.map_or("none".to_owned(), |status| status.as_u16().to_string());
    let (method, route) = (call.method.to_string(), route(&call.path));
    HUBSPOT_REQUESTS.add(1, [("method", method), ("route", route), ("status", status)]);
}

/// Reads the body, uncompressed; `None` when it has more than `most` bytes.
async fn read_body(mut response: Response, most: usize) -> Result<Option<Vec<u8>>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > most {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}

impl Course {
    /// The error a call ends with.
    fn fail(&self, call: &Call, failure: Failure) -> HubSpotError {
        failure.into_error(call.operation.clone(), self.attempts, self.started.elapsed())
    }
}

/// Logs an attempt that will be followed by another; `plan` says when.
fn warn_of(call: &Call, course: &Course, failure: &Failure, plan: &str) {
    warn!(
        method = %call.method, path = call.path, attempt = course.attempts, status = failure.status(),
        hubspot.correlation_id = failure.correlation_id(),
        "Could not {}: {failure}; {plan}", call.operation
    );
}

/// The HTTP client: no redirects that could carry the token elsewhere, no retries that the limiter would not see, no
/// proxy that a variable could slip in, and no plain HTTP unless the configuration names it, which it may for this
/// machine only.
fn http_client(config: &HubSpotConfig) -> Result<Client, HubSpotError> {
    // Fails when a provider is installed already, which serves as well.
    rustls::crypto::ring::default_provider().install_default().ok();
    let url = Url::parse(&config.base_url)
        .map_err(|error| HubSpotError::configuration("the base URL is not a URL", Some(error.into())))?;
    let headers = HeaderMap::from_iter([
        (AUTHORIZATION, bearer(&config.access_token)?),
        // Without it some 404s are pages of HTML.
        (ACCEPT, HeaderValue::from_static("application/json")),
    ]);
    Client::builder()
        .default_headers(headers)
        .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT.min(config.timeout))
        .timeout(config.timeout)
        .pool_idle_timeout(POOL_IDLE_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .https_only(url.scheme() == "https")
        .build()
        .map_err(|error| HubSpotError::configuration("there is no HTTP client", Some(error.into())))
}

/// The value of the `Authorization` header, marked so that nothing prints it.
fn bearer(token: &SecretString) -> Result<HeaderValue, HubSpotError> {
    let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret()))
        .map_err(|_| HubSpotError::configuration("the access token holds characters no token has", None))?;
    value.set_sensitive(true);
    Ok(value)
}
