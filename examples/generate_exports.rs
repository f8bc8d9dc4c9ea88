//! Writes the two exports that the sample API serves: `cargo run --example generate_exports -- data`.
//!
//! Everything in them is invented and follows from the seed, so that the files are the same on every machine.

#![allow(clippy::struct_field_names, reason = "the fields are named as the export names them")]

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use chrono::{DateTime, Days, Duration, NaiveDate, TimeZone, Utc};
use rand::seq::{IndexedRandom, IteratorRandom};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

const SEED: u64 = 20_261_123;
const REQUISITIONS: usize = 600;
const ORDERS: usize = 2_400;
const EVENTS: usize = 240;

const STATUSES: [&str; 7] =
    ["Draft", "Pending approval", "Approved", "Sent", "Received", "Closed", "Cancelled"];
const CURRENCIES: [&str; 5] = ["EUR", "USD", "GBP", "SEK", "PLN"];
const UNITS: [&str; 5] = ["pcs", "kg", "h", "m", "license"];
const CATEGORIES: [&str; 8] = [
    "IT hardware",
    "Software",
    "Office supplies",
    "Facilities",
    "Travel",
    "Logistics",
    "Raw materials",
    "Maintenance",
];
const DEPARTMENTS: [&str; 5] = ["Operations", "R&D", "Sales", "Finance", "People"];
const TAGS: [&str; 5] = ["urgent", "capex", "opex", "framework", "recurring"];
const THINGS: [&str; 20] = [
    "laptop",
    "monitor",
    "office chair",
    "standing desk",
    "label printer",
    "steel bolt M8",
    "hydraulic valve",
    "pallet",
    "air filter",
    "cleaning service",
    "forklift training",
    "network cable",
    "annual licence",
    "temperature sensor",
    "packing tape",
    "first-aid kit",
    "coffee beans",
    "safety shoes",
    "audit",
    "spare pump",
];
const REMARKS: [&str; 8] = [
    "Please deliver to \"gate 4\"\nbefore noon.",
    "Kiire! Palun tarnida hiljemalt reedel – õuealale.",
    "Lieferung an Rampe 3, Größe prüfen.",
    "Zamówienie uzupełniające, proszę o fakturę zbiorczą.",
    "Ersetzt PO des Vormonats; Preis laut Rahmenvertrag §4.",
    "Fragile 📦 — handle with care 🙏",
    "Symbol on the drawing: 𝛥t ≤ 5 °C",
    "Tab\there, backslash \\ there, and a slash / too",
];

/// An amount of money in hundredths, written with exactly two decimals.
#[derive(Clone, Copy)]
struct Money(i64);

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = format!("{}.{:02}", self.0 / 100, self.0 % 100);
        RawValue::from_string(text).map_err(serde::ser::Error::custom)?.serialize(serializer)
    }
}

/// A VAT rate: most are whole numbers and written so.
struct Rate(&'static str);

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RawValue::from_string(self.0.to_owned())
            .map_err(serde::ser::Error::custom)?
            .serialize(serializer)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Requisition {
    id: String,
    number: String,
    title: String,
    status: &'static str,
    created_at: String,
    updated_at: String,
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
    id: u32,
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
    decision: &'static str,
    decided_at: Option<String>,
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
    status: &'static str,
    created_at: String,
    updated_at: String,
    supplier: Supplier,
    currency: &'static str,
    total_amount: Money,
    vat_rate: Rate,
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
    r#type: &'static str,
    status: &'static str,
    created_at: String,
    published_at: Option<String>,
    deadline_at: String,
    currency: &'static str,
    owner: Owner,
    budget: Option<Money>,
    lots: Vec<Lot>,
    invited_suppliers: Vec<Invitation>,
    bids: Vec<Bid>,
    awards: Vec<Award>,
}

#[derive(Serialize)]
struct Owner {
    id: u32,
    email: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Lot {
    lot_no: usize,
    title: &'static str,
    quantity: i64,
    unit: &'static str,
    target_price: Option<Money>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Invitation {
    supplier_id: String,
    name: String,
    country: &'static str,
    invited_at: String,
    accepted_at: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Bid {
    bid_id: String,
    supplier_id: String,
    submitted_at: String,
    comment: Option<&'static str>,
    prices: Vec<Price>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Price {
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
    awarded_at: String,
}

fn main() -> io::Result<()> {
    let directory = std::env::args().nth(1).unwrap_or_else(|| "data".to_owned());
    let directory = Path::new(&directory);
    let mut random = ChaCha8Rng::seed_from_u64(SEED);
    let requisitions: Vec<_> = (0..REQUISITIONS).map(|n| requisition(&mut random, n)).collect();
    let orders: Vec<_> = (0..ORDERS).map(|n| order(&mut random, n, &requisitions)).collect();
    let mut file = begin(&directory.join("purchasing.json"))?;
    write_array(&mut file, "purchaseRequisitions", &requisitions)?;
    write_array(&mut file, "purchaseOrders", &orders)?;
    end(file)?;

    let mut random = ChaCha8Rng::seed_from_u64(SEED + 1);
    let events: Vec<_> = (0..EVENTS).map(|n| event(&mut random, n)).collect();
    let mut file = begin(&directory.join("e-sourcing.json"))?;
    write_array(&mut file, "events", &events)?;
    end(file)
}

fn begin(path: &Path) -> io::Result<BufWriter<File>> {
    let mut file = BufWriter::new(File::create(path)?);
    write!(file, "{{\"organisationId\":\"demo\",\"generatedAt\":\"2026-11-23T02:00:00Z\"")?;
    Ok(file)
}

/// One record a line, so that a change of the generator can be read in a diff.
fn write_array<T: Serialize>(file: &mut impl Write, key: &str, records: &[T]) -> io::Result<()> {
    write!(file, ",\n\"{key}\":[")?;
    for (position, record) in records.iter().enumerate() {
        file.write_all(if position == 0 { b"\n" } else { b",\n" })?;
        serde_json::to_writer(&mut *file, record)?;
    }
    write!(file, "\n]")
}

fn end(mut file: BufWriter<File>) -> io::Result<()> {
    file.write_all(b"}\n")?;
    file.flush()
}

fn requisition(random: &mut ChaCha8Rng, n: usize) -> Requisition {
    let created = creation(random);
    let lines: Vec<RequisitionLine> =
        (1..=random.random_range(1..=4)).map(|line_no| requisition_line(random, line_no)).collect();
    Requisition {
        id: uuid(random),
        number: format!("PR-{}-{n:06}", created.format("%Y")),
        title: title(random),
        status: pick(random, &STATUSES),
        created_at: instant(created),
        updated_at: instant(later(random, created, 40)),
        needed_by: random.random_bool(0.8).then(|| day(random, created, 60)),
        requester: Requester {
            id: random.random_range(1..300),
            email: user(random),
            department: pick(random, &DEPARTMENTS),
        },
        estimated_total: Money(
            lines.iter().map(|line| line.quantity * line.estimated_price.0).sum(),
        ),
        currency: pick(random, &CURRENCIES),
        justification: random.random_bool(0.4).then(|| pick(random, &REMARKS)),
        lines,
        approvals: approvals(random, created),
        tags: tags(random),
        custom_fields: custom_fields(random),
    }
}

fn requisition_line(random: &mut ChaCha8Rng, line_no: usize) -> RequisitionLine {
    RequisitionLine {
        line_no,
        description: pick(random, &THINGS),
        quantity: random.random_range(1..=40),
        unit: pick(random, &UNITS),
        estimated_price: Money(random.random_range(50..250_000)),
        category: pick(random, &CATEGORIES),
    }
}

fn order(random: &mut ChaCha8Rng, n: usize, requisitions: &[Requisition]) -> Order {
    let created = creation(random);
    let lines: Vec<OrderLine> = (1..=random.random_range(1..=5))
        .map(|line_no| order_line(random, line_no, created))
        .collect();
    Order {
        id: uuid(random),
        number: format!("PO-{}-{n:06}", created.format("%Y")),
        requisition_id: random
            .random_bool(0.5)
            .then(|| requisitions.choose(random).map(|requisition| requisition.id.clone()))
            .flatten(),
        title: title(random),
        status: pick(random, &STATUSES),
        created_at: instant(created),
        updated_at: instant(later(random, created, 40)),
        supplier: supplier(random),
        currency: pick(random, &CURRENCIES),
        total_amount: Money(lines.iter().map(|line| line.line_total.0).sum()),
        vat_rate: Rate(pick(random, &["0", "5.5", "9", "20", "22", "24"])),
        lines,
        approvals: approvals(random, created),
        tags: tags(random),
        custom_fields: custom_fields(random),
        notes: notes(random, n),
        attachments: attachments(random, n),
    }
}

fn order_line(random: &mut ChaCha8Rng, line_no: usize, created: DateTime<Utc>) -> OrderLine {
    let quantity = random.random_range(1..=120);
    let unit_price = random.random_range(25..150_000);
    OrderLine {
        line_no,
        sku: format!("SKU-{:05}", random.random_range(0..20_000)),
        description: pick(random, &THINGS),
        quantity,
        unit: pick(random, &UNITS),
        unit_price: Money(unit_price),
        line_total: Money(quantity * unit_price),
        category: pick(random, &CATEGORIES),
        delivery_date: random.random_bool(0.85).then(|| day(random, created, 60)),
    }
}

/// Most orders have no notes; one has very long ones.
fn notes(random: &mut ChaCha8Rng, n: usize) -> Option<String> {
    if n == ORDERS / 3 {
        return Some(REMARKS.join(" ").repeat(400));
    }
    random.random_bool(0.25).then(|| pick(random, &REMARKS).to_owned())
}

fn attachments(random: &mut ChaCha8Rng, n: usize) -> Vec<Attachment> {
    (0..random.random_range(0_usize..4).saturating_sub(2))
        .map(|k| Attachment {
            name: format!("offer-{n}-{k}.pdf"),
            bytes: random.random_range(10_000..5_000_000),
        })
        .collect()
}

fn event(random: &mut ChaCha8Rng, n: usize) -> Event {
    let created = creation(random);
    let lots: Vec<Lot> =
        (1..=random.random_range(1..=4)).map(|lot_no| lot(random, lot_no)).collect();
    let invited: Vec<Invitation> =
        (0..random.random_range(2..=6)).map(|k| invitation(random, k, created)).collect();
    let bids: Vec<Bid> = invited
        .iter()
        .filter(|invitation| invitation.accepted_at.is_some())
        .map(|invitation| bid(random, invitation, &lots, created))
        .collect();
    let awards =
        if random.random_bool(0.6) { awards(random, &lots, &bids, created) } else { Vec::new() };
    Event {
        id: uuid(random),
        number: format!("RFQ-{}-{n:05}", created.format("%Y")),
        title: title(random),
        r#type: pick(random, &["RFI", "RFQ", "Auction"]),
        status: if awards.is_empty() {
            pick(random, &["Draft", "Open", "Closed"])
        } else {
            "Awarded"
        },
        created_at: instant(created),
        published_at: random.random_bool(0.9).then(|| instant(later(random, created, 3))),
        deadline_at: instant(created + Duration::days(21)),
        currency: pick(random, &CURRENCIES),
        owner: Owner { id: random.random_range(1..60), email: user(random) },
        budget: random.random_bool(0.7).then(|| Money(random.random_range(100_000..90_000_000))),
        lots,
        invited_suppliers: invited,
        bids,
        awards,
    }
}

fn lot(random: &mut ChaCha8Rng, lot_no: usize) -> Lot {
    Lot {
        lot_no,
        title: pick(random, &THINGS),
        quantity: random.random_range(1..=500),
        unit: pick(random, &UNITS),
        target_price: random.random_bool(0.5).then(|| Money(random.random_range(100..400_000))),
    }
}

fn invitation(random: &mut ChaCha8Rng, k: usize, created: DateTime<Utc>) -> Invitation {
    // Suppliers of one event are 40 numbers apart, so that none is invited twice.
    let number = k * 40 + random.random_range(0..40);
    Invitation {
        supplier_id: format!("S{number:05}"),
        name: supplier_name(number),
        country: country(number),
        invited_at: instant(later(random, created, 4)),
        accepted_at: random.random_bool(0.75).then(|| instant(later(random, created, 10))),
    }
}

fn bid(
    random: &mut ChaCha8Rng,
    invitation: &Invitation,
    lots: &[Lot],
    created: DateTime<Utc>,
) -> Bid {
    let prices = lots
        .iter()
        .map(|lot| {
            let unit_price = random.random_range(100..400_000);
            Price {
                lot_no: lot.lot_no,
                unit_price: Money(unit_price),
                total: Money(unit_price * lot.quantity),
            }
        })
        .collect();
    Bid {
        bid_id: uuid(random),
        supplier_id: invitation.supplier_id.clone(),
        submitted_at: instant(later(random, created + Duration::days(5), 15)),
        comment: random.random_bool(0.3).then(|| pick(random, &REMARKS)),
        prices,
    }
}

/// Each lot goes to its cheapest bid.
fn awards(
    random: &mut ChaCha8Rng,
    lots: &[Lot],
    bids: &[Bid],
    created: DateTime<Utc>,
) -> Vec<Award> {
    let awarded_at = instant(later(random, created + Duration::days(22), 20));
    let offers = |lot: &Lot| {
        let lot_no = lot.lot_no;
        bids.iter().flat_map(move |bid| {
            bid.prices
                .iter()
                .filter(move |price| price.lot_no == lot_no)
                .map(move |price| (bid, price))
        })
    };
    lots.iter()
        .filter_map(|lot| {
            let (bid, price) = offers(lot).min_by_key(|(_, price)| price.total.0)?;
            Some(Award {
                lot_no: lot.lot_no,
                supplier_id: bid.supplier_id.clone(),
                bid_id: bid.bid_id.clone(),
                amount: price.total,
                awarded_at: awarded_at.clone(),
            })
        })
        .collect()
}

fn supplier(random: &mut ChaCha8Rng) -> Supplier {
    let number = random.random_range(0..240);
    Supplier {
        id: format!("S{number:05}"),
        name: supplier_name(number),
        country: country(number),
        vat_number: (number % 7 != 0)
            .then(|| format!("{}{}", country(number), 100_000_000 + number)),
        contact: (number % 3 == 0).then(|| Contact {
            name: format!("Sales desk {number}"),
            email: format!("sales{number}@example.com"),
        }),
    }
}

fn supplier_name(number: usize) -> String {
    const FORMS: [&str; 7] = ["GmbH", "OÜ", "AB", "Ltd", "SIA", "Sp. z o.o.", "d.o.o."];
    const NAMES: [&str; 6] =
        ["Northern Sample", "Beispielhaft", "Näidis", "Przykład", "Exempel", "Fictive Goods"];
    format!("{} {number} {}", NAMES[number % NAMES.len()], FORMS[number % FORMS.len()])
}

fn country(number: usize) -> &'static str {
    const COUNTRIES: [&str; 6] = ["EE", "DE", "SE", "LV", "PL", "GB"];
    COUNTRIES[number % COUNTRIES.len()]
}

fn approvals(random: &mut ChaCha8Rng, created: DateTime<Utc>) -> Vec<Approval> {
    (1..=random.random_range(0..=3))
        .map(|step| {
            let decision = pick(random, &["approved", "approved", "rejected", "pending"]);
            Approval {
                step,
                approver: user(random),
                decision,
                decided_at: (decision != "pending").then(|| instant(later(random, created, 5))),
            }
        })
        .collect()
}

fn tags(random: &mut ChaCha8Rng) -> Vec<&'static str> {
    let count = random.random_range(0..=2);
    TAGS.into_iter().choose_multiple(random, count)
}

fn custom_fields(random: &mut ChaCha8Rng) -> CustomFields {
    CustomFields {
        cost_center: format!("CC{:03}", random.random_range(0..60)),
        project: random.random_bool(0.5).then(|| format!("P-{:03}", random.random_range(0..400))),
    }
}

fn title(random: &mut ChaCha8Rng) -> String {
    format!("{} and {}", pick(random, &THINGS), pick(random, &THINGS))
}

fn user(random: &mut ChaCha8Rng) -> String {
    format!("user{}@example.com", random.random_range(1..300))
}

fn pick(random: &mut ChaCha8Rng, choices: &[&'static str]) -> &'static str {
    choices[random.random_range(0..choices.len())]
}

fn uuid(random: &mut ChaCha8Rng) -> String {
    uuid::Builder::from_random_bytes(random.random()).into_uuid().to_string()
}

/// Some moment between January 2025 and mid-November 2026.
fn creation(random: &mut ChaCha8Rng) -> DateTime<Utc> {
    let first = Utc.timestamp_opt(1_735_689_600, 0).single().unwrap_or_default();
    first + Duration::milliseconds(random.random_range(0..59_000_000_000))
}

fn later(random: &mut ChaCha8Rng, from: DateTime<Utc>, days: i64) -> DateTime<Utc> {
    from + Duration::milliseconds(random.random_range(0..days * 86_400_000))
}

fn day(random: &mut ChaCha8Rng, from: DateTime<Utc>, days: u64) -> NaiveDate {
    from.date_naive() + Days::new(random.random_range(2..days))
}

fn instant(moment: DateTime<Utc>) -> String {
    moment.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}
