//! Foreign text, short and safe enough for a message.

/// The most bytes that a message shows.
pub(crate) const EXCERPT_BYTES: usize = 120;

/// The first line of `bytes`, shortened, without control characters.
pub(crate) fn excerpt(bytes: &[u8]) -> String {
    let beginning = String::from_utf8_lossy(&bytes[..bytes.len().min(EXCERPT_BYTES)]);
    let line = beginning.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    line.chars().filter(|c| !c.is_control()).collect()
}
