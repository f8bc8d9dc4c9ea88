//! Writes the two exports that the sample API serves: `cargo run --example generate_exports -- data`.
//!
//! Everything in them is invented and follows from the seed, so that the files are the same on every
//! machine. The structs are the exports' shape; below them every record has a function that makes it.

use std::error::Error;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use chrono::{DateTime, Days, NaiveDate, SecondsFormat, TimeDelta, Utc};
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

type Random = ChaCha8Rng;

const SEED: u64 = 20_261_123;
const REQUISITIONS: usize = 600;
const ORDERS: usize = 2_400;
const EVENTS: usize = 240;
const SUPPLIERS: usize = 240;
const MOST_INVITATIONS: usize = 6;

/// The order with [`LONG_NOTES`] bytes of notes, for readers with a limit on the length of a text.
const ORDER_WITH_LONG_NOTES: usize = 800;
const LONG_NOTES: usize = 120_000;

/// 2025-01-01T00:00:00Z, when the first record may have been made.
const OPENING: Timestamp = Timestamp::from_seconds(1_735_689_600);
/// 2026-11-23T02:00:00Z, when the exports pretend to have been made: nothing that happened is later.
const GENERATED: Timestamp = Timestamp::from_seconds(1_795_399_200);

const CURRENCIES: [&str; 5] = ["EUR", "USD", "GBP", "SEK", "PLN"];
const DEPARTMENTS: [&str; 5] = ["Operations", "R&D", "Sales", "Finance", "People"];
const TAGS: [&str; 5] = ["urgent", "capex", "opex", "framework", "recurring"];
const VAT_RATES: [VatRate; 6] = [
    VatRate::Whole(0),
    VatRate::Fraction(5.5),
    VatRate::Whole(9),
    VatRate::Whole(20),
    VatRate::Whole(23),
    VatRate::Whole(24),
];
const REMARKS: [&str; 8] = [
    "Please deliver to \"gate 4\"\nbefore noon.",
    "Kiire! Palun tarnida hiljemalt reedel – õuealale.",
    "Lieferung an Rampe 3, Größe prüfen.",
    "Zamówienie uzupełniające, proszę o fakturę zbiorczą.",
    "Ersetzt die Bestellung des Vormonats; Preis laut Rahmenvertrag §4.",
    "Fragile 📦 — handle with care 🙏",
    "Symbol on the drawing: 𝛥t ≤ 5 °C",
    "Tab\there, backslash \\ there, and a slash / too",
];

const CATALOGUE: [Item; 24] = [
    item("laptop 14\"", "pcs", "IT hardware", 129_900),
    item("monitor 27\"", "pcs", "IT hardware", 28_950),
    item("network cable", "m", "IT hardware", 89),
    item("temperature sensor", "pcs", "IT hardware", 4_735),
    item("annual licence", "license", "Software", 48_000),
    item("additional user", "license", "Software", 1_150),
    item("office chair", "pcs", "Office supplies", 21_490),
    item("standing desk", "pcs", "Office supplies", 54_900),
    item("coffee beans", "kg", "Office supplies", 1_695),
    item("label printer", "pcs", "Office supplies", 17_280),
    item("Reinigung, monatlich", "h", "Facilities", 3_850),
    item("first-aid kit", "pcs", "Facilities", 3_420),
    item("air filter", "pcs", "Facilities", 2_265),
    item("forklift training", "h", "Travel", 9_500),
    item("hotel night", "pcs", "Travel", 13_900),
    item("paleta EUR", "pcs", "Logistics", 1_140),
    item("packing tape", "pcs", "Logistics", 245),
    item("road freight", "h", "Logistics", 7_600),
    item("steel bolt M8", "kg", "Raw materials", 615),
    item("terasleht 2 mm", "kg", "Raw materials", 187),
    item("hydraulic valve", "pcs", "Maintenance", 31_260),
    item("Ersatzpumpe", "pcs", "Maintenance", 84_775),
    item("turvajalatsid", "pcs", "Maintenance", 7_990),
    item("yearly inspection", "h", "Maintenance", 11_025),
];

/// Something that can be bought.
struct Item {
    name: &'static str,
    unit: &'static str,
    category: &'static str,
    usual_price: i64,
}

const fn item(
    name: &'static str,
    unit: &'static str,
    category: &'static str,
    usual_price: i64,
) -> Item {
    Item { name, unit, category, usual_price }
}

/// An amount of money in hundredths, written with exactly two decimals.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Money(i64);

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let sign = if self.0 < 0 { "-" } else { "" };
        let hundredths = self.0.unsigned_abs();
        let text = format!("{sign}{}.{:02}", hundredths / 100, hundredths % 100);
        RawValue::from_string(text).map_err(serde::ser::Error::custom)?.serialize(serializer)
    }
}

/// A moment, written with milliseconds and `Z`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Timestamp(DateTime<Utc>);

impl Timestamp {
    const fn from_seconds(seconds: i64) -> Self {
        Self(DateTime::from_timestamp_nanos(seconds * 1_000_000_000))
    }

    fn plus_days(self, days: i64) -> Self {
        Self(self.0 + TimeDelta::days(days))
    }

    fn year(self) -> String {
        self.0.format("%Y").to_string()
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0.to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

/// A percentage, which is an integer in one record and has a fraction in another.
#[derive(Serialize, Clone, Copy)]
#[serde(untagged)]
enum VatRate {
    Whole(u8),
    Fraction(f64),
}

#[derive(Serialize, Clone, Copy, PartialEq, Eq)]
enum Status {
    Draft,
    #[serde(rename = "Pending approval")]
    PendingApproval,
    Approved,
    Rejected,
    Sent,
    Received,
    Closed,
    Cancelled,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Requisition {
    id: String,
    number: String,
    title: String,
    status: Status,
    created_at: Timestamp,
    updated_at: Timestamp,
    needed_by: Option<NaiveDate>,
    requester: Requester,
    estimated_total: Money,
    currency: &'static str,
    justification: Option<&'static str>,
    lines: Vec<RequisitionLine>,
    approvals: Vec<Approval>,
    tags: Vec<&'static str>,
    custom_fields: CustomFields,
}

#[derive(Serialize)]
struct Requester {
    id: usize,
    email: String,
    department: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RequisitionLine {
    line_no: usize,
    description: &'static str,
    quantity: i64,
    unit: &'static str,
    estimated_price: Money,
    category: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Approval {
    step: usize,
    approver: String,
    decision: Decision,
    decided_at: Option<Timestamp>,
}

#[derive(Serialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Decision {
    Approved,
    Rejected,
    Pending,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CustomFields {
    cost_center: String,
    project: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Order {
    id: String,
    number: String,
    requisition_id: Option<String>,
    title: String,
    status: Status,
    created_at: Timestamp,
    updated_at: Timestamp,
    supplier: Supplier,
    currency: &'static str,
    total_amount: Money,
    vat_rate: VatRate,
    lines: Vec<OrderLine>,
    approvals: Vec<Approval>,
    tags: Vec<&'static str>,
    custom_fields: CustomFields,
    notes: Option<String>,
    attachments: Vec<Attachment>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Supplier {
    id: String,
    name: String,
    country: &'static str,
    vat_number: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    contact: Option<Contact>,
}

#[derive(Serialize)]
struct Contact {
    name: String,
    email: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OrderLine {
    line_no: usize,
    sku: String,
    description: &'static str,
    quantity: i64,
    unit: &'static str,
    unit_price: Money,
    line_total: Money,
    category: &'static str,
    delivery_date: Option<NaiveDate>,
}

#[derive(Serialize)]
struct Attachment {
    name: String,
    bytes: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    id: String,
    number: String,
    title: String,
    #[serde(rename = "type")]
    kind: EventKind,
    status: EventStatus,
    created_at: Timestamp,
    published_at: Option<Timestamp>,
    deadline_at: Timestamp,
    currency: &'static str,
    owner: Owner,
    budget: Option<Money>,
    lots: Vec<Lot>,
    invited_suppliers: Vec<Invitation>,
    bids: Vec<Bid>,
    awards: Vec<Award>,
}

#[derive(Serialize, Clone, Copy, PartialEq, Eq)]
enum EventKind {
    #[serde(rename = "RFI")]
    Information,
    #[serde(rename = "RFQ")]
    Quotation,
    Auction,
}

#[derive(Serialize, Clone, Copy, PartialEq, Eq)]
enum EventStatus {
    Draft,
    Open,
    Closed,
    Awarded,
}

#[derive(Serialize)]
struct Owner {
    id: usize,
    email: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Lot {
    #[serde(rename = "lotNo")]
    number: usize,
    title: &'static str,
    quantity: i64,
    unit: &'static str,
    target_price: Option<Money>,
    /// What a bidder asks, more or less; suppliers are not told.
    #[serde(skip)]
    usual_price: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Invitation {
    supplier_id: String,
    name: String,
    country: &'static str,
    invited_at: Timestamp,
    accepted_at: Option<Timestamp>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Bid {
    #[serde(rename = "bidId")]
    id: String,
    supplier_id: String,
    submitted_at: Timestamp,
    comment: Option<&'static str>,
    prices: Vec<LotPrice>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LotPrice {
    lot_no: usize,
    unit_price: Money,
    total: Money,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Award {
    lot_no: usize,
    supplier_id: String,
    bid_id: String,
    amount: Money,
    awarded_at: Timestamp,
}

fn main() -> Result<(), Box<dyn Error>> {
    let directory = std::env::args().nth(1).ok_or("usage: generate_exports DIRECTORY")?;
    let directory = Path::new(&directory);
    fs::write(directory.join("purchasing.json"), purchasing()?)?;
    fs::write(directory.join("e-sourcing.json"), e_sourcing()?)?;
    Ok(())
}

fn purchasing() -> Result<String, Box<dyn Error>> {
    let mut random = Random::seed_from_u64(SEED);
    let requisitions: Vec<_> = creations(&mut random, REQUISITIONS)
        .map(|(n, created)| requisition(&mut random, n, created))
        .collect();
    let orders: Vec<_> = creations(&mut random, ORDERS)
        .map(|(n, created)| order(&mut random, n, created, &requisitions))
        .collect();
    export(&[array("purchaseRequisitions", &requisitions)?, array("purchaseOrders", &orders)?])
}

/// Has a random sequence of its own, so that a change to one export leaves the other as it is.
fn e_sourcing() -> Result<String, Box<dyn Error>> {
    let mut random = Random::seed_from_u64(SEED + 1);
    let events: Vec<_> =
        creations(&mut random, EVENTS).map(|(n, created)| event(&mut random, n, created)).collect();
    export(&[array("events", &events)?])
}

fn export(arrays: &[String]) -> Result<String, Box<dyn Error>> {
    let generated = GENERATED.0.to_rfc3339_opts(SecondsFormat::Secs, true);
    let mut text = format!("{{\"organisationId\":\"demo\",\"generatedAt\":\"{generated}\"");
    for array in arrays {
        write!(text, ",\n{array}")?;
    }
    text.push_str("\n}\n");
    Ok(text)
}

/// One record a line, so that a change of the generator can be read in a diff.
fn array<T: Serialize>(name: &str, records: &[T]) -> serde_json::Result<String> {
    let lines: Vec<_> = records.iter().map(serde_json::to_string).collect::<Result<_, _>>()?;
    Ok(format!("\"{name}\":[\n{}\n]", lines.join(",\n")))
}

/// When each of `count` records was made; their numbers count up with time.
fn creations(
    random: &mut Random,
    count: usize,
) -> impl Iterator<Item = (usize, Timestamp)> + use<> {
    let mut moments: Vec<_> = (0..count).map(|_| between(random, OPENING, GENERATED)).collect();
    moments.sort();
    (1..).zip(moments)
}

fn requisition(random: &mut Random, n: usize, created_at: Timestamp) -> Requisition {
    const OPEN: [Status; 3] = [Status::Draft, Status::PendingApproval, Status::Approved];
    const SETTLED: [Status; 5] =
        [Status::Closed, Status::Closed, Status::Approved, Status::Rejected, Status::Cancelled];
    let status = status(random, created_at, &OPEN, &SETTLED);
    let lines: Vec<_> =
        (1..=random.random_range(1..=4)).map(|n| requisition_line(random, n)).collect();
    let approvals = approvals(random, status, created_at);
    Requisition {
        id: id(random),
        number: format!("PR-{}-{n:06}", created_at.year()),
        title: title(random),
        status,
        created_at,
        updated_at: update(random, created_at, &approvals),
        needed_by: random.random_bool(0.8).then(|| day_after(random, created_at)),
        requester: requester(random),
        estimated_total: Money(
            lines.iter().map(|line| line.quantity * line.estimated_price.0).sum(),
        ),
        currency: pick(random, &CURRENCIES),
        justification: random.random_bool(0.4).then(|| pick(random, &REMARKS)),
        lines,
        approvals,
        tags: tags(random),
        custom_fields: custom_fields(random),
    }
}

fn requester(random: &mut Random) -> Requester {
    let id = random.random_range(1..300);
    Requester { id, email: user(id), department: DEPARTMENTS[id % DEPARTMENTS.len()] }
}

fn requisition_line(random: &mut Random, line_no: usize) -> RequisitionLine {
    let Item { name, unit, category, usual_price } = random_item(random);
    RequisitionLine {
        line_no,
        description: name,
        quantity: random.random_range(1..=40),
        unit,
        estimated_price: price(random, *usual_price),
        category,
    }
}

fn order(random: &mut Random, n: usize, created_at: Timestamp, earlier: &[Requisition]) -> Order {
    const OPEN: [Status; 4] =
        [Status::Draft, Status::PendingApproval, Status::Approved, Status::Sent];
    const SETTLED: [Status; 5] =
        [Status::Received, Status::Received, Status::Closed, Status::Closed, Status::Cancelled];
    let status = status(random, created_at, &OPEN, &SETTLED);
    let lines: Vec<_> =
        (1..=random.random_range(1..=5)).map(|n| order_line(random, n, created_at)).collect();
    let approvals = approvals(random, status, created_at);
    Order {
        id: id(random),
        number: format!("PO-{}-{n:06}", created_at.year()),
        requisition_id: requisition_behind(random, created_at, earlier),
        title: title(random),
        status,
        created_at,
        updated_at: update(random, created_at, &approvals),
        supplier: random_supplier(random),
        currency: pick(random, &CURRENCIES),
        total_amount: Money(lines.iter().map(|line| line.line_total.0).sum()),
        vat_rate: pick(random, &VAT_RATES),
        lines,
        approvals,
        tags: tags(random),
        custom_fields: custom_fields(random),
        notes: notes(random, n),
        attachments: attachments(random, n),
    }
}

/// Half of the orders come from a requisition, which was made before and not turned down.
fn requisition_behind(
    random: &mut Random,
    ordered: Timestamp,
    requisitions: &[Requisition],
) -> Option<String> {
    let earlier = requisitions.partition_point(|requisition| requisition.created_at < ordered);
    let orderable: Vec<_> = requisitions[..earlier]
        .iter()
        .filter(|requisition| matches!(requisition.status, Status::Approved | Status::Closed))
        .collect();
    let chosen = random.random_bool(0.5).then(|| orderable.choose(random)).flatten();
    chosen.map(|requisition| requisition.id.clone())
}

fn order_line(random: &mut Random, line_no: usize, ordered: Timestamp) -> OrderLine {
    let Item { name, unit, category, usual_price } = random_item(random);
    let quantity = random.random_range(1..=120);
    let unit_price = price(random, *usual_price);
    OrderLine {
        line_no,
        sku: format!("SKU-{:05}", random.random_range(0..20_000)),
        description: name,
        quantity,
        unit,
        unit_price,
        line_total: Money(quantity * unit_price.0),
        category,
        delivery_date: random.random_bool(0.85).then(|| day_after(random, ordered)),
    }
}

fn notes(random: &mut Random, n: usize) -> Option<String> {
    if n == ORDER_WITH_LONG_NOTES {
        return Some(long_notes());
    }
    random.random_bool(0.25).then(|| pick(random, &REMARKS).to_owned())
}

fn long_notes() -> String {
    let paragraph = REMARKS.join("\n");
    paragraph.repeat(LONG_NOTES.div_ceil(paragraph.len()))
}

/// Half of the orders have none.
fn attachments(random: &mut Random, n: usize) -> Vec<Attachment> {
    let count = pick(random, &[0, 0, 1, 2]);
    (1..=count)
        .map(|k| Attachment {
            name: format!("offer-{n}-{k}.pdf"),
            bytes: random.random_range(10_000..5_000_000),
        })
        .collect()
}

/// Created, published, invited, bid for until the deadline, awarded: in this order, or not yet.
fn event(random: &mut Random, n: usize, created_at: Timestamp) -> Event {
    let kind = pick(random, &[EventKind::Information, EventKind::Quotation, EventKind::Auction]);
    let published_at =
        random.random_bool(0.9).then(|| between(random, created_at, created_at.plus_days(3)));
    let deadline_at = between(random, created_at.plus_days(14), created_at.plus_days(40));
    let lots: Vec<_> = (1..=random.random_range(1..=4)).map(|n| lot(random, n)).collect();
    let invited_suppliers =
        published_at.map(|published| invitations(random, published)).unwrap_or_default();
    let bids = bids(random, kind, &lots, &invited_suppliers, deadline_at);
    let awards = awards(random, &lots, &bids, deadline_at);
    Event {
        id: id(random),
        number: format!("RFQ-{}-{n:05}", created_at.year()),
        title: title(random),
        kind,
        status: event_status(published_at, deadline_at, &awards),
        created_at,
        published_at,
        deadline_at,
        currency: pick(random, &CURRENCIES),
        owner: owner(random),
        budget: random.random_bool(0.7).then(|| Money(random.random_range(100_000..90_000_000))),
        lots,
        invited_suppliers,
        bids,
        awards,
    }
}

fn event_status(
    published_at: Option<Timestamp>,
    deadline_at: Timestamp,
    awards: &[Award],
) -> EventStatus {
    if published_at.is_none() {
        EventStatus::Draft
    } else if deadline_at > GENERATED {
        EventStatus::Open
    } else if awards.is_empty() {
        EventStatus::Closed
    } else {
        EventStatus::Awarded
    }
}

fn owner(random: &mut Random) -> Owner {
    let id = random.random_range(1..60);
    Owner { id, email: user(id) }
}

fn lot(random: &mut Random, number: usize) -> Lot {
    let Item { name, unit, usual_price, .. } = random_item(random);
    Lot {
        number,
        title: name,
        quantity: random.random_range(1..=500),
        unit,
        target_price: random.random_bool(0.5).then(|| price(random, *usual_price)),
        usual_price: *usual_price,
    }
}

fn invitations(random: &mut Random, published: Timestamp) -> Vec<Invitation> {
    let count = random.random_range(2..=MOST_INVITATIONS);
    (0..count).map(|k| invitation(random, k, published)).collect()
}

/// Every invitation draws from suppliers of its own, so that an event invites none of them twice.
fn invitation(random: &mut Random, k: usize, published: Timestamp) -> Invitation {
    let number = random.random_range(0..SUPPLIERS / MOST_INVITATIONS) * MOST_INVITATIONS + k;
    let Supplier { id, name, country, .. } = supplier(number);
    let invited_at = between(random, published, published.plus_days(2));
    let accepted_at =
        random.random_bool(0.75).then(|| between(random, invited_at, invited_at.plus_days(6)));
    Invitation { supplier_id: id, name, country, invited_at, accepted_at }
}

/// Most of those who accepted the invitation bid.
fn bids(
    random: &mut Random,
    kind: EventKind,
    lots: &[Lot],
    invitations: &[Invitation],
    deadline: Timestamp,
) -> Vec<Bid> {
    let mut bids = Vec::new();
    for invitation in invitations {
        if let Some(accepted) = invitation.accepted_at
            && random.random_bool(0.9)
        {
            bids.push(Bid {
                id: id(random),
                supplier_id: invitation.supplier_id.clone(),
                submitted_at: between(random, accepted, deadline),
                comment: random.random_bool(0.3).then(|| pick(random, &REMARKS)),
                prices: prices(random, kind, lots),
            });
        }
    }
    bids
}

/// A request for information asks for no prices.
fn prices(random: &mut Random, kind: EventKind, lots: &[Lot]) -> Vec<LotPrice> {
    if kind == EventKind::Information {
        return Vec::new();
    }
    let offer = |lot: &Lot| {
        let unit_price = price(random, lot.usual_price);
        LotPrice { lot_no: lot.number, unit_price, total: Money(unit_price.0 * lot.quantity) }
    };
    lots.iter().map(offer).collect()
}

/// Each lot goes to its cheapest bid, once the deadline is past; some events come to nothing.
fn awards(random: &mut Random, lots: &[Lot], bids: &[Bid], deadline: Timestamp) -> Vec<Award> {
    if deadline > GENERATED || random.random_bool(0.2) {
        return Vec::new();
    }
    let awarded_at = between(random, deadline, deadline.plus_days(20));
    lots.iter().filter_map(|lot| award(lot.number, bids, awarded_at)).collect()
}

fn award(lot_no: usize, bids: &[Bid], awarded_at: Timestamp) -> Option<Award> {
    let offers = bids.iter().flat_map(|bid| bid.prices.iter().map(move |price| (bid, price)));
    let (bid, price) =
        offers.filter(|(_, price)| price.lot_no == lot_no).min_by_key(|(_, price)| price.total)?;
    Some(Award {
        lot_no,
        supplier_id: bid.supplier_id.clone(),
        bid_id: bid.id.clone(),
        amount: price.total,
        awarded_at,
    })
}

fn random_supplier(random: &mut Random) -> Supplier {
    supplier(random.random_range(0..SUPPLIERS))
}

/// All there is to know of a supplier follows from its number, so that it is the same in every record.
fn supplier(number: usize) -> Supplier {
    const NAMES: [&str; 6] =
        ["Northern Sample", "Beispielhaft", "Näidis", "Przykład", "Exempel", "Fictive Goods"];
    const HOMES: [(&str, &str); 7] = [
        ("EE", "OÜ"),
        ("DE", "GmbH"),
        ("SE", "AB"),
        ("GB", "Ltd"),
        ("LV", "SIA"),
        ("PL", "Sp. z o.o."),
        ("SI", "d.o.o."),
    ];
    let (country, legal_form) = HOMES[number % HOMES.len()];
    Supplier {
        id: format!("S{number:05}"),
        name: format!("{} {number} {legal_form}", NAMES[number % NAMES.len()]),
        country,
        vat_number: (!number.is_multiple_of(9))
            .then(|| format!("{country}{}", 100_000_000 + number)),
        contact: number.is_multiple_of(3).then(|| Contact {
            name: format!("Sales desk {number}"),
            email: format!("sales{number}@example.com"),
        }),
    }
}

/// What is recent is open; most of what is old is settled.
fn status(random: &mut Random, created: Timestamp, open: &[Status], settled: &[Status]) -> Status {
    let old = created.plus_days(60) < GENERATED;
    if old && random.random_bool(0.75) { pick(random, settled) } else { pick(random, open) }
}

/// The steps so far; the last one says what the status says.
fn approvals(random: &mut Random, status: Status, created: Timestamp) -> Vec<Approval> {
    let (fewest, last) = match status {
        Status::Draft => return Vec::new(),
        Status::PendingApproval => (1, Decision::Pending),
        Status::Rejected => (1, Decision::Rejected),
        _ => (0, Decision::Approved),
    };
    let count = random.random_range(fewest..=3);
    let mut decided = created;
    let mut approval = |step| {
        let decision = if step == count { last } else { Decision::Approved };
        decided = between(random, decided, decided.plus_days(3));
        let approver = user(random.random_range(1..300));
        let decided_at = (decision != Decision::Pending).then_some(decided);
        Approval { step, approver, decision, decided_at }
    };
    (1..=count).map(&mut approval).collect()
}

fn update(random: &mut Random, created: Timestamp, approvals: &[Approval]) -> Timestamp {
    let decided = approvals.iter().filter_map(|approval| approval.decided_at).max();
    let touched = decided.unwrap_or(created);
    between(random, touched, touched.plus_days(30))
}

fn tags(random: &mut Random) -> Vec<&'static str> {
    let count = random.random_range(0..=2);
    TAGS.choose_multiple(random, count).copied().collect()
}

fn custom_fields(random: &mut Random) -> CustomFields {
    CustomFields {
        cost_center: format!("CC{:03}", random.random_range(0..60)),
        project: random.random_bool(0.5).then(|| format!("P-{:03}", random.random_range(0..400))),
    }
}

fn title(random: &mut Random) -> String {
    format!("{} and {}", random_item(random).name, random_item(random).name)
}

fn user(number: usize) -> String {
    format!("user{number}@example.com")
}

fn random_item(random: &mut Random) -> &'static Item {
    &CATALOGUE[random.random_range(0..CATALOGUE.len())]
}

fn pick<T: Copy>(random: &mut Random, choices: &[T]) -> T {
    choices[random.random_range(0..choices.len())]
}

/// Up to a fifth above or below what the item usually costs.
fn price(random: &mut Random, usual: i64) -> Money {
    Money(random.random_range(usual * 4 / 5..=usual * 6 / 5))
}

fn id(random: &mut Random) -> String {
    uuid::Builder::from_random_bytes(random.random()).into_uuid().to_string()
}

/// A moment that has passed: from `start` on, before `end` and before the export.
fn between(random: &mut Random, start: Timestamp, end: Timestamp) -> Timestamp {
    let room = (end.0.min(GENERATED.0) - start.0).num_milliseconds();
    Timestamp(start.0 + TimeDelta::milliseconds(random.random_range(0..room.max(1))))
}

fn day_after(random: &mut Random, start: Timestamp) -> NaiveDate {
    start.0.date_naive() + Days::new(random.random_range(2..60))
}
