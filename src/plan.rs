//! Plan: what a run will do, as a value. Pure: pipeline, clock, watermark and overrides in, [`Plan`] out.

mod not_loaded;

use std::collections::HashSet;
use std::num::NonZeroUsize;

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use url::Url;

use crate::definition::{
    DestinationUrl, Filter, InvalidDestination, InvalidTemplate, ListStyle, Period, Pipeline, Size,
    Source, Table, TemplateContext, WindowPolicy, WriteDisposition,
};
use crate::exit_code::{ExitCode, Failure};
use crate::schema::{LoadedTime, RunId, TableName, Window};
use crate::source::{Request, procurementflow};

pub use not_loaded::NotLoaded;

/// More pieces than any sensible `step` makes.
const MOST_PIECES: u32 = 10_000;

/// The clocks of machines may differ by this much.
pub const CLOCK_SKEW: TimeDelta = TimeDelta::minutes(5);

/// How much memory rows take by default: enough for speed, and little enough for a small machine.
pub const DEFAULT_MEMORY: Size = Size::from_bytes(256 << 20);

/// How many requests are open at once by default.
pub const DEFAULT_JOBS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(2);

/// One run of one pipeline, decided before anything is touched.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of the command line")]
pub struct Plan {
    /// What is run.
    pub pipeline: Pipeline,
    /// The id of this run.
    pub run_id: RunId,
    /// The id was made for this run, so none has used it.
    pub id_is_new: bool,
    /// The start of the run, as in `_flowlake_loaded_at`.
    pub started_at: DateTime<Utc>,
    /// Where the tables are kept.
    pub destination: DestinationUrl,
    /// What the requests cover together; none for a full export.
    pub window: Option<Window>,
    /// The requests for the export, in the order of their windows. None when the window is empty.
    pub requests: Vec<Request>,
    /// The watermark before this run.
    pub watermark: Option<DateTime<Utc>>,
    /// Whether the window begins where it was asked to, and not at the watermark.
    pub is_backfill: bool,
    /// The export may be smaller than the limits of the definition allow.
    pub allow_shrink: bool,
    /// Tables that another pipeline wrote become those of this one.
    pub take_over: bool,
    /// Loads the export whether the tables have it already or not.
    pub again: bool,
    /// How many requests may be open at once.
    pub jobs: NonZeroUsize,
    /// How many bytes of rows may be in memory at once.
    pub memory: u64,
    /// Whether the run waits while another one holds the destination.
    pub waits: bool,
    /// Where the records come from.
    pub origin: RecordOrigin,
}

/// Where the records of a run come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordOrigin {
    /// The source, which is asked for an export.
    Source,
    /// An export that an earlier run has kept.
    Landing,
    /// The quarantine of the tables.
    Quarantine,
}

/// Options of a run beside its definition.
#[derive(Debug, Clone, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of the command line")]
pub struct Overrides {
    /// The time to take as now.
    pub as_of: Option<DateTime<Utc>>,
    /// Where the window begins, instead of at the watermark.
    pub from: Option<DateTime<Utc>>,
    /// Where the window ends, instead of now.
    pub to: Option<DateTime<Utc>>,
    /// The export may be smaller than the limits of the definition allow.
    pub allow_shrink: bool,
    /// Tables that another pipeline wrote become those of this one.
    pub take_over: bool,
    /// Loads the export whether the tables have it already or not.
    pub again: bool,
    /// How many requests may be open at once; [`DEFAULT_JOBS`] when absent.
    pub jobs: Option<NonZeroUsize>,
    /// How many bytes of rows may be in memory at once; [`DEFAULT_MEMORY`] when absent.
    pub memory: Option<u64>,
    /// Wait while another run holds the destination, instead of failing.
    pub waits: bool,
}

/// A run cannot be planned.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// A template cannot be rendered.
    #[error("cannot render a template of the definition: {0}")]
    Template(#[from] InvalidTemplate),
    /// A template rendered to an invalid destination.
    #[error(transparent)]
    Destination(#[from] InvalidDestination),
    /// A window was asked for, and the pipeline has none.
    #[error("`--from` and `--to` need a window, and the definition has none")]
    NoWindow,
    /// The window that was asked for is empty.
    #[error("the window from {start} to {end} is empty")]
    Empty {
        /// Its start.
        start: DateTime<Utc>,
        /// Its end.
        end: DateTime<Utc>,
    },
    /// An instant that was asked for, or the start of the window, has not come yet.
    #[error("{option} {at} is in the future; it is {now}")]
    Future {
        /// The option, or the key of the definition.
        option: &'static str,
        /// What it says.
        at: DateTime<Utc>,
        /// The present.
        now: DateTime<Utc>,
    },
    /// The tables have been loaded up to an instant that has not come yet.
    #[error("the watermark {watermark} is in the future; it is {now}")]
    WatermarkAhead {
        /// Where the next window would begin.
        watermark: DateTime<Utc>,
        /// The present.
        now: DateTime<Utc>,
    },
    /// A table was asked for that the definition does not have.
    #[error("the definition has no table `{0}`")]
    UnknownTable(TableName),
    /// The window reaches beyond the calendar.
    #[error("the window reaches beyond the calendar")]
    BeyondCalendar,
    /// The step is too short for the window.
    #[error("the window from {start} to {end} has more than {MOST_PIECES} pieces of {step}")]
    TooManyPieces {
        /// Its start.
        start: DateTime<Utc>,
        /// Its end.
        end: DateTime<Utc>,
        /// The length of a piece.
        step: Period,
    },
}

impl Failure for PlanError {
    fn exit_code(&self) -> ExitCode {
        ExitCode::Usage
    }

    fn help(&self) -> Option<String> {
        let help = match self {
            Self::Template(_) | Self::Destination(_) => {
                "check the templates in `[destination]` and the filters"
            }
            Self::NoWindow => "leave them out, or add `[source.window]` with `start`",
            Self::Empty { .. } => "give a `--from` that is before `--to`, and before the present",
            Self::Future { .. } => {
                "give an instant that has passed, or check the clock of this machine"
            }
            Self::WatermarkAhead { .. } => {
                "the clock of an earlier run was wrong, or this one is: correct it, \
                 then set where the next run begins with `flowlake watermark set`"
            }
            Self::UnknownTable(_) => "give the name of a `[[tables]]` section",
            Self::BeyondCalendar => "check `start`, `lookback` and `step` of `[source.window]`",
            Self::TooManyPieces { .. } => "give `step` a longer period, such as `P1D` or `P1M`",
        };
        Some(help.to_owned())
    }
}

/// The destination of a pipeline, for a run at `now`.
///
/// # Errors
/// The template of the definition renders to no valid destination.
pub fn destination_at(
    pipeline: &Pipeline,
    now: DateTime<Utc>,
) -> Result<DestinationUrl, PlanError> {
    let url: DestinationUrl =
        pipeline.destination.render(&TemplateContext { now, window: None })?.parse()?;
    Ok(url.below(&pipeline.directory).with_options(&pipeline.store))
}

impl Plan {
    /// Plans a run of `pipeline`. `watermark` is where the last run stopped.
    ///
    /// # Errors
    /// The overrides do not fit the definition.
    pub fn new(
        pipeline: Pipeline,
        run_id: RunId,
        started_at: DateTime<Utc>,
        watermark: Option<DateTime<Utc>>,
        overrides: &Overrides,
    ) -> Result<Self, PlanError> {
        let now = overrides.as_of.unwrap_or(started_at);
        refuse_the_future(started_at, pipeline.source.window.as_ref(), watermark, overrides)?;
        let window = match &pipeline.source.window {
            Some(policy) => {
                let lookback = policy.lookback_of(pipeline.root_tables());
                let window = window(policy, lookback, now, watermark, overrides)?;
                let ends_early =
                    overrides.to.is_some() || watermark.is_some_and(|it| it > window.end);
                let latest = if ends_early { started_at } else { window.end };
                Some(whole_partitions(&pipeline, window, latest))
            }
            None if overrides.from.is_some() || overrides.to.is_some() => {
                return Err(PlanError::NoWindow);
            }
            None => None,
        };
        let pieces: Vec<Option<Window>> = match (&pipeline.source.window, window) {
            (Some(policy), Some(window)) => {
                pieces(window, policy.step)?.into_iter().map(Some).collect()
            }
            _ => vec![None],
        };
        let requests = pieces.into_iter().map(|window| {
            let url = export_url(&pipeline.source, &TemplateContext { now, window })?;
            Ok(Request { url, window })
        });
        Ok(Self {
            destination: destination_at(&pipeline, now)?,
            requests: requests.collect::<Result<_, PlanError>>()?,
            is_backfill: overrides.from.is_some(),
            allow_shrink: overrides.allow_shrink,
            take_over: overrides.take_over,
            again: overrides.again,
            jobs: overrides.jobs.unwrap_or(DEFAULT_JOBS),
            memory: overrides.memory.unwrap_or(DEFAULT_MEMORY.bytes()),
            waits: overrides.waits,
            pipeline,
            run_id,
            id_is_new: false,
            origin: RecordOrigin::Source,
            started_at,
            window,
            watermark,
        })
    }

    /// The plan of a run that asks the source for nothing.
    fn without_requests(mut self, origin: RecordOrigin) -> Self {
        self.requests.clear();
        self.window = None;
        self.origin = origin;
        self
    }

    /// The plan of a run that loads quarantined records, in addition to the rows of the tables.
    #[must_use]
    pub fn retrying(self) -> Self {
        let mut plan = self.without_requests(RecordOrigin::Quarantine);
        let replaced = |table: &&mut Table| table.write_disposition == WriteDisposition::Replace;
        for table in plan.pipeline.tables.iter_mut().filter(replaced) {
            table.write_disposition = WriteDisposition::Append;
        }
        plan
    }

    /// The plan of a run that loads a kept export, until it is known which.
    #[must_use]
    pub fn reloading(self) -> Self {
        self.without_requests(RecordOrigin::Landing)
    }

    /// The plan of a run that loads what these requests have received before.
    #[must_use]
    pub fn with_answered(self, requests: Vec<Request>) -> Self {
        let windows: Vec<Window> = requests.iter().filter_map(|request| request.window).collect();
        let window = match (windows.first(), windows.last()) {
            (Some(first), Some(last)) => Some(Window { start: first.start, end: last.end }),
            _ => None,
        };
        // It is as if it had been asked for once more.
        Self { requests, window, is_backfill: true, ..self }
    }

    /// What a table has of the source's time after `window` is loaded, by what it had before. A table that is new has the
    /// window alone. A window that was asked for with `--from` and leaves a gap does not count; one that leaves it because
    /// the definition begins later does: what is before is not wanted any more.
    #[must_use]
    pub fn loaded_after(&self, before: Option<LoadedTime>, window: Window) -> LoadedTime {
        match before {
            None => LoadedTime::of(window),
            Some(before) if window.start > before.watermark && !self.is_backfill => {
                before.followed_by(window)
            }
            Some(before) => before.with(window),
        }
    }
}

/// A pipeline that loads only some of its root tables, each with its children; all when none is chosen.
///
/// # Errors
/// The definition does not have a table.
pub fn only_tables(mut pipeline: Pipeline, chosen: &[TableName]) -> Result<Pipeline, PlanError> {
    let known = |table: &&TableName| pipeline.tables.iter().any(|it| it.name == **table);
    if let Some(unknown) = chosen.iter().find(|table| !known(table)) {
        return Err(PlanError::UnknownTable(unknown.clone()));
    }
    if !chosen.is_empty() {
        let root_of = |table: &Table| pipeline.root_of(table).name.clone();
        let roots: HashSet<TableName> =
            pipeline.tables.iter().filter(|it| chosen.contains(&it.name)).map(root_of).collect();
        let tables: Vec<Table> =
            pipeline.tables.iter().filter(|it| roots.contains(&root_of(it))).cloned().collect();
        pipeline.is_partial = tables.len() < pipeline.tables.len();
        pipeline.tables = tables;
    }
    Ok(pipeline)
}

/// Refuses a window of the definition that begins in the future.
///
/// # Errors
/// It does.
pub fn refuse_future_start(pipeline: &Pipeline, now: DateTime<Utc>) -> Result<(), PlanError> {
    refuse_the_future(now, pipeline.source.window.as_ref(), None, &Overrides::default())
}

/// Refuses instants that have not come yet: they would silence every night until then.
fn refuse_the_future(
    now: DateTime<Utc>,
    policy: Option<&WindowPolicy>,
    watermark: Option<DateTime<Utc>>,
    overrides: &Overrides,
) -> Result<(), PlanError> {
    let asked = [
        ("--from", overrides.from),
        ("--to", overrides.to),
        ("--as-of", overrides.as_of),
        ("`window.start`", policy.map(|policy| policy.start)),
    ];
    let future =
        asked.into_iter().find_map(|(option, at)| Some((option, at.filter(|at| *at > now)?)));
    if let Some((option, at)) = future {
        return Err(PlanError::Future { option, at, now });
    }
    match watermark.filter(|watermark| *watermark - now > CLOCK_SKEW) {
        Some(watermark) => Err(PlanError::WatermarkAhead { watermark, now }),
        None => Ok(()),
    }
}

/// From the watermark less the lookback to now, in whole seconds, since filters rarely accept fractions.
fn window(
    policy: &WindowPolicy,
    lookback: Period,
    now: DateTime<Utc>,
    watermark: Option<DateTime<Utc>>,
    overrides: &Overrides,
) -> Result<Window, PlanError> {
    let since = match watermark {
        Some(watermark) => {
            lookback.before(watermark).ok_or(PlanError::BeyondCalendar)?.max(policy.start)
        }
        None => policy.start,
    };
    let now = now.duration_trunc(TimeDelta::seconds(1)).unwrap_or(now);
    let window =
        Window { start: overrides.from.unwrap_or(since), end: overrides.to.unwrap_or(now) };
    let was_asked_for = overrides.from.is_some() || overrides.to.is_some();
    if was_asked_for && window.start >= window.end {
        return Err(PlanError::Empty { start: window.start, end: window.end });
    }
    Ok(window)
}

/// Extends a window to whole partitions where a table overwrites or deletes by window: rows outside the window would be
/// lost otherwise. It never ends after `latest`, since later records do not exist yet.
fn whole_partitions(pipeline: &Pipeline, window: Window, latest: DateTime<Utc>) -> Window {
    let tables = pipeline.root_tables().filter(|table| table.takes_window_for_all());
    let ranges = tables.filter_map(Table::time_ranges);
    ranges.fold(window, |Window { start, end }, ranges| Window {
        start: ranges.whole_from(start),
        end: ranges.whole_until(end).min(latest).max(end),
    })
}

/// Splits a window into pieces of length `step`; the last one may be shorter.
fn pieces(window: Window, step: Option<Period>) -> Result<Vec<Window>, PlanError> {
    let Window { start, end } = window;
    if start >= end {
        return Ok(Vec::new());
    }
    let Some(step) = step else { return Ok(vec![window]) };
    let mut pieces = Vec::new();
    for count in 0..MOST_PIECES {
        // Counted from the start of the window, so that a shorter month does not move the day.
        let bound = |count| step.times_after(count, start).ok_or(PlanError::BeyondCalendar);
        let piece = Window { start: bound(count)?, end: bound(count + 1)?.min(end) };
        pieces.push(piece);
        if piece.end == end {
            return Ok(pieces);
        }
    }
    Err(PlanError::TooManyPieces { start, end, step })
}

/// The URL of an export. Path and filters are percent-encoded, so they cannot change host or path.
fn export_url(source: &Source, context: &TemplateContext) -> Result<Url, InvalidTemplate> {
    let mut url = source.base_url.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.clear().extend(procurementflow::path_segments(&source.resource));
    }
    for filter in &source.filters {
        for (name, value) in query_parameters(filter, source.list_style, context)? {
            url.query_pairs_mut().append_pair(&name, &value);
        }
    }
    Ok(url)
}

fn query_parameters(
    filter: &Filter,
    style: ListStyle,
    context: &TemplateContext,
) -> Result<Vec<(String, String)>, InvalidTemplate> {
    let name = &filter.name;
    let values: Vec<String> =
        filter.values.iter().map(|value| value.render(context)).collect::<Result<_, _>>()?;
    let each = |name: &str, values: Vec<String>| {
        values.into_iter().map(|value| (name.to_owned(), value)).collect()
    };
    Ok(match style {
        _ if values.len() == 1 => each(name, values),
        ListStyle::Repeat => each(name, values),
        ListStyle::Comma => vec![(name.clone(), values.join(","))],
        ListStyle::Brackets => each(&format!("{name}[]"), values),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definition::{Definition, Environment};

    fn pipeline(source: &str) -> Pipeline {
        let text = format!(
            "version = 1\nname = \"test\"\n[defaults]\nwrite_disposition = \"append\"\n\
             [destination]\nurl = \"lake/{{{{ run.date }}}}\"\n[source]\nendpoint = \"e-sourcing\"\n{source}"
        );
        Definition::parse("test.toml", &text, &Environment::default()).unwrap().pipeline
    }

    fn instant(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn plan(
        source: &str,
        watermark: Option<&str>,
        overrides: &Overrides,
    ) -> Result<Plan, PlanError> {
        let now = instant("2026-03-20T02:00:00.5Z");
        let run_id = RunId::at(now);
        Plan::new(pipeline(source), run_id, now, watermark.map(instant), overrides)
    }

    fn url(source: &str) -> String {
        plan(source, None, &Overrides::default()).unwrap().requests[0].url.to_string()
    }

    const WINDOW: &str = "organisation_id = \"o\"\n[source.filters]\nsince = \"{{ window.start | date }}\"\n\
                          [source.window]\nstart = 2026-01-31\nstep = \"P1M\"\n";

    fn windows(plan: &Plan) -> Vec<String> {
        let shown = |request: &Request| {
            let window = request.window.unwrap();
            format!("{} {}", window.start.format("%F"), window.end.format("%FT%T%.f"))
        };
        plan.requests.iter().map(shown).collect()
    }

    #[test]
    fn organisation_cannot_leave_its_segment() {
        assert_eq!(
            url(r#"organisation_id = "../../x?y#z""#),
            "https://go.procurementflow.com/api/export/all/esourcing/..%2F..%2Fx%3Fy%23z"
        );
    }

    #[test]
    fn lists_are_sent_in_each_style() {
        let source = |style: &str| {
            url(&format!(
                "organisation_id = \"o\"\nlist_style = \"{style}\"\n[source.filters]\nstatus = [\"a b\", \"c\"]\nn = 5"
            ))
        };
        assert!(source("repeat").ends_with("/o?status=a+b&status=c&n=5"));
        assert!(source("comma").ends_with("/o?status=a+b%2Cc&n=5"));
        assert!(source("brackets").ends_with("/o?status%5B%5D=a+b&status%5B%5D=c&n=5"));
    }

    #[test]
    fn the_first_window_begins_where_the_definition_says_and_comes_in_pieces() {
        let plan = plan(WINDOW, None, &Overrides::default()).unwrap();
        let expected = ["2026-01-31 2026-02-28T00:00:00", "2026-02-28 2026-03-20T02:00:00"];
        assert_eq!(windows(&plan), expected);
        assert!(plan.requests[1].url.as_str().ends_with("?since=2026-02-28"));
        let loaded = plan.loaded_after(None, plan.window.unwrap());
        assert_eq!(loaded.watermark, instant("2026-03-20T02:00:00Z"));
        assert_eq!(loaded.from, instant("2026-01-31T00:00:00Z"));
        assert_eq!(plan.destination, DestinationUrl::Local("lake/2026-03-20".into()));
    }

    #[test]
    fn later_windows_begin_at_the_watermark() {
        let watermark = Some("2026-03-19T02:00:00Z");
        let plan = plan(WINDOW, watermark, &Overrides::default()).unwrap();
        assert_eq!(windows(&plan), ["2026-03-19 2026-03-20T02:00:00"]);
    }

    #[test]
    fn p3_a_window_that_was_covered_already_asks_for_nothing() {
        let plan = plan(WINDOW, Some("2026-03-20T02:00:00Z"), &Overrides::default()).unwrap();
        assert!(plan.requests.is_empty());
    }

    #[test]
    fn p1_a_gap_does_not_move_the_watermark() {
        let watermark = Some("2026-02-10T00:00:00Z");
        let after = |from: &str, to: &str| {
            let overrides = Overrides {
                from: Some(instant(from)),
                to: Some(instant(to)),
                ..Overrides::default()
            };
            let plan = plan(WINDOW, watermark, &overrides).unwrap();
            let (start, end) = (instant("2026-01-31T00:00:00Z"), plan.watermark.unwrap());
            let before = LoadedTime::of(Window { start, end });
            Some(plan.loaded_after(Some(before), plan.window.unwrap()).watermark)
        };
        let unmoved = watermark.map(instant);
        assert_eq!(after("2026-02-11T00:00:00Z", "2026-02-12T00:00:00Z"), unmoved);
        assert_eq!(after("2026-02-01T00:00:00Z", "2026-02-05T00:00:00Z"), unmoved);
        let later = "2026-02-12T00:00:00Z";
        assert_eq!(after("2026-02-01T00:00:00Z", later), Some(instant(later)));
    }

    #[test]
    fn windows_that_mean_nothing_are_refused() {
        let from = |from: &str| Overrides { from: Some(instant(from)), ..Overrides::default() };
        let full = plan("organisation_id = \"o\"", None, &from("2026-01-01T00:00:00Z"));
        assert!(matches!(full, Err(PlanError::NoWindow)));
        let future = plan(WINDOW, None, &from("2027-01-01T00:00:00Z"));
        assert!(matches!(future, Err(PlanError::Future { option: "--from", .. })));
        let to = Overrides { to: Some(instant("2025-01-01T00:00:00Z")), ..Overrides::default() };
        assert!(matches!(plan(WINDOW, None, &to), Err(PlanError::Empty { .. })));
        // A year that was typed wrong would ask for nothing, every night.
        let typed_wrong = WINDOW.replace("2026-01-31", "2062-01-31");
        let never = plan(&typed_wrong, None, &Overrides::default());
        assert!(matches!(never, Err(PlanError::Future { option: "`window.start`", .. })));
        // The clock of an earlier run was a year ahead.
        let ahead = plan(WINDOW, Some("2027-03-20T02:00:00Z"), &Overrides::default());
        assert!(matches!(ahead, Err(PlanError::WatermarkAhead { .. })));
        let tiny = WINDOW.replace("P1M", "PT1S");
        let many = plan(&tiny, None, &Overrides::default());
        assert!(matches!(many, Err(PlanError::TooManyPieces { .. })));
    }
}
