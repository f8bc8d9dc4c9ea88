//! A source that speaks HTTP/2 over TLS, and goes away when its script says so. It writes its frames itself.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
/// The stream of the first request of a connection.
const STREAM: u32 = 1;

/// What the server does next on a connection.
#[derive(Clone)]
pub enum Step {
    /// Waits for a request.
    Read,
    /// The head of a 200 with JSON.
    Head,
    /// A part of the body, or its end.
    Body { text: &'static str, ends: bool },
    /// The end of the connection is announced: up to which stream it answers, the code, and what else it says.
    GoAway { last: u32, code: u32, says: String },
    /// The request is given up.
    Reset(u32),
}

/// A server on loopback, stopped when dropped. Each connection follows a script; the last one stays.
pub struct Http2Server {
    base_url: String,
    connections: Arc<Mutex<usize>>,
    _runtime: Runtime,
}

impl Http2Server {
    pub fn following(scripts: Vec<Vec<Step>>) -> Self {
        let runtime = super::runtime();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let base_url = format!("https://{}", listener.local_addr().unwrap());
        let (acceptor, connections) = (TlsAcceptor::from(config()), Arc::new(Mutex::new(0)));
        let counted = connections.clone();
        runtime.spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let script = {
                    let mut connections = counted.lock().unwrap();
                    *connections += 1;
                    scripts[(*connections - 1).min(scripts.len() - 1)].clone()
                };
                let acceptor = acceptor.clone();
                // A client that goes away is none of the server's errors.
                tokio::spawn(async move { follow(acceptor.accept(socket).await?, script).await });
            }
        });
        Self { base_url, connections, _runtime: runtime }
    }

    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// How many connections there were.
    pub fn connections(&self) -> usize {
        *self.connections.lock().unwrap()
    }

    /// The certificate of the authority that signed the server's.
    pub fn authority() -> PathBuf {
        certificate("authority.pem")
    }
}

fn certificate(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/certificates").join(name)
}

fn config() -> Arc<ServerConfig> {
    let chain = CertificateDer::from_pem_file(certificate("server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(certificate("server.key.pem")).unwrap();
    // Several are linked, since the source and the stores have clients of their own.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider);
    let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let mut config = config.with_single_cert(vec![chain], key).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    Arc::new(config)
}

async fn follow(mut socket: TlsStream<TcpStream>, script: Vec<Step>) -> std::io::Result<()> {
    let mut preface = [0; 24];
    socket.read_exact(&mut preface).await?;
    assert_eq!(&preface, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    socket.write_all(&frame(SETTINGS, 0, 0, &[])).await?;
    for step in script {
        match step {
            Step::Read => read_request(&mut socket).await?,
            Step::Head => {
                // HPACK: the static entry of `:status: 200`, then `content-type` with its value.
                let mut head = vec![0x88, 0x0f, 0x10, 16];
                head.extend(b"application/json");
                socket.write_all(&frame(HEADERS, END_HEADERS, STREAM, &head)).await?;
            }
            Step::Body { text, ends } => {
                let flags = if ends { END_STREAM } else { 0 };
                socket.write_all(&frame(DATA, flags, STREAM, text.as_bytes())).await?;
            }
            Step::GoAway { last, code, says } => {
                let content = [&last.to_be_bytes()[..], &code.to_be_bytes(), says.as_bytes()];
                socket.write_all(&frame(GOAWAY, 0, 0, &content.concat())).await?;
            }
            Step::Reset(code) => {
                socket.write_all(&frame(RST_STREAM, 0, STREAM, &code.to_be_bytes())).await?;
            }
        }
        socket.flush().await?;
    }
    socket.shutdown().await?;
    // Closing while the client still sends would reset the connection, and what was sent might not arrive.
    while socket.read(&mut [0; 1024]).await? > 0 {}
    Ok(())
}

/// Reads frames until the head of a request is there.
async fn read_request(socket: &mut TlsStream<TcpStream>) -> std::io::Result<()> {
    loop {
        let mut head = [0; 9];
        socket.read_exact(&mut head).await?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let mut content = vec![0; length];
        socket.read_exact(&mut content).await?;
        match head[3] {
            HEADERS => return Ok(()),
            SETTINGS if head[4] & ACK == 0 => {
                socket.write_all(&frame(SETTINGS, ACK, 0, &[])).await?;
            }
            _ => {}
        }
    }
}

fn frame(kind: u8, flags: u8, stream: u32, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap().to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend(stream.to_be_bytes());
    frame.extend(content);
    frame
}
