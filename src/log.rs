//! How instances tell what they do: as `tracing` events, which `verbose` and `IPCIO_LOG` show.

/// Tells what an instance does: a title, what it is about, and details in the manner of `format!`.
macro_rules! log {
    ($verbose:expr, $title:literal, $subject:expr, $($details:tt)*) => {
        tracing::debug!(
            target: "ipcio",
            verbose = $verbose,
            title = $title,
            subject = %$subject,
            details = %format_args!($($details)*),
        )
    };
}

pub(crate) use log;

/// Party a frame is for or from, in words.
pub(crate) fn party(name: &str) -> impl std::fmt::Display + '_ {
    struct Party<'a>(&'a str);
    impl std::fmt::Display for Party<'_> {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            if self.0.is_empty() { f.write_str("the server") } else { f.write_str(self.0) }
        }
    }
    Party(name)
}
