/* test_esp_path.c - packets through two dataplanes and back out.
 *
 *   A's TUN -> outbound(A) -> ESP -> inbound(B) -> B's TUN
 */
#include "unit.h"
#include "../esp_lab.h"

static uint8_t sent[LAB_PACKET_MAX];
static size_t sent_len;

static void keep(const struct esp_packet *p)
{
	memcpy(sent, p->at, p->len);
	sent_len = p->len;
}

/* Sends a packet of len octets of data from A to B; what comes out is what went in: the
 * header that transport mode writes anew happens to be the same. */
static void pass(struct lab *l, size_t len)
{
	struct esp_packet p = lab_a_to_b(l, 0, len);

	keep(&p);
	assert_int_equal(lab_out(&l->a, &p, LAB_NOW), ESP_SEND);
	assert_int_equal(p.encap, l->o.encap);
	assert_true(endpoint_equal(&p.local, &(struct endpoint){l->a.outer, 4500}));
	assert_true(endpoint_equal(&p.remote, &(struct endpoint){l->b.outer, 4500}));
	lab_cross(&p);
	assert_int_equal(lab_in(&l->b, &p, LAB_NOW), ESP_INJECT);
	assert_int_equal(p.len, sent_len);
	assert_memory_equal(p.at, sent, sent_len);
}

static void pass_sizes(struct lab_options o)
{
	struct lab l;

	lab_init(&l, o);
	for (size_t len = 0; len <= 40; len++)
		pass(&l, len);
	pass(&l, 1300);
	assert_int_equal(lab_count(&l.a).sealed, 42);
	assert_int_equal(lab_count(&l.b).opened, 42);
	lab_free(&l);
}

/* Every algorithm in both modes, over and with both families, with and without UDP and
 * ESN: 448 ways. */
static void all_ways_round_trip(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 32; i++) {
		for (enum aead_alg alg = AEAD_AES128_GCM16; alg < AEAD_ALGS; alg++) {
			pass_sizes((struct lab_options){
				.alg = alg,
				.mode = i & 1 ? POLICY_TUNNEL : POLICY_TRANSPORT,
				.v6 = (i & 2) != 0,
				.inner_v6 = (i & 4) != 0,
				.encap = (i & 8) != 0,
				.esn = (i & 16) != 0,
			});
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_ways_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
