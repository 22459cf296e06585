//! TLS of checks: whom to believe, and why not, in plain words.

use std::{collections::BTreeMap, fmt, net::IpAddr, sync::Arc, time::Duration};

use rustls::{
    AlertDescription, CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct,
    Error, RootCertStore, SignatureScheme,
    client::{
        Resumption, WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
};
use standfast_health::{Failure, HttpProtocol, Kind, Tls};

use super::message::Papers;

const DAY: u64 = 24 * 60 * 60;
/// Sessions that are remembered of one server.
const SESSIONS: usize = 4;

/// Makes TLS for checks.
#[derive(Debug)]
pub(super) struct Outfitter {
    provider: Arc<CryptoProvider>,
    papers: Papers,
    /// By whether they verify, and whether they speak HTTP/2; those of one kind differ in what they remember.
    models: BTreeMap<(bool, bool), Result<ClientConfig, Arc<str>>>,
}

/// What one probe's connections have in common.
#[derive(Clone, Debug)]
pub(super) struct Outfit {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl Outfitter {
    pub(super) fn new(papers: Papers) -> Self {
        Self { provider: Arc::new(ring::default_provider()), papers, models: BTreeMap::new() }
    }

    /// Whether these are its papers.
    pub(super) fn has(&self, papers: &Papers) -> bool {
        self.papers == *papers
    }

    /// What a check needs that goes to this address; `None` when it speaks no TLS. An error says why it
    /// can't be done at all.
    pub(super) fn outfit(
        &mut self,
        kind: &Kind,
        server: IpAddr,
    ) -> Option<Result<Outfit, Arc<str>>> {
        let (tls, http2) = wanted(kind)?;
        let model = match self.models.get(&(tls.verify, http2)) {
            Some(model) => model.clone(),
            None => {
                let model = self.model(tls.verify, http2);
                self.models.insert((tls.verify, http2), model.clone());
                model
            }
        };
        Some(model.and_then(|mut config| {
            let name = match &tls.name {
                Some(name) => ServerName::try_from(name.to_string())
                    .map_err(|_| format!("`{name}` is no name for TLS"))?,
                None => ServerName::from(server),
            };
            config.resumption = Resumption::in_memory_sessions(SESSIONS);
            Ok(Outfit { config: Arc::new(config), name })
        }))
    }

    fn model(&self, verify: bool, http2: bool) -> Result<ClientConfig, Arc<str>> {
        let builder = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        let verifier: Arc<dyn ServerCertVerifier> = match verify {
            true => self.strict()?,
            false => Arc::new(Anyone(Arc::clone(&self.provider))),
        };
        let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
        let mut config = match (&self.papers.certificate, &self.papers.key) {
            (Some(certificate), key) => {
                let chain = CertificateDer::pem_slice_iter(certificate.as_bytes());
                let chain: Vec<_> = chain
                    .collect::<Result<_, _>>()
                    .map_err(|error| papers("certificate", error))?;
                // One file may hold both.
                let key = key.as_ref().unwrap_or(certificate);
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes())
                    .map_err(|error| papers("key", error))?;
                builder.with_client_auth_cert(chain, key).map_err(|error| papers("key", error))?
            }
            (None, _) => builder.with_no_client_auth(),
        };
        config.enable_early_data = false;
        if http2 {
            config.alpn_protocols = vec![b"h2".to_vec()];
        }
        Ok(config)
    }

    fn strict(&self) -> Result<Arc<WebPkiServerVerifier>, Arc<str>> {
        let mut roots = RootCertStore::empty();
        let authorities = CertificateDer::pem_slice_iter(self.papers.authorities.as_bytes());
        roots.add_parsable_certificates(authorities.filter_map(Result::ok));
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&self.provider))
            .build()
            .map_err(|_| "no certificate authority is known: `verify` needs `ca` in SSL".into())
    }
}

fn papers(which: &str, error: impl fmt::Display) -> Arc<str> {
    format!("the {which} of SSL can't be used: {error}").into()
}

/// The TLS that a check wants, and whether HTTP/2 is spoken in it.
fn wanted(kind: &Kind) -> Option<(&Tls, bool)> {
    match kind {
        Kind::Http(http) => Some((http.tls.as_ref()?, http.protocol == HttpProtocol::Http2)),
        Kind::Grpc(grpc) => Some((grpc.tls.as_ref()?, true)),
        Kind::Tcp(_)
        | Kind::Smtp(_)
        | Kind::Dns(_)
        | Kind::Udp(_)
        | Kind::Ping(_)
        | Kind::Misc(_)
        | Kind::Bfd(_)
        | Kind::File(_)
        | Kind::Redis(_)
        | Kind::Mysql(_)
        | Kind::Postgres(_) => None,
    }
}

impl Outfit {
    /// The client's side of a new connection.
    pub(super) fn connect(&self) -> Result<ClientConnection, Failure> {
        ClientConnection::new(Arc::clone(&self.config), self.name.clone())
            .map_err(|error| failure(&error))
    }
}

/// Believes everybody, as keepalived does; not even signatures are looked at, which old servers make in ways
/// that nobody accepts any more.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let mut schemes = self.0.signature_verification_algorithms.supported_schemes();
        schemes.extend([SignatureScheme::RSA_PKCS1_SHA1, SignatureScheme::ECDSA_SHA1_Legacy]);
        schemes
    }
}

/// Why TLS failed, in one plain reason.
#[expect(clippy::wildcard_enum_match_arm, reason = "the library's, and it may grow")]
pub(super) fn failure(error: &Error) -> Failure {
    Failure::Connection(match error {
        Error::InvalidCertificate(error) => certificate(error),
        Error::AlertReceived(AlertDescription::ProtocolVersion) | Error::PeerIncompatible(_) => {
            "the server speaks neither TLS 1.2 nor 1.3 in a way that is still safe".into()
        }
        Error::AlertReceived(AlertDescription::CertificateRequired) => {
            "the server wants a certificate of ours".into()
        }
        Error::AlertReceived(AlertDescription::UnrecognisedName) => {
            "the server does not know the name of TLS (SNI)".into()
        }
        Error::AlertReceived(alert) => format!("the server refused TLS: {alert:?}").into(),
        Error::InvalidMessage(_) => "the answer is not TLS".into(),
        Error::NoApplicationProtocol => "the server does not speak HTTP/2".into(),
        other => format!("TLS: {other}").into(),
    })
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the library's, and it may grow")]
fn certificate(error: &CertificateError) -> Arc<str> {
    let days = |from: UnixTime, to: UnixTime| count(to.as_secs().saturating_sub(from.as_secs()));
    match error {
        CertificateError::ExpiredContext { time, not_after } => {
            format!("certificate expired {} ago", days(*not_after, *time)).into()
        }
        CertificateError::Expired => "certificate has expired".into(),
        CertificateError::NotValidYetContext { time, not_before } => {
            format!("certificate is valid only in {}", days(*time, *not_before)).into()
        }
        CertificateError::NotValidForNameContext { expected, presented } => {
            let expected = expected.to_str();
            match presented.as_slice() {
                [] => format!("certificate is not for {expected}").into(),
                names => format!("certificate is for {}, not {expected}", list(names)).into(),
            }
        }
        CertificateError::NotValidForName => "certificate is for another name".into(),
        CertificateError::UnknownIssuer => "certificate's issuer is not known".into(),
        CertificateError::BadSignature => "certificate's signature is wrong".into(),
        CertificateError::BadEncoding => "certificate can't be read".into(),
        CertificateError::Revoked => "certificate is revoked".into(),
        other => format!("certificate: {other}").into(),
    }
}

/// Names as `a, b and 3 more`, without the form that the library writes them in.
fn list(names: &[String]) -> String {
    const SHOWN: usize = 3;
    let plain = |name: &String| {
        let inner = name.split_once("(\"").and_then(|(_, rest)| rest.strip_suffix("\")"));
        inner.unwrap_or(name).to_owned()
    };
    let shown: Vec<_> = names.iter().take(SHOWN).map(plain).collect();
    match names.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// A time in the unit that says most: `3 days`, `5 hours`.
fn count(seconds: u64) -> String {
    let (number, unit) = match Duration::from_secs(seconds).as_secs() {
        seconds if seconds >= DAY => (seconds / DAY, "day"),
        seconds if seconds >= 3600 => (seconds / 3600, "hour"),
        seconds if seconds >= 60 => (seconds / 60, "minute"),
        seconds => (seconds, "second"),
    };
    format!("{number} {unit}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_refused_for_one_plain_reason() {
        let at = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let why = |error| failure(&Error::InvalidCertificate(error)).to_string();
        let expired =
            CertificateError::ExpiredContext { time: at(4 * DAY), not_after: at(DAY + 5) };
        assert_eq!(why(expired), "certificate expired 2 days ago");
        let early = CertificateError::NotValidYetContext { time: at(0), not_before: at(3600) };
        assert_eq!(why(early), "certificate is valid only in 1 hour");
        assert_eq!(why(CertificateError::UnknownIssuer), "certificate's issuer is not known");
        let expected = ServerName::try_from("a.example").expect("a name");
        let presented = vec!["DnsName(\"b.example\")".to_owned(); 5];
        let other = CertificateError::NotValidForNameContext { expected, presented };
        let text = "certificate is for b.example, b.example, b.example and 2 more, not a.example";
        assert_eq!(why(other), text);
    }

    #[test]
    fn verifying_without_an_authority_is_said_at_once() {
        let mut outfitter = Outfitter::new(Papers::default());
        let tls = Some(Tls { name: None, verify: true });
        let grpc = standfast_health::Grpc {
            target: standfast_health::Target::default(),
            tls,
            service: "".into(),
            host: None,
        };
        let outfit = outfitter.outfit(&Kind::Grpc(Box::new(grpc)), [127, 0, 0, 1].into());
        let reason = outfit.expect("TLS").expect_err("nobody is believed");
        assert!(reason.contains("no certificate authority"), "{reason}");
    }
}
