/* base/siphash.c - SipHash-2-4 (Aumasson and Bernstein, 2012), little-endian input.
 *
 * Leaves the choice of the key to the caller.
 */
#include "base/siphash.h"

static uint64_t rotate(uint64_t x, unsigned by)
{
	return (x << by) | (x >> (64 - by));
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] = rotate(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] = rotate(v[2], 32);
}

static void absorb(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	sip_round(v);
	sip_round(v);
	v[0] ^= word;
}

static uint64_t load(const uint8_t *at, size_t n)
{
	uint64_t word = 0;
	for (size_t i = 0; i < n; i++)
		word |= (uint64_t)at[i] << (8 * i);
	return word;
}

uint64_t siphash(const struct siphash_key *key, struct span bytes)
{
	uint64_t v[4] = {
		key->k0 ^ 0x736f6d6570736575U,
		key->k1 ^ 0x646f72616e646f6dU,
		key->k0 ^ 0x6c7967656e657261U,
		key->k1 ^ 0x7465646279746573U,
	};
	size_t whole = bytes.len - bytes.len % 8;

	for (size_t i = 0; i < whole; i += 8)
		absorb(v, load(bytes.at + i, 8));
	uint64_t tail = bytes.len > whole ? load(bytes.at + whole, bytes.len - whole) : 0;
	absorb(v, tail | (uint64_t)bytes.len << 56);

	v[2] ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}
