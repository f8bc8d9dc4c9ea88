//! What becomes of keys: every row of docs/names.md, by its name.

use flowlake::infer::snake_case;

const PAGE: &str = include_str!("../../docs/names.md");

/// The row of the page that has this name: a key, and the name that it becomes.
fn row(name: &str) -> (String, &'static str) {
    let name = name.replace('_', " ");
    let line = PAGE.lines().find(|line| line.starts_with(&format!("| {name} |")));
    let line = line.unwrap_or_else(|| panic!("docs/names.md has no row `{name}`"));
    let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
    let key = serde_json::from_str(cells[1].trim_matches('`')).unwrap();
    (key, cells[2].trim_matches('`'))
}

macro_rules! rows {
    ($($name:ident),* $(,)?) => {
        $(
            #[test]
            fn $name() {
                let (key, name) = row(stringify!($name));
                assert_eq!(snake_case(&key), name);
                assert_eq!(snake_case(name), name, "naming a name gives the same name");
            }
        )*

        #[test]
        fn every_row_is_a_test() {
            let tests = [$(stringify!($name)),*];
            let rows = PAGE.lines().skip_while(|line| !line.starts_with("|---")).skip(1);
            let rows = rows.take_while(|line| line.starts_with('|')).count();
            assert_eq!(rows, tests.len());
        }
    };
}

rows! {
    words_with_underscores,
    camel_case,
    pascal_case,
    kebab_case,
    capitals,
    an_acronym_in_front,
    an_acronym_behind,
    an_acronym_alone,
    digits_within,
    digits_in_front,
    digits_alone,
    spaces_and_punctuation,
    dots,
    a_sign_in_front,
    underscores_in_a_row,
    underscores_around,
    letters_with_marks,
    other_scripts,
    scripts_without_capitals,
    signs_among_letters,
    nothing_but_signs,
    nothing_at_all,
    a_word_of_sql,
    a_name_of_flowlake,
    the_position_in_a_list,
}
