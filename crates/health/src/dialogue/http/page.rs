//! What is expected of a page.

use std::sync::Arc;

use md5::{Digest, Md5};

use crate::{
    Compiled, Failure,
    pattern::{Found, Search},
};

/// A page as it arrives.
#[derive(Debug)]
pub(crate) struct Page {
    digest: Option<([u8; 16], Md5)>,
    search: Option<Search>,
    bytes: u64,
}

impl Page {
    pub(crate) fn new(digest: Option<[u8; 16]>, pattern: Option<Arc<Compiled>>) -> Self {
        let digest = digest.map(|wanted| (wanted, Md5::new()));
        Self { digest, search: pattern.map(Search::new), bytes: 0 }
    }

    /// The next bytes as they were sent.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        if let Some((_, md5)) = &mut self.digest {
            md5.update(bytes);
        }
    }

    /// The next bytes as they are meant.
    ///
    /// # Errors
    /// What follows can't make the page good any more.
    pub(crate) fn text(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.bytes = self.bytes.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        match &mut self.search {
            Some(search) => match search.feed(bytes) {
                Found::Nothing => Ok(()),
                found @ (Found::At(_) | Found::TooHard | Found::Never) => self.found(found),
            },
            None => Ok(()),
        }
    }

    /// The page is complete.
    pub(crate) fn judge(&mut self) -> Result<(), Failure> {
        if let Some((wanted, md5)) = self.digest.take() {
            let got: [u8; 16] = md5.finalize().into();
            if got != wanted {
                return Err(Failure::Digest { got, wanted });
            }
        }
        match self.search.as_mut().map(Search::finish) {
            Some(found) => self.found(found),
            None => Ok(()),
        }
    }

    fn found(&self, found: Found) -> Result<(), Failure> {
        let absent = self.search.as_ref().is_some_and(Search::absent);
        match found {
            Found::At(at) if absent => Err(Failure::PatternPresent { at }),
            Found::Nothing | Found::Never if absent => Ok(()),
            Found::At(_) => Ok(()),
            Found::Nothing | Found::Never => Err(Failure::PatternMissing { bytes: self.bytes }),
            Found::TooHard => Err(Failure::Malformed("the pattern takes too long on this page")),
        }
    }
}
