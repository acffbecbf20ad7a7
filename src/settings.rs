//! Options: what each is if it is not given, and the least with which anything works. The builders and the addon take
//! them from here, and JavaScript from the addon.

use std::time::Duration;

use crate::error::{Code, Error};
use crate::protocol::frame::MAX_NAME;
use crate::protocol::json;

/// The mode of a socket's file: only its owner may connect.
pub const MODE: u32 = 0o600;

/// All bits that a mode may have.
pub const MAX_MODE: u32 = 0o777;

/// The longest time limit, which stands for "without end": later times overflow on some systems.
pub const LONGEST_TIME: Duration = Duration::from_secs(365 * 24 * 60 * 60);

const MEBIBYTE: usize = 1024 * 1024;

/// An option that is a number.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Its name in Rust. JavaScript's is the same in camel case.
    pub name: &'static str,
    /// What it is if it is not given.
    pub default: usize,
    /// The least with which anything works.
    pub least: usize,
}

/// The longest message, in bytes.
pub const MAX_MESSAGE_SIZE: Setting = Setting { name: "max_message_size", default: 256 * MEBIBYTE, least: 1 };

/// How many clients there may be.
pub const MAX_CLIENTS: Setting = Setting { name: "max_clients", default: 65_536, least: 1 };

/// How long a connection may take to say who it is, in milliseconds.
pub const HANDSHAKE_TIMEOUT: Setting = Setting { name: "handshake_timeout", default: 10_000, least: 1 };

/// How much may wait to be written to one client, in bytes.
pub const SLOW_CONSUMER_LIMIT: Setting = Setting { name: "slow_consumer_limit", default: 512 * MEBIBYTE, least: 0 };

/// How much of unfinished messages a server holds, in bytes.
pub const UNFINISHED_LIMIT: Setting = Setting { name: "unfinished_limit", default: 512 * MEBIBYTE, least: 0 };

/// How many deliveries of one client may wait for their answers.
pub const MAX_DELIVERIES: Setting = Setting { name: "max_deliveries", default: 262_144, least: 1 };

/// How much a client keeps of what waits to be sent, acknowledged or answered, in bytes.
pub const QUEUE_LIMIT: Setting = Setting { name: "queue_limit", default: 512 * MEBIBYTE, least: 1 };

/// How much is kept for all clients together that are away, in bytes.
pub const AWAY_LIMIT: Setting = Setting { name: "away_limit", default: 512 * MEBIBYTE, least: 0 };

/// How long a client whose connection broke is expected back, in milliseconds.
pub const RESUME_TIMEOUT: Setting = Setting { name: "resume_timeout", default: 60_000, least: 0 };

/// How long closing waits for what is under way, in milliseconds.
pub const CLOSE_TIMEOUT: Setting = Setting { name: "close_timeout", default: 5_000, least: 0 };

/// All of them.
pub const SETTINGS: [Setting; 10] = [
    MAX_MESSAGE_SIZE,
    MAX_CLIENTS,
    HANDSHAKE_TIMEOUT,
    SLOW_CONSUMER_LIMIT,
    UNFINISHED_LIMIT,
    MAX_DELIVERIES,
    QUEUE_LIMIT,
    AWAY_LIMIT,
    RESUME_TIMEOUT,
    CLOSE_TIMEOUT,
];

impl Setting {
    /// The default of one in milliseconds.
    pub const fn default_time(self) -> Duration {
        Duration::from_millis(self.default as u64)
    }

    /// The value, if anything works with it.
    ///
    /// # Errors
    /// [`Code::InvalidArgument`].
    pub fn check(self, value: usize) -> Result<usize, Error> {
        if value < self.least { Err(self.refused("", &value)) } else { Ok(value) }
    }

    /// The time, if anything works with it, and at most [`LONGEST_TIME`].
    ///
    /// # Errors
    /// [`Code::InvalidArgument`].
    pub fn check_time(self, time: Duration) -> Result<Duration, Error> {
        if time < Duration::from_millis(self.least as u64) {
            return Err(self.refused(" ms", &format_args!("{time:?}")));
        }
        Ok(time.min(LONGEST_TIME))
    }

    fn refused(self, unit: &str, value: &dyn std::fmt::Display) -> Error {
        let Setting { name, least, .. } = self;
        let message = format!("{name} must be {least}{unit} or more, not {value}.");
        Error::new(Code::InvalidArgument, message)
    }
}

/// The mode, if a socket's file can have it.
///
/// # Errors
/// [`Code::InvalidArgument`].
pub fn check_mode(mode: u32) -> Result<u32, Error> {
    if mode > MAX_MODE {
        let message = format!("mode must be a file mode from 0 to {MAX_MODE:#o}, not {mode:#o}.");
        return Err(Error::new(Code::InvalidArgument, message));
    }
    Ok(mode)
}

/// Whether a client can have the name: a frame and, as JSON, a handshake have room for it.
///
/// # Errors
/// [`Code::InvalidArgument`].
pub fn check_name(name: &str) -> Result<(), Error> {
    // Quotes and control characters take more room as JSON.
    let mut text = Vec::new();
    json::write_string(name, &mut text);
    let message = match text.len() - 2 {
        0 => "The name must not be empty; omit it to get a random name.".to_owned(),
        bytes if bytes > MAX_NAME => {
            format!("The name has {bytes} bytes as JSON; use at most {MAX_NAME}, or omit it to get a random name.")
        }
        _ => return Ok(()),
    };
    Err(Error::new(Code::InvalidArgument, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUILDERS: [&str; 3] = [
        include_str!("runtime/builder/mod.rs"),
        include_str!("runtime/builder/client.rs"),
        include_str!("runtime/builder/server.rs"),
    ];

    /// The documentation of a method of the builders.
    fn documentation(method: &str) -> String {
        let text = BUILDERS.iter().find_map(|text| text.split_once(&format!("pub fn {method}(mut self"))).unwrap().0;
        text.rsplit("\n\n").next().unwrap().replace("///", "").split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// A value as the documentation writes it.
    fn written(name: &str, value: usize) -> String {
        match (name, value) {
            _ if name.ends_with("timeout") => format!("{} seconds", value / 1000),
            _ if value.is_multiple_of(MEBIBYTE) => format!("{} MiB", value / MEBIBYTE),
            _ => format!("{},{:03}", value / 1000, value % 1000),
        }
    }

    #[test]
    fn the_builders_document_the_defaults() {
        for Setting { name, default, .. } in SETTINGS {
            let (text, expected) = (documentation(name), written(name, default));
            assert!(text.contains(&format!("Default: {expected}.")), "{name}: {expected}: {text}");
        }
        let mode = format!("Default: {MODE:04o}.");
        assert!(documentation("mode").contains(&mode), "{mode}");
        let domain = format!("Default: `{}`.", crate::domain::DEFAULT);
        assert!(documentation("domain").contains(&domain), "{domain}");
    }

    #[test]
    fn what_is_below_the_least_is_refused() {
        for setting in SETTINGS {
            assert_eq!(setting.check(setting.least).unwrap(), setting.least);
            assert_eq!(setting.check(setting.default).unwrap(), setting.default);
            if let Some(less) = setting.least.checked_sub(1) {
                let error = setting.check(less).unwrap_err();
                assert_eq!(error.code(), Code::InvalidArgument);
                assert!(error.message().starts_with(setting.name), "{error}");
            }
        }
    }
}
