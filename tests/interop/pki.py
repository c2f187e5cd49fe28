"""Keys and certificates of one run, made with openssl; and libreswan's store of them.

For each kind of key: a root, an intermediate that signs (and is sent along), and for either
side an ordinary certificate and one of several kilobytes.
"""

import os
import shutil
import subprocess

KINDS = {
    "ecdsa": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "rsa-pss": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
    "ed25519": ["-algorithm", "ED25519"],
}
LARGE = 90  # further names in a large certificate
P12_PASSWORD = "lab"


def _run(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, **options)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr[-500:]}")
    return done.stdout


def _extensions(path, ca, names=()):
    with open(path, "w") as file:
        file.write(f"basicConstraints=critical,CA:{'TRUE' if ca else 'FALSE'}\n")
        file.write(f"keyUsage=critical,{'keyCertSign,cRLSign' if ca else 'digitalSignature'}\n")
        file.write("subjectKeyIdentifier=hash\n")
        if names:
            file.write("subjectAltName=" + ",".join(f"DNS:{name}" for name in names) + "\n")


class Pki:
    def __init__(self, folder):
        self.dir = folder

    def path(self, kind, name):
        return f"{self.dir}/{kind}/{name}"

    def read(self, kind, name):
        with open(self.path(kind, name)) as file:
            return file.read()

    def _key(self, kind, name):
        _run("openssl", "genpkey", *KINDS[kind], "-out", self.path(kind, f"{name}.key"))
        os.chmod(self.path(kind, f"{name}.key"), 0o600)

    def _certificate(self, kind, name, issuer=None, names=()):
        ca = not names
        self._key(kind, name)
        _extensions(self.path(kind, "ext"), ca, names)
        request = _run("openssl", "req", "-new", "-key", self.path(kind, f"{name}.key"),
                       "-subj", f"/O=interop/CN={kind} {name}")
        signer = (["-CA", self.path(kind, f"{issuer}.pem"),
                   "-CAkey", self.path(kind, f"{issuer}.key")] if issuer
                  else ["-signkey", self.path(kind, f"{name}.key")])
        _run("openssl", "x509", "-req", "-days", "3650", "-extfile", self.path(kind, "ext"),
             *signer, "-set_serial", str(1 + abs(hash((kind, name))) % (1 << 60)),
             "-out", self.path(kind, f"{name}.pem"), input=request)

    def make(self, names):
        """names: side -> function of kind that gives the names it goes by."""
        for kind in KINDS:
            os.makedirs(f"{self.dir}/{kind}")
            self._certificate(kind, "root")
            self._certificate(kind, "middle", "root")
            for side, of_kind in names.items():
                plain = of_kind(kind)
                more = [f"{n}.a-name-that-makes-it-longer.interop.example"
                        for n in range(LARGE)]
                self._certificate(kind, side, "middle", plain)
                self._certificate(kind, f"{side}-large", "middle", plain + more)
                for name in (side, f"{side}-large"):
                    with open(self.path(kind, f"{name}-chain.pem"), "w") as file:
                        file.write(self.read(kind, f"{name}.pem"))
                        file.write(self.read(kind, "middle.pem"))
        return self

    def make_nss(self, side, kinds):
        """libreswan's database, in the folder nss; certificates are named KIND and
        KIND-large."""
        store = f"sql:{self.dir}/nss"
        os.makedirs(f"{self.dir}/nss")
        _run("certutil", "-N", "-d", store, "--empty-password")
        for kind in kinds:
            for name, nick in ((side, kind), (f"{side}-large", f"{kind}-large")):
                bag = self.path(kind, f"{name}.p12")
                _run("openssl", "pkcs12", "-export", "-name", nick, "-inkey",
                     self.path(kind, f"{name}.key"), "-in", self.path(kind, f"{name}.pem"),
                     "-passout", f"pass:{P12_PASSWORD}", "-out", bag)
                _run("pk12util", "-i", bag, "-d", store, "-W", P12_PASSWORD, "-K", "")
            for name, trust in (("root", "CT,,"), ("middle", ",,")):
                _run("certutil", "-A", "-d", store, "-n", f"{kind}-{name}", "-t", trust,
                     "-i", self.path(kind, f"{name}.pem"))


def make(folder, names, peer_side):
    """All of it, anew."""
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    pki = Pki(folder).make(names)
    pki.make_nss(peer_side, ("ecdsa", "rsa-pss"))
    return pki
