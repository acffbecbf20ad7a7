//! Errors, with the code and the sentence that a user sees.

use std::fmt;
use std::sync::Arc;

/// Defines [`Code`], each of ipcio's own with its text.
macro_rules! codes {
    ($($(#[$documentation:meta])* $name:ident $text:literal,)*) => {
        /// The reason of an [`Error`]. [`Code::as_str`] gives the text that JavaScript sees as `error.code`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Code {
            $($(#[$documentation])* $name,)*
            /// An error of the operating system, by its usual name.
            System(&'static str),
        }

        impl Code {
            /// ipcio's own codes: all but those of the system.
            pub const OWN: &[Code] = &[$(Code::$name,)*];

            /// The text of the code.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Code::$name => $text,)*
                    Code::System(name) => name,
                }
            }
        }
    };
}

codes! {
    /// `start` or `connect` on an instance that is started already.
    AlreadyStarted "ERR_IPC_ALREADY_STARTED",
    /// The client or the server was closed before the call was done.
    Closed "ERR_IPC_CLOSED",
    /// The name of the domain cannot be the name of a socket.
    Domain "ERR_IPC_DOMAIN",
    /// A handler for the command exists already.
    HandlerExists "ERR_IPC_HANDLER_EXISTS",
    /// A handler failed and gave no code of its own.
    HandlerThrew "ERR_IPC_HANDLER_THREW",
    /// An argument or an option has an invalid value, or data does not have the expected form.
    InvalidArgument "ERR_IPC_INVALID_ARGUMENT",
    /// The client that should have answered has left.
    ClientLeft "ERR_IPC_CLIENT_LEFT",
    /// A message is larger than one of the two sides accepts.
    MessageTooLarge "ERR_IPC_MESSAGE_TOO_LARGE",
    /// Another client has the name.
    NameTaken "ERR_IPC_NAME_TAKEN",
    /// No client with this name is connected.
    NoSuchClient "ERR_IPC_NO_SUCH_CLIENT",
    /// The receiver has no handler for the command.
    NoSuchCommand "ERR_IPC_NO_SUCH_COMMAND",
    /// Another kind of file is at the path of the socket.
    NotASocket "ERR_IPC_NOT_A_SOCKET",
    /// The other side runs as a user that is not allowed.
    NotTrusted "ERR_IPC_NOT_TRUSTED",
    /// The client's queue has reached its limit.
    QueueFull "ERR_IPC_QUEUE_FULL",
    /// The protocol uses the command.
    RestrictedCommand "ERR_IPC_RESTRICTED_COMMAND",
    /// No answer came in time.
    Timeout "ERR_IPC_TIMEOUT",
    /// Too many deliveries of one client wait for their answers.
    TooManyDeliveries "ERR_IPC_TOO_MANY_DELIVERIES",
}

impl Code {
    /// The code that another instance of this package says so.
    fn of_ours(text: &str) -> Option<Code> {
        Code::OWN.iter().copied().find(|code| code.as_str() == text)
    }
}

/// An error with a code and one sentence that says what to do. Errors with the same code and sentence are equal.
///
/// Its [`source`](std::error::Error::source) is the [`std::io::Error`] or the [`serde_json::Error`] that caused it, if one
/// did.
///
/// ```
/// use std::error::Error as _;
///
/// let cause = std::io::Error::from_raw_os_error(13);
/// let error = ipcio::Error::system(&cause, "open the log");
/// assert_eq!(error.code().as_str(), "EACCES");
/// assert!(error.source().is_some_and(|source| source.is::<std::io::Error>()));
/// ```
#[derive(Clone, Debug)]
pub struct Error {
    code: Code,
    message: String,
    remote: Option<Box<Remote>>,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl PartialEq for Error {
    fn eq(&self, other: &Error) -> bool {
        (self.code, &self.message, &self.remote) == (other.code, &other.message, &other.remote)
    }
}

impl Eq for Error {}

/// The error of a handler on the other side, see [`Error::remote`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Remote {
    /// The kind of error, such as JavaScript's `TypeError`.
    pub name: String,
    /// The code, if it had one; a number as text.
    pub code: Option<String>,
}

impl Error {
    /// An error of this code that says `message`.
    pub fn new(code: Code, message: impl Into<String>) -> Error {
        Error { code, message: message.into(), remote: None, source: None }
    }

    /// An error of the operating system while doing `what`, a phrase such as `listen on /tmp/x`.
    pub fn system(error: &std::io::Error, what: &str) -> Error {
        let (code, advice) = system_error(error);
        Error::new(Code::System(code), format!("Could not {what}: {error}; {advice}.")).caused_by(copy(error))
    }

    /// The same error with a source.
    pub(crate) fn caused_by(self, source: impl std::error::Error + Send + Sync + 'static) -> Error {
        Error { source: Some(Arc::new(source)), ..self }
    }

    /// The code.
    pub fn code(&self) -> Code {
        self.code
    }

    /// The sentence, without the code.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The name and the code of the error with which a handler on the other side failed. `None` for other errors.
    pub fn remote(&self) -> Option<&Remote> {
        self.remote.as_deref()
    }

    /// The error that the payload of a failure frame carries.
    pub(crate) fn from_json(failure: &[u8]) -> Error {
        #[derive(Default, serde::Deserialize)]
        #[serde(default)]
        struct Failure {
            name: Option<String>,
            message: Option<String>,
            code: Option<serde_json::Value>,
            remote: bool,
        }
        // Anything of another form is a failure too.
        let failure: Failure = serde_json::from_slice(failure).unwrap_or_default();
        // JavaScript's errors have numbers for codes as well.
        let code = match failure.code {
            Some(serde_json::Value::String(code)) => Some(code),
            Some(serde_json::Value::Number(code)) => Some(code.to_string()),
            _ => None,
        };
        let ours = code.as_deref().and_then(Code::of_ours);
        let remote = (failure.remote || ours.is_none())
            .then(|| Box::new(Remote { name: failure.name.unwrap_or_else(|| "Error".to_owned()), code }));
        let message = failure.message.unwrap_or_default();
        Error { code: ours.unwrap_or(Code::HandlerThrew), message, remote, source: None }
    }

    /// The payload of a failure frame that carries this error.
    pub(crate) fn to_json(&self) -> Vec<u8> {
        Failure { name: "Error", message: &self.message, code: Some(self.code.as_str()), remote: false }.to_json()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.code.as_str())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// What a failure frame says: the parts of an error that cross to the other side.
#[derive(serde::Serialize)]
pub(crate) struct Failure<'a> {
    pub(crate) name: &'a str,
    pub(crate) message: &'a str,
    pub(crate) code: Option<&'a str>,
    /// Whether a handler failed, and not the server by itself.
    pub(crate) remote: bool,
}

impl Failure<'_> {
    pub(crate) fn to_json(&self) -> Vec<u8> {
        // A struct of strings has no way to fail.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// The names that these errors of the system have in Rust and in C.
macro_rules! named {
    ($errno:expr, $($name:ident $code:literal,)*) => {
        match $errno {
            $(rustix::io::Errno::$name => $code,)*
            // What Node.js calls those that it knows no name for.
            _ => "UNKNOWN",
        }
    };
}

/// The usual name of an error of the system, and what to do about it.
fn system_error(error: &std::io::Error) -> (&'static str, &'static str) {
    use std::io::ErrorKind;
    let code = match (error.raw_os_error(), error.kind()) {
        (Some(number), _) => named!(rustix::io::Errno::from_raw_os_error(number),
            PERM "EPERM", NOENT "ENOENT", INTR "EINTR", IO "EIO", NXIO "ENXIO", BADF "EBADF", AGAIN "EAGAIN",
            NOMEM "ENOMEM", ACCESS "EACCES", BUSY "EBUSY", EXIST "EEXIST", XDEV "EXDEV", NODEV "ENODEV",
            NOTDIR "ENOTDIR", ISDIR "EISDIR", INVAL "EINVAL", NFILE "ENFILE", MFILE "EMFILE", FBIG "EFBIG",
            NOSPC "ENOSPC", ROFS "EROFS", MLINK "EMLINK", PIPE "EPIPE", DEADLK "EDEADLK", NAMETOOLONG "ENAMETOOLONG",
            NOLCK "ENOLCK", NOSYS "ENOSYS", NOTEMPTY "ENOTEMPTY", LOOP "ELOOP", NOTSOCK "ENOTSOCK",
            PROTOTYPE "EPROTOTYPE", PROTONOSUPPORT "EPROTONOSUPPORT", OPNOTSUPP "EOPNOTSUPP",
            AFNOSUPPORT "EAFNOSUPPORT", ADDRINUSE "EADDRINUSE", ADDRNOTAVAIL "EADDRNOTAVAIL",
            CONNABORTED "ECONNABORTED", CONNRESET "ECONNRESET", NOBUFS "ENOBUFS", ISCONN "EISCONN",
            NOTCONN "ENOTCONN", TIMEDOUT "ETIMEDOUT", CONNREFUSED "ECONNREFUSED", STALE "ESTALE", DQUOT "EDQUOT",
        ),
        (None, ErrorKind::InvalidInput) => "EINVAL",
        (None, ErrorKind::Unsupported) => "ENOTSUP",
        (None, _) => "UNKNOWN",
    };
    let advice = match code {
        "EADDRINUSE" | "EEXIST" => "another server uses it: close that server, or choose another domain",
        "EACCES" | "EPERM" => "check the owner and the mode of the file and of its folder",
        "EROFS" => "mount its file system writable",
        "ENOENT" | "ENOTDIR" => "create its folder first",
        "ENAMETOOLONG" => "choose a shorter domain",
        "EMFILE" => "raise the limit of open files (ulimit -n)",
        "ENFILE" => "raise the system's limit of open files",
        "ENOSPC" | "EDQUOT" => "free some space on its disk",
        "ENOMEM" | "ENOBUFS" => "free some memory",
        "ELOOP" => "remove the symbolic link at its path",
        "ECONNREFUSED" => "start its server",
        "EAGAIN" => "try again in a moment",
        "ENOSYS" | "ENOTSUP" | "EOPNOTSUPP" | "EAFNOSUPPORT" => "this system does not support it",
        "EIO" => "check the disk and the system log",
        _ => "look the code up in errno(3)",
    };
    (code, advice)
}

/// The same error again: [`std::io::Error`] can't be cloned.
fn copy(error: &std::io::Error) -> std::io::Error {
    error.raw_os_error().map_or_else(|| error.kind().into(), std::io::Error::from_raw_os_error)
}

/// No client of this name is connected.
pub(crate) fn no_such_client(name: &str) -> Error {
    Error::new(
        Code::NoSuchClient,
        format!("No client named {name:?} is connected; call discover() to see which clients are."),
    )
}

/// The receiver has no handler for this command.
pub(crate) fn no_such_command(command: &str) -> Error {
    Error::new(
        Code::NoSuchCommand,
        format!("The receiver has no handler for the command {command:?}; add one there with addHandlers()."),
    )
}

/// A client can't be connected to the socket at `path`.
pub(crate) fn not_connected(error: &std::io::Error, path: &str) -> Error {
    let (code, _) = system_error(error);
    let message = match code {
        "ENOENT" => format!("No server listens at {path}; start the server of this domain."),
        "ECONNREFUSED" => format!("The server that listened at {path} has ended; start it again."),
        "EAGAIN" => format!("Too many connections already wait for the server at {path}; check what keeps it busy."),
        _ => return Error::system(error, &format!("connect to {path}")),
    };
    Error::new(Code::System(code), message).caused_by(copy(error))
}

/// Whether it would be in vain to wait for a server because of such an error.
pub(crate) fn is_lasting(error: &Error) -> bool {
    const LASTING: [&str; 9] =
        ["EACCES", "EPERM", "ENAMETOOLONG", "ELOOP", "ENOTDIR", "ENOTSOCK", "EPROTOTYPE", "EAFNOSUPPORT", "ENOSYS"];
    LASTING.iter().any(|&code| error.code() == Code::System(code))
}

/// What a client keeps has no room for one more message.
pub(crate) fn queue_full(limit: usize) -> Error {
    Error::new(
        Code::QueueFull,
        format!("The client's queue is full ({limit} bytes); wait for the event 'drain', or raise queueLimit."),
    )
}

/// The client or the server was closed before.
pub(crate) fn closed() -> Error {
    Error::new(Code::Closed, "This was closed before the call was done; start or connect again, and repeat the call.")
}

/// The time of a delivery is over.
pub(crate) fn timed_out() -> Error {
    Error::new(Code::Timeout, "No answer came in time; allow more time, or check why the answer takes so long.")
}

/// The client that a delivery went to has left.
pub(crate) fn client_left(name: &str) -> Error {
    Error::new(Code::ClientLeft, format!("The client {name:?} left before it answered; deliver again when it is back."))
}

/// A client has too many unanswered deliveries.
pub(crate) fn too_many_deliveries(limit: usize) -> Error {
    Error::new(
        Code::TooManyDeliveries,
        format!(
            "{limit} deliveries of this client already wait for answers; await some of them first, or raise the server's option maxDeliveries."
        ),
    )
}

/// A server has too many unanswered deliveries.
pub(crate) fn too_many_deliveries_of_server(limit: usize) -> Error {
    Error::new(
        Code::TooManyDeliveries,
        format!(
            "{limit} deliveries of this server already wait for answers; await some of them first, or raise its option maxDeliveries."
        ),
    )
}

/// A message is above the limit.
pub(crate) fn too_large(size: usize, limit: usize) -> Error {
    Error::new(
        Code::MessageTooLarge,
        format!(
            "The message has {size} bytes, more than the {limit} that both sides accept; send less, or raise maxMessageSize on both sides."
        ),
    )
}

/// The client behind a socket has left.
pub(crate) fn session_ended() -> Error {
    Error::new(Code::ClientLeft, "The client of this socket has left; call emit() with its name when it is back.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_system_have_their_usual_names_and_say_what_to_do() {
        for (number, code, advice) in [
            (rustix::io::Errno::ROFS, "EROFS", "mount"),
            (rustix::io::Errno::NOENT, "ENOENT", "create"),
            (rustix::io::Errno::ACCESS, "EACCES", "mode"),
            (rustix::io::Errno::MFILE, "EMFILE", "ulimit"),
            (rustix::io::Errno::NAMETOOLONG, "ENAMETOOLONG", "shorter"),
        ] {
            let error = Error::system(&number.into(), "listen on /tmp/x");
            assert_eq!(error.code(), Code::System(code));
            assert!(error.message().starts_with("Could not listen on /tmp/x: "), "{error}");
            assert!(error.message().contains(advice), "{error}");
        }
        // Whatever the system comes up with is not taken for a broken disk.
        for number in (1..=200).filter(|&number| number != rustix::io::Errno::IO.raw_os_error()) {
            let error = Error::system(&std::io::Error::from_raw_os_error(number), "test");
            assert_ne!(error.code(), Code::System("EIO"), "{number}");
        }
        let error = Error::system(&std::io::ErrorKind::Unsupported.into(), "test");
        assert_eq!(error.code(), Code::System("ENOTSUP"));
    }

    #[test]
    fn an_error_names_its_source() {
        use std::error::Error as _;
        let cause = std::io::Error::from(rustix::io::Errno::NOENT);
        for error in [Error::system(&cause, "test"), not_connected(&cause, "/tmp/x")] {
            let source = error.source().unwrap().downcast_ref::<std::io::Error>().unwrap();
            assert_eq!(source.raw_os_error(), cause.raw_os_error());
        }
        assert!(no_such_client("bob").source().is_none());
    }

    #[test]
    fn an_error_crosses_as_it_is_and_that_of_a_handler_keeps_its_name_and_code() {
        let error = no_such_client("bob");
        assert_eq!(Error::from_json(&error.to_json()), error);
        let failure = br#"{"name":"RangeError","message":"too far","code":"E_FAR","remote":true}"#;
        let error = Error::from_json(failure);
        let remote = Remote { name: "RangeError".into(), code: Some("E_FAR".into()) };
        assert_eq!((error.code(), error.message(), error.remote()), (Code::HandlerThrew, "too far", Some(&remote)));
        let failure = br#"{"name":"Error","message":"late","code":"ERR_IPC_TIMEOUT","remote":true}"#;
        let error = Error::from_json(failure);
        assert!(error.code() == Code::Timeout && error.remote().is_some());
        let error = Error::from_json(br#"{"name":"Error","message":"gone","code":5,"remote":true,"errno":-2}"#);
        let remote = Remote { name: "Error".into(), code: Some("5".into()) };
        assert_eq!((error.message(), error.remote()), ("gone", Some(&remote)));
        assert_eq!(Error::from_json(b"null").code(), Code::HandlerThrew);
    }
}
