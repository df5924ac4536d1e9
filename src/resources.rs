//! What a stage may use of the machine: memory, threads, and a place for what does not fit.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use crate::error::{Error, Result, grouped};

/// The least that buffers need beside what grows with rows, in bytes.
const LEAST: u64 = 96 << 20;

/// What a stage may use. The default is no limit, every core, and working files beside the output.
#[derive(Debug, Clone, Default)]
pub struct Resources {
    /// Bytes of memory that a stage may have at its peak.
    pub memory: Option<u64>,
    /// Where working files go in place of the folder that is being made.
    pub temp_dir: Option<PathBuf>,
    /// How many threads work at a time.
    pub threads: Option<NonZeroUsize>,
}

impl Resources {
    /// How many threads may work at a time.
    pub fn threads(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        self.threads.map_or_else(cores, NonZeroUsize::get)
    }

    /// The bytes that a stage may spend on buffers, `most` at most, when its rows take `rows`.
    ///
    /// # Errors
    /// [`crate::error::Kind::Usage`] when the limit is too small for that; said before any work.
    pub fn buffers(&self, stage: &str, rows: u64, most: u64) -> Result<u64> {
        let Some(limit) = self.memory else { return Ok(most) };
        let needed = rows.saturating_add(LEAST);
        if limit < needed {
            let least = needed.div_ceil(1 << 20);
            let given = grouped(limit >> 20);
            return Err(Error::usage(format!(
                "the memory limit of {given} MiB is too small to {stage}: {} MiB are needed",
                grouped(least)
            ))
            .help(format!("give `--memory-limit {least}M` or more, or leave the limit out")));
        }
        Ok((limit - rows).min(most))
    }
}

/// Reads a size as `512M`, `2G`, `1.5GiB` or a number of bytes; K, M, G and T are powers of 1024.
///
/// # Errors
/// Why the text is none.
pub fn size(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is no size: write it as 512M or 2G");
    let lower = text.trim().to_ascii_lowercase();
    let number = lower.trim_end_matches("ib").trim_end_matches('b');
    let split = number.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(number.len());
    let (digits, unit) = number.split_at(split);
    let shift = match unit.trim() {
        "" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        "t" => 40,
        _ => return Err(wrong()),
    };
    let (whole, decimals) = digits.split_once('.').unwrap_or((digits, "0"));
    let places = u32::try_from(decimals.len()).ok().filter(|places| *places <= 3);
    let (places, unit) = (places.ok_or_else(wrong)?, 1_u64 << shift);
    let whole = whole.parse::<u64>().ok().and_then(|whole| whole.checked_mul(unit));
    let part = decimals.parse::<u64>().ok().map(|part| part * unit / 10_u64.pow(places));
    match (whole, part) {
        (Some(whole), Some(part)) if whole + part > 0 => Ok(whole + part),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, bytes) in [
            ("1", 1),
            ("512M", 512 << 20),
            ("2g", 2 << 30),
            ("1.5GiB", 3 << 29),
            ("64 MB", 64 << 20),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["", "0", "M", "-1", "1X", "1.2.3G", "99999999999T", "1.23456G"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_limit_too_small_is_said_with_what_is_needed() {
        let limited = |memory| Resources { memory, ..Resources::default() };
        assert_eq!(limited(None).buffers("transform", 1 << 40, 7).unwrap(), 7);
        assert_eq!(limited(Some(1 << 30)).buffers("transform", 1 << 29, 1 << 40).unwrap(), 1 << 29);
        let error = limited(Some(100 << 20)).buffers("transform 10 rows", 10 << 20, 1).unwrap_err();
        assert_eq!(
            error.message,
            "the memory limit of 100 MiB is too small to transform 10 rows: 106 MiB are needed"
        );
        assert_eq!(
            error.help.as_deref(),
            Some("give `--memory-limit 106M` or more, or leave the limit out")
        );
    }
}
