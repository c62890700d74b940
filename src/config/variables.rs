//! Every environment variable, in the order the documents list them.

use crate::model::OBJECT_TYPES;

/// An environment variable the daemon reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variable {
    /// Its name; one that ends in `<TYPE>` exists for each object type, in upper case.
    pub name: &'static str,
    /// What it is when it is not set; empty when there is no default.
    pub default: &'static str,
    /// A valid value, the default where there is one.
    pub example: &'static str,
    /// What a value must look like, as the end of "it must be …".
    pub rule: &'static str,
    /// What it is for, as one sentence.
    pub meaning: &'static str,
    /// Whether its value must never be shown. A secret may also come from a file, see [`Variable::file_name`].
    pub secret: bool,
}

/// How names begin that belong to us, or to whoever chose the same beginning.
pub(super) const OWN_PREFIXES: &[&str] = &[
    "HUBSPOT_",
    "DB_",
    "SYNC_",
    "COLUMNS_",
    "RATE_LIMIT_",
    "ARCHIVE_",
    "ASSOCIATION_",
    "AUDIT_",
    "WRITABLE_",
    "CONFLICT_",
    "PUSH_",
    "MAX_PUSH_",
    "SQL_DELETE",
    "ALERT_",
    "BIND_ADDRESS",
    "API_TOKEN",
    "DASHBOARD_",
];

/// What the name of a variable ends with that holds the path of a file with a secret.
const FILE_SUFFIX: &str = "_FILE";

/// What the name of a variable ends with that exists for each object type.
const TYPE_SUFFIX: &str = "<TYPE>";

impl Variable {
    /// Every name the daemon reads for it: its own or one for each object type, and that of its file.
    pub fn names(&self) -> Vec<String> {
        let mut names = match self.family() {
            None => vec![self.name.to_owned()],
            Some(family) => {
                OBJECT_TYPES.iter().map(|known| format!("{family}{}", known.name.to_uppercase())).collect()
            }
        };
        names.extend(self.file_name());
        names
    }

    /// The variable that holds the path of a file with this one's value, `None` for what is no secret.
    pub fn file_name(&self) -> Option<String> {
        self.secret.then(|| format!("{}{FILE_SUFFIX}", self.name))
    }

    /// How the names begin of a variable that exists for each object type.
    pub(super) fn family(&self) -> Option<&'static str> {
        self.name.strip_suffix(TYPE_SUFFIX)
    }

    /// What a value of `name`, one of the names of this variable, must look like, as the end of "it must be …".
    pub(super) fn expectation(&self, name: &str) -> String {
        if self.file_name().as_deref() == Some(name) {
            let path = format!("/run/secrets/{}", self.name.to_lowercase());
            format!("the path of a file that holds {}, for example `{path}`", self.rule)
        } else {
            format!("{}, for example `{}`", self.rule, self.example)
        }
    }
}

/// The entry of `name`.
///
/// # Panics
/// When the code reads a variable the table does not list.
pub(super) fn variable(name: &str) -> &'static Variable {
    let is_called = |variable: &&Variable| variable.names().iter().any(|known| known == name);
    // Names of custom objects are nowhere written down.
    let is_of_family =
        |variable: &&Variable| variable.family().is_some_and(|family| name.starts_with(family));
    let found = VARIABLES.iter().find(is_called).or_else(|| VARIABLES.iter().find(is_of_family));
    found.expect("every variable read is in VARIABLES")
}

/// A variable with a default.
const fn public(
    name: &'static str,
    default: &'static str,
    rule: &'static str,
    meaning: &'static str,
) -> Variable {
    Variable { name, default, example: default, rule, meaning, secret: false }
}

/// A variable without a default.
const fn optional(
    name: &'static str,
    example: &'static str,
    rule: &'static str,
    meaning: &'static str,
) -> Variable {
    Variable { name, default: "", example, rule, meaning, secret: false }
}

/// A variable whose value must never be shown.
const fn secret(
    name: &'static str,
    example: &'static str,
    rule: &'static str,
    meaning: &'static str,
) -> Variable {
    Variable { name, default: "", example, rule, meaning, secret: true }
}

/// Every variable.
pub const VARIABLES: &[Variable] = &[
    secret(
        "HUBSPOT_ACCESS_TOKEN",
        "pat-eu1-0123abcd",
        "a private app token or service key",
        "Token for the HubSpot account.",
    ),
    secret(
        "HUBSPOT_API_KEY",
        "pat-eu1-0123abcd",
        "a private app token or service key",
        "Alias of `HUBSPOT_ACCESS_TOKEN`.",
    ),
    optional(
        "HUBSPOT_PORTAL_ID",
        "12345678",
        "the number of a HubSpot account",
        "Refuse to run against any other account; a token swapped by mistake would mix two CRMs.",
    ),
    public(
        "HUBSPOT_BASE_URL",
        "https://api.hubapi.com",
        "an https URL (http only on a loopback address)",
        "Where the HubSpot API is.",
    ),
    public("HUBSPOT_API_VERSION", "2026-09", "2026-09, 2026-03 or v3", "Version of the HubSpot API to call."),
    public("HUBSPOT_TIMEOUT_SECONDS", "60", "1 to 600", "Deadline of one request."),
    public(
        "RATE_LIMIT_PER_10_SECONDS",
        "100",
        "1 to 10000",
        "The account's request limit in 10 seconds (100, 190 or 250 by tier); HubSpot's own headers override it.",
    ),
    public("RATE_LIMIT_SEARCH_PER_SECOND", "5", "1 to 100", "The account's search limit in a second."),
    public(
        "RATE_LIMIT_ASSOCIATIONS_PER_10_SECONDS",
        "100",
        "1 to 10000",
        "The account's limit for requests about associations in 10 seconds (100, 150 or 200 by tier).",
    ),
    public(
        "RATE_LIMIT_THRESHOLD",
        "0.9",
        "above 0 and at most 1",
        "Share of each limit to use; the rest stays free for the account's other apps.",
    ),
    secret(
        "DATABASE_URL",
        "mysql://hubspot:choose-a-password@127.0.0.1:3306/hubspot",
        "mysql://user:password@host:port/name",
        "The database in one line; replaces `DB_HOST`, `DB_PORT`, `DB_SOCKET`, `DB_USER`, `DB_PASSWORD`, `DB_NAME`.",
    ),
    public("DB_HOST", "127.0.0.1", "a host name or address", "Host of MariaDB."),
    public("DB_PORT", "3306", "a port", "Port of MariaDB."),
    optional(
        "DB_SOCKET",
        "/run/mysqld/mysqld.sock",
        "the path of a socket",
        "Unix socket of MariaDB; replaces host and port.",
    ),
    public("DB_USER", "hubspot", "a user name", "Database user."),
    secret("DB_PASSWORD", "choose-a-password", "a password", "Password of the database user."),
    public("DB_NAME", "hubspot", "a database name", "Database; it must exist."),
    optional(
        "DB_TLS",
        "verify_identity",
        "disabled, preferred, required, verify_ca or verify_identity",
        "Encryption towards MariaDB; by default `disabled` over a socket, `preferred` on this machine and `verify_identity` elsewhere.",
    ),
    optional(
        "DB_TLS_CA",
        "/usr/local/share/ca-certificates/database.crt",
        "the path of a PEM file",
        "Certificate authority MariaDB's certificate is checked against.",
    ),
    public("DB_MAX_CONNECTIONS", "6", "2 to 64", "Most connections to hold open."),
    public("MIGRATE_ON_START", "true", "true or false", "Create and change tables at start."),
    public(
        "SYNC_OBJECTS",
        "contacts,companies,deals",
        "a comma-separated list of object types",
        "What to mirror: standard types by name, custom objects by type id or fully qualified name.",
    ),
    public("SYNC_INTERVAL_MINUTES", "15", "1 to 1440", "How often each type is brought up to date."),
    optional(
        "SYNC_CRON_<TYPE>",
        "*/5 * * * *",
        "a cron expression of 5 fields, or 6 with seconds first, in UTC",
        "Replaces the interval for one type.",
    ),
    optional(
        "COLUMNS_<TYPE>",
        "my_score,my_region",
        "a comma-separated list of property names",
        "Properties that get a typed column besides the default ones.",
    ),
    public(
        "SYNC_OVERLAP_MINUTES",
        "5",
        "0 to 1440",
        "How far each run looks back behind the last one, for changes HubSpot's search showed late.",
    ),
    public(
        "SYNC_SEARCH_LAG_SECONDS",
        "30",
        "0 to 3600",
        "How fresh a change may be and still be left to the next run, because HubSpot's search trails behind.",
    ),
    public(
        "SYNC_DELAYED_PASS_MINUTES",
        "60",
        "1 to 1440",
        "How often, and how long after the fact, searches are repeated to catch what was indexed very late.",
    ),
    public(
        "SYNC_MAX_WATERMARK_AGE_DAYS",
        "30",
        "1 to 365",
        "After a longer standstill a full listing replaces the search for changes.",
    ),
    public(
        "ARCHIVE_INTERVAL_MINUTES",
        "60",
        "0 to 1440",
        "How often HubSpot's recycle bin is read for deleted and restored records; 0 turns it off.",
    ),
    public(
        "MAX_DELETE_SHARE",
        "0.2",
        "above 0 and at most 1",
        "More than this share of a table, and more than 100 rows, is not marked as deleted before somebody confirms it.",
    ),
    public(
        "ASSOCIATION_MAX_AGE_HOURS",
        "24",
        "0 to 720",
        "Within which time every link between records is read again; 0 turns links off.",
    ),
    public(
        "AUDIT_INTERVAL_HOURS",
        "24",
        "0 to 720",
        "How often every record is compared with HubSpot and calculated values are refreshed; 0 turns it off.",
    ),
    public(
        "WRITABLE_OBJECTS",
        "contacts,companies",
        "a comma-separated list of types in SYNC_OBJECTS, or none",
        "Types whose rows may be edited here, for HubSpot to follow; the default as far as it is mirrored.",
    ),
    public(
        "PUSH_ENABLED",
        "true",
        "true or false",
        "Send edits to HubSpot; while false they are kept and wait.",
    ),
    public(
        "CONFLICT_POLICY",
        "ask",
        "ask, newest, hubspot or local",
        "Who wins when both sides have changed a field: a person, the later change, HubSpot or the database.",
    ),
    optional(
        "CONFLICT_POLICY_<TYPE>",
        "newest",
        "ask, newest, hubspot or local",
        "Replaces `CONFLICT_POLICY` for one type.",
    ),
    public(
        "SQL_DELETE",
        "restore",
        "restore or archive",
        "What becomes of a row deleted by SQL: an audit brings it back, or its record goes to HubSpot's recycle bin.",
    ),
    optional(
        "MAX_PUSH_PER_HOUR",
        "5000",
        "1 to 10000000",
        "Most records to write to HubSpot in an hour, further edits wait; without it there is no such limit.",
    ),
    public(
        "MAX_PUSH_DELETES_PER_HOUR",
        "100",
        "0 to 1000000",
        "Most records to put into HubSpot's recycle bin in an hour; further ones wait.",
    ),
    public(
        "PUSH_MAX_ATTEMPTS",
        "5",
        "1 to 100",
        "How often an edit is sent before it is set aside for a person.",
    ),
    public(
        "PUSH_RETRY_BASE_SECONDS",
        "1",
        "1 to 3600",
        "About how long to wait before an edit is sent a second time; each further wait is twice as long.",
    ),
    public(
        "PUSH_RETRY_CAP_SECONDS",
        "32",
        "1 to 86400 and not below PUSH_RETRY_BASE_SECONDS",
        "Longest wait before an edit is sent again.",
    ),
    public("PUSH_CONCURRENCY", "5", "1 to 10", "Batches of edits sent at the same time."),
    secret(
        "ALERT_WEBHOOK_URL",
        "https://hooks.slack.com/services/T0/B0/x",
        "an https URL (http only on a loopback address)",
        "Where problems are posted to: an incoming webhook of Slack, Discord, Mattermost or the like.",
    ),
    optional(
        "ALERT_EMAIL_TO",
        "ops@example.test,oncall@example.test",
        "a comma-separated list of e-mail addresses",
        "Who is told of problems by e-mail.",
    ),
    optional(
        "ALERT_EMAIL_FROM",
        "hubspot-connector@example.test",
        "an e-mail address",
        "Sender of these e-mails; without it the first of `ALERT_EMAIL_TO`.",
    ),
    secret(
        "ALERT_SMTP_URL",
        "smtps://user:password@mail.example.test:465",
        "smtps://user:password@host:port, or smtp:// for STARTTLS; special characters of the password percent-encoded",
        "Mail server for these e-mails; without it the one on this machine, unencrypted at port 25.",
    ),
    public(
        "ALERT_AFTER_FAILURES",
        "3",
        "1 to 1000",
        "How many runs of a type fail in a row until somebody is told.",
    ),
    public(
        "ALERT_LAG_MINUTES",
        "60",
        "1 to 10080",
        "How much further than its schedule explains a type may be behind until somebody is told.",
    ),
    public(
        "ALERT_QUIET_MINUTES",
        "5",
        "0 to 1440",
        "How long a problem must be gone until its end is told; one that comes and goes must be gone for longer.",
    ),
    public(
        "BIND_ADDRESS",
        "127.0.0.1",
        "an IP address",
        "Address the HTTP server listens on; any but a loopback address needs `API_TOKEN`.",
    ),
    public(
        "PORT",
        "3001",
        "a port, 0 for any free one, or off",
        "Port of the HTTP server; `off` for no server.",
    ),
    secret(
        "API_TOKEN",
        "replace-by-what-openssl-rand-hex-32-prints",
        "tokens of 24 to 512 letters, digits and `-._~+/=`, with commas between them, each with `:read` behind it if it \
         may not write",
        "Tokens programs show to the REST API; without one, programs on this machine alone may use it.",
    ),
    secret(
        "DASHBOARD_PASSWORD_HASH",
        "$argon2id$v=19$m=19456,t=2,p=1$ZXhhbXBsZSBzYWx0$Q0a9rWn0XH0fJkYb8sEJ7u3nQ1v9o2pXcV4mT6yZ8Ks",
        "what `hubspot-connector password` prints",
        "Password people sign in to the dashboard with; without it the dashboard is for this machine alone, and only \
         while there is no `API_TOKEN` either.",
    ),
    secret(
        "HUBSPOT_WEBHOOK_SECRET",
        "0123abcd-45ef-67ab-89cd-0123456789ab",
        "the client secret of the app that sends webhooks",
        "Accept webhooks signed with it; without it changes are found by polling alone.",
    ),
    optional(
        "PUBLIC_URL",
        "https://sync.example.com",
        "an http or https URL without a query",
        "Where HubSpot and people reach this server from outside; by default https and the host a request names.",
    ),
    public(
        "HUBSPOT_WEBHOOK_SILENCE_MINUTES",
        "60",
        "0 to 10080",
        "How long polling finds changes no webhook told of before webhooks count as silent; 0: for ever.",
    ),
    public("LOG_FORMAT", "text", "text or json", "Form of the log lines."),
    public("LOG_LEVEL", "info", "error, warn, info, debug, trace or a filter list", "What is logged."),
];
