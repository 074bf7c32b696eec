//! Who is who in a control plane, as files.

use std::{fs, net::Ipv4Addr, path::Path};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, SanType,
};

use crate::Error;

/// A client certificate: its file name, user and group.
const CLIENTS: [(&str, &str, Option<&str>); 2] = [
    ("admin", "admin", Some("system:masters")),
    ("controller-manager", "system:kube-controller-manager", None),
];

/// Writes `NAME.crt` and `NAME.key` for the authority `ca`, the `server` and its clients, and the
/// key pair of service accounts' tokens.
pub(crate) fn write(folder: &Path) -> Result<(), Error> {
    let ca_key = KeyPair::generate()?;
    let mut ca = named("hookwright-testbed", None);
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    write_file(folder, "ca.crt", &ca.self_signed(&ca_key)?.pem())?;
    let ca = Issuer::new(ca, ca_key);

    let mut server = named("kube-apiserver", None);
    server.subject_alt_names = vec![
        SanType::IpAddress(Ipv4Addr::LOCALHOST.into()),
        SanType::DnsName("localhost".try_into()?),
        SanType::DnsName("kubernetes.default.svc".try_into()?),
    ];
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    write_pair(folder, "server", &server, &ca)?;

    for (name, user, group) in CLIENTS {
        let mut client = named(user, group);
        client.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        write_pair(folder, name, &client, &ca)?;
    }

    let service_accounts = KeyPair::generate()?;
    write_file(folder, "service-accounts.pub", &service_accounts.public_key_pem())?;
    write_file(folder, "service-accounts.key", &service_accounts.serialize_pem())
}

fn named(common_name: &str, organization: Option<&str>) -> CertificateParams {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    if let Some(organization) = organization {
        name.push(DnType::OrganizationName, organization);
    }
    let mut certificate = CertificateParams::default();
    certificate.distinguished_name = name;
    certificate
}

fn write_pair(
    folder: &Path,
    name: &str,
    certificate: &CertificateParams,
    ca: &Issuer<'_, KeyPair>,
) -> Result<(), Error> {
    let key = KeyPair::generate()?;
    write_file(folder, &format!("{name}.crt"), &certificate.signed_by(&key, ca)?.pem())?;
    write_file(folder, &format!("{name}.key"), &key.serialize_pem())
}

fn write_file(folder: &Path, name: &str, content: &str) -> Result<(), Error> {
    let path = folder.join(name);
    fs::write(&path, content).map_err(Error::io(format!("write {}", path.display())))
}
