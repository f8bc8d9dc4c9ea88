//! Smaller stories that fail in the same way.

use super::json::Json;
use super::story::{Disposition, Story};

/// How many smaller stories are tried.
const MAX_TRIES: usize = 1500;

/// The smallest stories that fail in the same way, and how they fail. The last record of a night stays: it shows what the
/// table knows.
pub fn shrink(
    stories: Vec<Story>,
    error: String,
    run: impl Fn(&[Story]) -> Option<String>,
) -> (Vec<Story>, String) {
    let (mut smallest, mut error, mut at, mut has_shrunk) = (stories, error, 0, false);
    for _ in 0..MAX_TRIES {
        let Some(fewer) = fewer(&smallest).into_iter().nth(at) else {
            if !has_shrunk {
                break;
            }
            (at, has_shrunk) = (0, false);
            continue;
        };
        match run(&fewer) {
            Some(found) if kind(&found) == kind(&error) => {
                (smallest, error, has_shrunk) = (fewer, found, true);
            }
            _ => at += 1,
        }
    }
    (smallest, error)
}

/// Stories with less in them, fewer stories first.
fn fewer(stories: &[Story]) -> Vec<Vec<Story>> {
    let mut all = Vec::new();
    for position in (0..stories.len()).filter(|_| stories.len() > 1) {
        let mut others = stories.to_vec();
        others.remove(position);
        all.push(others);
    }
    for (position, story) in stories.iter().enumerate() {
        all.extend(smaller(story).into_iter().map(|story| {
            let mut stories = stories.to_vec();
            stories[position] = story;
            stories
        }));
    }
    all
}

/// What a failure is about: its first words, whatever the night.
fn kind(error: &str) -> String {
    let words =
        error.split_whitespace().filter(|word| !word.contains(|c: char| c.is_ascii_digit()));
    words.take(4).collect::<Vec<_>>().join(" ")
}

/// Stories with less in them, those with much less first.
fn smaller(story: &Story) -> Vec<Story> {
    let mut all = Vec::new();
    let running = |number: &usize| story.nights[*number].is_some();
    let nights: Vec<usize> = (0..story.nights.len()).filter(running).collect();
    for night in nights.iter().filter(|_| nights.len() > 1) {
        let mut smaller = story.clone();
        smaller.nights[*night] = None;
        all.push(smaller);
    }
    all.extend(with_fewer_words(story));
    for key in keys(story) {
        let mut smaller = story.clone();
        for record in smaller.nights.iter_mut().flatten().flatten() {
            if let Json::Object(members) = record {
                members.retain(|(name, _)| *name != key);
            }
        }
        all.push(smaller);
    }
    for night in &nights {
        let records = story.nights[*night].as_deref().unwrap_or_default();
        let others = records.len().saturating_sub(1);
        for position in 0..others {
            let mut smaller = story.clone();
            smaller.nights[*night].as_mut().unwrap().remove(position);
            all.push(smaller);
        }
        for (position, record) in records[..others].iter().enumerate() {
            for reduced in reductions(record).into_iter().filter(|it| it.get(story.key).is_some()) {
                let mut smaller = story.clone();
                smaller.nights[*night].as_mut().unwrap()[position] = reduced;
                all.push(smaller);
            }
        }
    }
    all
}

fn with_fewer_words(story: &Story) -> Vec<Story> {
    let mut all = Vec::new();
    if story.is_partitioned && story.disposition != Disposition::OverwritePartitions {
        all.push(Story { is_partitioned: false, ..story.clone() });
    }
    if story.declared.is_some() {
        all.push(Story { declared: None, ..story.clone() });
    }
    if !story.has_key && story.disposition != Disposition::Append {
        all.push(Story { has_key: true, ..story.clone() });
    }
    all
}

/// The keys of records that are neither their key nor their partition.
fn keys(story: &Story) -> Vec<String> {
    let mut keys = Vec::new();
    for record in story.nights.iter().flatten().flatten() {
        let Json::Object(members) = record else { continue };
        for (key, _) in members {
            if key != story.key && key != "at" && !keys.contains(key) {
                keys.push(key.clone());
            }
        }
    }
    keys
}

/// The same without one value, or with less in one.
fn reductions(json: &Json) -> Vec<Json> {
    let mut all = Vec::new();
    match json {
        Json::List(items) => {
            for position in 0..items.len() {
                let mut fewer = items.clone();
                fewer.remove(position);
                all.push(Json::List(fewer));
            }
            for (position, item) in items.iter().enumerate() {
                all.extend(reductions(item).into_iter().map(|reduced| {
                    let mut items = items.clone();
                    items[position] = reduced;
                    Json::List(items)
                }));
            }
        }
        Json::Object(members) => {
            for position in 0..members.len() {
                let mut fewer = members.clone();
                fewer.remove(position);
                all.push(Json::Object(fewer));
            }
            for (position, (_, member)) in members.iter().enumerate() {
                all.extend(reductions(member).into_iter().map(|reduced| {
                    let mut members = members.clone();
                    members[position].1 = reduced;
                    Json::Object(members)
                }));
            }
        }
        _ => {}
    }
    all
}
