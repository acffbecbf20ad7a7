//! Shows `tracing` events: those of instances whose `verbose` is set on the standard output, and those that
//! the filter in `IPCIO_LOG` lets through on the standard error.

use std::fmt::{Debug, Write as _};
use std::io::IsTerminal;
use std::os::fd::AsFd;
use std::sync::OnceLock;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{Errno, write};
use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, SubscriberExt as _};

/// The variable with the filter.
const VARIABLE: &str = "IPCIO_LOG";

/// Begins to show events, if the environment asks for it.
pub(crate) fn start() {
    if std::env::var_os(VARIABLE).is_some_and(|value| !value.is_empty()) {
        install();
    }
}

/// Begins to show events, since an instance wants its own shown.
pub(crate) fn install() {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        let filter = std::env::var(VARIABLE).ok().filter(|value| !value.is_empty());
        let filter = filter.map(|value| parse(&value));
        let console = Console {
            filter,
            coloured_output: wants_colour(std::io::stdout().is_terminal()),
            coloured_errors: wants_colour(std::io::stderr().is_terminal()),
        };
        // Another subscriber that this process has installed gets the events instead.
        let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(console));
    });
}

/// The filter that a list of levels and of `target=level` describes. A part of it that says neither is told of and left out.
fn parse(value: &str) -> Targets {
    let parts = value.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.fold(Targets::new(), |filter, part| match part.parse::<Targets>() {
        Ok(parsed) => {
            let default = parsed.default_level().or(filter.default_level());
            let filter = filter.with_targets(&parsed);
            default.into_iter().fold(filter, Targets::with_default)
        }
        Err(error) => {
            let text =
                format!("ipcio: {VARIABLE} ignores {part:?}: {error}. Use a level or target=level, such as debug.\n");
            write_whole(&std::io::stderr().lock(), text.as_bytes());
            filter
        }
    })
}

/// Writes events.
struct Console {
    filter: Option<Targets>,
    coloured_output: bool,
    coloured_errors: bool,
}

impl<S: Subscriber> Layer<S> for Console {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        metadata.target().starts_with("ipcio")
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut line = Line::default();
        event.record(&mut line);
        if line.verbose {
            write_whole(&std::io::stdout().lock(), line.text(self.coloured_output).as_bytes());
        }
        let (target, level) = (event.metadata().target(), event.metadata().level());
        if self.filter.as_ref().is_some_and(|filter| filter.would_enable(target, level)) {
            let line = format!("ipcio {level} {}", line.text(self.coloured_errors));
            write_whole(&std::io::stderr().lock(), line.as_bytes());
        }
    }
}

/// Writes a line, and waits where a slow reader leaves no room: Node makes pipes non-blocking, and waits for them too. The
/// lock that `output` is keeps lines of several threads apart.
fn write_whole(output: &impl AsFd, mut line: &[u8]) {
    while !line.is_empty() {
        match write(output, line) {
            Ok(written) => line = &line[written..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                // A wait that fails is followed by another attempt to write, which tells why.
                let _ = poll(&mut [PollFd::new(output, PollFlags::OUT)], None);
            }
            // A closed output is no reason to fail.
            Err(_) => return,
        }
    }
}

/// A line, made of the fields of an event.
#[derive(Default)]
struct Line {
    verbose: bool,
    title: String,
    subject: String,
    details: String,
}

impl Line {
    /// Bold title, yellow subject, dimmed details, as in 0.6.2.
    fn text(&self, coloured: bool) -> String {
        let Line { title, subject, details, .. } = self;
        let parts = [("\u{1b}[1m", title), ("\u{1b}[33m", subject), ("\u{1b}[2m", details)];
        let mut line = String::new();
        for (style, text) in parts.into_iter().filter(|(_, text)| !text.is_empty()) {
            let space = if line.is_empty() { "" } else { " " };
            let written =
                if coloured { write!(line, "{space}{style}{text}\u{1b}[0m") } else { write!(line, "{space}{text}") };
            debug_assert!(written.is_ok(), "a String takes everything");
        }
        line.push('\n');
        line
    }
}

impl Visit for Line {
    fn record_bool(&mut self, field: &Field, value: bool) {
        if field.name() == "verbose" {
            self.verbose = value;
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record(field, value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.record(field, format!("{value:?}"));
    }
}

impl Line {
    fn record(&mut self, field: &Field, value: String) {
        match field.name() {
            "title" => self.title = value,
            "subject" => self.subject = value,
            _ => self.details = value,
        }
    }
}

/// Whether to colour, as Node decides it: `NO_COLOR` and `FORCE_COLOR` come before what the output is.
fn wants_colour(is_terminal: bool) -> bool {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    match set("FORCE_COLOR") {
        Some(value) => value != "0" && value != "false",
        None => set("NO_COLOR").is_none() && is_terminal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_coloured_only_on_request() {
        let line =
            Line { verbose: true, title: "HANDLER EXEC".into(), subject: "double".into(), details: "from x".into() };
        assert_eq!(line.text(false), "HANDLER EXEC double from x\n");
        assert_eq!(
            line.text(true),
            "\u{1b}[1mHANDLER EXEC\u{1b}[0m \u{1b}[33mdouble\u{1b}[0m \u{1b}[2mfrom x\u{1b}[0m\n"
        );
    }
}
