//! A source: answers the two endpoints with a body that the test sets, and remembers what it was asked.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response, StatusCode, Uri, header};
use futures::StreamExt;
use tokio::runtime::Runtime;

use super::command::KEY;

/// What the source answers.
#[derive(Clone)]
pub enum Answer {
    /// 200 with JSON, if the key is right.
    Json(String),
    /// 200 with JSON, if the key is this one.
    JsonFor { key: &'static str, json: &'static str },
    /// Any status, content type and body, whatever the key.
    Other { status: u16, content_type: &'static str, body: &'static str },
    /// A redirect.
    Redirect(String),
    /// 503, and when to come back.
    Busy { retry_after: &'static str },
    /// The key that it was sent, in plain text.
    EchoedKey { status: u16 },
    /// 200, a beginning, and the end of the connection.
    CutShort(&'static str),
    /// 200 and a beginning, and then nothing more.
    Stalling(&'static str),
}

struct Shared {
    /// What is answered next; the last one stays.
    answers: Mutex<Vec<Answer>>,
    requests: Mutex<Vec<String>>,
    headers: Mutex<Vec<HeaderMap>>,
}

/// A server on loopback, stopped when dropped.
pub struct Source {
    base_url: String,
    shared: Arc<Shared>,
    _runtime: Runtime,
}

impl Source {
    pub fn serving(json: &str) -> Self {
        Self::answering(Answer::Json(json.to_owned()))
    }

    pub fn answering(answer: Answer) -> Self {
        Self::answering_in_turn(vec![answer])
    }

    /// Gives each answer once, and the last one for ever.
    pub fn answering_in_turn(answers: Vec<Answer>) -> Self {
        let runtime = super::runtime();
        let shared = Arc::new(Shared {
            answers: Mutex::new(answers),
            requests: Mutex::default(),
            headers: Mutex::default(),
        });
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer_request).with_state(shared.clone());
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self { base_url, shared, _runtime: runtime }
    }

    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// What is served from now on.
    pub fn serve(&self, json: &str) {
        self.answer(Answer::Json(json.to_owned()));
    }

    /// What is answered from now on.
    pub fn answer(&self, answer: Answer) {
        *self.shared.answers.lock().unwrap() = vec![answer];
    }

    /// Path and query of every request so far.
    pub fn requests(&self) -> Vec<String> {
        self.shared.requests.lock().unwrap().clone()
    }

    /// The key of every request so far.
    pub fn keys(&self) -> Vec<Option<String>> {
        let headers = self.shared.headers.lock().unwrap();
        headers.iter().map(|headers| header_of(headers, "x-api-key")).collect()
    }

    /// A header of one of the requests.
    pub fn header(&self, request: usize, name: &str) -> Option<String> {
        header_of(&self.shared.headers.lock().unwrap()[request], name)
    }
}

fn header_of(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).map(|value| value.to_str().unwrap().to_owned())
}

impl Shared {
    fn next_answer(&self) -> Answer {
        let mut answers = self.answers.lock().unwrap();
        if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() }
    }
}

async fn answer_request(
    State(shared): State<Arc<Shared>>,
    uri: Uri,
    headers: HeaderMap,
) -> Response<Body> {
    let key = header_of(&headers, "x-api-key");
    shared.requests.lock().unwrap().push(uri.to_string());
    shared.headers.lock().unwrap().push(headers);
    let answer = shared.next_answer();
    let respond = |status: u16, content_type: &str, body: String| {
        Response::builder()
            .status(StatusCode::from_u16(status).unwrap())
            .header(header::CONTENT_TYPE, content_type)
            .body(Body::from(body))
            .unwrap()
    };
    match answer {
        Answer::Json(_) if key.as_deref() != Some(KEY) => {
            respond(401, "application/json", "{\"error\":\"no\"}".to_owned())
        }
        Answer::JsonFor { key: right, .. } if key.as_deref() != Some(right) => {
            respond(403, "application/json", "{\"error\":\"no\"}".to_owned())
        }
        Answer::JsonFor { json, .. } => respond(200, "application/json", json.to_owned()),
        Answer::Json(body) => respond(200, "application/json", body),
        Answer::Other { status, content_type, body } => {
            respond(status, content_type, body.to_owned())
        }
        Answer::Stalling(beginning) => {
            let beginning =
                futures::stream::once(async move { Ok::<_, std::io::Error>(beginning) });
            let body = beginning.chain(futures::stream::pending());
            Response::builder().body(Body::from_stream(body)).unwrap()
        }
        Answer::Busy { retry_after } => Response::builder()
            .status(503)
            .header(header::RETRY_AFTER, retry_after)
            .body(Body::empty())
            .unwrap(),
        Answer::EchoedKey { status } => {
            respond(status, "text/plain", format!("x-api-key: {}\n", key.unwrap_or_default()))
        }
        Answer::CutShort(beginning) => {
            let broken = Err(std::io::Error::other("cut"));
            let body = futures::stream::iter([Ok(beginning), broken]);
            Response::builder().body(Body::from_stream(body)).unwrap()
        }
        Answer::Redirect(to) => Response::builder()
            .status(302)
            .header(header::LOCATION, to)
            .body(Body::empty())
            .unwrap(),
    }
}
