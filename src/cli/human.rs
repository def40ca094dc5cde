//! Numbers as people read them.

/// A length of time in milliseconds: `740ms`, `12.4s`, `3m 05s`, `2h 14m`, `3d 04h`.
pub fn duration(millis: i64) -> String {
    let sign = if millis < 0 { "-" } else { "" };
    let ms = millis.unsigned_abs();
    let s = ms / 1000;
    let text = match ms {
        0..1000 => format!("{ms}ms"),
        1000..60_000 => format!("{}.{}s", s, ms % 1000 / 100),
        60_000..3_600_000 => format!("{}m {:02}s", s / 60, s % 60),
        3_600_000..86_400_000 => format!("{}h {:02}m", s / 3600, s % 3600 / 60),
        _ => format!("{}d {:02}h", s / 86_400, s % 86_400 / 3600),
    };
    format!("{sign}{text}")
}

/// A proportion between 0 and 1: `3.1%`.
pub fn percent(proportion: f64) -> String {
    format!("{:.1}%", proportion * 100.0)
}

/// A difference of proportions in percentage points: `+3.1`.
pub fn points(difference: f64) -> String {
    format!("{:+.1}", difference * 100.0)
}

/// A likelihood: four decimals, or its size where these would be zeros.
pub fn likelihood(p: f64) -> String {
    if p == 0.0 || p >= 0.000_1 {
        format!("{p:.4}")
    } else {
        format!("{p:.0e}")
    }
}

/// Hours of many processes or rooms together, given in milliseconds: `74.2`.
pub fn hours(millis: i64) -> String {
    format!("{:.1}", millis as f64 / 3_600_000.0)
}

/// A number of bytes: `512 B`, `3.4 MiB`.
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = UNITS[0];
    for next in &UNITS[1..] {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    format!("{value:.1} {unit}")
}

/// `1 process`, `2 processes`.
pub fn count(n: u64, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_by_hand() {
        for (millis, text) in [
            (0, "0ms"),
            (999, "999ms"),
            (1_000, "1.0s"),
            (59_999, "59.9s"),
            (60_000, "1m 00s"),
            (3_599_999, "59m 59s"),
            (3_600_000, "1h 00m"),
            (8_040_000, "2h 14m"),
            (86_400_000, "1d 00h"),
            (-1_500, "-1.5s"),
            (i64::MIN, "-106751991167d 07h"),
        ] {
            assert_eq!(duration(millis), text, "{millis}");
        }
    }

    #[test]
    fn sizes_by_hand() {
        for (n, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (3_565_158, "3.4 MiB"),
            (u64::MAX, "16777216.0 TiB"),
        ] {
            assert_eq!(bytes(n), text, "{n}");
        }
    }
}
