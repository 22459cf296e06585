//! The kinds of words that keywords take.

use std::{fmt, net::IpAddr, time::Duration};

use super::form::{self, Form};
use crate::lower::value::{NumberError, boolean, micros, number};

/// What a word has to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `true`, `on`, `yes` or `false`, `off`, `no`.
    Bool,
    /// A whole number.
    Number {
        /// The least.
        low: i64,
        /// The greatest.
        high: i64,
        /// A number beyond is replaced by the nearest within, instead of ignored.
        clamped: bool,
    },
    /// A time with decimals.
    Time {
        /// In which unit it is written: a second or a millisecond.
        unit: Duration,
        /// The shortest.
        low: Duration,
        /// The longest.
        high: Duration,
    },
    /// One of these words.
    OneOf {
        /// The words.
        words: Vec<&'static str>,
        /// Whether upper and lower case are the same.
        any_case: bool,
    },
    /// A name that the file gives to something.
    Name,
    /// Any word, its length in bytes limited.
    Text {
        /// The shortest.
        low: usize,
        /// The longest.
        high: usize,
    },
    /// A file's path.
    Path,
    /// A network interface's name, at most 15 bytes.
    Interface,
    /// An address.
    Address,
    /// A multicast group; of one family only when that is set.
    Group(Option<Family>),
    /// An address with an optional prefix length.
    Prefix,
    /// Hexadecimal digits, so many at least and at most.
    Hex {
        /// The fewest.
        low: usize,
        /// The most.
        high: usize,
    },
    /// A command with its arguments in quotes, or `<PATH` in a script.
    Command,
    /// `USER [[:]GROUP]`, one or two words.
    User,
    /// The service of a `virtual_server`: `ADDRESS [PORT]`, `fwmark N` or `group NAME`.
    Service,
    /// Any other form of words.
    Form(&'static Form),
}

/// An address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4
    Ip4,
    /// IPv6
    Ip6,
}

/// What a word came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// A flag.
    Bool(bool),
    /// A whole number.
    Number(i64),
    /// A time.
    Time(Duration),
    /// An address.
    Address(IpAddr),
    /// Any other word, as it is written.
    Text(&'a str),
}

/// What is wrong with a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// It is of another kind.
    Malformed,
    /// It is of the kind and not in range.
    OutOfRange,
    /// It is beyond a limit, and this number is used instead.
    Clamped(i64),
}

impl From<NumberError> for Problem {
    fn from(error: NumberError) -> Self {
        match error {
            NumberError::Malformed => Self::Malformed,
            NumberError::OutOfRange => Self::OutOfRange,
        }
    }
}

const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);

impl Kind {
    /// A kind as the table writes it; `None` when there is no such kind.
    pub(super) fn parse(text: &'static str) -> Option<Self> {
        if let Some((name, inside)) = text.split_once('(') {
            return Self::with(name, inside.strip_suffix(')')?);
        }
        Some(match text {
            "bool" => Self::Bool,
            "name" => Self::Name,
            "text" | "domain" | "host" | "regex" => Self::Text { low: 1, high: usize::MAX },
            "path" => Self::Path,
            "interface" => Self::Interface,
            "address" => Self::Address,
            "group" => Self::Group(None),
            "group4" => Self::Group(Some(Family::Ip4)),
            "group6" => Self::Group(Some(Family::Ip6)),
            "prefix" => Self::Prefix,
            "hex" => Self::Hex { low: 0, high: usize::MAX },
            "port" => Self::Number { low: 1, high: 65535, clamped: false },
            "port0" => Self::Number { low: 0, high: 65535, clamped: false },
            "command" | "script" => Self::Command,
            "user" => Self::User,
            "service" => Self::Service,
            form => Self::Form(Form::named(form)?),
        })
    }

    fn with(name: &str, inside: &'static str) -> Option<Self> {
        let words = || inside.split(',').map(str::trim).collect();
        let limits = || inside.split_once("..");
        Some(match name {
            "uint" | "int" | "clamped" => {
                let (low, high) = limits()?;
                let clamped = name == "clamped";
                Self::Number { low: limit(low)?, high: limit(high)?, clamped }
            }
            "seconds" | "millis" => {
                let unit = if name == "seconds" { SECOND } else { MILLISECOND };
                let (low, high) = limits()?;
                Self::Time { unit, low: time(low, unit).ok()?, high: time(high, unit).ok()? }
            }
            "text" => {
                let (low, high) = limits()?;
                Self::Text { low: low.parse().ok()?, high: high.parse().ok()? }
            }
            "hex" => {
                let (low, high) = limits()?;
                Self::Hex { low: low.parse().ok()?, high: high.parse().ok()? }
            }
            "one" => Self::OneOf { words: words(), any_case: false },
            "ONE" => Self::OneOf { words: words(), any_case: true },
            _ => return None,
        })
    }

    /// Reads a word.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read<'a>(&self, text: &'a str) -> Result<Value<'a>, Problem> {
        let word = |fits: bool| if fits { Ok(Value::Text(text)) } else { Err(Problem::Malformed) };
        let length = |low, high| match text.len() {
            0 if low > 0 => Err(Problem::Malformed),
            length if (low..=high).contains(&length) => Ok(Value::Text(text)),
            _ => Err(Problem::OutOfRange),
        };
        match self {
            Self::Bool => boolean(text).map(Value::Bool).ok_or(Problem::Malformed),
            Self::Number { low, high, clamped } => match number(text, *low, *high) {
                Ok(number) => Ok(Value::Number(number)),
                Err(NumberError::OutOfRange) if *clamped => {
                    Err(Problem::Clamped(nearest(text, *low, *high)))
                }
                Err(error) => Err(error.into()),
            },
            Self::Time { unit, low, high } => match time(text, *unit)? {
                time if (*low..=*high).contains(&time) => Ok(Value::Time(time)),
                _ => Err(Problem::OutOfRange),
            },
            Self::OneOf { words, any_case } => word(
                words
                    .iter()
                    .any(|known| *known == text || (*any_case && known.eq_ignore_ascii_case(text))),
            ),
            Self::Text { low, high } => length(*low, *high),
            // Empty names and the namespace `""` are written in quotes.
            Self::Name => word(true),
            Self::Path | Self::Command | Self::User | Self::Service => word(!text.is_empty()),
            Self::Interface if text.contains(['/', ' ']) => Err(Problem::Malformed),
            Self::Interface => length(1, 15),
            Self::Address => address(text).map(Value::Address),
            Self::Group(family) => group(text, *family).map(Value::Address),
            Self::Prefix => form::prefix(text).map(|()| Value::Text(text)),
            Self::Hex { .. } if !text.bytes().all(|byte| byte.is_ascii_hexdigit()) => word(false),
            Self::Hex { low, high } => length(*low, *high),
            Self::Form(form) => form.check(text).map(|()| Value::Text(text)),
        }
    }
}

/// A limit of numbers; those beyond what is stored are the greatest.
fn limit(text: &str) -> Option<i64> {
    text.parse().ok().or_else(|| text.parse::<u64>().ok().map(|_| i64::MAX))
}

/// A time of some unit, to the microsecond.
fn time(text: &str, unit: Duration) -> Result<Duration, NumberError> {
    let time = Duration::from_micros(micros(text)?);
    // The digits count seconds; of milliseconds there are a thousand in each.
    Ok(if unit == MILLISECOND { time / 1000 } else { time })
}

/// The limit that a number beyond the range is nearest to.
fn nearest(text: &str, low: i64, high: i64) -> i64 {
    // A number of too many digits to be read is far beyond its side.
    let below = text.parse::<i64>().map_or(text.starts_with('-'), |number| number < low);
    if below { low } else { high }
}

fn address(text: &str) -> Result<IpAddr, Problem> {
    text.parse().map_err(|_| Problem::Malformed)
}

fn group(text: &str, family: Option<Family>) -> Result<IpAddr, Problem> {
    let address = address(text)?;
    let of_family = match family {
        None => true,
        Some(Family::Ip4) => address.is_ipv4(),
        Some(Family::Ip6) => address.is_ipv6(),
    };
    if of_family && address.is_multicast() { Ok(address) } else { Err(Problem::OutOfRange) }
}

/// What to write, for people: `a number from 1 to 255`, `one of NAT, DR, TUN`.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool => write!(f, "true, on, yes, false, off or no"),
            Self::Number { low, high, .. } => write!(f, "a number from {low} to {high}"),
            Self::Time { unit, low, high } => {
                let (name, scale) =
                    if *unit == SECOND { ("seconds", 1) } else { ("milliseconds", 1000) };
                let show = |time: &Duration| (*time * scale).as_secs_f64();
                write!(f, "{} to {} {name}", show(low), show(high))
            }
            Self::OneOf { words, .. } => match words.as_slice() {
                [word] => write!(f, "`{word}`"),
                words => write!(f, "one of {}", words.join(", ")),
            },
            Self::Name => write!(f, "a name"),
            Self::Text { high: usize::MAX, .. } => write!(f, "a word"),
            Self::Text { low, high } => write!(f, "a word of {low} to {high} bytes"),
            Self::Path => write!(f, "a path"),
            Self::Interface => write!(f, "an interface's name of at most 15 bytes"),
            Self::Address => write!(f, "an address"),
            Self::Group(None) => write!(f, "a multicast group"),
            Self::Group(Some(Family::Ip4)) => write!(f, "a group of 224.0.0.0/4"),
            Self::Group(Some(Family::Ip6)) => write!(f, "a group of ff00::/8"),
            Self::Prefix => write!(f, "an address with or without /LENGTH"),
            Self::Hex { high: usize::MAX, .. } => write!(f, "hexadecimal digits"),
            Self::Hex { low, high } if low == high => write!(f, "{low} hexadecimal digits"),
            Self::Hex { low, high } => write!(f, "{low} to {high} hexadecimal digits"),
            Self::Command => write!(f, "a command in double quotes"),
            Self::User => write!(f, "a user, and a group if it is not the user's own"),
            Self::Service => write!(f, "ADDRESS PORT, fwmark NUMBER or group NAME"),
            Self::Form(form) => f.write_str(form.describe),
        }
    }
}
