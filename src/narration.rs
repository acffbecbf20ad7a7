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
