"""IKE messages as they were on the wire, read with the keys that vipsecd's test build gives
away (configure --enable-key-log), and what their AUTH payloads consist of.

Nothing of vipsec's own reading or writing is used here.
"""

import struct
from collections import namedtuple

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

IKE_AUTH, CREATE_CHILD_SA = 35, 36
KE, CERT, AUTH, NOTIFY, SK, SKF = 34, 37, 39, 41, 46, 53
REKEY_SA, INVALID_KE_PAYLOAD = 16393, 17
SHARED_KEY, DIGITAL_SIGNATURE = 2, 14  # RFC 7296 3.8, RFC 7427 3
HEADER, GENERIC, FRAGMENT, ICV = 28, 4, 4, 16
FLAG_INITIATOR, FLAG_RESPONSE = 0x08, 0x20

# payloads: (type, octets behind the generic header); fragments: 1, or how many carried it.
Letter = namedtuple("Letter", "source exchange id response payloads fragments")


def keys_of(log):
    """SPI of the initiator -> (SK_ei, SK_er, length of the ICV; 0 with AES-GCM)."""
    found = {}
    for line in log.splitlines():
        word = line.split(",")
        if len(word) != 8:
            continue  # ESP
        icv = 0 if "GCM" in word[4] else {"256_128": 16, "384_192": 24,
                                          "512_256": 32}[word[7].split("SHA2_")[1][:7]]
        found[bytes.fromhex(word[0])] = bytes.fromhex(word[2]), bytes.fromhex(word[3]), icv
    return found


def _plain(key, icv, clear, sealed):
    """What is in an SK or SKF payload, behind its header: without padding."""
    if icv == 0:  # RFC 5282: the last four octets of the key are the salt
        plain = AESGCM(key[:-4]).decrypt(key[-4:] + sealed[:8], sealed[8:], clear)
    else:
        cipher = Cipher(algorithms.AES(key), modes.CBC(sealed[:16])).decryptor()
        plain = cipher.update(sealed[16:-icv])
    return plain[:-1 - plain[-1]]


def payloads(kind, data):
    """The chain of payloads whose first has this type."""
    found = []
    while kind:
        following, _, length = struct.unpack(">BBH", data[:GENERIC])
        if length < GENERIC or length > len(data):
            raise ValueError("a payload's length is wrong")
        found.append((kind, data[GENERIC:length]))
        kind, data = following, data[length:]
    return found


def read(datagrams, keys):
    """(source, octets) -> Letters, those that can be read, each once."""
    letters, parts, seen = [], {}, set()
    for source, data in datagrams:
        kind, exchange, flags = data[16], data[18], data[19]
        number = struct.unpack(">I", data[20:24])[0]
        if kind not in (SK, SKF) or data[:8] not in keys:
            continue
        ei, er, icv = keys[data[:8]]
        head = HEADER + GENERIC + (FRAGMENT if kind == SKF else 0)
        plain = _plain(ei if flags & FLAG_INITIATOR else er, icv, data[:head], data[head:])
        name = (data[:8], source, exchange, number, flags & FLAG_RESPONSE)
        inner, total = data[HEADER], 1
        if kind == SKF:
            at, total = struct.unpack(">HH", data[HEADER + GENERIC:head])
            held = parts.setdefault((name, total), {})
            held[at] = inner, plain
            if len(held) < total:
                continue
            inner = held[1][0]
            plain = b"".join(held[n][1] for n in range(1, total + 1))
        if name in seen:
            continue  # sent again
        seen.add(name)
        letters.append(Letter(source, exchange, number, bool(flags & FLAG_RESPONSE),
                              payloads(inner, plain), total))
    return letters


def bodies(letter, kind):
    return [body for found, body in letter.payloads if found == kind]


def key_exchanges(letter):
    """KE payloads that have a value: libreswan answers with one of group NONE, and empty."""
    return [body for body in bodies(letter, KE) if len(body) > 4]


def notifies(letter):
    return [struct.unpack(">H", body[2:4])[0] for body in bodies(letter, NOTIFY)]


# ---- AUTH: RFC 7427 3, and the octets of its appendix A and of RFC 8420 A

def _der(tag, *parts):
    content = b"".join(parts)
    return bytes([tag, len(content)]) + content


def _hash(n):
    """AlgorithmIdentifier of SHA-256, SHA-384, SHA-512."""
    return _der(0x30, bytes.fromhex("0609608648016503040201")[:-1] + bytes([n]), b"\x05\x00")


def _pss(n, trailer):
    """RSASSA-PSS with a hash, MGF1 with the same, and a salt as long (RFC 7427 A.4.3);
    DER leaves the trailer field out, which is its default."""
    mask = _der(0x30, bytes.fromhex("06092a864886f70d010108"), _hash(n))
    return _der(0x30, bytes.fromhex("06092a864886f70d01010a"), _der(
        0x30, _der(0xa0, _hash(n)), _der(0xa1, mask),
        _der(0xa2, _der(2, bytes([{1: 32, 2: 48, 3: 64}[n]]))),
        bytes.fromhex("a303020101") if trailer else b""))


ALGORITHMS = {
    "rsa-pss": [_pss(n, trailer) for n in (1, 2, 3) for trailer in (False, True)],
    "ecdsa": [bytes.fromhex("300a06082a8648ce3d0403") + bytes([n]) for n in (2, 3, 4)],
    "ed25519": [bytes.fromhex("300506032b6570")],
}
SIGNATURE_LENGTHS = {"rsa-pss": (256,), "ecdsa": range(68, 73), "ed25519": (64,)}


def doubt(auth, kind):
    """Why an AUTH payload is not what this kind of proof has to be; None: it is."""
    method, rest = auth[0], auth[4:]
    if kind == "psk":
        return None if method == SHARED_KEY else f"method {method} and not a shared key"
    if method != DIGITAL_SIGNATURE:
        return f"method {method} and not RFC 7427's"
    algorithm, signature = rest[1:1 + rest[0]], rest[1 + rest[0]:]
    if algorithm not in ALGORITHMS[kind]:
        return f"another algorithm: {algorithm.hex()}"
    if len(signature) not in SIGNATURE_LENGTHS[kind]:
        return f"a signature of {len(signature)} octets"
    return None
