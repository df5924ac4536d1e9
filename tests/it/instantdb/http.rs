//! HTTP/1.1 on a socket: requests one after the other, and answers that may be spoilt.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::fault::Fault;
use super::{Shared, routes};

/// A request.
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: Vec<(String, String)>,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
}

/// An answer.
pub(super) struct Reply {
    pub(super) http: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
}

impl Request {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub(super) fn param(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// Serves a connection until it ends.
pub(super) fn serve(mut stream: TcpStream, shared: &Shared) {
    drop(stream.set_read_timeout(Some(Duration::from_millis(100))));
    drop(stream.set_nodelay(true));
    let mut rest = Vec::new();
    while let Some(request) = read(&mut stream, &mut rest, shared) {
        let busy = shared.busy.fetch_add(1, Ordering::SeqCst) + 1;
        let (reply, fault, delay) = routes::answer(shared, &request, busy);
        std::thread::sleep(delay);
        shared.busy.fetch_sub(1, Ordering::SeqCst);
        if !write(&mut stream, reply, fault) {
            drop(stream.shutdown(Shutdown::Both));
            return;
        }
    }
}

/// The next request; `None` at the end of the connection or of the server.
fn read(stream: &mut TcpStream, rest: &mut Vec<u8>, shared: &Shared) -> Option<Request> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        if let Some((request, length)) = parse(rest) {
            rest.drain(..length);
            return Some(request);
        }
        match stream.read(&mut buffer) {
            Ok(0) => return None,
            Ok(read) => rest.extend_from_slice(&buffer[..read]),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                if shared.stopped.load(Ordering::SeqCst) {
                    return None;
                }
            }
            Err(_) => return None,
        }
    }
}

/// A whole request at the front of some bytes, and its length.
fn parse(bytes: &[u8]) -> Option<(Request, usize)> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut head = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(start) = head.parse(bytes).ok()? else { return None };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let headers: Vec<(String, String)> =
        head.headers.iter().map(|header| (header.name.to_owned(), text(header.value))).collect();
    let length = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length: usize = length.and_then(|(_, value)| value.parse().ok()).unwrap_or(0);
    let body = bytes.get(start..start + length)?;
    let target = head.path.unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let query = query.split('&').filter_map(|pair| pair.split_once('='));
    let request = Request {
        method: head.method.unwrap_or_default().to_owned(),
        path: path.to_owned(),
        query: query.map(|(key, value)| (key.to_owned(), decoded(value))).collect(),
        headers,
        body: text(body),
    };
    Some((request, start + length))
}

fn decoded(text: &str) -> String {
    let (mut out, bytes, mut at) = (Vec::new(), text.as_bytes(), 0);
    while at < bytes.len() {
        let escaped = text.get(at + 1..at + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (bytes[at], escaped) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 2;
            }
            (b'+', _) => out.push(b' '),
            (byte, _) => out.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Says nothing until the other side gives up.
fn wait_for_end(stream: &mut TcpStream) {
    let mut buffer = [0; 64];
    loop {
        match stream.read(&mut buffer) {
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
}

/// Writes an answer; false when the connection is to end.
fn write(stream: &mut TcpStream, mut reply: Reply, fault: Option<Fault>) -> bool {
    match fault {
        Some(Fault::Closed | Fault::DoneThenClosed) => return false,
        Some(Fault::Slow | Fault::DoneThenSlow) => {
            wait_for_end(stream);
            return false;
        }
        Some(Fault::CutJson) => reply.body.truncate(reply.body.len() / 2),
        _ => {}
    }
    let mut head = format!("HTTP/1.1 {} x\r\ncontent-length: {}\r\n", reply.http, reply.body.len());
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    let cut = matches!(fault, Some(Fault::ClosedMidway | Fault::CutFile));
    let length = if cut { reply.body.len() / 2 } else { reply.body.len() };
    let written = stream
        .write_all(head.as_bytes())
        .and_then(|()| stream.write_all(&reply.body[..length]))
        .and_then(|()| stream.flush());
    written.is_ok() && !cut
}
