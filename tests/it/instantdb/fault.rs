//! The ways in which the server fails.

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    Query,
    Transact,
    Schema,
    Rules,
    AdminSchema,
    Backups,
    CreateBackup,
    Job,
    Files,
    FileUrl,
    Download,
    Unknown,
}

/// One way to fail; nothing happens to the app unless it says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// 429 `rate-limited`, `retry-after` in the hint.
    LimitedByHint,
    /// 429 `rate-limited`, `retry-after` as a header.
    LimitedByHeader,
    /// 429 `rate-limited` without a word on how long.
    LimitedBare,
    /// 429 as a proxy sends it.
    LimitedByProxy,
    /// 429 `timeout`: the statement took too long.
    StatementTimeout,
    /// 500 `sql-exception`.
    SqlException,
    /// 500 `operation-timed-out`.
    OperationTimedOut,
    /// 500 `unknown`.
    UnknownError,
    /// 502 with a page of HTML.
    BadGateway,
    /// 503 with a page of HTML.
    Unavailable,
    /// 504 with a page of HTML.
    GatewayTimeout,
    /// The connection is closed before an answer.
    Closed,
    /// It is done, and the connection is closed in the middle of the answer.
    ClosedMidway,
    /// It is done, and the connection is closed before an answer: a hidden commit.
    DoneThenClosed,
    /// It is done, and 500 is said.
    DoneThenError,
    /// It is not done, and the answer comes too late.
    Slow,
    /// It is done, and the answer comes too late.
    DoneThenSlow,
    /// It is done, and the JSON of the answer ends too early.
    CutJson,
    /// It is done, and the answer is JSON of another shape.
    OtherShape,
    /// It is done, and the answer is empty.
    Empty,
    /// It is done, and the answer is HTML with status 200.
    Html,
    /// 400 `app-read-only`.
    ReadOnly,
    /// 400 `app-disabled`.
    Disabled,
    /// 400 `record-not-found`, echoing the token.
    BadToken,
    /// 400 `parameter-limit-exceeded`.
    ParameterLimit,
    /// 400 `record-not-unique`.
    NotUnique,
    /// 400 `validation-failed` that names the entity.
    InvalidEntity,
    /// 400 `validation-failed` that names none, echoing all steps.
    Invalid,
    /// 400 in plain text.
    MalformedJson,
    /// 404.
    NotFound,
    /// 302 to another host.
    Redirect,
    /// 413 as a proxy sends it.
    TooLarge,
    /// A download whose connection ends too early.
    CutFile,
    /// A download that is whole but shorter than it was listed.
    ShortFile,
    /// A download that is no zstd.
    BadZstd,
    /// A download whose zstd ends too early.
    CutZstd,
    /// 403: the address of a download has expired.
    Expired,
    /// A download that is redirected to where it is.
    Moved,
    /// The making of a backup failed.
    JobErrored,
}

/// Every fault that may happen to any call of the API.
pub(crate) const FAULTS: [Fault; 32] = [
    Fault::LimitedByHint,
    Fault::LimitedByHeader,
    Fault::LimitedBare,
    Fault::LimitedByProxy,
    Fault::StatementTimeout,
    Fault::SqlException,
    Fault::OperationTimedOut,
    Fault::UnknownError,
    Fault::BadGateway,
    Fault::Unavailable,
    Fault::GatewayTimeout,
    Fault::Closed,
    Fault::ClosedMidway,
    Fault::DoneThenClosed,
    Fault::DoneThenError,
    Fault::Slow,
    Fault::DoneThenSlow,
    Fault::CutJson,
    Fault::OtherShape,
    Fault::Empty,
    Fault::Html,
    Fault::ReadOnly,
    Fault::Disabled,
    Fault::BadToken,
    Fault::ParameterLimit,
    Fault::NotUnique,
    Fault::InvalidEntity,
    Fault::Invalid,
    Fault::MalformedJson,
    Fault::NotFound,
    Fault::Redirect,
    Fault::TooLarge,
];

impl Fault {
    /// Whether what was asked is done all the same.
    pub(super) fn is_done(self) -> bool {
        !matches!(self.answer(), Answer::Instead { .. })
            && !matches!(self, Fault::Closed | Fault::Slow)
    }

    /// What is answered.
    pub(super) fn answer(self) -> Answer {
        let told = |http, kind, message| Answer::Instead { http, kind, message };
        match self {
            Fault::LimitedByHint | Fault::LimitedByHeader | Fault::LimitedBare => {
                told(429, "rate-limited", "Rate limit exceeded")
            }
            Fault::StatementTimeout => told(429, "timeout", "The query took too long to complete."),
            Fault::SqlException => told(500, "sql-exception", "SQL Exception: deadlock-detected"),
            Fault::OperationTimedOut => told(500, "operation-timed-out", "Operation timed out"),
            Fault::UnknownError => told(500, "unknown", "Something went wrong. Sorry about this!"),
            Fault::LimitedByProxy => told(429, "", HTML),
            Fault::BadGateway => told(502, "", HTML),
            Fault::Unavailable => told(503, "", HTML),
            Fault::GatewayTimeout => told(504, "", HTML),
            Fault::TooLarge => told(413, "", HTML),
            Fault::Expired => told(403, "", "<Error><Code>AccessDenied</Code></Error>"),
            Fault::MalformedJson => told(400, "", "Malformed JSON in request body."),
            Fault::Redirect => told(302, "", ""),
            Fault::NotFound => {
                told(404, "", "{\"message\":\"Oops! We couldn't match this route.\"}")
            }
            Fault::ReadOnly => told(400, "app-read-only", "This app is in read-only mode."),
            Fault::Disabled => told(400, "app-disabled", "This app is disabled."),
            Fault::BadToken => told(400, "record-not-found", "Record not found: app-admin-token"),
            Fault::ParameterLimit => told(
                400,
                "parameter-limit-exceeded",
                "There are too many parameters in the transaction or query.",
            ),
            Fault::NotUnique => told(400, "record-not-unique", "`key` is a unique attribute"),
            Fault::InvalidEntity | Fault::Invalid => {
                told(400, "validation-failed", "Validation failed for steps: no")
            }
            Fault::DoneThenError => Answer::After { http: 500, body: Some(UNKNOWN) },
            Fault::OtherShape => Answer::After { http: 200, body: Some("{\"else\":[1,{}]}") },
            Fault::Empty => Answer::After { http: 200, body: Some("") },
            Fault::Html => Answer::After { http: 200, body: Some(HTML) },
            _ => Answer::After { http: 200, body: None },
        }
    }
}

const HTML: &str = "<html><body><h1>Bad \u{202e}gateway\u{1b}[31m</h1></body></html>";
const UNKNOWN: &str =
    r#"{"type":"unknown","message":"Something went wrong.","hint":{"debug-uri":"x"}}"#;

/// What a fault answers.
pub(super) enum Answer {
    /// This, and nothing is done; without a kind, the message is the whole body.
    Instead { http: u16, kind: &'static str, message: &'static str },
    /// What was asked is done; then this is answered, or the true answer is spoilt.
    After { http: u16, body: Option<&'static str> },
}
