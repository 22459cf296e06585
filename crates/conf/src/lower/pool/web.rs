//! `HTTP_GET` and `SSL_GET`.

use std::sync::Arc;

use standfast_health::{Http, HttpProtocol, Pattern, Target, Tls, Url};

use super::Texts;
use crate::{
    Code, Diagnostic,
    diagnostic::Class,
    lower::{Lowering, arguments::Read, command},
    source::Span,
    syntax::{Statement, Word},
    table::Keyword,
};

/// Good status codes of a url that names none.
const GOOD: (u16, u16) = (200, 299);

/// What the lines of a check say.
#[derive(Clone, Debug, Default)]
pub(super) struct Draft {
    tls: bool,
    protocol: Option<HttpProtocol>,
    fast_recovery: bool,
    names: Names,
    /// `tls_compliant`
    strict_end: bool,
    urls: Vec<UrlDraft>,
}

/// What a server is told when TLS begins.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    sni: bool,
    name: Option<Arc<str>>,
    verify: bool,
}

#[derive(Clone, Debug, Default)]
struct UrlDraft {
    path: Option<Arc<str>>,
    host: Option<Arc<str>>,
    status: Vec<(u16, u16)>,
    digest: Option<[u8; 16]>,
    strict_end: Option<bool>,
    regex: Option<(Arc<str>, Span)>,
    options: Vec<Arc<str>>,
    absent: bool,
    min_offset: u32,
    max_offset: Option<u32>,
}

impl Names {
    pub(super) fn take(&mut self, name: &str, read: &Read<'_>, texts: &mut Texts) {
        match name {
            "enable_sni" => self.sni = read.flag().unwrap_or(self.sni),
            "sni_name" => {
                self.sni = true;
                self.name = read.word().map(|word| texts.get(&word.text)).or(self.name.take());
            }
            "tls_verify" => self.verify = read.flag().unwrap_or(self.verify),
            _ => {}
        }
    }

    /// How TLS begins with a server of this `virtualhost`.
    pub(super) fn tls(&self, host: Option<&Arc<str>>) -> Tls {
        let name = self.name.as_ref().or(host).filter(|_| self.sni);
        Tls { name: name.cloned(), verify: self.verify }
    }
}

impl Draft {
    pub(super) fn with_tls() -> Self {
        Self { tls: true, ..Self::default() }
    }

    pub(super) fn take(&mut self, name: &str, read: &Read<'_>, texts: &mut Texts) {
        match name {
            "http_protocol" => {
                let named = read.word().and_then(|word| protocol(&word.text));
                self.protocol = named.or(self.protocol);
            }
            "fast_recovery" => self.fast_recovery = read.flag().unwrap_or(self.fast_recovery),
            "tls_compliant" => self.strict_end = read.flag().unwrap_or(self.strict_end),
            _ => self.names.take(name, read, texts),
        }
    }

    /// The check; `None` without a url that has a path.
    pub(super) fn finish(self, target: Target, host: Option<Arc<str>>) -> Option<Http> {
        let Self { tls, protocol, fast_recovery, names, strict_end, urls } = self;
        let urls = urls.into_iter().filter_map(|url| url.finish(host.as_ref(), strict_end));
        let urls: Vec<Url> = urls.collect();
        let first = urls.first()?.host.as_ref();
        let tls = tls.then(|| names.tls(host.as_ref().or(first)));
        let protocol = protocol.unwrap_or(HttpProtocol::Http10);
        Some(Http { target, tls, protocol, fast_recovery, urls })
    }
}

impl UrlDraft {
    fn take(&mut self, name: &str, read: &Read<'_>, texts: &mut Texts) {
        let number = |old| read.small().map_or(old, |(number, _)| number);
        match name {
            "path" => {
                self.path = read.word().map(|word| texts.get(&word.text)).or(self.path.take())
            }
            "virtualhost" => {
                self.host = read.word().map(|word| texts.get(&word.text)).or(self.host.take());
            }
            "digest" => {
                self.digest = read.word().and_then(|word| digest(&word.text)).or(self.digest)
            }
            "status_code" => self.status.extend(read.matched.iter().filter_map(|matched| {
                let (low, high) = matched
                    .word
                    .text
                    .split_once('-')
                    .unwrap_or((matched.word.text.as_str(), matched.word.text.as_str()));
                Some((low.parse().ok()?, high.parse().ok()?))
            })),
            "tls_compliant" => self.strict_end = read.flag().or(self.strict_end),
            "regex" => {
                let text = |word: &Word| (texts.get(&command::unescape(&word.text)), word.span);
                self.regex = read.word().map(text).or(self.regex.take());
            }
            "regex_no_match" => self.absent = true,
            "regex_options" => {
                self.options.extend(read.matched.iter().map(|word| texts.get(&word.word.text)));
            }
            "regex_min_offset" => self.min_offset = number(self.min_offset),
            "regex_max_offset" => {
                self.max_offset = read.small().map(|(offset, _)| offset).or(self.max_offset);
            }
            _ => {}
        }
    }

    fn pattern(&self) -> Option<Pattern> {
        let Self { regex, options, absent, min_offset, max_offset, .. } = self;
        let (text, _) = regex.as_ref()?;
        let limited = options.iter().any(|option| &**option == "use_offset_limit");
        Some(Pattern {
            text: text.clone(),
            options: options.clone(),
            absent: *absent,
            min_offset: *min_offset,
            max_offset: max_offset.filter(|_| limited),
        })
    }

    fn finish(self, host: Option<&Arc<str>>, strict_end: bool) -> Option<Url> {
        let pattern = self.pattern();
        Some(Url {
            path: self.path?,
            host: self.host.or_else(|| host.cloned()),
            status: if self.status.is_empty() { vec![GOOD] } else { self.status },
            digest: self.digest,
            pattern,
            strict_end: self.strict_end.unwrap_or(strict_end),
        })
    }
}

impl Lowering<'_> {
    pub(super) fn url(
        &mut self,
        draft: &mut Draft,
        keyword: &'static Keyword,
        statement: &Statement,
    ) {
        let Some(block) = keyword.block() else { return };
        let mut url = UrlDraft::default();
        for inner in statement.statements() {
            if let Some((keyword, read)) = self.line(block, inner) {
                url.take(keyword.name, &read, &mut self.pools.texts);
            }
        }
        self.searchable(&mut url);
        draft.urls.push(url);
    }

    /// Drops a pattern that can't be searched for, as keepalived does; the same one is reported once.
    fn searchable(&mut self, url: &mut UrlDraft) {
        let (Some(pattern), Some((_, span))) = (url.pattern(), &url.regex) else { return };
        let fault = self.pools.patterns.get(&pattern).cloned().unwrap_or_else(|| {
            let fault = pattern.compile().err().map(|error| error.to_string());
            if let Some(fault) = &fault {
                let message = format!("the pattern can't be searched for: {fault}");
                self.diagnostics.push(
                    Diagnostic::warning(Code::BadPattern, *span, message)
                        .label("the page is good whatever it holds")
                        .class(Class::Error),
                );
            }
            self.pools.patterns.insert(pattern, fault.clone());
            fault
        });
        if fault.is_some() {
            url.regex = None;
        }
    }
}

fn protocol(text: &str) -> Option<HttpProtocol> {
    Some(match text {
        "1.0" => HttpProtocol::Http10,
        "1.0C" => HttpProtocol::Http10Close,
        "1.1" => HttpProtocol::Http11,
        "2" => HttpProtocol::Http2,
        _ => return None,
    })
}

fn digest(text: &str) -> Option<[u8; 16]> {
    let number = u128::from_str_radix(text, 16).ok()?;
    Some(number.to_be_bytes())
}
