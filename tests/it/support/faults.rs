//! A source that goes wrong as scripted, down to the bytes on the wire.

use std::cell::Cell;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::hostile::{HOSTILE, escaped};

thread_local! {
    static IS_HOSTILE: Cell<bool> = const { Cell::new(false) };
}

/// Replies that have hostile text wherever there is any: in the reason of the status, in headers that do not frame the
/// body, and in all texts of the body.
pub fn hostile_replies(replies: impl FnOnce() -> Vec<Reply>) -> Vec<Reply> {
    IS_HOSTILE.set(true);
    let replies = replies();
    IS_HOSTILE.set(false);
    replies
}

/// What HTTP lets a header have of it.
fn in_header(text: &str) -> String {
    let framing = ["gzip", "br", "zstd", "deflate"];
    if framing.contains(&text) || text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.to_owned();
    }
    let hostile = HOSTILE.chars().filter(|it| !it.is_ascii_control()).collect::<String>();
    format!("{text}{hostile}")
}

/// A body with hostile text: in the strings and names of JSON, and around words; bytes stay as they are.
fn in_body(body: &[u8]) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(body) else { return body.to_vec() };
    if let Ok(value) = serde_json::from_str::<serde_json::Value>(text) {
        let quoted = text.replace("\":", &format!("{}\":", escaped()));
        return match value {
            serde_json::Value::String(text) => serde_json::to_vec(&(text + HOSTILE)).unwrap(),
            _ => quoted.replace("\"}", &format!("{}\"}}", escaped())).into(),
        };
    }
    if text.starts_with('<') {
        return text.replace('>', &format!(">{HOSTILE}")).into();
    }
    // A body of nothing but spaces is an empty one.
    let words = text.trim();
    if words.is_empty() { body.to_vec() } else { format!("{words} {HOSTILE}").into() }
}

/// What a connection does after its request has been read. It is closed at the end.
#[derive(Clone, Default)]
pub struct Reply(Vec<Act>);

#[derive(Clone)]
enum Act {
    Send(Vec<u8>),
    Wait(Duration),
    /// Says nothing more and stays open.
    Stall,
    /// Ends the connection as a crash does.
    Reset,
}

/// One request, as it arrived.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Since the server began.
    pub at: Duration,
    pub path: String,
    pub key: Option<String>,
}

impl Reply {
    /// Nothing at all.
    pub fn none() -> Self {
        Self::default()
    }

    /// A status and a text, complete.
    pub fn status(status: &str, text: &str) -> Self {
        Self::head(status, &[("content-type", "text/plain")]).body(text)
    }

    /// 200 with JSON, complete.
    pub fn json(body: &str) -> Self {
        Self::ok(&[]).body(body)
    }

    /// The head of a 200 with JSON.
    pub fn ok(headers: &[(&str, &str)]) -> Self {
        let json = [("content-type", "application/json")];
        Self::head("200 OK", &[&json, headers].concat())
    }

    /// A head without the empty line behind it.
    pub fn head(status: &str, headers: &[(&str, &str)]) -> Self {
        let shown = |text: &str| if IS_HOSTILE.get() { in_header(text) } else { text.to_owned() };
        let head = format!("HTTP/1.1 {}\r\nconnection: close\r\n", shown(status));
        let headers = headers.iter().map(|(name, value)| format!("{name}: {}\r\n", shown(value)));
        Self::none().send(head + &headers.collect::<String>())
    }

    /// The rest of a complete answer.
    pub fn body(self, body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        let body = if IS_HOSTILE.get() { in_body(body) } else { body.to_vec() };
        self.length(body.len()).send(body)
    }

    /// The end of the head, with a length that may be a lie.
    pub fn length(self, bytes: usize) -> Self {
        self.send(format!("content-length: {bytes}\r\n\r\n"))
    }

    /// The end of the head of a body that ends with the connection.
    pub fn until_closed(self) -> Self {
        self.send("\r\n")
    }

    /// The end of the head of a body in chunks.
    pub fn chunked(self) -> Self {
        self.send("transfer-encoding: chunked\r\n\r\n")
    }

    /// A chunk of such a body; an empty one is its end.
    pub fn chunk(self, bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref();
        self.send(format!("{:x}\r\n", bytes.len())).send(bytes).send("\r\n")
    }

    pub fn send(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.0.push(Act::Send(bytes.as_ref().to_vec()));
        self
    }

    pub fn wait(mut self, milliseconds: u64) -> Self {
        self.0.push(Act::Wait(Duration::from_millis(milliseconds)));
        self
    }

    pub fn stall(mut self) -> Self {
        self.0.push(Act::Stall);
        self
    }

    pub fn reset(mut self) -> Self {
        self.0.push(Act::Reset);
        self
    }
}

/// An address on loopback that nobody listens at: it refuses connections, and nobody else gets it.
pub struct Unanswered(TcpSocket);

impl Unanswered {
    pub fn any() -> Self {
        Self::of(SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    /// That of a server that has been stopped.
    pub fn of(address: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind(address).unwrap();
        Self(socket)
    }

    pub fn base_url(&self) -> String {
        format!("http://{}", self.0.local_addr().unwrap())
    }
}

/// A server on loopback that gives each reply once, and the last one for ever.
pub struct FaultServer {
    listener: TcpListener,
    base_url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl FaultServer {
    /// Takes an address; nothing is answered until it serves.
    #[expect(clippy::unused_async, reason = "it belongs to the runtime that awaits it")]
    pub async fn bind() -> Self {
        Self::at(Unanswered::any())
    }

    /// Serves at an address that nobody has listened at.
    pub fn at(address: Unanswered) -> Self {
        let base_url = address.base_url();
        Self { listener: address.0.listen(64).unwrap(), base_url, asked: Arc::default() }
    }

    pub fn base_url(&self) -> String {
        self.base_url.clone()
    }

    /// What has been asked so far, for as long as this lives.
    pub fn asked(&self) -> Arc<Mutex<Vec<Asked>>> {
        self.asked.clone()
    }

    /// Answers in the background of this runtime.
    pub fn serve(self, replies: Vec<Reply>) -> JoinHandle<()> {
        let replies = Mutex::new(replies);
        self.serve_by(move |_| {
            let mut replies = replies.lock().unwrap();
            if replies.len() > 1 { replies.remove(0) } else { replies[0].clone() }
        })
    }

    /// Answers what `reply` makes of each request.
    pub fn serve_by(
        self,
        reply: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
    ) -> JoinHandle<()> {
        let (began, reply) = (Instant::now(), Arc::new(reply));
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = self.listener.accept().await {
                let (reply, asked) = (reply.clone(), self.asked.clone());
                tokio::spawn(async move {
                    let Ok(request) = read_head(&mut socket).await else { return };
                    let request = Asked { at: began.elapsed(), ..request };
                    asked.lock().unwrap().push(request.clone());
                    // A client that goes away is none of the server's errors.
                    let _ = act(socket, reply(&request)).await;
                });
            }
        })
    }
}

async fn act(mut socket: TcpStream, reply: Reply) -> std::io::Result<()> {
    for act in reply.0 {
        match act {
            Act::Send(bytes) => socket.write_all(&bytes).await?,
            Act::Wait(duration) => sleep(duration).await,
            Act::Stall => std::future::pending().await,
            Act::Reset => return socket.set_zero_linger(),
        }
    }
    socket.shutdown().await?;
    // Closing while the client still sends would reset the connection.
    while socket.read(&mut [0; 1024]).await? > 0 {}
    Ok(())
}

async fn read_head(socket: &mut TcpStream) -> std::io::Result<Asked> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await?);
    }
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.lines();
    let path = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap_or_default();
    let key = lines.find_map(|line| line.strip_prefix("x-api-key: "));
    Ok(Asked { at: Duration::ZERO, path: path.to_owned(), key: key.map(str::to_owned) })
}
