"""ESP by another hand: sealed and opened with OpenSSL, called from here, and nothing of the
program under test (RFC 4303; RFC 4106, RFC 7634, RFC 4543; RFC 3602 or 2410 with RFC 4868).

The keys are those that tools/plane_words.c makes of an SPI.
"""

import ctypes
import hashlib
import hmac
import struct

crypto = ctypes.CDLL("libcrypto.so.3")
for name, result in (("EVP_CIPHER_CTX_new", ctypes.c_void_p),
                     ("EVP_CIPHER_fetch", ctypes.c_void_p)):
    getattr(crypto, name).restype = result
SET_IV_LEN, GET_TAG, SET_TAG = 0x9, 0x10, 0x11
WIDE = 0xffffffffffffffff


class Refused(Exception):
    """Not authentic, or not what it should be."""


class Cipher:
    """One key of one of OpenSSL's ciphers."""

    def __init__(self, name, key):
        self.key = key
        self.kind = ctypes.c_void_p(crypto.EVP_CIPHER_fetch(None, name.encode(), None))
        self.ctx = ctypes.c_void_p(crypto.EVP_CIPHER_CTX_new())
        if not self.kind or not self.ctx:
            raise OSError(f"OpenSSL has no {name}")

    def _begin(self, iv, encrypt):
        self._ok(crypto.EVP_CipherInit_ex2(self.ctx, self.kind, self.key, iv, encrypt, None))
        self._ok(crypto.EVP_CIPHER_CTX_set_padding(self.ctx, 0))

    @staticmethod
    def _ok(result):
        if result != 1:
            raise Refused("OpenSSL refuses")

    def _update(self, data, out=True):
        room = ctypes.create_string_buffer(len(data) + 32) if out else None
        size = ctypes.c_int()
        self._ok(crypto.EVP_CipherUpdate(self.ctx, room, ctypes.byref(size), data, len(data)))
        return room.raw[:size.value] if out else b""

    def _final(self):
        room, size = ctypes.create_string_buffer(32), ctypes.c_int()
        self._ok(crypto.EVP_CipherFinal_ex(self.ctx, room, ctypes.byref(size)))

    def plain(self, iv, data, encrypt):
        """Whole blocks, without padding."""
        self._begin(iv, encrypt)
        out = self._update(data) if data else b""
        self._final()
        return out

    def seal(self, iv, aad, data):
        self._begin(iv, 1)
        self._update(aad, out=False)
        out = self._update(data) if data else b""
        self._final()
        tag = ctypes.create_string_buffer(16)
        self._ok(crypto.EVP_CIPHER_CTX_ctrl(self.ctx, GET_TAG, 16, tag))
        return out + tag.raw

    def open(self, iv, aad, data):
        self._begin(iv, 0)
        self._ok(crypto.EVP_CIPHER_CTX_ctrl(self.ctx, SET_TAG, 16, data[-16:]))
        self._update(aad, out=False)
        out = self._update(data[:-16]) if len(data) > 16 else b""
        self._final()
        return out


def keymat(spi, size):
    return bytes((spi * 31 + i * 7) & 0xff for i in range(size))


class Aead:
    """A cipher that authenticates: 8 octets of IV, 4 of salt, 16 of tag."""
    iv_len, tag_len, align = 8, 16, 4

    def __init__(self, spi, name, key_len):
        material = keymat(spi, key_len + 4)
        self.cipher, self.salt = Cipher(name, material[:key_len]), material[key_len:]

    def seal(self, spi, seq, esn, iv, text):
        head = struct.pack(">II", spi, seq & 0xffffffff)
        sealed = self.cipher.seal(self.salt + iv, self._aad(spi, seq, esn), text)
        return head + iv + sealed

    def open(self, packet, seq, esn):
        spi = struct.unpack_from(">I", packet)[0]
        return self.cipher.open(self.salt + packet[8:16], self._aad(spi, seq, esn), packet[16:])

    @staticmethod
    def _aad(spi, seq, esn):
        return struct.pack(">IQ" if esn else ">II", spi, seq if esn else seq & 0xffffffff)


class Gmac(Aead):
    """RFC 4543: all is authenticated, and nothing encrypted."""

    def seal(self, spi, seq, esn, iv, text):
        head = struct.pack(">II", spi, seq & 0xffffffff)
        tag = self.cipher.seal(self.salt + iv, self._aad(spi, seq, esn) + iv + text, b"")
        return head + iv + text + tag

    def open(self, packet, seq, esn):
        spi = struct.unpack_from(">I", packet)[0]
        self.cipher.open(self.salt + packet[8:16],
                         self._aad(spi, seq, esn) + packet[8:-16], packet[-16:])
        return packet[16:-16]


class NoCipher:
    """RFC 2410."""

    @staticmethod
    def plain(_iv, data, _encrypt):
        return data


class Composed:
    """A cipher, or none, and over it an HMAC that is cut in half."""

    def __init__(self, spi, cipher, key_len, digest):
        self.digest = digest
        mac_len = hashlib.new(digest).digest_size
        material = keymat(spi, key_len + mac_len)
        self.cipher = Cipher(cipher, material[:key_len]) if cipher else NoCipher()
        self.mac_key = material[key_len:]
        self.tag_len = mac_len // 2
        self.iv_len, self.align = (16, 16) if cipher else (0, 4)

    def _tag(self, data, seq, esn):
        behind = struct.pack(">I", seq >> 32) if esn else b""
        return hmac.new(self.mac_key, data + behind, self.digest).digest()[:self.tag_len]

    def seal(self, spi, seq, esn, iv, text):
        packet = struct.pack(">II", spi, seq & 0xffffffff) + iv
        packet += self.cipher.plain(iv, text, 1)
        return packet + self._tag(packet, seq, esn)

    def open(self, packet, seq, esn):
        data, tag = packet[:-self.tag_len], packet[-self.tag_len:]
        if self._tag(data, seq, esn) != tag:
            raise Refused("the tag is another")
        begin = 8 + self.iv_len
        return self.cipher.plain(data[8:begin], data[begin:], 0)


ALGORITHMS = {
    "aes128gcm16": lambda spi: Aead(spi, "AES-128-GCM", 16),
    "aes256gcm16": lambda spi: Aead(spi, "AES-256-GCM", 32),
    "chacha20poly1305": lambda spi: Aead(spi, "ChaCha20-Poly1305", 32),
    **{f"aes{bits}-sha{size}": lambda spi, bits=bits, size=size: Composed(
        spi, f"AES-{bits}-CBC", bits // 8, f"sha{size}")
       for bits in (128, 256) for size in (256, 384, 512)},
    **{f"null-sha{size}": lambda spi, size=size: Composed(spi, None, 0, f"sha{size}")
       for size in (256, 384, 512)},
    "aes128gmac": lambda spi: Gmac(spi, "AES-128-GCM", 16),
    "aes256gmac": lambda spi: Gmac(spi, "AES-256-GCM", 32),
}


class Direction:
    """One direction of an SA."""

    def __init__(self, spi, alg, esn):
        self.spi, self.esn = spi, esn
        self.alg = ALGORITHMS[alg](spi)

    def seal(self, seq, next_header, payload, more=0, told=None, salt=b""):
        """A whole ESP packet. more: octets of padding beyond the least; told: how many it
        says there are; salt: for an IV that differs from that of another packet with this
        number."""
        pad = -(len(payload) + 2) % self.alg.align + more // self.alg.align * self.alg.align
        text = payload + bytes(i + 1 for i in range(pad))
        text += bytes((pad if told is None else told, next_header))
        iv = hashlib.sha256(struct.pack(">IQ", self.spi, seq) + salt).digest()
        return self.alg.seal(self.spi, seq, self.esn, iv[:self.alg.iv_len], text)

    def open(self, packet, high=0):
        """(number, next header, payload with what may follow it, padding)"""
        seq = struct.unpack_from(">I", packet, 4)[0] | (high << 32 if self.esn else 0)
        text = self.alg.open(packet, seq, self.esn)
        pad, next_header = text[-2], text[-1]
        if pad + 2 > len(text):
            raise Refused("more padding than text")
        return seq, next_header, text[:len(text) - pad - 2], text[len(text) - pad - 2:-2]
