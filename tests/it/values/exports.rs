//! V15, V16, V17 and V20: exports without records, responses that tell that they are not whole, and other encodings.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::nights::{Nights, T};
use crate::support::{Answer, FaultServer, Finished, Reply, Source, Workplace, runtime};

const TYPED: &str = "[tables.columns]\nid = \"int64\"\ntotal = \"decimal(18,2)\"\n";

#[test]
fn v15_a_first_export_without_records_is_an_empty_table() {
    for json in ["[]", "null", "{\"orders\":[]}", "{\"orders\":null}"] {
        let records = if json.contains("orders") { "/orders" } else { "" };
        let nights = Nights::of(&format!("{T}records = \"{records}\"\n{TYPED}"));
        nights.load(json);
        assert_eq!(nights.columns("t"), ["id int64", "total decimal(18,2)"], "{json}");
        assert_eq!(nights.t(&["id"]), [""; 0], "{json}");
        nights.load(&if records.is_empty() {
            "[{\"id\":1,\"total\":2}]".to_owned()
        } else {
            "{\"orders\":[{\"id\":1,\"total\":2}]}".to_owned()
        });
        assert_eq!(nights.t(&["id", "total"]), ["1 | 2.00"], "{json}");
    }
}

#[test]
fn v15_a_first_export_without_records_needs_no_types() {
    for settings in [
        "write_disposition = \"merge\"\ncursor = \"u\"\n",
        "write_disposition = \"append\"\nsort_by = [\"a\"]\n",
        "write_disposition = \"merge\"\npartition_by = [\"month(created_at)\"]\n",
        "checks = [{ not_null = \"name\" }, { range = \"price\", min = 0 }]\n",
    ] {
        let nights = Nights::of_t(settings);
        nights.load("[]");
        nights.load(r#"[{"id":1,"u":1,"a":1,"created_at":"2026-10-05","name":"n","price":1}]"#);
        assert_eq!(nights.t(&["id", "u"]), ["1 | 1"], "{settings}");
    }
}

#[test]
fn v15_a_first_export_that_is_all_in_quarantine_is_an_empty_table() {
    let nights = Nights::of_t(TYPED);
    nights.load(r#"[{"id":"x","total":1},{"id":2,"total":"y"}]"#);
    assert_eq!(nights.columns("t"), ["id int64", "total decimal(18,2)"]);
    assert_eq!(nights.lake().quarantine("t").len(), 2);
}

/// Tables of two arrays of one export.
const TWO: &str = "[[tables]]\nname = \"a\"\nrecords = \"/a\"\nprimary_key = [\"id\"]\n\n\
                   [[tables]]\nname = \"b\"\nrecords = \"/b\"\nprimary_key = [\"id\"]\n[tables.columns]\nid = \"int64\"\n";

#[test]
fn v15_one_empty_array_does_not_keep_the_other_from_loading() {
    for b in ["[]", "null", r#"[{"id":"x"}]"#] {
        let nights = Nights::of(TWO);
        nights.load(&format!(r#"{{"a":[{{"id":1}}],"b":{b}}}"#));
        assert_eq!(nights.rows("a", &["id"]), ["1"], "{b}");
        assert_eq!(nights.columns("b"), ["id int64"], "{b}");
    }
}

#[test]
fn v15_a_table_that_has_rows_is_not_emptied() {
    let nights = Nights::of_t("");
    nights.load(r#"[{"id":1}]"#);
    for empty in ["[]", "null"] {
        assert_eq!(nights.night(empty).code, 6, "{empty}");
        assert_eq!(nights.t(&["id"]), ["1"]);
    }
}

#[test]
fn v16_what_is_no_object_among_records_is_in_quarantine() {
    for odd in ["null", "\"x\"", "5", "true", "[1]", "[{\"id\":9}]"] {
        for json in [
            format!("[{{\"id\":1}},{odd},{{\"id\":2}}]"),
            format!("{{\"orders\":[{odd},{{\"id\":1}},{{\"id\":2}}]}}"),
            format!("{{\"id\":1}}\n{odd}\n{{\"id\":2}}\n"),
        ] {
            let nights = Nights::of(T);
            nights.load(&json);
            assert_eq!(nights.t(&["id"]), ["1", "2"], "{json}");
            let waiting = nights.lake().quarantine("t");
            assert_eq!(waiting.len(), 1, "{json}");
            assert_eq!(waiting[0]["record"].to_string(), odd.replace(' ', ""), "{json}");
            assert_eq!(nights.counts("t", ["received", "quarantined"]), [3, 1], "{json}");
        }
    }
}

/// What a definition of `/orders` makes of a response.
fn envelope(settings: &str, json: &str) -> (Finished, Nights) {
    let nights = Nights::of("");
    nights.workplace.define_with(settings, &format!("{T}records = \"/orders\"\n"));
    let finished = nights.night(json);
    (finished, nights)
}

/// Members of a response that tell that it is not whole, the key that the message names, and the line that trusts it.
const NOT_WHOLE: [(&str, &str); 14] = [
    ("\"hasMore\":true", "hasMore"),
    ("\"has_next\":true", "has_next"),
    ("\"next\":\"https://x/2\"", "next"),
    ("\"nextPageToken\":\"abc\"", "nextPageToken"),
    ("\"links\":{\"next\":\"/2\"}", "next"),
    ("\"pagination\":{\"hasNextPage\":true}", "hasNextPage"),
    ("\"truncated\":true", "truncated"),
    ("\"total\":250", "total"),
    ("\"meta\":{\"totalCount\":250}", "totalCount"),
    ("\"total\":0", "total"),
    ("\"error\":\"timeout in shard 3\"", "error"),
    ("\"errors\":[{\"code\":1}]", "errors"),
    ("\"success\":false", "success"),
    ("\"status\":\"error\"", "status"),
];

#[test]
fn v16_an_envelope_that_tells_that_it_is_not_whole_ends_the_run() {
    let mut wrong = Vec::new();
    for (member, key) in NOT_WHOLE {
        for json in [
            format!("{{{member},\"orders\":[{{\"id\":1}}]}}"),
            format!("{{\"orders\":[{{\"id\":1}}],{member}}}"),
        ] {
            let (finished, nights) = envelope("", &json);
            let is_named = finished.stderr.contains(&format!("`{key}`"))
                || finished.stderr.contains(&format!("/{key}`"));
            if finished.code != 6 || !is_named || !nights.lake().tables().is_empty() {
                wrong.push(format!("{json}: exit {} {}", finished.code, finished.stderr));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn v16_an_envelope_that_tells_that_it_is_whole_loads() {
    for member in [
        "\"hasMore\":false",
        "\"next\":null",
        "\"next\":\"\"",
        "\"total\":1",
        "\"count\":1,\"meta\":{\"total\":\"1\"}",
        "\"error\":null",
        "\"error\":false",
        "\"errors\":[]",
        "\"errors\":{}",
        "\"success\":true",
        "\"status\":\"ok\"",
        "\"total\":250.75",
        "\"generatedAt\":\"2026-10-05\",\"nextReview\":\"2027-01-01\"",
    ] {
        let (finished, nights) = envelope(
            "",
            &format!("{{{member},\"orders\":[{{\"id\":1,\"hasMore\":true,\"error\":\"x\"}}]}}"),
        );
        assert_eq!(finished.code, 0, "{member}: {}", finished.stderr);
        assert_eq!(nights.t(&["id"]), ["1"], "{member}");
    }
}

#[test]
fn v16_what_is_named_in_source_envelope_is_not_looked_at() {
    for (member, key) in NOT_WHOLE {
        let settings = format!("[source.envelope]\nignore = [\"{key}\"]\n");
        let (finished, _nights) =
            envelope(&settings, &format!("{{{member},\"orders\":[{{\"id\":1}}]}}"));
        assert_eq!(finished.code, 0, "{member}: {}", finished.stderr);
    }
    let settings = "[source.envelope]\nignore = [\"/links/next\"]\n";
    let (finished, _nights) = envelope(settings, r#"{"links":{"next":"/2"},"orders":[{"id":1}]}"#);
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    let (finished, _nights) = envelope(settings, r#"{"next":"/2","orders":[{"id":1}]}"#);
    assert_eq!(finished.code, 6);
}

#[test]
fn v16_an_error_beside_an_empty_list_moves_no_watermark() {
    let source = Source::answering(Answer::Json("{\"orders\":[]}".to_owned()));
    let workplace = Workplace::asking(&source);
    workplace.define_with(
        "[source.filters]\nfrom = \"{{ window.start }}\"\n[source.window]\nstart = 2026-10-01\n",
        &format!("{T}records = \"/orders\"\nwrite_disposition = \"append\"\n[tables.columns]\nid = \"int64\"\n"),
    );
    source.serve(r#"{"orders":[{"id":1}]}"#);
    workplace.flowlake(&["run", "test.toml", "--as-of", "2026-10-02"]).success();
    source.serve(r#"{"error":"index is being rebuilt","orders":[]}"#);
    let failed = workplace.flowlake(&["run", "test.toml", "--as-of", "2026-10-03"]);
    assert_eq!(failed.code, 6, "{}{}", failed.stdout, failed.stderr);
    assert!(failed.stderr.contains("index is being rebuilt"), "{}", failed.stderr);
    source.serve(r#"{"orders":[]}"#);
    workplace.flowlake(&["run", "test.toml", "--as-of", "2026-10-04"]).success();
    let last = source.requests().pop().unwrap();
    assert!(last.contains("from=2026-10-02"), "the watermark stayed: {last}");
}

/// What a run makes of these bytes.
fn served(reply: Reply, definition: impl FnOnce(&Workplace)) -> (Finished, Workplace) {
    let runtime = runtime();
    let server = runtime.block_on(FaultServer::bind());
    let base_url = server.base_url();
    let workplace = Workplace::empty()
        .with("PROCUREMENTFLOW_BASE_URL", &base_url)
        .with("PROCUREMENTFLOW_ORGANISATION_ID", "acme")
        .with("PROCUREMENTFLOW_API_KEY", crate::support::KEY);
    definition(&workplace);
    let entered = runtime.enter();
    let serving = server.serve(vec![reply]);
    drop(entered);
    let finished = workplace.run();
    serving.abort();
    (finished, workplace)
}

const LINES: &str = "{\"id\":1}\n{\"id\":2}\n{\"id\":3}\n{\"id\":4}\n";

#[test]
fn v17_lines_without_a_length_are_refused() {
    let reply = Reply::ok(&[]).until_closed().send(LINES);
    let (finished, workplace) = served(reply, |workplace| {
        workplace.define(T);
    });
    assert_ne!(finished.code, 0, "{}", finished.stdout);
    assert_eq!(workplace.lake().tables(), [""; 0]);
    assert!(finished.stderr.contains("min_records"), "{}", finished.stderr);
}

#[test]
fn v17_lines_without_a_length_load_where_a_limit_or_the_definition_accepts_them() {
    for tables in [
        format!("[limits]\nmin_records = 4\n\n{T}"),
        format!("[limits]\nallow_unknown_length = true\n\n{T}"),
    ] {
        let reply = Reply::ok(&[]).until_closed().send(LINES);
        let (finished, workplace) = served(reply, |workplace| {
            workplace.define(&tables);
        });
        assert_eq!(finished.code, 0, "{tables}: {}", finished.stderr);
        assert_eq!(workplace.lake().rows("t").height(), 4);
    }
    let reply = Reply::ok(&[]).until_closed().send(LINES);
    let (finished, _workplace) = served(reply, |workplace| {
        workplace.define(&format!("[limits]\nmin_records = 5\n\n{T}"));
    });
    assert_eq!(finished.code, 6, "{}", finished.stderr);
}

#[test]
fn v17_a_transfer_encoding_without_chunks_and_a_first_member_are_no_end() {
    let half = "{\"id\":1}\n{\"id\":2}\n";
    let closed = |name, value| Reply::ok(&[(name, value)]).until_closed();
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(half.as_bytes()).unwrap();
    for reply in [
        closed("transfer-encoding", "identity").send(half),
        closed("transfer-encoding", "foo").send(half),
        closed("transfer-encoding", "chunked, identity").send(half),
        closed("content-encoding", "gzip").send(gzip.finish().unwrap()),
        closed("content-encoding", "zstd").send(zstd::encode_all(half.as_bytes(), 1).unwrap()),
    ] {
        let (finished, workplace) = served(reply, |workplace| {
            workplace.define(T);
        });
        assert_ne!(finished.code, 0, "{}", finished.stdout);
        assert_eq!(workplace.lake().tables(), [""; 0]);
    }
}

#[test]
fn p9_a_link_to_the_next_page_ends_the_run() {
    let json = "[{\"id\":1},{\"id\":2},{\"id\":3},{\"id\":4}]";
    let next = ("link", "</1>; rel=\"prev\", </3>; rel=\"next\"");
    for (headers, ignore, code) in [
        (&[next][..], "", 6),
        (&[next][..], "ignore = [\"link\"]", 0),
        (&[("link", "</1>; rel=\"last\"")][..], "", 0),
    ] {
        let (finished, workplace) = served(Reply::ok(headers).body(json), |workplace| {
            workplace.define(&format!("[source.envelope]\n{ignore}\n{T}"));
        });
        assert_eq!(finished.code, code, "{}", finished.stderr);
        if code == 6 {
            assert!(finished.stderr.contains("`Link` has a next page"), "{}", finished.stderr);
            assert_eq!(workplace.lake().tables(), [""; 0]);
        }
    }
}

#[test]
fn v17_the_ends_that_http_has_count() {
    let json = "[{\"id\":1},{\"id\":2},{\"id\":3},{\"id\":4}]";
    for reply in [
        Reply::ok(&[]).body(LINES),
        Reply::ok(&[]).chunked().chunk(LINES).chunk(""),
        // JSON that is one value ends by itself.
        Reply::ok(&[]).until_closed().send(json),
    ] {
        let (finished, workplace) = served(reply, |workplace| {
            workplace.define(T);
        });
        assert_eq!(finished.code, 0, "{}", finished.stderr);
        assert_eq!(workplace.lake().rows("t").height(), 4);
    }
}

/// What is said of a body, or the ids that were read.
fn body(bytes: &[u8]) -> String {
    let (finished, workplace) = served(Reply::ok(&[]).body(bytes), |workplace| {
        workplace.define(T);
    });
    match finished.code {
        0 => workplace.lake().column("t", "id").join(","),
        code => format!("exit {code} {}", finished.stderr),
    }
}

#[test]
fn v20_utf_16_is_named_or_read() {
    for (mark, little) in [(true, true), (true, false), (false, true), (false, false)] {
        let units: Vec<u16> = "[{\"id\":1}]".encode_utf16().collect();
        let mut bytes: Vec<u8> = Vec::new();
        for unit in mark.then_some(0xFEFF).into_iter().chain(units) {
            bytes.extend(if little { unit.to_le_bytes() } else { unit.to_be_bytes() });
        }
        let said = body(&bytes);
        assert!(said == "1" || said.contains("UTF-16"), "{mark} {little}: {said}");
    }
}

#[test]
fn v20_json_behind_record_separators_is_named_or_read() {
    let said = body(b"\x1e{\"id\":1}\n\x1e{\"id\":2}\n");
    assert!(said == "1,2" || said.contains("record separator"), "{said}");
}

#[test]
fn v20_latin_1_is_named() {
    let said = body(b"[{\"id\":1,\"name\":\"M\xfcller\"}]");
    assert!(said.contains("UTF-8"), "{said}");
}

#[test]
fn v20_a_root_array_has_a_name_in_messages() {
    for (records, json) in [("", "5"), ("/orders", "[{\"id\":1}]")] {
        let nights = Nights::of(&format!("{T}records = \"{records}\"\n"));
        let finished = nights.night(json);
        assert_eq!(finished.code, 6, "{json}: {}", finished.stderr);
        assert!(!finished.stderr.contains("``"), "empty backticks: {}", finished.stderr);
    }
}

#[test]
fn v20_a_partition_column_that_gets_fractions_keeps_its_directories() {
    for disposition in ["append", "merge", "overwrite_partitions"] {
        let nights = Nights::of_t(&format!(
            "write_disposition = \"{disposition}\"\npartition_by = [\"n\"]\n"
        ));
        nights.load(r#"[{"id":1,"n":1}]"#);
        let finished = nights.night(r#"[{"id":2,"n":2.5},{"id":3,"n":1}]"#);
        assert_eq!(finished.code, 0, "{}", finished.stderr);
        assert!(finished.stderr.contains("`n` that is no int64"), "{}", finished.stderr);
        assert_eq!(nights.waiting("t"), ["2 row"]);
        assert_eq!(nights.lake().partitions("t"), ["n_partition=1"]);
    }
}

#[test]
fn v04_a_partition_by_value_changes_its_type_only_where_its_directories_stay() {
    for (first, second, same) in [
        ("1", "12345678901234567890", true),
        ("\"2026-10-05\"", "\"2026-10-05T08:00:00Z\"", false),
        ("12345678901234567890", "0.5", false),
    ] {
        for disposition in ["append", "merge", "overwrite_partitions"] {
            let nights = Nights::of_t(&format!(
                "write_disposition = \"{disposition}\"\npartition_by = [\"n\"]\n"
            ));
            nights.load(&format!("[{{\"id\":1,\"n\":{first},\"v\":1}}]"));
            nights
                .load(&format!("[{{\"id\":1,\"n\":{first},\"v\":2}},{{\"id\":2,\"n\":{second}}}]"));
            assert_eq!(nights.waiting("t").is_empty(), same, "{disposition} {first} {second}");
            // No row is in an old directory and in a new one.
            let rows = nights.t(&["v"]);
            let expected: &[&str] = match (disposition, same) {
                ("append", true) => &["1", "2", "null"],
                ("append", false) => &["1", "2"],
                (_, true) => &["2", "null"],
                (_, false) => &["2"],
            };
            assert_eq!(rows, expected, "{disposition} {first} {second}");
        }
    }
}

#[test]
fn v04_a_partition_column_that_is_declared_with_other_texts_is_refused_while_rows_stay() {
    let with = |column_type: &str| {
        format!(
            "write_disposition = \"append\"\npartition_by = [\"n\"]\n[tables.columns]\nn = \"{column_type}\"\n"
        )
    };
    for (other, code) in [("decimal(18,2)", 2), ("string", 0), ("decimal(18,0)", 0)] {
        let nights = Nights::of_t(&with("int64"));
        nights.load(r#"[{"id":1,"n":1}]"#);
        nights.redefine_t(&with(other));
        let finished = nights.night(r#"[{"id":2,"n":1}]"#);
        assert_eq!(finished.code, code, "{other}: {}", finished.stderr);
        if code == 0 {
            assert_eq!(nights.lake().partitions("t"), ["n_partition=1"], "{other}");
        }
    }
}
