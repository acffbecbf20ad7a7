//! The facts that JavaScript shares. It reads them once, when it is loaded (`lib/constants.js`).

#![allow(unreachable_pub, reason = "napi-derive asks for it")]
#![allow(missing_docs, reason = "napi-derive writes items without")]

use std::collections::HashMap;

use napi_derive::napi;

use crate::cork::LONGEST_RUN;
use crate::event_kind::{ATTACHED, EventKind, REDELIVERED, constant_case};
use crate::functions::SENT;
use crate::options::BUSY_POLL;
use ipcio::Code;
use ipcio::driver::protocol::frame::MAX_NAME;
use ipcio::driver::protocol::v1::message::RESTRICTED;
use ipcio::driver::{domain, settings};

/// The facts. Each map has the names in the form of JavaScript's constants.
#[napi(object, object_from_js = false)]
pub struct Constants {
    /// The numbers of the kinds of events.
    pub events: HashMap<String, u32>,
    /// The length of an event, by the number of its kind.
    pub event_lengths: Vec<u32>,
    /// The flags of events.
    pub flags: HashMap<&'static str, u8>,
    /// The numbers of the kinds of messages.
    pub messages: HashMap<String, u8>,
    /// The longest run of messages, in UTF-16 code units.
    pub longest_run: u32,
    /// The options that are numbers.
    pub settings: Vec<Setting>,
    /// The default of the option `domain`.
    pub domain: &'static str,
    /// The default of the option `mode`.
    pub mode: u32,
    /// All bits that `mode` may have.
    pub max_mode: u32,
    /// The longest name of a domain, in bytes.
    pub longest_domain: u32,
    /// The longest name of a client or a command, in bytes.
    pub longest_name: u32,
    /// The codes of the errors that Rust makes.
    pub codes: Vec<&'static str>,
    /// Commands that are part of the protocol.
    pub restricted_commands: Vec<&'static str>,
}

/// An option that is a number.
#[napi(object, object_from_js = false)]
pub struct Setting {
    pub name: String,
    pub default: f64,
    /// The least with which anything works.
    pub least: f64,
}

#[napi]
pub fn constants() -> Constants {
    let mut event_lengths = vec![0; EventKind::ALL.len()];
    for &kind in EventKind::ALL {
        event_lengths[kind as usize] = kind.length();
    }
    Constants {
        events: EventKind::ALL.iter().map(|&kind| (kind.name(), kind as u32)).collect(),
        event_lengths,
        flags: HashMap::from([("REDELIVERED", REDELIVERED), ("ATTACHED", ATTACHED)]),
        messages: SENT.iter().map(|&kind| (constant_case(&format!("{kind:?}")), kind as u8)).collect(),
        longest_run: LONGEST_RUN,
        settings: settings::SETTINGS.iter().chain([&BUSY_POLL]).map(Setting::of).collect(),
        domain: domain::DEFAULT,
        mode: settings::MODE,
        max_mode: settings::MAX_MODE,
        longest_domain: domain::MAX_NAME as u32,
        longest_name: MAX_NAME as u32,
        codes: Code::OWN.iter().map(|code| code.as_str()).collect(),
        restricted_commands: RESTRICTED.to_vec(),
    }
}

impl Setting {
    fn of(setting: &settings::Setting) -> Setting {
        Setting { name: camel_case(setting.name), default: setting.default as f64, least: setting.least as f64 }
    }
}

/// `someName` for `some_name`.
fn camel_case(name: &str) -> String {
    let mut words = name.split('_');
    let mut text = words.next().unwrap_or_default().to_owned();
    for word in words {
        let (first, rest) = word.split_at(1);
        text.push_str(&first.to_ascii_uppercase());
        text.push_str(rest);
    }
    text
}
