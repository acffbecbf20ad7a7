//! How instances tell what they do: as `tracing` events, which `verbose` and `IPCIO_LOG` show.

/// Tells what an instance does: a title, what it is about, and details in the manner of `format!`.
macro_rules! narrate {
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

pub(crate) use narrate;

/// Whom a frame is for or from, in words.
pub(crate) fn whom(name: &str) -> impl std::fmt::Display + '_ {
    struct Whom<'a>(&'a str);
    impl std::fmt::Display for Whom<'_> {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            if self.0.is_empty() { f.write_str("the server") } else { f.write_str(self.0) }
        }
    }
    Whom(name)
}
