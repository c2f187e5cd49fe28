/* tests/vectors/prf.h - published results of HMAC-SHA2 as a PRF. */
static const struct prf_vector {
	const char *source;
	enum prf_alg alg;
	const char *key;
	const char *data;
	const char *out;
} prf_vectors[] = {
	{
		.source = "RFC 4868 2.7.1, PRF-1",
		.alg = PRF_SHA256,
		.key = "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b",
		.data = "4869205468657265",
		.out = "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
	},
	{
		.source = "RFC 4868 2.7.1, PRF-1",
		.alg = PRF_SHA384,
		.key = "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b",
		.data = "4869205468657265",
		.out = "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59c"
		       "faea9ea9076ede7f4af152e8b2fa9cb6",
	},
	{
		.source = "RFC 4868 2.7.1, PRF-1",
		.alg = PRF_SHA512,
		.key = "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b",
		.data = "4869205468657265",
		.out = "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde"
		       "daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854",
	},
	{
		.source = "RFC 4868 2.7.1, PRF-2",
		.alg = PRF_SHA256,
		.key = "4a656665",
		.data = "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
		.out = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
	},
	{
		.source = "RFC 4868 2.7.1, PRF-2",
		.alg = PRF_SHA384,
		.key = "4a656665",
		.data = "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
		.out = "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e"
		       "8e2240ca5e69e2c78b3239ecfab21649",
	},
	{
		.source = "RFC 4868 2.7.1, PRF-3",
		.alg = PRF_SHA256,
		.key = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		.data = "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"
			"dddddddddddddddddddddddddddddddddddd",
		.out = "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
	},
	{
		.source = "RFC 4868 2.7.1, PRF-3",
		.alg = PRF_SHA384,
		.key = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		.data = "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"
			"dddddddddddddddddddddddddddddddddddd",
		.out = "88062608d3e6ad8a0aa2ace014c8a86f0aa635d947ac9febe83ef4e55966144b"
		       "2a5ab39dc13814b94e3ab6e101a34f27",
	},
	{
		.source = "RFC 4868 2.7.1, PRF-4",
		.alg = PRF_SHA256,
		.key = "0102030405060708090a0b0c0d0e0f10111213141516171819",
		.data = "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"
			"cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd",
		.out = "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
	},
	{
		.source = "RFC 4868 2.7.1, PRF-4",
		.alg = PRF_SHA384,
		.key = "0102030405060708090a0b0c0d0e0f10111213141516171819",
		.data = "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"
			"cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd",
		.out = "3e8a69b7783c25851933ab6290af6ca77a9981480850009cc5577c6e1f573b4e"
		       "6801dd23c4a7d679ccf8a386c674cffb",
	},
	{
		.source = "RFC 4868 2.7.1, PRF-5",
		.alg = PRF_SHA256,
		.key = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		       "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		       "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		       "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		       "aaaaaa",
		.data = "54657374205573696e67204c6172676572205468616e20426c6f636b2d53697a"
			"65204b6579202d2048617368204b6579204669727374",
		.out = "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
	},
	{
		.source = "RFC 4868 2.7.1, PRF-5",
		.alg = PRF_SHA384,
		.key = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		       "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		       "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		       "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		       "aaaaaa",
		.data = "54657374205573696e67204c6172676572205468616e20426c6f636b2d53697a"
			"65204b6579202d2048617368204b6579204669727374",
		.out = "4ece084485813e9088d2c63a041bc5b44f9ef1012a2b588f3cd11f05033ac4c6"
		       "0c2ef6ab4030fe8296248df163f44952",
	},
	{
		.source = "RFC 4868 2.7.1, PRF-6",
		.alg = PRF_SHA256,
		.key = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		       "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		       "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		       "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		       "aaaaaa",
		.data = "5468697320697320612074657374207573696e672061206c6172676572207468"
			"616e20626c6f636b2d73697a65206b657920616e642061206c61726765722074"
			"68616e20626c6f636b2d73697a6520646174612e20546865206b6579206e6565"
			"647320746f20626520686173686564206265666f7265206265696e6720757365"
			"642062792074686520484d414320616c676f726974686d2e",
		.out = "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
	},
	{
		.source = "RFC 4868 2.7.1, PRF-6",
		.alg = PRF_SHA384,
		.key = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		       "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		       "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		       "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		       "aaaaaa",
		.data = "5468697320697320612074657374207573696e672061206c6172676572207468"
			"616e20626c6f636b2d73697a65206b657920616e642061206c61726765722074"
			"68616e20626c6f636b2d73697a6520646174612e20546865206b6579206e6565"
			"647320746f20626520686173686564206265666f7265206265696e6720757365"
			"642062792074686520484d414320616c676f726974686d2e",
		.out = "6617178e941f020d351e2f254e8fd32c602420feb0b8fb9adccebb82461e99c5"
		       "a678cc31e799176d3860e6110c46523e",
	},
	{
		.source = "RFC 4868 2.7.2.1, AUTH256-2",
		.alg = PRF_SHA256,
		.key = "4a6566654a6566654a6566654a6566654a6566654a6566654a6566654a656665",
		.data = "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
		.out = "167f928588c5cc2eef8e3093caa0e87c9ff566a14794aa61648d81621a2a40c6",
	},
	{
		.source = "RFC 4868 2.7.2.2, AUTH384-4",
		.alg = PRF_SHA384,
		.key = "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20"
		       "0a0b0c0d0e0f10111213141516171819",
		.data = "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"
			"cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd",
		.out = "5b540085c6e6358096532b2493609ed1cb298f774f87bb5c2ebf182c83cc7428"
		       "707fb92eab2536a5812258228bc96687",
	},
};

/* HKDF-Expand is prf+ of RFC 7296 2.13 under another name: T(n) of (key, T(n-1) | seed | n). */
static const struct prf_plus_vector {
	const char *source;
	enum prf_alg alg;
	const char *key, *seed, *out;
} prf_plus_vectors[] = {
	{
		.source = "RFC 5869 A.1, from PRK on",
		.alg = PRF_SHA256,
		.key = "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5",
		.seed = "f0f1f2f3f4f5f6f7f8f9",
		.out = "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
		       "34007208d5b887185865",
	},
	{
		.source = "RFC 5869 A.2, from PRK on",
		.alg = PRF_SHA256,
		.key = "06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244",
		.seed = "b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecf"
			"d0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeef"
			"f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
		.out = "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c"
		       "59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71"
		       "cc30c58179ec3e87c14c01d5c1f3434f1d87",
	},
	{
		.source = "RFC 5869 A.3, from PRK on",
		.alg = PRF_SHA256,
		.key = "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04",
		.seed = "",
		.out = "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
		       "9d201395faa4b61a96c8",
	},
};
