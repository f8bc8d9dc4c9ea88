//! Exports of three shapes, the same every time.

use std::fmt::Write as _;
use std::io::{self, Write};

use fastrand::Rng;

const WORDS: [&str; 16] = [
    "steel", "bolt", "laptop", "chair", "licence", "cable", "printer", "paper", "service", "audit",
    "pallet", "hub", "valve", "pump", "filter", "sensor",
];
const STATUSES: [&str; 5] = ["draft", "pending approval", "approved", "sent", "closed"];

/// What stands before the list of orders.
pub const BEFORE_ORDERS: &str = r#"{"organisationId":"demo","purchaseOrders":"#;

/// Writes purchase orders with four lines each on average: the job of a night, 1.4 kB a record.
pub fn orders(count: usize, to: &mut impl Write) -> io::Result<()> {
    records(BEFORE_ORDERS, count, order, to)
}

/// Writes e-sourcing events: lots in events, items in lots, bids in items, answers in bids.
pub fn events(count: usize, to: &mut impl Write) -> io::Result<()> {
    records(r#"{"events":"#, count, event, to)
}

/// Writes records of two hundred fields without nesting.
pub fn wide(count: usize, to: &mut impl Write) -> io::Result<()> {
    records(r#"{"rows":"#, count, row, to)
}

fn records(
    head: &str,
    count: usize,
    record: fn(usize, &mut Rng) -> String,
    to: &mut impl Write,
) -> io::Result<()> {
    let mut chance = Rng::with_seed(7);
    to.write_all(head.as_bytes())?;
    for number in 0..count {
        to.write_all(if number == 0 { b"[" } else { b"," })?;
        to.write_all(record(number, &mut chance).as_bytes())?;
    }
    to.write_all(b"]}")
}

/// A JSON list of so many things.
fn list(count: usize, chance: &mut Rng, item: fn(usize, &mut Rng) -> String) -> String {
    let items: Vec<String> = (0..count).map(|number| item(number, chance)).collect();
    format!("[{}]", items.join(","))
}

fn words(count: usize, chance: &mut Rng) -> String {
    let words: Vec<&str> = (0..count).map(|_| WORDS[chance.usize(..WORDS.len())]).collect();
    words.join(" ")
}

fn money(chance: &mut Rng) -> String {
    let cents = chance.u32(50..9_999_999);
    format!("{}.{:02}", cents / 100, cents % 100)
}

/// One of 24 months.
fn moment(chance: &mut Rng) -> String {
    let (month, day) = (chance.u8(1..13), chance.u8(1..29));
    let (hour, minute, milli) = (chance.u8(..24), chance.u8(..60), chance.u16(..1000));
    let year = 2025 + u16::from(chance.bool());
    format!("{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:07.{milli:03}Z")
}

fn order(number: usize, chance: &mut Rng) -> String {
    let (supplier, user) = (chance.u32(..3000), chance.u32(..800));
    let status = STATUSES[chance.usize(..STATUSES.len())];
    let (created, updated) = (moment(chance), moment(chance));
    let (title, tail) = (words(5, chance), chance.u64(..1 << 48));
    let (lines, approvals) = (chance.usize(1..8), chance.usize(..4));
    let notes =
        if chance.u8(..10) < 7 { "null" } else { r#""To \"gate 4\"\nas soon as possible""# };
    let mut order = format!(
        r#"{{"id":"{number:08x}-0000-4000-8000-{tail:012x}","number":"PO-{number:07}","title":"{title}","status":"{status}","createdAt":"{created}","updatedAt":"{updated}","requester":{{"id":{user},"email":"user{user}@example.com","department":"Ops"}},"supplier":{{"id":"S{supplier:05}","name":"Supplier {supplier} GmbH","country":"EE","vatNumber":"EE{supplier:09}"}},"currency":"EUR","totalAmount":{},"vatRate":22,"#,
        money(chance)
    );
    let items = list(lines, chance, |number, chance| {
        let (description, quantity) = (words(6, chance), chance.u8(1..200));
        format!(
            r#"{{"lineNo":{number},"sku":"SKU-{:05}","description":"{description}","quantity":{quantity},"unit":"pcs","unitPrice":{},"lineTotal":{},"category":"Office supplies","deliveryDate":"2026-{:02}-11"}}"#,
            chance.u16(..50_000),
            money(chance),
            money(chance),
            chance.u8(1..13)
        )
    });
    let approvals = list(approvals, chance, |number, chance| {
        format!(
            r#"{{"step":{number},"approver":"user{}@example.com","decision":"approved","decidedAt":"{}"}}"#,
            chance.u16(..800),
            moment(chance)
        )
    });
    let _ = write!(
        order,
        r#""items":{items},"approvals":{approvals},"tags":["capex","urgent"],"customFields":{{"costCenter":"CC{}","project":null}},"notes":{notes}}}"#,
        chance.u8(..120)
    );
    order
}

fn event(number: usize, chance: &mut Rng) -> String {
    let (title, opened) = (words(6, chance), moment(chance));
    let lots = list(chance.usize(1..4), chance, |number, chance| {
        let items = list(chance.usize(1..6), chance, |number, chance| {
            let bids = list(chance.usize(..4), chance, |number, chance| {
                let answers = list(chance.usize(..3), chance, |number, chance| {
                    format!(r#"{{"question":{number},"text":"{}"}}"#, words(4, chance))
                });
                format!(
                    r#"{{"bid":{number},"supplier":{{"id":{},"name":"Supplier"}},"price":{{"amount":{},"currency":"EUR"}},"answers":{answers}}}"#,
                    chance.u16(..3000),
                    money(chance)
                )
            });
            format!(r#"{{"item":{number},"sku":"SKU-{:05}","bids":{bids}}}"#, chance.u16(..50_000))
        });
        format!(r#"{{"lot":{number},"title":"{}","items":{items}}}"#, words(3, chance))
    });
    format!(
        r#"{{"id":{number},"title":"{title}","openedAt":"{opened}","rules":{{"sealed":true,"currency":{{"code":"EUR"}}}},"lots":{lots}}}"#
    )
}

fn row(number: usize, chance: &mut Rng) -> String {
    let mut row = format!(r#"{{"id":{number}"#);
    for field in 0..50 {
        let (amount, text) = (money(chance), words(1, chance));
        let _ = write!(
            row,
            r#","amount_{field}":{amount},"count_{field}":{},"text_{field}":"{text}","flag_{field}":{}"#,
            chance.u16(..),
            chance.bool()
        );
    }
    row.push('}');
    row
}
