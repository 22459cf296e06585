//! `~SEQ`, `~SEQx` and `~LST`: a line that stands for many.

use super::{
    expand::{Local, is_name},
    glyph::{self, Glyph},
};

/// Lines that one loop may make.
pub(crate) const ROUNDS_MAX: usize = 65_536;
/// Names that one `~LST` may define.
const NAMES_MAX: usize = 256;

/// A loop, unrolled: what to define in each round, and the line to repeat.
pub(crate) struct Loop<'a> {
    pub(crate) rounds: Vec<Vec<Local>>,
    pub(crate) body: &'a [Glyph],
}

/// Whether the line is a loop.
pub(crate) fn is_loop(line: &[Glyph]) -> bool {
    ["~SEQ(", "~SEQx(", "~LST("].iter().any(|head| glyph::strip(line, head).is_some())
}

/// Unrolls a loop; the error says what is wrong with it.
pub(crate) fn unroll(line: &[Glyph]) -> Result<Loop<'_>, &'static str> {
    let (inside, parse): (_, fn(&[Glyph]) -> _) = if let Some(inside) = glyph::strip(line, "~SEQ(")
    {
        (inside, |arguments| sequence(arguments, |n| n.to_string()))
    } else if let Some(inside) = glyph::strip(line, "~SEQx(") {
        (inside, |arguments| sequence(arguments, |n| format!("{n:x}")))
    } else if let Some(inside) = glyph::strip(line, "~LST(") {
        (inside, list)
    } else {
        return Err("not a loop");
    };
    let (arguments, tail) = glyph::split(inside, |char| char == ')');
    let body = tail.get(1..).ok_or("its `)` is missing")?;
    Ok(Loop { rounds: parse(arguments)?, body: glyph::trim_start(body) })
}

fn sequence(
    arguments: &[Glyph],
    print: fn(i64) -> String,
) -> Result<Vec<Vec<Local>>, &'static str> {
    let mut parts = arguments.split(|glyph| glyph.char == ',').map(glyph::trim);
    let name = parts.next().and_then(name).ok_or("its first argument is no name")?;
    let numbers: Vec<i64> = parts
        .map(|part| number(&glyph::text(part)))
        .collect::<Option<_>>()
        .ok_or("an argument is no number")?;
    let (start, step, end) = match numbers.as_slice() {
        [end] => (1, 1, *end),
        [start, end] => (*start, 1, *end),
        [start, step, end] => (*start, *step, *end),
        _ => return Err("it takes a name and one to three numbers"),
    };
    if step == 0 {
        return Err("its step is 0");
    }
    let reached = |n: i64| if step > 0 { n > end } else { n < end };
    let origin = glyph::span(arguments).ok_or("it has no arguments")?;
    let mut rounds = Vec::new();
    let mut next = Some(start);
    while let Some(n) = next.filter(|&n| !reached(n)) {
        if rounds.len() >= ROUNDS_MAX {
            return Err("it repeats too often");
        }
        let glyph = |char| Glyph { char, span: origin, definition: None };
        let value = print(n).chars().map(glyph).collect();
        rounds.push(vec![Local::new(&name, value)]);
        next = n.checked_add(step);
    }
    Ok(rounds)
}

fn list(arguments: &[Glyph]) -> Result<Vec<Vec<Local>>, &'static str> {
    let mut parts = top_level(arguments).into_iter().map(tuple);
    let names: Vec<String> = parts
        .next()
        .unwrap_or_default()
        .into_iter()
        .map(name)
        .collect::<Option<_>>()
        .ok_or("its first argument is no name")?;
    if names.len() > NAMES_MAX {
        return Err("it has too many names");
    }
    let mut rounds = Vec::new();
    for values in parts {
        if values.len() > names.len() {
            return Err("a tuple has more values than there are names");
        }
        let value = |at: usize| values.get(at).map(|value| value.to_vec()).unwrap_or_default();
        let local = |(at, name): (usize, &String)| Local::new(name, value(at));
        rounds.push(names.iter().enumerate().map(local).collect());
        if rounds.len() * names.len() > ROUNDS_MAX {
            return Err("it repeats too often");
        }
    }
    Ok(rounds)
}

/// Splits at commas that are not inside braces.
fn top_level(arguments: &[Glyph]) -> Vec<&[Glyph]> {
    let mut depth = 0_usize;
    arguments
        .split(|glyph| {
            match glyph.char {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0 && glyph.char == ','
        })
        .map(glyph::trim)
        .collect()
}

/// `{a, b}` is two, anything else one.
fn tuple(part: &[Glyph]) -> Vec<&[Glyph]> {
    let inside = glyph::strip(part, "{").and_then(|rest| {
        let (last, body) = rest.split_last()?;
        (last.char == '}').then_some(body)
    });
    match inside {
        Some(inside) => inside.split(|glyph| glyph.char == ',').map(glyph::trim).collect(),
        None => vec![part],
    }
}

fn name(part: &[Glyph]) -> Option<String> {
    let text = glyph::text(part);
    let start = text.chars().next()?;
    (!start.is_ascii_digit() && text.chars().all(is_name)).then_some(text)
}

/// Decimal, `0x` hexadecimal or `0` octal.
fn number(text: &str) -> Option<i64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let (radix, digits) = if let Some(digits) = digits.strip_prefix("0x") {
        (16, digits)
    } else if digits.len() > 1 && digits.starts_with('0') {
        (8, digits)
    } else {
        (10, digits)
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    i64::from_str_radix(digits, radix).ok()?.checked_mul(sign)
}
