//! Content encodings: the compressions that flowlake accepts for a body.

use std::fmt;

/// How a body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Not at all.
    Identity,
    /// gzip, in one member or several.
    Gzip,
    /// Brotli.
    Brotli,
    /// Zstandard, in one frame or several.
    Zstd,
}

impl Encoding {
    /// The value of `Accept-Encoding`, the cheapest to decompress first.
    pub(super) const ACCEPTED: &str = "zstd, br, gzip";

    /// The encoding of this name in `Content-Encoding`.
    pub(super) fn of_name(name: &str) -> Option<Self> {
        match name.trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Some(Self::Identity),
            "gzip" | "x-gzip" => Some(Self::Gzip),
            "br" => Some(Self::Brotli),
            "zstd" => Some(Self::Zstd),
            _ => None,
        }
    }

    /// Whether the compressed data tells where it ends. After a member of gzip or a frame of zstd another may follow, so
    /// these do not.
    pub(super) fn has_one_end(self) -> bool {
        self == Self::Brotli
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        })
    }
}
