//! Words into numbers, times and addresses.

use std::net::Ipv4Addr;

/// Why a text is no number of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NumberError {
    /// No number at all.
    Malformed,
    /// A number outside the range.
    OutOfRange,
}

/// A decimal number between `low` and `high`.
pub(crate) fn number(text: &str, low: i64, high: i64) -> Result<i64, NumberError> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(NumberError::Malformed);
    }
    // More digits than fit are still a number, just not one in range.
    match text.parse::<i64>() {
        Ok(number) if (low..=high).contains(&number) => Ok(number),
        Ok(_) | Err(_) => Err(NumberError::OutOfRange),
    }
}

/// Seconds with decimals, in microseconds; further decimals are rounded.
pub(crate) fn micros(text: &str) -> Result<u64, NumberError> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || (whole.is_empty() && fraction.is_empty()) {
        return Err(NumberError::Malformed);
    }
    let digit = |at: usize| fraction.as_bytes().get(at).map_or(0, |byte| u64::from(byte - b'0'));
    let millionths = (0..6).fold(0, |sum, at| sum * 10 + digit(at)) + u64::from(digit(6) >= 5);
    let seconds = if whole.is_empty() { Ok(0) } else { whole.parse::<u64>() };
    seconds
        .ok()
        .and_then(|seconds| seconds.checked_mul(1_000_000)?.checked_add(millionths))
        .ok_or(NumberError::OutOfRange)
}

/// A time in milliseconds: of a number, of one with `ms`, or of one with `s` behind it.
pub(crate) fn millis(text: &str) -> Option<u32> {
    let digits = text.strip_suffix("ms").unwrap_or(text);
    let (digits, scale) = match digits.strip_suffix('s') {
        Some(seconds) => (seconds, 1),
        None => (digits, 1000),
    };
    // `micros` takes seconds; of milliseconds a thousand make one.
    u32::try_from(micros(digits).ok()? / 1000 / scale).ok()
}

/// `true`, `on`, `yes` or `false`, `off`, `no`.
pub(crate) fn boolean(text: &str) -> Option<bool> {
    match text {
        "true" | "on" | "yes" => Some(true),
        "false" | "off" | "no" => Some(false),
        _ => None,
    }
}

/// An IPv4 address without prefix length.
pub(crate) fn ipv4(text: &str) -> Option<Ipv4Addr> {
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_become_microseconds_without_floats() {
        assert_eq!(micros("0.25"), Ok(250_000));
        assert_eq!(micros("1"), Ok(1_000_000));
        assert_eq!(micros(".5"), Ok(500_000));
        assert_eq!(micros("0.0000015"), Ok(2));
        assert_eq!(micros("1s"), Err(NumberError::Malformed));
        assert_eq!(micros("99999999999999999999"), Err(NumberError::OutOfRange));
        assert_eq!(number("300", 1, 255), Err(NumberError::OutOfRange));
        assert_eq!(number("51x", 1, 255), Err(NumberError::Malformed));
    }
}
