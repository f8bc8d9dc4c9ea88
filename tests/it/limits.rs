//! Limits: exports that are complete and valid, and still not to be believed.

use crate::support::{Source, Workplace};

fn workplace(source: &Source, limits: &str) -> Workplace {
    let workplace = Workplace::asking(source);
    workplace.define(&format!(
        "[limits]\n{limits}\n[[tables]]\nname = \"t\"\nprimary_key = [\"id\"]\n[tables.columns]\nn = \"int64\""
    ));
    workplace
}

fn export(records: usize) -> String {
    let records: Vec<String> = (0..records).map(|id| format!("{{\"id\":{id},\"n\":1}}")).collect();
    format!("[{}]", records.join(","))
}

#[test]
fn p9_an_export_with_few_records_is_refused() {
    let source = Source::serving(&export(2));
    let workplace = workplace(&source, "min_records = 3");
    let refused = workplace.run();
    insta::assert_snapshot!(refused.redacted());
    assert_eq!(refused.code, 6);
    assert!(workplace.lake().tables().is_empty());
    workplace.flowlake(&["run", "test.toml", "--allow-shrink"]).success();
    assert_eq!(workplace.lake().rows("t").height(), 2);
}

#[test]
fn p9_an_export_that_has_shrunk_is_refused() {
    let source = Source::serving(&export(10));
    let workplace = workplace(&source, "max_shrink = \"20%\"");
    workplace.run().success();
    source.serve(&export(8));
    workplace.run().success();
    let before = workplace.lake().snapshot();
    source.serve(&export(6));
    let refused = workplace.run();
    insta::assert_snapshot!(refused.redacted());
    assert_eq!(refused.code, 6);
    assert_eq!(workplace.lake().rows("t").height(), 8);
    assert!(before.iter().all(|(file, hash)| workplace.lake().snapshot().get(file) == Some(hash)));
    workplace.flowlake(&["run", "test.toml", "--allow-shrink"]).success();
    assert_eq!(workplace.lake().rows("t").height(), 6);
}

#[test]
fn p9_an_export_of_which_much_does_not_fit_is_refused() {
    let bad =
        "[{\"id\":1,\"n\":1},{\"id\":2,\"n\":\"x\"},{\"id\":3,\"n\":\"y\"},{\"id\":4,\"n\":4}]";
    let source = Source::serving(bad);
    for (limit, code) in [("\"50%\"", 0), ("\"49.9%\"", 3), ("2", 0), ("1", 3), ("0", 3)] {
        let workplace = workplace(&source, &format!("max_quarantined = {limit}"));
        let finished = workplace.run();
        assert_eq!(finished.code, code, "{limit}: {}", finished.stderr);
        assert_eq!(workplace.lake().tables().is_empty(), code == 3, "{limit}");
        if limit == "1" {
            insta::assert_snapshot!(finished.redacted());
        }
    }
}
