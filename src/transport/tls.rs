//! TLS: rustls with one crypto provider, and roots that are loaded by the first handshake.

use crate::environment;
use once_cell::sync::OnceCell;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, KeyProvider, ring, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::SigningKey;
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub fn config(ca_file: Option<String>) -> Result<ClientConfig, String> {
    let provider = Arc::new(CryptoProvider {
        key_provider: &NoKeys,
        ..ring::default_provider()
    });
    let verifier = Verifier {
        provider: provider.clone(),
        ca_file: ca_file.map(PathBuf::from),
        inner: OnceCell::new(),
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(config)
}

/// No certificate of our own is ever shown, so nothing has to sign, which saves 46 kB.
#[derive(Debug)]
struct NoKeys;

impl KeyProvider for NoKeys {
    fn load_private_key(&self, _: PrivateKeyDer<'static>) -> Result<Arc<dyn SigningKey>, Error> {
        Err(Error::General("no client certificates".to_owned()))
    }
}

/// The usual verification, by a verifier that is made when the first certificate arrives.
#[derive(Debug)]
struct Verifier {
    provider: Arc<CryptoProvider>,
    ca_file: Option<PathBuf>,
    inner: OnceCell<Arc<WebPkiServerVerifier>>,
}

impl Verifier {
    fn inner(&self) -> Result<&Arc<WebPkiServerVerifier>, Error> {
        self.inner.get_or_try_init(|| {
            let roots = Arc::new(roots(self.ca_file.as_deref()).map_err(Error::General)?);
            WebPkiServerVerifier::builder_with_provider(roots, self.provider.clone())
                .build()
                .map_err(|error| Error::General(error.to_string()))
        })
    }
}

/// Says why a file, or folder, of authorities cannot be used.
pub fn check(ca_file: &str) -> Result<(), String> {
    roots(Some(Path::new(ca_file)))
        .map(drop)
        .map_err(|problem| {
            format!(
                "{problem} (given by ca_file, REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE or SSL_CERT_FILE)"
            )
        })
}

fn roots(ca_file: Option<&Path>) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    let Some(path) = ca_file else {
        // The system's are found by way of the environment.
        if environment::believed() {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        if roots.is_empty() {
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        return Ok(roots);
    };
    let (file, folder) = if path.is_dir() {
        (None, Some(path))
    } else {
        (Some(path), None)
    };
    let loaded = rustls_native_certs::load_certs_from_paths(file, folder);
    roots.add_parsable_certificates(loaded.certs);
    if roots.is_empty() {
        let cause = loaded.errors.first().map(|error| format!(": {error}"));
        return Err(format!(
            "ca_file {} holds no certificate{}",
            path.display(),
            cause.unwrap_or_default()
        ));
    }
    Ok(roots)
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.inner()?
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
