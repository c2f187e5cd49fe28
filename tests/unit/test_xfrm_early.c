/* test_xfrm_early.c - packets that come before their SA, on the kernel plane (RFC 7296 2.8):
 * which, how many, how long; and what is read of one.
 */
#include "unit.h"

#include "base/iana.h"
#include "xfrm/early.h"
#include "xfrm/holding.h"

enum { NOW = 1000000, SPI = 0x01aabbcc };

static struct early e;
static uint32_t let_go[EARLY_PACKETS + 8];
static size_t n_let_go;

static void release(uint32_t number, void *ctx)
{
	(void)ctx;
	assert_true(n_let_go < sizeof(let_go) / sizeof(let_go[0]));
	let_go[n_let_go++] = number;
}

static void begin(void)
{
	e = (struct early){.n_spis = 0};
	n_let_go = 0;
}

static uint32_t await(uint32_t spi, uint64_t now_ms)
{
	return early_await(&e, spi, now_ms, release, NULL);
}

static bool hold(uint32_t number, uint32_t spi, uint64_t now_ms)
{
	return early_hold(&e, number, spi, 100, now_ms, release, NULL);
}

static void what_is_held_goes_in_order_when_its_sa_is_there(void **state)
{
	(void)state;
	begin();
	assert_int_equal(await(SPI, NOW), 0);
	assert_int_equal(await(SPI + 1, NOW), 0);
	assert_true(hold(1, SPI, NOW));
	assert_true(hold(2, SPI + 1, NOW));
	assert_true(hold(3, SPI, NOW));
	early_end(&e, SPI, release, NULL);
	assert_int_equal(n_let_go, 2);
	assert_int_equal(let_go[0], 1);
	assert_int_equal(let_go[1], 3);
	assert_null(early_find(&e, SPI));
	assert_non_null(early_find(&e, SPI + 1));
	assert_false(hold(4, SPI, NOW));
	early_end(&e, SPI + 1, release, NULL);
	assert_int_equal(let_go[2], 2);
	assert_int_equal(early_due_ms(&e), UINT64_MAX);
}

static void only_what_is_awaited_and_short_is_held(void **state)
{
	(void)state;
	begin();
	assert_false(hold(1, SPI, NOW));
	assert_int_equal(await(SPI, NOW), 0);
	assert_false(hold(2, SPI + 1, NOW));
	assert_false(hold(3, 0, NOW));
	assert_true(early_hold(&e, 4, SPI, EARLY_LEN_MAX, NOW, release, NULL));
	assert_false(early_hold(&e, 5, SPI, EARLY_LEN_MAX + 1, NOW, release, NULL));
	assert_int_equal(e.n_held, 1);
	assert_int_equal(n_let_go, 0);
}

static void the_newest_packet_takes_the_place_of_the_oldest(void **state)
{
	(void)state;
	begin();
	await(SPI, NOW);
	for (uint32_t i = 0; i < EARLY_PACKETS + 3; i++)
		assert_true(hold(i, SPI, NOW));
	assert_int_equal(e.n_held, EARLY_PACKETS);
	assert_int_equal(n_let_go, 3);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(let_go[i], i);
}

static void the_newest_spi_takes_the_place_of_the_oldest(void **state)
{
	(void)state;
	begin();
	for (uint32_t i = 0; i < EARLY_SPIS; i++)
		assert_int_equal(await(SPI + i, NOW), 0);
	assert_true(hold(1, SPI, NOW));
	assert_true(hold(2, SPI + 1, NOW));
	assert_int_equal(await(SPI + EARLY_SPIS, NOW), SPI);
	assert_int_equal(n_let_go, 1);
	assert_int_equal(let_go[0], 1);
	assert_int_equal(e.n_spis, EARLY_SPIS);
	/* Once more: it is the youngest now, and what it held has gone. */
	assert_int_equal(await(SPI + 1, NOW), 0);
	assert_int_equal(let_go[1], 2);
	assert_int_equal(await(SPI + EARLY_SPIS + 1, NOW), SPI + 2);
}

static void nothing_is_kept_for_long(void **state)
{
	(void)state;
	begin();
	await(SPI, NOW);
	assert_int_equal(early_due_ms(&e), NOW + EARLY_AWAIT_MS);
	assert_true(hold(1, SPI, NOW + 5));
	assert_true(hold(2, SPI, NOW + 6));
	assert_int_equal(early_due_ms(&e), NOW + 5 + EARLY_MS);
	early_expire(&e, NOW + 4 + EARLY_MS, release, NULL);
	assert_int_equal(n_let_go, 0);
	early_expire(&e, NOW + 5 + EARLY_MS, release, NULL);
	assert_int_equal(n_let_go, 1);
	assert_int_equal(let_go[0], 1);
	early_expire(&e, NOW + EARLY_AWAIT_MS - 1, release, NULL);
	assert_int_equal(n_let_go, 2);
	assert_non_null(early_find(&e, SPI));
	early_expire(&e, NOW + EARLY_AWAIT_MS, release, NULL);
	assert_null(early_find(&e, SPI));
}

/* ---- packets ------------------------------------------------------------------------- */

/* Its header says how long it is. */
static bool reads(uint8_t *at, size_t len, struct holding_packet *p)
{
	bool v6 = at[0] >> 4 == 6;

	at[v6 ? 5 : 3] = (uint8_t)(v6 ? len - 40 : len);
	return holding_parse(span_of(at, len), p);
}

static void assert_reads(uint8_t *at, size_t len, bool udp)
{
	struct holding_packet p;

	assert_true(reads(at, len, &p));
	assert_int_equal(p.spi, SPI);
	assert_int_equal(p.local.port, udp ? IKE_NATT_PORT : 0);
	assert_int_equal(p.remote.port, udp ? 40000 : 0);
	assert_int_equal(p.local.addr.b[0], 2);
	assert_int_equal(p.remote.addr.b[0], 1);
	for (size_t shorter = 0; shorter < len; shorter++)
		assert_false(holding_parse(span_of(at, shorter), &p));
}

/* With an option, if there is one. Addresses begin with 1 and 2. */
static size_t ip(uint8_t *at, bool v6, bool option, uint8_t proto)
{
	memset(at, 0, 64);
	if (v6) {
		at[0] = 0x60;
		at[6] = proto;
		at[8] = 1;
		at[24] = 2;
		return 40;
	}
	at[0] = option ? 0x46 : 0x45;
	at[9] = proto;
	at[12] = 1;
	at[16] = 2;
	return option ? 24 : 20;
}

static size_t put_32(uint8_t *at, size_t len, uint32_t v)
{
	for (unsigned i = 0; i < 4; i++)
		at[len + i] = (uint8_t)(v >> (24 - 8 * i));
	return len + 4;
}

static void the_spi_of_a_packet_is_read(void **state)
{
	uint8_t at[80];
	struct holding_packet p = {.spi = 0};

	(void)state;
	for (unsigned kind = 0; kind < 3; kind++) {
		size_t len = ip(at, kind == 2, kind == 1, IP_ESP);
		assert_reads(at, put_32(at, len, SPI), false);
		len = ip(at, kind == 2, kind == 1, IP_UDP);
		len = put_32(at, len, 40000u << 16 | IKE_NATT_PORT);
		len = put_32(at, len, 0);
		assert_reads(at, put_32(at, len, SPI), true);
		len = ip(at, kind == 2, kind == 1, IP_AH);
		len = put_32(at, len, (uint32_t)IP_UDP << 24 | 4 << 16);
		assert_reads(at, put_32(at, len, SPI), false);
		len = ip(at, kind == 2, kind == 1, IP_TCP);
		assert_false(reads(at, put_32(at, len, SPI), &p));
		assert_int_equal(p.spi, 0);
	}
}

static void of_fragments_the_first_is_read(void **state)
{
	uint8_t at[96];
	struct holding_packet p;

	(void)state;
	size_t len = ip(at, true, false, 44);
	len = put_32(at, len, (uint32_t)IP_ESP << 24 | 1); /* more follow */
	len = put_32(at, len, 4711);
	len = put_32(at, len, SPI);
	len = put_32(at, len, 1);
	assert_reads(at, len, false);
	at[42] = 1;
	assert_false(reads(at, len, &p));
	/* Options of eight octets in front of it all. */
	len = ip(at, true, false, 60);
	len = put_32(at, len, (uint32_t)IP_ESP << 24);
	len = put_32(at, len, 0);
	assert_reads(at, put_32(at, len, SPI), false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_held_goes_in_order_when_its_sa_is_there),
		cmocka_unit_test(only_what_is_awaited_and_short_is_held),
		cmocka_unit_test(the_newest_packet_takes_the_place_of_the_oldest),
		cmocka_unit_test(the_newest_spi_takes_the_place_of_the_oldest),
		cmocka_unit_test(nothing_is_kept_for_long),
		cmocka_unit_test(the_spi_of_a_packet_is_read),
		cmocka_unit_test(of_fragments_the_first_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
