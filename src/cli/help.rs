//! Help: the commands in groups, examples, and exit codes.
//!
//! clap lists the commands of a program in one list. The list of [`grouped`] is made of the same commands, so that what it
//! says of each is what its own help says.

use std::fmt::Write;

use clap::Command;

/// The groups of commands, in the order in which they are shown.
const GROUPS: [(&str, &[&str]); 5] = [
    ("Setup", &["init", "check", "completions", "man"]),
    ("Load", &["run", "plan", "reload", "quarantine", "watermark"]),
    ("Look", &["doctor", "runs", "verify"]),
    ("Care", &["recover", "prune", "convert", "unlock"]),
    ("Try it", &["demo", "sample-api"]),
];

/// For a command that somebody has added and not put into a group. A test sees to it that there is none.
const OTHER: &str = "Other";

/// The width of help that goes to no terminal.
const DEFAULT_WIDTH: usize = 100;
/// Longer lines are hard to read.
const MOST_WIDTH: usize = 120;
/// The space for what a command does, however narrow the terminal is.
const LEAST_TEXT: usize = 20;

const EXAMPLES: &str = "\
Examples:
  flowlake demo                    try it without an account
  flowlake init --endpoint purchasing -o purchasing.toml
  flowlake run purchasing.toml     what a scheduler does
  flowlake doctor purchasing.toml  when it does not work";

pub(super) const EXIT_CODES: &str = "\
Exit codes:
  0         done, including nothing new
  1         unexpected error
  2         usage, or a definition is wrong
  3         some of several pipelines failed
  4         source not answering
  5         key missing or refused
  6         the export is not what it should be
  7         destination failed
  11        another run holds the destination
  130, 143  interrupted, terminated";

pub(super) const RUN: &str = "\
Examples:
  flowlake run purchasing.toml
  flowlake run --parallel 4 pipelines/
  flowlake run --from 2026-01-01 by-month.toml";

pub(super) const CHECK: &str = "\
Examples:
  flowlake check pipelines/
  flowlake check --online purchasing.toml";

pub(super) const DOCTOR: &str = "\
It loads nothing, and shows no secret.

Examples:
  flowlake doctor purchasing.toml
  flowlake doctor --json > support.json";

pub(super) const PLAN: &str = "\
Examples:
  flowlake plan purchasing.toml
  flowlake plan --from 2026-01-01 by-month.toml";

pub(super) const QUARANTINE: &str = "\
Examples:
  flowlake quarantine show purchasing.toml
  flowlake quarantine retry purchasing.toml";

pub(super) const RELOAD: &str = "\
Examples:
  flowlake reload purchasing.toml
  flowlake reload --run RUN purchasing.toml";

pub(super) const VERIFY: &str = "\
Examples:
  flowlake verify lake/purchasing
  flowlake verify --repair purchasing.toml";

pub(super) const CONVERT: &str = "\
Examples:
  flowlake convert pipelines/purchasing.toml
  flowlake convert --to delta lake/purchasing";

pub(super) const WATERMARK: &str = "\
Examples:
  flowlake watermark show by-month.toml
  flowlake watermark set by-month.toml 2026-01-01";

pub(super) const RUNS: &str = "\
Example:
  flowlake runs --limit 5 lake/purchasing";

pub(super) const INIT: &str = "\
Examples:
  flowlake init --endpoint purchasing -o purchasing.toml
  flowlake init --from-file export.json.gz -o export.toml";

pub(super) const COMPLETIONS: &str = "\
Example:
  source <(flowlake completions bash)";

/// What stands below the options of flowlake itself.
pub(super) fn after() -> String {
    format!("{EXAMPLES}\n\n{EXIT_CODES}")
}

/// The command line, whose help lists its commands in groups.
pub(super) fn grouped(command: Command) -> Command {
    let width = width();
    let listing = listing(&command, width);
    let header = command.get_styles().get_header();
    let template = format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{listing}\n\
         {header}Options:{header:#}\n{{options}}{{after-help}}"
    );
    command.help_template(template).term_width(width)
}

/// The width that clap would take, within reason.
fn width() -> usize {
    let of_terminal = || Some(usize::from(terminal_size::terminal_size()?.0.0));
    let of_environment = || std::env::var("COLUMNS").ok()?.parse().ok();
    of_terminal().or_else(of_environment).unwrap_or(DEFAULT_WIDTH).min(MOST_WIDTH)
}

/// Each group with its commands, and what each of them does.
fn listing(command: &Command, width: usize) -> String {
    let (header, literal) = (command.get_styles().get_header(), command.get_styles().get_literal());
    let names = visible(command).map(|it| it.get_name().chars().count());
    let column = names.max().unwrap_or_default();
    let mut listing = String::new();
    for (title, members) in groups_of(command) {
        let _ = writeln!(listing, "{header}{title}:{header:#}");
        for member in members {
            let name = member.get_name();
            let about = member.get_about().map(ToString::to_string).unwrap_or_default();
            let space = width.saturating_sub(column + 4).max(LEAST_TEXT);
            let pad = column - name.chars().count();
            let mut lines = wrapped(&about, space).into_iter();
            let first = lines.next().unwrap_or_default();
            let _ = writeln!(listing, "  {literal}{name}{literal:#}{:pad$}  {first}", "");
            for line in lines {
                let _ = writeln!(listing, "  {:column$}  {line}", "");
            }
        }
        listing.push('\n');
    }
    // What is in braces is for clap to fill in.
    listing.trim_end_matches('\n').replace(['{', '}'], "") + "\n"
}

/// The groups that have commands, with one more for those that are in none.
fn groups_of(command: &Command) -> Vec<(&'static str, Vec<&Command>)> {
    let member = |name: &&str| visible(command).find(|it| it.get_name() == *name);
    let in_groups = GROUPS.iter();
    let mut groups: Vec<_> = in_groups
        .map(|(title, names)| (*title, names.iter().filter_map(member).collect::<Vec<_>>()))
        .collect();
    let is_in_none = |it: &&Command| !GROUPS.iter().any(|(_, all)| all.contains(&it.get_name()));
    groups.push((OTHER, visible(command).filter(is_in_none).collect()));
    groups.retain(|(_, members)| !members.is_empty());
    groups
}

fn visible(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|it| !it.is_hide_set())
}

/// A text in lines of at most so many characters, where its words allow it.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::command_line;

    #[test]
    fn each_visible_command_is_in_exactly_one_group() {
        let command = command_line();
        let mut grouped: Vec<&str> = GROUPS.iter().flat_map(|(_, names)| *names).copied().collect();
        let mut all: Vec<&str> = visible(&command).map(Command::get_name).collect();
        grouped.sort_unstable();
        all.sort_unstable();
        assert_eq!(grouped, all);
        let titles = groups_of(&command).into_iter().map(|(title, _)| title);
        assert!(titles.eq(GROUPS.iter().map(|(title, _)| *title)));
    }

    #[test]
    fn a_command_that_is_in_no_group_is_listed_too() {
        let command = Command::new("flowlake")
            .subcommand(Command::new("run").about("Load"))
            .subcommand(Command::new("newer").about("Newer than the {groups}"))
            .subcommand(Command::new("secret").hide(true));
        let listing = plain(&listing(&command, 60));
        assert_eq!(listing, "Load:\n  run    Load\n\nOther:\n  newer  Newer than the groups\n");
    }

    #[test]
    fn help_fits_narrow_and_wide_terminals() {
        for width in [60, 80, 120] {
            let command = command_line();
            let listing = plain(&listing(&command, width));
            let longest = listing.lines().map(|line| line.chars().count()).max().unwrap();
            assert!(longest <= width, "{width}: {longest}");
        }
        let command = command_line();
        let after = visible(&command).filter_map(Command::get_after_help);
        let after: Vec<String> = after.map(ToString::to_string).collect();
        for line in after.iter().flat_map(|text| text.lines()).chain(self::after().lines()) {
            assert!(line.chars().count() <= 60, "{line}");
        }
        // Below that, words stay whole.
        assert_eq!(wrapped("a longer text", 3), ["a", "longer", "text"]);
    }

    /// A text without its styles.
    fn plain(text: &str) -> String {
        regex::Regex::new("\u{1b}\\[[0-9;]*m").unwrap().replace_all(text, "").into_owned()
    }
}
