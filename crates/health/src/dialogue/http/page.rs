//! What is expected of a page.

use md5::{Digest, Md5};

use crate::Failure;

/// A page as it arrives.
#[derive(Debug)]
pub(super) struct Page {
    digest: Option<([u8; 16], Md5)>,
}

impl Page {
    pub(super) fn new(digest: Option<[u8; 16]>) -> Self {
        Self { digest: digest.map(|wanted| (wanted, Md5::new())) }
    }

    /// The next bytes as they were sent.
    pub(super) fn raw(&mut self, bytes: &[u8]) {
        if let Some((_, md5)) = &mut self.digest {
            md5.update(bytes);
        }
    }

    /// The next bytes as they are meant.
    pub(super) fn text(&mut self, _bytes: &[u8]) -> Result<(), Failure> {
        Ok(())
    }

    /// The page is complete.
    pub(super) fn judge(&mut self) -> Result<(), Failure> {
        if let Some((wanted, md5)) = self.digest.take() {
            let got: [u8; 16] = md5.finalize().into();
            if got != wanted {
                return Err(Failure::Digest { got, wanted });
            }
        }
        Ok(())
    }
}
