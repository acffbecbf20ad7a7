use super::*;
use crate::protocol::frame::{Flags, Frame, Kind};
use crate::protocol::outbox::Outbox;

const CONTROL: Socket = Socket::Control;
const PRIVATE: Socket = Socket::Private;

/// One side, with its queue.
struct Peer {
    translation: Translation,
    outbox: Outbox,
}

impl Peer {
    fn new(side: Side) -> Peer {
        let id = if side == Side::Client { "c".repeat(32) } else { "5".repeat(32) };
        let mut translation = Translation::new(side, "alice", &id, Channel::new(0), 1_000);
        translation.open();
        Peer { translation, outbox: Outbox::default() }
    }

    /// What a frame becomes on each socket.
    fn write(&mut self, frame: Frame<'_>) -> [String; 2] {
        self.outbox.push(&frame);
        self.translation.translate(&mut self.outbox);
        [CONTROL, PRIVATE].map(|socket| {
            let text = String::from_utf8(self.translation.unwritten(socket).to_vec()).unwrap();
            self.translation.written(socket, text.len());
            text
        })
    }

    /// The kind, id, name, command and payload of the first frame that a text becomes.
    fn read(&mut self, socket: Socket, text: &str) -> Option<(Kind, u64, String, String, String)> {
        let frame = self.translation.next(socket, &mut text.as_bytes()).unwrap()?;
        let payload = String::from_utf8(frame.payload.to_vec()).unwrap();
        Some((frame.kind, frame.id, frame.name.to_owned(), frame.command.to_owned(), payload))
    }
}

fn frame<'a>(kind: Kind, id: u64, name: &'a str, payload: &'a str) -> Frame<'a> {
    Frame { name, command: "c", payload: payload.as_bytes(), ..Frame::bare(kind, id) }
}

#[test]
fn a_client_writes_what_0_6_2_writes() {
    let mut client = Peer::new(Side::Client);
    let delivery = "cccccccccccccccc0000000000000007";
    let wrapped = |command: &str, inner: &str, outer: &str| {
        let inner = serde_json::to_string(inner).unwrap();
        [format!(r#"{{"id":"alice","command":"{command}","data":{inner},"delivery":{outer}}}"#), String::new()]
    };
    let private = |text: &str| [String::new(), text.to_owned()];
    let quoted = format!("\"{delivery}\"");
    assert_eq!(
        client.write(frame(Kind::Send, 0, "", "[1]")),
        private(r#"{"id":null,"command":"c","data":[1],"delivery":null}"#)
    );
    assert_eq!(
        client.write(frame(Kind::Send, 0, "own", "1")),
        private(r#"{"id":null,"command":"c","data":1,"delivery":"own"}"#)
    );
    assert_eq!(
        client.write(frame(Kind::Request, 7, "", "1")),
        private(&format!(r#"{{"id":null,"command":"c","data":1,"delivery":{quoted}}}"#))
    );
    assert_eq!(
        client.write(frame(Kind::Emit, 0, "bob", "1")),
        wrapped("emit", r#"{"id":"bob","command":"c","data":1,"delivery":null}"#, "null")
    );
    assert_eq!(
        client.write(frame(Kind::Request, 7, "bob", "1")),
        wrapped("emit", &format!(r#"{{"id":"bob","command":"c","data":1,"delivery":{quoted}}}"#), &quoted)
    );
    assert_eq!(
        client.write(frame(Kind::Broadcast, 0, "", "1")),
        wrapped("broadcast", r#"{"id":null,"command":"c","data":1,"delivery":null}"#, "null")
    );
    let bytes = Frame { flags: Flags::BYTES, ..frame(Kind::Send, 0, "", "AB") };
    let text = r#"{"id":null,"command":"c","data":{"type":"Buffer","data":[65,66]},"delivery":null}"#;
    assert_eq!(client.write(bytes), private(text));
    for kind in [Kind::Void, Kind::Cancel, Kind::Acknowledgement, Kind::Goodbye, Kind::Response, Kind::Failure] {
        assert_eq!(client.write(Frame::bare(kind, 99)), private(""), "{kind:?}");
    }
}

#[test]
fn what_one_side_writes_the_other_one_reads() {
    let (mut client, mut server) = (Peer::new(Side::Client), Peer::new(Side::Server));
    let expected = |kind, id, name: &str, command: &str, payload: &str| {
        Some((kind, id, name.to_owned(), command.to_owned(), payload.to_owned()))
    };
    let [control, _] = client.write(frame(Kind::Emit, 0, "bob", "\"\\\"\""));
    assert_eq!(server.read(CONTROL, &control), expected(Kind::Emit, 0, "bob", "c", "\"\\\"\""));
    let [control, _] = client.write(frame(Kind::Broadcast, 0, "", "1"));
    assert_eq!(server.read(CONTROL, &control), expected(Kind::Broadcast, 0, "", "c", "1"));
    let [_, private] = client.write(frame(Kind::Send, 0, "", "1"));
    assert_eq!(server.read(PRIVATE, &private), expected(Kind::Send, 0, "", "c", "1"));
    let [_, private] = server.write(frame(Kind::Broadcast, 0, "bob", "1"));
    assert_eq!(client.read(PRIVATE, &private), expected(Kind::Emit, 0, "", "c", "1"));
    // Deliveries, which each side numbers by itself, and their answers.
    for (to, socket) in [("bob", CONTROL), ("", PRIVATE)] {
        let texts = client.write(frame(Kind::Request, 70, to, "1"));
        let text = &texts[usize::from(socket == PRIVATE)];
        let Some((Kind::Request, number, name, ..)) = server.read(socket, text) else { panic!("{text}") };
        assert_eq!(name, to);
        assert_eq!(server.translation.requests(), 1);
        let [_, answer] = server.write(frame(Kind::Response, number, "", "2"));
        assert_eq!(client.read(PRIVATE, &answer), expected(Kind::Response, 70, "", "", "2"));
        assert_eq!(server.translation.requests(), 0);
    }
    let [_, private] = server.write(frame(Kind::Request, 1 << 53, "bob", "1"));
    let Some((Kind::Request, number, ..)) = client.read(PRIVATE, &private) else { panic!("{private}") };
    let [_, answer] = client.write(frame(Kind::Failure, number, "", "{\"message\":\"no\"}"));
    assert_eq!(server.read(PRIVATE, &answer), expected(Kind::Response, 1 << 53, "", "", "null"));
    // One under an id that the application gave: its answer is dropped.
    let [_, private] = server.write(frame(Kind::Request, 0, "own", "1"));
    assert!(private.ends_with("\"delivery\":\"own\"}"), "{private}");
    let Some((Kind::Request, number, ..)) = client.read(PRIVATE, &private) else { panic!("{private}") };
    let [_, answer] = client.write(frame(Kind::Response, number, "", "1"));
    assert_eq!(server.read(PRIVATE, &answer), None);
}

#[test]
fn who_is_there_is_answered_in_the_order_of_the_questions_also_before_the_private_socket_is_connected() {
    let (mut client, mut server) = (Peer::new(Side::Client), Peer::new(Side::Server));
    server.translation.is_open = false;
    let mut answers = String::new();
    for id in [7, 8] {
        let [control, _] = client.write(Frame::bare(Kind::Discover, id));
        let Some((Kind::Discover, number, ..)) = server.read(CONTROL, &control) else { panic!("{control}") };
        let [answer, _] = server.write(frame(Kind::Response, number, "", "{\"clients\":[]}"));
        answers += &answer;
    }
    let object = r#"{"id":"alice","command":"discover","data":{"clients":[]},"delivery":null}"#;
    assert_eq!(answers, object.repeat(2));
    for id in [7, 8] {
        assert_eq!(client.read(CONTROL, object).map(|found| (found.0, found.1)), Some((Kind::Response, id)));
    }
    assert_eq!(client.read(CONTROL, object), None);
    // Nothing else is written until then.
    assert_eq!(server.write(frame(Kind::Emit, 0, "bob", "1")), ["", ""]);
    server.translation.open();
    server.translation.translate(&mut server.outbox);
    assert!(!server.translation.unwritten(PRIVATE).is_empty());
}

#[test]
fn frames_are_acknowledged_once_their_text_is_written_to_its_end() {
    let mut server = Peer::new(Side::Server);
    let size = frame(Kind::Emit, 0, "bob", "1").size();
    (0..3).for_each(|_| server.outbox.push(&frame(Kind::Emit, 0, "bob", "1")));
    server.translation.translate(&mut server.outbox);
    let length = server.translation.unwritten(PRIVATE).len();
    assert_eq!((server.translation.written(PRIVATE, length - 1), server.translation.acknowledged()), (0, None));
    assert_eq!(server.translation.written(PRIVATE, 1), 3 * size);
    assert_eq!((server.translation.acknowledged(), server.translation.acknowledged()), (Some(3), None));
    // Those without a text count as well.
    server.outbox.push(&Frame::bare(Kind::Void, 0));
    server.translation.translate(&mut server.outbox);
    assert_eq!(server.translation.acknowledged(), Some(4));
}

#[test]
fn no_more_is_translated_than_is_worth_it() {
    let mut server = Peer::new(Side::Server);
    let payload = format!("\"{}\"", "x".repeat(900));
    (0..1_000).for_each(|_| server.outbox.push(&frame(Kind::Emit, 0, "", &payload)));
    server.translation.translate(&mut server.outbox);
    let waits = server.translation.unwritten(PRIVATE).len();
    assert!((HIGH_WATER_MARK..HIGH_WATER_MARK + 2_000).contains(&waits), "{waits}");
    server.translation.written(PRIVATE, waits);
    server.translation.translate(&mut server.outbox);
    assert!(!server.translation.unwritten(PRIVATE).is_empty());
}

#[test]
fn what_is_no_message_or_too_large_is_refused() {
    let refused = |socket, text: &str| Peer::new(Side::Server).translation.next(socket, &mut text.as_bytes()).is_err();
    let message = |command: &str, data: &str| format!(r#"{{"id":null,"command":"{command}","data":{data}}}"#);
    for (socket, text) in [
        (PRIVATE, "[]".to_owned()),
        (PRIVATE, message("c", &format!("\"{}\"", "x".repeat(1_000)))),
        (PRIVATE, message(&"c".repeat(70_000), "1")),
        (CONTROL, message("emit", "1")),
        (CONTROL, message("emit", "\"1\"")),
        (CONTROL, message("emit", "\"{\\\"command\\\":7}\"")),
    ] {
        assert!(refused(socket, &text), "{}", &text[..text.len().min(100)]);
    }
    assert!(!refused(PRIVATE, &message("c", &format!("\"{}\"", "x".repeat(998)))));
    assert!(!refused(CONTROL, &message("error", "201")));
}
