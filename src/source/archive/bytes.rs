//! The bytes of a file, decompressed: plain, gzip or zstd, told by how they begin and never by name.

use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::MultiGzDecoder;

/// Bytes that are handed on at once. Lines are short beside it, and system calls are not.
const BUFFER: usize = 128 * 1024;

const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// A skippable frame, with which parallel compressors begin; its first byte is 0x50 to 0x5f.
const ZSTD_SKIPPABLE: [u8; 3] = [0x2a, 0x4d, 0x18];
const BYTE_ORDER_MARK: [u8; 3] = [0xef, 0xbb, 0xbf];

/// Decompressed bytes without a byte order mark. Members of gzip and frames of zstd that follow
/// each other are read as one. What `raw` gave is counted in `read`, before decompression.
///
/// # Errors
/// If not even the first bytes can be read, or the decompressor cannot start.
pub(super) fn decompressed(
    raw: Box<dyn Read + Send>,
    read: Arc<AtomicU64>,
) -> io::Result<Box<dyn BufRead + Send>> {
    let (head, raw) = peeked::<4>(Counting { raw, read })?;
    let raw = BufReader::with_capacity(BUFFER, raw);
    let plain: Box<dyn Read + Send> = if head.starts_with(&GZIP) {
        Box::new(MultiGzDecoder::new(raw))
    } else if head.starts_with(&ZSTD) || head.get(1..4) == Some(&ZSTD_SKIPPABLE) {
        Box::new(zstd::stream::read::Decoder::with_buffer(raw)?)
    } else {
        Box::new(raw)
    };
    let mut plain = BufReader::with_capacity(BUFFER, plain);
    // An error must be handed on here: some decompressors say only once what is wrong.
    if plain.fill_buf()?.starts_with(&BYTE_ORDER_MARK) {
        plain.consume(BYTE_ORDER_MARK.len());
    }
    Ok(Box::new(plain))
}

/// The first bytes, fewer only if there are no more, and a reader that gives them again.
fn peeked<const N: usize>(
    mut raw: impl Read + Send + 'static,
) -> io::Result<(Vec<u8>, impl Read + Send)> {
    let mut head = Vec::with_capacity(N);
    raw.by_ref().take(N as u64).read_to_end(&mut head)?;
    Ok((head.clone(), Cursor::new(head).chain(raw)))
}

struct Counting<R> {
    raw: R,
    read: Arc<AtomicU64>,
}

impl<R: Read> Read for Counting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.raw.read(buffer)?;
        self.read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_taken_off_and_every_byte_is_counted() {
        for (raw, plain) in [
            (&b""[..], &b""[..]),
            (b"{", b"{"),
            (b"\xef\xbb\xbf[]\n", b"[]\n"),
            (b"\xef\xbb", b"\xef\xbb"),
            (b"\x1f", b"\x1f"),
        ] {
            let read = Arc::new(AtomicU64::new(0));
            let mut bytes =
                decompressed(Box::new(Cursor::new(raw)), Arc::clone(&read)).expect("readable");
            let mut out = Vec::new();
            bytes.read_to_end(&mut out).expect("readable");
            assert_eq!(out, plain);
            assert_eq!(read.load(Ordering::Relaxed), raw.len() as u64);
        }
    }
}
