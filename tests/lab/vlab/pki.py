"""A little PKI for the lab: CAs, certificates, CRLs, and servers for CRLs and OCSP."""

import calendar
import datetime
import ipaddress
import os

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

from .core import wait_until

NOW = datetime.datetime.utcnow()
DAY = datetime.timedelta(days=1)
PEM = serialization.Encoding.PEM


def seconds(n):
    """So long from now, in the days that Node and crl() count in."""
    return (datetime.datetime.utcnow() - NOW) / DAY + n / 86400


def unix(days):
    """The same as seconds since 1970."""
    return calendar.timegm((NOW + days * DAY).timetuple())


def new_key(kind):
    if kind.startswith("rsa"):
        return rsa.generate_private_key(65537, int(kind[3:] or 2048))
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    return ec.generate_private_key(ec.SECP384R1() if kind == "ecdsa384" else ec.SECP256R1())


def digest_of(key):
    return None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()


class Node:
    """A certificate with its key, and what it issues if it is a CA."""

    def __init__(self, subject, issuer=None, kind="ecdsa", ca=False, names=(), first=-1,
                 last=365, crl_url=None, ocsp_url=None):
        self.key, self.issuer, self.subject = new_key(kind), issuer or self, subject
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
        signer = self.issuer.key
        build = (x509.CertificateBuilder().subject_name(self.name)
                 .issuer_name(self.issuer.name).public_key(self.key.public_key())
                 .serial_number(x509.random_serial_number())
                 .not_valid_before(NOW + first * DAY).not_valid_after(NOW + last * DAY)
                 .add_extension(x509.BasicConstraints(ca, None), True)
                 .add_extension(x509.SubjectKeyIdentifier.from_public_key(
                     self.key.public_key()), False)
                 .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(
                     signer.public_key()), False))
        if names:
            build = build.add_extension(x509.SubjectAlternativeName(
                [self.alt(n) for n in names]), False)
        if crl_url:
            build = build.add_extension(x509.CRLDistributionPoints([x509.DistributionPoint(
                [x509.UniformResourceIdentifier(crl_url)], None, None, None)]), False)
        if ocsp_url:
            build = build.add_extension(x509.AuthorityInformationAccess(
                [x509.AccessDescription(AuthorityInformationAccessOID.OCSP,
                                        x509.UniformResourceIdentifier(ocsp_url))]), False)
        self.cert = build.sign(signer, digest_of(signer))

    @staticmethod
    def alt(name):
        try:
            return x509.IPAddress(ipaddress.ip_address(name))
        except ValueError:
            return x509.RFC822Name(name) if "@" in name else x509.DNSName(name)

    def pem(self):
        return self.cert.public_bytes(PEM)

    def key_pem(self):
        return self.key.private_bytes(PEM, serialization.PrivateFormat.PKCS8,
                                      serialization.NoEncryption())

    def crl(self, *revoked, days=7):
        build = (x509.CertificateRevocationListBuilder().issuer_name(self.name)
                 .last_update(NOW - DAY).next_update(NOW + days * DAY))
        for node in revoked:
            build = build.add_revoked_certificate(
                x509.RevokedCertificateBuilder().serial_number(node.cert.serial_number)
                .revocation_date(NOW - DAY).build())
        return build.sign(self.key, digest_of(self.key)).public_bytes(
            serialization.Encoding.DER)


def put(folder, name, octets, mode=0o600):
    os.makedirs(folder, exist_ok=True)
    with open(f"{folder}/{name}", "wb") as file:
        file.write(octets)
    os.chmod(f"{folder}/{name}", mode)


def give(host, node, ca, chain=(), key=None):
    """The files of an identity for a vipsec host."""
    folder = f"{host.dir}/etc-vipsec"
    put(folder, "own.pem", node.pem() + b"".join(c.pem() for c in chain))
    put(folder, "own.key", (key or node).key_pem())
    put(folder, "ca.pem", ca.pem())


def identity(more=""):
    return ('identity "own" { cert "/etc/vipsec/own.pem"; key "/etc/vipsec/own.key"; '
            f'ca "/etc/vipsec/ca.pem"; {more} }}\n')


def serve_files(host, port, files):
    """An HTTP server for CRLs on a host."""
    for name, octets in files.items():
        put(f"{host.dir}/www", name, octets, 0o644)
    host.spawn(["python3", "-m", "http.server", "-d", f"{host.dir}/www", str(port)],
               "http.log")
    wait_until(lambda: f":{port} " in host.out("ss -Hltn"), 10, "the HTTP server")


def serve_ocsp(host, port, ca, good=(), revoked=()):
    """OpenSSL's OCSP responder for a CA."""
    folder = f"{host.dir}/ocsp"
    until = f"{NOW + 100 * DAY:%y%m%d%H%M%SZ}"
    lines = [f"V\t{until}\t\t{even(n)}\tunknown\t/CN=x" for n in good]
    lines += [f"R\t{until}\t{NOW - DAY:%y%m%d%H%M%SZ}\t{even(n)}\tunknown\t/CN=x"
              for n in revoked]
    put(folder, "index.txt", ("\n".join(lines) + "\n").encode())
    put(folder, "ca.pem", ca.pem())
    put(folder, "ca.key", ca.key_pem())
    host.spawn(["openssl", "ocsp", "-index", f"{folder}/index.txt", "-port", str(port),
                "-CA", f"{folder}/ca.pem", "-rsigner", f"{folder}/ca.pem", "-rkey",
                f"{folder}/ca.key", "-nmin", "60"], "ocsp.log")
    wait_until(lambda: f":{port} " in host.out("ss -Hltn"), 10, "the OCSP responder")


def even(node):
    """The serial number as OpenSSL's index has it: whole octets."""
    text = f"{node.cert.serial_number:X}"
    return text if len(text) % 2 == 0 else "0" + text
