//! TLS: whom the library talks to, and whom it refuses. Certificates are made by each test.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

#[path = "support/certificates.rs"]
mod certificates;
mod support;

use certificates::*;
use mona::status::Status;
use rcgen::{CertificateParams, IsCa, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use support::*;

/// The document of an export to `host`, where the authority is trusted.
fn export(host: &str, authority: &Authority) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let ca_file = folder.path().join("ca.pem");
    std::fs::write(&ca_file, authority.pem()).unwrap();
    let config = json!({"access_token": "the-token", "user_id": "u", "ca_file": ca_file, "override_rest_api_host": host});
    let answer = client(&config).export(MESSAGE, None);
    assert_eq!(
        answer.status == Status::Ok,
        document(&answer)["success"] == true
    );
    document(&answer)
}

/// An export must fail with these words before anything of its request leaves.
fn refused(config: Arc<ServerConfig>, trusted: &Authority, words: &str) {
    let (host, serving) = serve(config);
    let document = export(&host, trusted);
    assert_eq!(document["error_kind"], "connection", "{document}");
    let message = document["error_message"].as_str().unwrap();
    assert!(message.contains(words), "{message}");
    assert_eq!(serving.join().unwrap(), "");
}

#[test]
fn both_versions_that_are_safe_are_spoken() {
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let authority = authority();
        let (host, serving) = serve(server_config(certificate(&authority, |_| ()), &[version]));
        let document = export(&host, &authority);
        assert_eq!(document["success"], true, "{document}");
        let request = serving.join().unwrap();
        assert!(
            request.contains("authorization: Bearer the-token"),
            "{request}"
        );
    }
}

#[test]
fn an_expired_certificate_is_refused() {
    let authority = authority();
    let expired = certificate(&authority, |params| {
        params.not_after = date_time_ymd(2020, 1, 1);
    });
    refused(
        server_config(expired, rustls::ALL_VERSIONS),
        &authority,
        "expired",
    );
}

#[test]
fn a_certificate_of_the_future_is_refused() {
    let authority = authority();
    let early = certificate(&authority, |params| {
        params.not_before = date_time_ymd(3000, 1, 1);
    });
    refused(
        server_config(early, rustls::ALL_VERSIONS),
        &authority,
        "not valid yet",
    );
}

#[test]
fn a_certificate_for_another_name_is_refused() {
    let authority = authority();
    let other = certificate(&authority, |params| {
        *params = CertificateParams::new(["monalabs.io".to_owned()]).unwrap();
    });
    refused(
        server_config(other, rustls::ALL_VERSIONS),
        &authority,
        "not valid for name",
    );
}

#[test]
fn a_self_signed_certificate_is_refused() {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    let own = params.self_signed(&key).unwrap();
    refused(
        server_config((own, key), rustls::ALL_VERSIONS),
        &authority(),
        "UnknownIssuer",
    );
}

#[test]
fn a_certificate_that_is_no_authority_signs_for_nobody() {
    let authority = authority();
    let mut params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    params.is_ca = IsCa::ExplicitNoCa;
    let key = KeyPair::generate().unwrap();
    let leaf = params.signed_by(&key, &authority).unwrap();
    let issuer = rcgen::Issuer::from_params(&params, key);
    let forged_key = KeyPair::generate().unwrap();
    let forged = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    let forged = forged.signed_by(&forged_key, &issuer).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![forged.der().clone(), leaf.der().clone()],
            PrivateKeyDer::try_from(forged_key.serialize_der()).unwrap(),
        );
    refused(Arc::new(config.unwrap()), &authority, "certificate");
}

/// Reads the first record of a client, the ClientHello.
fn client_hello(socket: &mut TcpStream) -> Vec<u8> {
    let mut head = [0; 5];
    socket.read_exact(&mut head).unwrap();
    let mut hello = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
    socket.read_exact(&mut hello).unwrap();
    hello
}

/// The ServerHello of a server that knows no more than TLS 1.1.
fn old_server_hello() -> Vec<u8> {
    let mut hello = vec![0x16, 3, 2, 0, 42, 2, 0, 0, 38, 3, 2];
    hello.extend([7; 32]);
    // No session, TLS_RSA_WITH_AES_128_CBC_SHA, no compression.
    hello.extend([0, 0, 0x2f, 0]);
    hello
}

#[test]
fn older_versions_are_neither_offered_nor_accepted() {
    let (host, listener) = listen();
    let serving = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let hello = client_hello(&mut socket);
        socket.write_all(&old_server_hello()).unwrap();
        let mut rest = Vec::new();
        let _ = socket.read_to_end(&mut rest);
        (hello, rest)
    });
    let document = export(&host, &authority());
    assert_eq!(document["error_kind"], "connection", "{document}");
    let (hello, rest) = serving.join().unwrap();
    // supported_versions: two of them, in either order, and no other.
    let offered = [[0, 43, 0, 5, 4, 3, 4, 3, 3], [0, 43, 0, 5, 4, 3, 3, 3, 4]];
    let offers = |versions: &[u8; 9]| hello.windows(9).any(|part| part == versions);
    assert!(offered.iter().any(offers), "{hello:x?}");
    // Nothing follows but a fatal alert: protocol_version, or illegal_parameter.
    assert!(
        matches!(rest.as_slice(), [0x15, 3, _, 0, 2, 2, 70 | 47]),
        "{rest:x?}"
    );
}
