//! TLS to a server, with as much checking as the place asks for.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::place::{Place, Roots, TlsMode};
use crate::error::{Error, Result};
use crate::storage;

/// Makes the connector of a place.
///
/// # Errors
/// There are no root certificates to check against.
pub(super) fn connector(place: &Place) -> Result<MakeRustlsConnect> {
    let provider = Arc::new(ring::default_provider());
    let (chain, name) = match (place.tls, &place.roots) {
        (TlsMode::VerifyFull, _) => (true, true),
        (TlsMode::VerifyCa, _) | (TlsMode::Require, Some(_)) => (true, false),
        (TlsMode::Disable | TlsMode::Prefer | TlsMode::Require, _) => (false, false),
    };
    let chain = chain.then(|| Chain::new(place, &provider)).transpose()?;
    let check = Arc::new(Check { provider: provider.clone(), chain, name });
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::bug("TLS has no protocol version").because(error))?
        .dangerous()
        .with_custom_certificate_verifier(check)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

/// What certificates are held against.
#[derive(Debug)]
struct Chain {
    verifier: Arc<WebPkiServerVerifier>,
    /// Certificates of `sslrootcert`: a server may use one of them itself.
    own: Vec<CertificateDer<'static>>,
}

impl Chain {
    fn new(place: &Place, provider: &Arc<CryptoProvider>) -> Result<Self> {
        let (certificates, own) = match &place.roots {
            Some(Roots::File(path)) => {
                let text = std::fs::read(path).map_err(|error| storage::failed(path, error))?;
                let read = CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>();
                let read = read.ok().filter(|read| !read.is_empty()).ok_or_else(|| {
                    Error::usage("`sslrootcert` names a file without a readable certificate")
                        .at(path.display())
                        .help("name a PEM file of the certificates to trust")
                })?;
                (read.clone(), read)
            }
            Some(Roots::System) | None => {
                (rustls_native_certs::load_native_certs().certs, Vec::new())
            }
        };
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(certificates);
        let builder =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone());
        let verifier = builder.build().map_err(|error| {
            Error::usage("there is no root certificate to check the server's against")
                .at(place.shown())
                .help("name a file of them with `sslrootcert=FILE` in the URL")
                .because(error)
        })?;
        Ok(Self { verifier, own })
    }
}

/// Checks a server's certificate: nothing, its chain, or its chain and its name.
#[derive(Debug)]
struct Check {
    provider: Arc<CryptoProvider>,
    chain: Option<Chain>,
    name: bool,
}

impl ServerCertVerifier for Check {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(chain) = &self.chain else { return Ok(ServerCertVerified::assertion()) };
        if chain.own.contains(end_entity) {
            // A certificate that is trusted itself needs no chain.
            if self.name {
                let parsed = ParsedCertificate::try_from(end_entity)?;
                rustls::client::verify_server_name(&parsed, server_name)?;
            }
            return Ok(ServerCertVerified::assertion());
        }
        let verdict = chain.verifier.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        match verdict {
            // The chain is checked before the name.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.name => Ok(ServerCertVerified::assertion()),
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
