//! `authentication` and `auth_hmac`: what an instance asks for, or why it must not run without it.

use std::{collections::BTreeMap, path::Path, time::Duration};

use standfast_types::{AdvertInterval, Family};
use standfast_vrrp::{AntiReplay, Authentication, Hmac, Key, Mode, Password, Version};

use super::{Lowering, arguments::Read, instance};
use crate::{
    Code, Diagnostic,
    diagnostic::Class,
    source::Span,
    syntax::{Statement, Word},
    table::Keyword,
};

/// Group and others: a key is its owner's alone.
const SHARED: u32 = 0o077;
const FILE: &str = "file:";
const HEX: &str = "hex:";

/// What the blocks of one instance say, before defaults.
#[derive(Default)]
pub(super) struct Draft {
    /// `authentication`.
    legacy: Option<Span>,
    kind: Option<Word>,
    pass: Option<Word>,
    hmac: Option<HmacDraft>,
}

/// `auth_hmac`.
struct HmacDraft {
    keyword: Word,
    /// By their numbers: where it is defined, and the key unless it is unfit.
    keys: BTreeMap<u8, (Span, Option<Key>)>,
    active: Option<(u8, Word)>,
    window: Option<Duration>,
    monotonic: bool,
    mode: Mode,
}

impl Draft {
    /// Where the password stands, or the block of the keys.
    pub(super) fn origin(&self) -> Option<Span> {
        let hmac = self.hmac.as_ref().map(|hmac| &hmac.keyword);
        hmac.or(self.pass.as_ref()).map(|word| word.span)
    }

    /// Strict mode has no password, and heeds no advert without a signature where one is asked for.
    pub(super) fn obey_strictness(&mut self) {
        (self.legacy, self.kind, self.pass) = (None, None, None);
        if let Some(hmac) = &mut self.hmac {
            hmac.mode = Mode::Enforce;
        }
    }

    /// By how many bytes `auth_hmac` makes adverts longer.
    pub(super) const fn trailer_length(&self) -> usize {
        if self.hmac.is_some() { 28 } else { 0 }
    }
}

impl Lowering<'_> {
    pub(super) fn authentication(
        &mut self,
        draft: &mut Draft,
        keyword: &'static Keyword,
        statement: &Statement,
    ) {
        let Some(block) = keyword.block() else { return };
        draft.legacy = statement.keyword().map(|word| word.span);
        for inner in statement.statements() {
            let Some(keyword) = self.known(block, inner) else { continue };
            let word = self.read(keyword, inner).word().cloned();
            match keyword.name {
                "auth_type" => draft.kind = inner.parameters().first().cloned(),
                "auth_pass" => draft.pass = word,
                _ => {}
            }
        }
    }

    pub(super) fn auth_hmac(
        &mut self,
        draft: &mut Draft,
        keyword: &'static Keyword,
        statement: &Statement,
    ) {
        let (Some(block), Some(word)) = (keyword.block(), statement.keyword()) else { return };
        let mut hmac = HmacDraft {
            keyword: word.clone(),
            keys: BTreeMap::new(),
            active: None,
            window: None,
            monotonic: false,
            mode: Mode::Enforce,
        };
        for inner in statement.statements() {
            let Some(keyword) = self.known(block, inner) else { continue };
            let read = self.read(keyword, inner);
            let word = read.word();
            match keyword.name {
                "key" => self.key(&mut hmac, inner, &read),
                "active_key" => {
                    hmac.active =
                        read.small().and_then(|(id, _)| Some((id, word?.clone()))).or(hmac.active);
                }
                "time_window" => {
                    let seconds = read.small().map(|(seconds, _)| Duration::from_secs(seconds));
                    hmac.window = seconds.or(hmac.window);
                }
                "anti_replay" => hmac.monotonic = word.is_some_and(|w| w.text == "monotonic"),
                "mode" => {
                    hmac.mode = match word.map(|word| word.text.as_str()) {
                        Some("permissive") => Mode::Permissive,
                        Some("receive-only") => Mode::ReceiveOnly,
                        Some(_) | None => Mode::Enforce,
                    };
                }
                _ => {}
            }
        }
        draft.hmac = Some(hmac);
    }

    /// The first definition of a number counts, also when its key is unfit: a slip must not make another
    /// key the one that signs.
    fn key(&mut self, hmac: &mut HmacDraft, statement: &Statement, read: &Read<'_>) {
        let [number, value, ..] = statement.parameters() else { return };
        let Ok(id) = number.text.parse::<u8>() else { return };
        if let Some((first, _)) = hmac.keys.get(&id) {
            let message = format!("key {id} is defined twice; the first one counts");
            self.diagnostics.push(
                Diagnostic::warning(Code::HmacKey, number.span, message)
                    .also(*first, "defined here first")
                    .hint("give each key a number of its own"),
            );
            return;
        }
        let key = if read.failed { None } else { self.key_of(value) };
        hmac.keys.insert(id, (number.span, key));
    }

    fn key_of(&mut self, word: &Word) -> Option<Key> {
        let Some(path) = word.text.strip_prefix(FILE) else {
            return bytes_of(word.text.as_bytes()).and_then(Key::new);
        };
        let path = Path::new(path);
        if self.files.mode(path).is_some_and(|mode| mode & SHARED != 0) {
            let message = format!("others than its owner may use the key in {}", path.display());
            self.diagnostics.push(
                Diagnostic::warning(Code::HmacKeyShared, word, message)
                    .hint(format!("chmod 600 {}", path.display()))
                    .class(Class::Security),
            );
        }
        let problem = match self.files.read(path) {
            Ok(content) => match bytes_of(without_line_end(&content)).and_then(Key::new) {
                Some(key) => return Some(key),
                None => "it holds no key of 32 to 64 bytes".to_owned(),
            },
            Err(error) => error.to_string(),
        };
        let message = format!("no key can be read from {}: {problem}", path.display());
        self.diagnostics.push(
            Diagnostic::warning(Code::HmacKeyFile, word, message)
                .label("the key is left out")
                .hint("write 32 to 64 bytes of text, or hex:DIGITS, into the file")
                .class(Class::Error),
        );
        None
    }

    /// What protects the adverts; `None` when the instance must not run.
    pub(super) fn resolve_authentication(
        &mut self,
        draft: &instance::Draft,
        version: Version,
        interval: AdvertInterval,
    ) -> Option<Authentication> {
        let Some(hmac) = &draft.authentication.hmac else {
            return Some(self.legacy(draft, version));
        };
        if let Some(span) = draft.authentication.legacy {
            let message = "`authentication` has no effect beside `auth_hmac`";
            self.diagnostics.push(
                Diagnostic::warning(Code::NoEffect, span, message)
                    .also(hmac.keyword.span, "this takes its place")
                    .hint("delete the block"),
            );
        }
        let active = self.active_key(draft, hmac)?;
        let keys = hmac.keys.iter().filter_map(|(id, (_, key))| Some((*id, key.clone()?)));
        let window = hmac.window.unwrap_or_else(|| Hmac::default_window(interval.duration()));
        Some(Authentication::Hmac(Hmac {
            keys: keys.collect(),
            active,
            mode: hmac.mode,
            anti_replay: match hmac.monotonic {
                true => AntiReplay::Monotonic,
                false => AntiReplay::Time { window },
            },
        }))
    }

    /// keepalived goes on unauthenticated when nothing can be signed.
    fn active_key(&mut self, draft: &instance::Draft, hmac: &HmacDraft) -> Option<u8> {
        let left_out =
            |message: String| format!("{message}; instance `{}` is left out", draft.name.text);
        let found = match &hmac.active {
            None => {
                let message = left_out("`auth_hmac` has no `active_key`".to_owned());
                Diagnostic::warning(Code::HmacKey, &hmac.keyword, message)
                    .hint("write `active_key` with the number of a key")
            }
            Some((id, word)) => match hmac.keys.get(id) {
                Some((_, Some(_))) => return Some(*id),
                Some((defined, None)) => {
                    let message = left_out(format!("key {id} is unfit"));
                    Diagnostic::warning(Code::HmacKey, word, message)
                        .also(*defined, "defined here")
                        .hint("correct the key, or name another one that is defined")
                }
                None => {
                    let message = left_out(format!("no `key {id}` is defined"));
                    Diagnostic::warning(Code::HmacKey, word, message)
                        .hint("define the key, or name one that is defined")
                }
            },
        };
        self.diagnostics.push(found.label("nothing can be signed").class(Class::Error));
        None
    }

    fn legacy(&mut self, draft: &instance::Draft, version: Version) -> Authentication {
        let Draft { legacy: Some(block), kind, pass, .. } = &draft.authentication else {
            return Authentication::None;
        };
        if version == Version::V3 {
            let message = "VRRPv3 has no authentication; the block is ignored";
            self.diagnostics.push(
                Diagnostic::warning(Code::AuthenticationWithVersion3, *block, message)
                    .hint("delete the block, or write `version 2`, or use `auth_hmac`"),
            );
            return Authentication::None;
        }
        match (kind, pass) {
            (Some(kind), _) if !matches!(kind.text.as_str(), "PASS" | "AH") => {
                let message = format!("`{}` is no authentication type; none is used", kind.text);
                self.diagnostics.push(
                    Diagnostic::warning(Code::AuthenticationIncomplete, kind, message)
                        .hint("write `auth_type PASS`")
                        .class(Class::Error),
                );
                Authentication::None
            }
            (Some(kind), Some(_)) if kind.text == "AH" && draft.family() == Family::V6 => {
                let message = "VRRP over IPv6 has no `auth_type AH`; the block is ignored";
                self.diagnostics.push(
                    Diagnostic::warning(Code::AuthenticationWithVersion3, kind, message)
                        .hint("use `auth_hmac`")
                        .class(Class::Error),
                );
                Authentication::None
            }
            (Some(kind), Some(word)) if kind.text == "AH" => {
                if let Some((instance::State::Master, state)) = draft.state {
                    let message = "`state MASTER` has no effect with `auth_type AH`";
                    self.diagnostics.push(
                        Diagnostic::warning(Code::NoEffect, state, message)
                            .label("it starts as backup")
                            .also(kind.span, "the authentication")
                            .hint("write `state BACKUP`; the priority decides who serves")
                            .class(Class::Error),
                    );
                }
                Authentication::Header(self.password(word))
            }
            (Some(_), Some(word)) => Authentication::Password(self.password(word)),
            (kind, pass) => {
                let missing = if kind.is_none() { "auth_type" } else { "auth_pass" };
                if kind.is_some() || pass.is_some() {
                    let message = format!("`{missing}` is missing; adverts are not authenticated");
                    let found =
                        Diagnostic::warning(Code::AuthenticationIncomplete, *block, message);
                    // Of a password alone it says nothing.
                    let theirs = kind.is_some().then_some(Class::Error);
                    self.diagnostics.push(Diagnostic { keepalived: theirs, ..found });
                }
                Authentication::None
            }
        }
    }

    fn password(&mut self, word: &Word) -> Password {
        let bytes = word.text.as_bytes();
        if bytes.len() > 8 {
            let message = format!("the password has {} bytes; VRRP carries 8", bytes.len());
            self.diagnostics.push(
                Diagnostic::warning(Code::PasswordCut, word, message)
                    .label("the peers see only the first 8 bytes")
                    .hint("write only the first 8 bytes, on every node")
                    .class(Class::Error),
            );
        }
        let mut padded = [0; 8];
        padded.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        Password(padded)
    }
}

/// Text as it is, or the bytes that `hex:` writes.
fn bytes_of(text: &[u8]) -> Option<Vec<u8>> {
    let Some(digits) = text.strip_prefix(HEX.as_bytes()) else { return Some(text.to_vec()) };
    let (pairs, rest) = digits.as_chunks::<2>();
    let byte = |pair: &[u8; 2]| {
        let text = std::str::from_utf8(pair).ok()?;
        let is_hex = text.bytes().all(|digit| digit.is_ascii_hexdigit());
        u8::from_str_radix(text, 16).ok().filter(|_| is_hex)
    };
    if rest.is_empty() { pairs.iter().map(byte).collect() } else { None }
}

fn without_line_end(text: &[u8]) -> &[u8] {
    let mut text = text;
    while let Some(rest) = text.strip_suffix(b"\n").or(text.strip_suffix(b"\r")) {
        text = rest;
    }
    text
}
