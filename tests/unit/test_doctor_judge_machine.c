/* tests/unit/test_doctor_judge_machine.c - made-up facts of the machine, and what is made of them. */
#include "judge_lab.h"

#include <linux/capability.h>
#include <stdio.h>

static void privileges(void **state)
{
	const uint64_t all = 1ull << CAP_NET_ADMIN | 1ull << CAP_NET_RAW |
			     1ull << CAP_NET_BIND_SERVICE | 1ull << CAP_IPC_LOCK;
	struct facts_privileges x = {.effective = all};
	(void)state;

	fresh();
	judge_privileges(&x, &found);
	expect(1, 0, 0);
	x.effective = all & ~(1ull << CAP_IPC_LOCK);
	fresh();
	judge_privileges(&x, &found);
	expect(0, 1, 0);
	x.effective = all & ~(1ull << CAP_NET_RAW);
	fresh();
	judge_privileges(&x, &found);
	expect(0, 0, 1);
	expect_words("CAP_NET_RAW", "root");
	x.effective = 0;
	fresh();
	judge_privileges(&x, &found);
	expect(0, 1, 3);
}

static void esp(void **state)
{
	struct facts_esp x = {.configured = true, .prefer = PLANE_KERNEL, .n = 2};
	(void)state;

	x.at[0].alg = AEAD_AES128_GCM16;
	x.at[1].alg = AEAD_AES256_GCM16;
	x.at[0].offered = x.at[1].offered = true;
	fresh();
	judge_esp(&x, &found);
	expect(1, 0, 0);
	expect_words("aes128gcm16, aes256gcm16", "");
	x.at[1].offered = false;
	snprintf(x.at[1].why, sizeof(x.at[1].why), "no such thing");
	fresh();
	judge_esp(&x, &found);
	expect(0, 0, 1);
	expect_words("no such thing", "fallback userspace");
	x.has_fallback = true;
	fresh();
	judge_esp(&x, &found);
	expect(0, 1, 0);
	expect_words("no such thing", "modprobe");
	x.prefer = PLANE_USERSPACE;
	fresh();
	judge_esp(&x, &found);
	expect(1, 0, 0);
	expect_words("no such thing", "");
}

static void helps_of_the_kernel_plane(void **state)
{
	struct facts_helps x = {.in_kernel = true};
	(void)state;

	fresh();
	judge_helps(&x, &found);
	expect(1, 0, 0);
	expect_words("not tried", "");
	x.tried = x.holds = x.steers = true;
	fresh();
	judge_helps(&x, &found);
	expect(1, 0, 0);
	x.holds = false;
	snprintf(x.not_held, sizeof(x.not_held), "no such queue");
	fresh();
	judge_helps(&x, &found);
	expect(0, 1, 0);
	expect_words("before its SA is lost, as the kernel cannot hold it: no such queue",
		"nft_queue");
	x.holds = true;
	x.steers = false;
	snprintf(x.not_steered, sizeof(x.not_steered), "no such rules");
	fresh();
	judge_helps(&x, &found);
	expect(0, 1, 0);
	expect_words("must have a route of this machine's: no such rules", "ip route");
	x.holds = x.in_kernel = false;
	fresh();
	judge_helps(&x, &found);
	expect(0, 0, 0);
}

static void crypto(void **state)
{
	struct facts_crypto x = {.in_kernel = true, .n = 2};
	(void)state;

	snprintf(x.at[0].name, sizeof(x.at[0].name), "cbc(aes)");
	snprintf(x.at[0].driver, sizeof(x.at[0].driver), "cbc-aes-aesni");
	snprintf(x.at[1].name, sizeof(x.at[1].name), "rfc4106(gcm(aes))");
	snprintf(x.at[1].driver, sizeof(x.at[1].driver),
		"rfc4106(gcm_base(ctr(aes-generic),ghash-generic))");
	fresh();
	judge_crypto(&x, &found);
	expect(1, 1, 0);
	expect_words("ghash-generic", "modprobe");
	x.cpu_without_aes = true; /* there is nothing to load */
	fresh();
	judge_crypto(&x, &found);
	expect(2, 0, 0);
	x.in_kernel = false;
	fresh();
	judge_crypto(&x, &found);
	expect(1, 0, 0);
}

static void tun(void **state)
{
	struct facts_tun x = {.needed = true, .offered = true};
	(void)state;

	fresh();
	judge_tun(&x, &found);
	expect(1, 0, 0);
	x.daemon_uses_it = true;
	fresh();
	judge_tun(&x, &found);
	expect(0, 0, 1);
	expect_words("not up", "vipsec0");
	x = (struct facts_tun){.needed = true, .why = "it is not there"};
	fresh();
	judge_tun(&x, &found);
	expect(0, 0, 1);
	expect_words("it is not there", "modprobe tun");
	x.needed = false;
	fresh();
	judge_tun(&x, &found);
	expect(1, 0, 0);
}

static void clocks(void **state)
{
	struct facts_clock x = {.wall_s = 1900000000, .known = true, .needed = true};
	(void)state;

	fresh();
	judge_clock(&x, &found);
	expect(0, 1, 0);
	expect_words("NTP", "chrony");
	x.synchronised = true;
	fresh();
	judge_clock(&x, &found);
	expect(1, 0, 0);
	x.synchronised = x.needed = false;
	fresh();
	judge_clock(&x, &found);
	expect(1, 0, 0);
	x.wall_s = 40;
	fresh();
	judge_clock(&x, &found);
	expect(0, 0, 1);
	expect_words("not set", "date -s");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(privileges),
		cmocka_unit_test(esp),
		cmocka_unit_test(helps_of_the_kernel_plane),
		cmocka_unit_test(crypto),
		cmocka_unit_test(tun),
		cmocka_unit_test(clocks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
