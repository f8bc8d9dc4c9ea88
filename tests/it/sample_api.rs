//! The sample API as a client sees it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use flowlake::exit_code::{ExitCode, Failure};
use flowlake::sample_api::{RunningSampleApi, SampleApi, SampleApiError};
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap};
use reqwest::{Client, Method, StatusCode, Url};
use serde_json::Value;
use serde_json::value::RawValue;

const KEY: &str = "a-key-for-tests";
const PURCHASING_PATH: &str = "/api/export/all/demo";
const E_SOURCING_PATH: &str = "/api/export/all/esourcing/demo";
const PURCHASING: &str = include_str!("../../data/purchasing.json");
const E_SOURCING: &str = include_str!("../../data/e-sourcing.json");

/// An answer, read to its end.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The records of one array, as they stand in the body.
    fn raw_records(&self, array: &str) -> Vec<String> {
        raw_records(std::str::from_utf8(&self.body).unwrap(), array)
    }

    fn records(&self, array: &str) -> Vec<Value> {
        self.json()[array].as_array().unwrap().clone()
    }

    /// The body of a refusal with this status, which always says whose API it is.
    fn refusal(&self, status: StatusCode) -> Value {
        assert_eq!(self.status, status);
        assert_eq!(self.headers[CONTENT_TYPE], "application/json");
        let body = self.json();
        assert!(body["note"].as_str().unwrap().contains("not ProcurementFlow's"));
        assert!(!body["error"].as_str().unwrap().is_empty());
        body
    }
}

fn raw_records(text: &str, array: &str) -> Vec<String> {
    let members: BTreeMap<String, Box<RawValue>> = serde_json::from_str(text).unwrap();
    let records: Vec<Box<RawValue>> = serde_json::from_str(members[array].get()).unwrap();
    records.iter().map(|record| record.get().to_owned()).collect()
}

/// The records of one array of an export, read from the file line by line: one record stands on a line.
fn lines_of_file<'f>(file: &'f str, array: &str) -> Vec<&'f str> {
    let start = format!("\"{array}\":[");
    file.lines()
        .skip_while(|line| *line != start)
        .skip(1)
        .take_while(|line| line.starts_with('{'))
        .map(|line| line.trim_end_matches(','))
        .collect()
}

fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

async fn sample_api() -> RunningSampleApi {
    SampleApi::new("demo", KEY).unwrap().start(loopback()).await.unwrap()
}

async fn ask(method: Method, path: &str, query: &[(&str, &str)], key: Option<&str>) -> Answer {
    let api = sample_api().await;
    let url = Url::parse_with_params(&format!("{}{path}", api.base_url()), query).unwrap();
    let mut request = Client::new().request(method, url);
    if let Some(key) = key {
        request = request.header("x-api-key", key);
    }
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let body = response.bytes().await.unwrap().to_vec();
    api.stop().await;
    Answer { status, headers, body }
}

async fn get(path: &str, query: &[(&str, &str)]) -> Answer {
    ask(Method::GET, path, query, Some(KEY)).await
}

#[tokio::test]
async fn both_endpoints_serve_every_record_byte_for_byte() {
    let purchasing = get(PURCHASING_PATH, &[]).await;
    assert_eq!(purchasing.status, StatusCode::OK);
    assert_eq!(purchasing.headers[CONTENT_TYPE], "application/json");
    for (array, count) in [("purchaseRequisitions", 600), ("purchaseOrders", 2400)] {
        let records = purchasing.raw_records(array);
        assert_eq!(records.len(), count);
        assert_eq!(records, lines_of_file(PURCHASING, array));
    }
    let e_sourcing = get(E_SOURCING_PATH, &[]).await;
    assert_eq!(e_sourcing.status, StatusCode::OK);
    assert_eq!(e_sourcing.raw_records("events").len(), 240);
    assert_eq!(e_sourcing.raw_records("events"), lines_of_file(E_SOURCING, "events"));
    assert_eq!(e_sourcing.json()["organisationId"], "demo");
}

#[tokio::test]
async fn a_missing_or_wrong_key_is_401() {
    for key in [None, Some("another-key"), Some("")] {
        let answer = ask(Method::GET, PURCHASING_PATH, &[], key).await;
        let body = answer.refusal(StatusCode::UNAUTHORIZED);
        assert!(body["error"].as_str().unwrap().contains("x-api-key"));
    }
}

#[tokio::test]
async fn another_organisation_is_403() {
    for path in ["/api/export/all/other", "/api/export/all/esourcing/other", "/api/export/all/%FF"]
    {
        get(path, &[]).await.refusal(StatusCode::FORBIDDEN);
    }
}

#[tokio::test]
async fn the_key_is_asked_for_before_the_organisation() {
    ask(Method::GET, "/api/export/all/other", &[], None).await.refusal(StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn anything_else_is_404() {
    for path in ["/", "/api/export/all", "/api/export/all/demo/more", "/api/export"] {
        get(path, &[]).await.refusal(StatusCode::NOT_FOUND);
    }
    ask(Method::POST, PURCHASING_PATH, &[], Some(KEY)).await.refusal(StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_unknown_filter_is_400_and_names_those_there_are() {
    let body = get(PURCHASING_PATH, &[("colour", "red")]).await.refusal(StatusCode::BAD_REQUEST);
    assert!(body["error"].as_str().unwrap().contains("`colour`"));
    let known: BTreeSet<_> =
        body["knownFilters"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    for name in ["status", "createdFrom", "createdTo", "updatedFrom", "updatedTo", "vatRate"] {
        assert!(known.contains(name), "{name}");
    }
    assert!(!known.contains("lines"));
}

#[tokio::test]
async fn an_unreadable_date_is_400() {
    let answer = get(E_SOURCING_PATH, &[("createdFrom", "yesterday")]).await;
    let body = answer.refusal(StatusCode::BAD_REQUEST);
    assert!(body["error"].as_str().unwrap().contains("`yesterday`"));
}

#[tokio::test]
async fn equality_filters_every_array() {
    let answer = get(PURCHASING_PATH, &[("status", "Approved")]).await;
    for array in ["purchaseRequisitions", "purchaseOrders"] {
        let file = lines_of_file(PURCHASING, array).into_iter();
        let expected: Vec<_> =
            file.filter(|line| line.contains("\"status\":\"Approved\"")).collect();
        assert!(!expected.is_empty());
        assert_eq!(answer.raw_records(array), expected);
    }
}

#[tokio::test]
async fn a_repeated_parameter_means_any_of_them() {
    let answer = get(E_SOURCING_PATH, &[("type", "RFI"), ("type", "Auction")]).await;
    let types: BTreeSet<_> =
        answer.records("events").iter().map(|event| event["type"].to_string()).collect();
    assert_eq!(types, BTreeSet::from(["\"Auction\"".to_owned(), "\"RFI\"".to_owned()]));
}

#[tokio::test]
async fn windows_that_meet_neither_lose_nor_repeat_a_record() {
    const MEET: &str = "2026-03-01";
    let before = get(PURCHASING_PATH, &[("updatedTo", MEET)]).await;
    let after = get(PURCHASING_PATH, &[("updatedFrom", MEET), ("updatedTo", "2027-01-01")]).await;
    let updated = |order: &Value| order["updatedAt"].as_str().unwrap().to_owned();
    let (before, after) = (before.records("purchaseOrders"), after.records("purchaseOrders"));
    assert!(!before.is_empty() && before.iter().all(|order| updated(order).as_str() < MEET));
    assert!(!after.is_empty() && after.iter().all(|order| updated(order).as_str() >= MEET));
    assert_eq!(before.len() + after.len(), 2400);
}

#[tokio::test]
async fn a_window_starts_with_its_first_moment_and_ends_before_its_last() {
    let everything = get(E_SOURCING_PATH, &[]).await.records("events");
    let created = everything[100]["createdAt"].as_str().unwrap();
    let from = get(E_SOURCING_PATH, &[("createdFrom", created)]).await.records("events");
    let to = get(E_SOURCING_PATH, &[("createdTo", created)]).await.records("events");
    assert_eq!((to.len(), from.len()), (100, 140));
    assert_eq!(from[0], everything[100]);
}

#[tokio::test]
async fn any_moment_of_a_record_can_be_a_window() {
    let query = [("publishedFrom", "2026-01-01"), ("publishedTo", "2026-02-01")];
    let events = get(E_SOURCING_PATH, &query).await.records("events");
    assert!(!events.is_empty());
    for event in events {
        assert!(event["publishedAt"].as_str().unwrap().starts_with("2026-01-"));
    }
}

#[tokio::test]
async fn a_filter_that_nothing_passes_leaves_empty_arrays() {
    let answer = get(PURCHASING_PATH, &[("status", "Lost")]).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.records("purchaseRequisitions").is_empty());
    assert!(answer.records("purchaseOrders").is_empty());
}

/// How many bytes the body has on the wire, and how they are encoded.
async fn on_the_wire(accept_encoding: &str) -> (usize, Option<String>) {
    let api = sample_api().await;
    let client = Client::new();
    let request = client
        .get(format!("{}{PURCHASING_PATH}", api.base_url()))
        .header("x-api-key", KEY)
        .header("accept-encoding", accept_encoding);
    let response = request.send().await.unwrap();
    let encoding = response.headers().get(CONTENT_ENCODING);
    let encoding = encoding.map(|encoding| encoding.to_str().unwrap().to_owned());
    let bytes = response.bytes().await.unwrap();
    api.stop().await;
    (bytes.len(), encoding)
}

#[tokio::test]
async fn the_body_is_compressed_where_that_is_accepted() {
    let (plain, encoding) = on_the_wire("identity").await;
    assert_eq!(encoding, None);
    let (compressed, encoding) = on_the_wire("gzip").await;
    assert_eq!(encoding.as_deref(), Some("gzip"));
    assert!(compressed * 3 < plain, "{compressed} of {plain} bytes");
}

#[tokio::test]
async fn only_loopback_addresses_are_served() {
    let everywhere = SocketAddr::from(([0, 0, 0, 0], 0));
    let error = SampleApi::new("demo", KEY).unwrap().start(everywhere).await.unwrap_err();
    assert!(matches!(error, SampleApiError::NotLoopback(address) if address == everywhere));
    assert!(error.to_string().contains("0.0.0.0:0"));
    assert_eq!(error.exit_code(), ExitCode::Usage);
}

#[tokio::test]
async fn a_taken_port_is_an_error_that_names_it() {
    let api = sample_api().await;
    let address: SocketAddr = api.base_url().trim_start_matches("http://").parse().unwrap();
    let error = SampleApi::new("demo", KEY).unwrap().start(address).await.unwrap_err();
    assert!(error.to_string().contains(&address.to_string()));
    assert_eq!(error.exit_code(), ExitCode::Usage);
    assert!(error.help().unwrap().contains("--listen 127.0.0.1:0"));
    api.stop().await;
}

#[tokio::test]
async fn a_stopped_api_answers_no_more() {
    let api = sample_api().await;
    let url = format!("{}{PURCHASING_PATH}", api.base_url());
    let client = Client::new();
    // Leaves a connection open in the client, which must not keep the server alive.
    assert_eq!(client.get(&url).send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    api.stop().await;
    assert!(client.get(&url).send().await.unwrap_err().is_connect());
}

#[test]
fn the_key_is_not_shown() {
    let api = SampleApi::new("demo", KEY).unwrap();
    assert!(!format!("{api:?}").contains(KEY));
}
