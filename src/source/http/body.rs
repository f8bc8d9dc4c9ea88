//! The body of a response: decompressed as it arrives, complete or an error, and within the size limit.
//!
//! | body | what we do |
//! |---|---|
//! | `zstd`, `br`, `gzip` | decompressed; garbage or an early end is [`FetchError::Corrupt`] |
//! | shorter than its `Content-Length`, or without its last chunk | [`FetchError::Interrupted`] |
//! | larger than `limits.max_size` | [`FetchError::TooLarge`] |
//! | larger than a thousand times what arrived | [`FetchError::Bomb`] |

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_compression::tokio::bufread::{BrotliDecoder, GzipDecoder, ZstdDecoder};
use async_compression::zstd::DParameter;
use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt};
use reqwest::Response;
use tokio::io::{AsyncBufRead, AsyncRead};
use tokio_util::io::{ReaderStream, StreamReader};
use url::Url;

use crate::source::http::FetchError;
use crate::source::http::encoding::Encoding;

/// The size of the pieces of a decompressed body.
const PIECE_BYTES: usize = 256 << 10;
/// JSON shrinks to a tenth or a fiftieth. Only a bomb shrinks to a thousandth.
const MAX_RATIO: u64 = 1000;
/// A smaller body does no harm, whatever its ratio.
const HARMLESS_BYTES: u64 = 16 << 20;
/// The largest window that RFC 9659 lets a source use: 8 MiB of memory.
const ZSTD_WINDOW_LOG: u32 = 23;

/// The body of a response, decompressed, in pieces as they come.
pub(super) fn body(
    response: Response,
    url: Url,
    encoding: Encoding,
    max_bytes: u64,
) -> impl Stream<Item = Result<Bytes, FetchError>> + Send + Unpin {
    let mut meter = Meter { url, encoding, max_bytes, received: Arc::default(), decompressed: 0 };
    let (url, received) = (meter.url.clone(), meter.received.clone());
    let arriving = response
        .bytes_stream()
        .map_err(move |source| FetchError::Interrupted {
            url: url.clone(),
            source: source.without_url(),
        })
        .inspect_ok(move |piece| {
            received.fetch_add(piece.len() as u64, Ordering::Relaxed);
        });
    let pieces = match encoding {
        Encoding::Identity => arriving.boxed(),
        _ => decompressed(arriving, &meter),
    };
    pieces.map(move |piece| meter.measure(piece?)).boxed()
}

fn decompressed(
    arriving: impl Stream<Item = Result<Bytes, FetchError>> + Send + 'static,
    meter: &Meter,
) -> Pin<Box<dyn Stream<Item = Result<Bytes, FetchError>> + Send>> {
    let (url, encoding) = (meter.url.clone(), meter.encoding);
    let arriving = StreamReader::new(arriving.map_err(io::Error::other).boxed());
    let pieces = ReaderStream::with_capacity(decoder(arriving, encoding), PIECE_BYTES);
    pieces
        .map_err(move |error| match error.downcast::<FetchError>() {
            // A network error passes through the decompressor unchanged.
            Ok(interrupted) => interrupted,
            Err(source) => FetchError::Corrupt { url: url.clone(), encoding, source },
        })
        .boxed()
}

fn decoder(
    arriving: impl AsyncBufRead + Send + 'static,
    encoding: Encoding,
) -> Pin<Box<dyn AsyncRead + Send>> {
    match encoding {
        Encoding::Identity => Box::pin(arriving),
        Encoding::Gzip => {
            let mut members = GzipDecoder::new(arriving);
            members.multiple_members(true);
            Box::pin(members)
        }
        Encoding::Brotli => Box::pin(BrotliDecoder::new(arriving)),
        Encoding::Zstd => {
            let window = DParameter::window_log_max(ZSTD_WINDOW_LOG);
            let mut frames = ZstdDecoder::with_params(arriving, &[window]);
            frames.multiple_members(true);
            Box::pin(frames)
        }
    }
}

/// Counts bytes as they arrive and as they are decompressed, and refuses too many.
struct Meter {
    url: Url,
    encoding: Encoding,
    max_bytes: u64,
    received: Arc<AtomicU64>,
    decompressed: u64,
}

impl Meter {
    fn measure(&mut self, piece: Bytes) -> Result<Bytes, FetchError> {
        self.decompressed += piece.len() as u64;
        let (received, decompressed) = (self.received.load(Ordering::Relaxed), self.decompressed);
        if decompressed > self.max_bytes {
            return Err(FetchError::TooLarge { url: self.url.clone(), most: self.max_bytes });
        }
        if decompressed > HARMLESS_BYTES && decompressed / MAX_RATIO > received {
            let (url, encoding) = (self.url.clone(), self.encoding);
            return Err(FetchError::Bomb { url, encoding, received, decompressed });
        }
        Ok(piece)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoding_is_known_by_its_name() {
        for encoding in [Encoding::Identity, Encoding::Gzip, Encoding::Brotli, Encoding::Zstd] {
            assert_eq!(Encoding::of_name(&encoding.to_string()), Some(encoding));
        }
        assert_eq!(Encoding::of_name(" GZIP"), Some(Encoding::Gzip));
        assert_eq!(Encoding::of_name("gzip, br"), None);
    }

    #[test]
    fn p9_a_body_is_too_large_beyond_its_most_and_a_bomb_beyond_a_thousandfold() {
        let meter = |received: u64, max_bytes| Meter {
            url: "https://example.com".parse().unwrap(),
            encoding: Encoding::Zstd,
            max_bytes,
            received: Arc::new(AtomicU64::new(received)),
            decompressed: 0,
        };
        let piece = |bytes: usize| Bytes::from(vec![0; bytes]);
        assert!(meter(1, 1 << 30).measure(piece(16 << 20)).is_ok());
        assert!(meter(18 << 10, 1 << 30).measure(piece(17 << 20)).is_ok());
        let bomb = meter(16 << 10, 1 << 30).measure(piece(17 << 20));
        assert!(matches!(bomb, Err(FetchError::Bomb { .. })));
        assert!(meter(10, 10).measure(piece(10)).is_ok());
        assert!(matches!(meter(11, 10).measure(piece(11)), Err(FetchError::TooLarge { .. })));
    }
}
