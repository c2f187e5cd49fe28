/* tests/vectors/kex.h - published key exchanges: two private keys, what each side sends,
 * and the secret they share.
 */
static const struct kex_vector {
	const char *source;
	uint16_t group;
	const char *private_i, *public_i;
	const char *private_r, *public_r;
	const char *shared;
} kex_vectors[] = {
	{
		.source = "RFC 8031 appendix A",
		.group = KE_CURVE25519,
		.private_i = "751fb4308655b476b6789b7325f9ea8cddd16a58533ff6d9e60009464a5"
			     "f9d94",
		.public_i = "48d5ddd4061257ba166fa3f9bbdb74f1a4e81c089384fa77f790709f0dfb"
			    "c766",
		.private_r = "0a54645253290d60ddadd0e030bacd9e5501efdc220755a1e978f1b839a"
			     "05688",
		.public_r = "0be7c1f5aad87d7e448662673298a443478b859745179eaf564c79c0ef6e"
			    "ee25",
		.shared = "c74950607a12327f3204d94b6825bfb068b7f8319a9e3708ed3d43ce8130c9"
			  "50",
	},
	{
		.source = "RFC 5903 8.1",
		.group = KE_ECP_256,
		.private_i = "C88F01F510D9AC3F70A292DAA2316DE544E9AAB8AFE84049C62A9C57862"
			     "D1433",
		.public_i =
			"DAD0B65394221CF9B051E1FECA5787D098DFE637FC90B9EF945D0C3772581180"
			"5271A0461CDB8252D61F1C456FA3E59AB1F45B33ACCF5F58389E0577B8990BB"
			"3",
		.private_r = "C6EF9C5D78AE012A011164ACB397CE2088685D8F06BF9BE0B283AB46476"
			     "BEE53",
		.public_r =
			"D12DFB5289C8D4F81208B70270398C342296970A0BCCB74C736FC7554494BF63"
			"56FBF3CA366CC23E8157854C13C58D6AAC23F046ADA30F8353E74F33039872A"
			"B",
		.shared = "D6840F6B42F6EDAFD13116E0E12565202FEF8E9ECE7DCE03812464D04B9442"
			  "DE",
	},
};

/* Points of small order on Curve25519 and its twist, with the encodings above p. */
static const char *const x25519_low_order[] = {
	"0000000000000000000000000000000000000000000000000000000000000000",
	"0100000000000000000000000000000000000000000000000000000000000000",
	"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
	"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
};
