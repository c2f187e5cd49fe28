/* vlab-plane - one host's plane, guard, watcher and sockets, driven by hand.
 *
 * Reads a command a line from standard input and carries it out with the real rooms
 * plane/ and port/; each ends with a line "done COMMAND RESULT". What the plane, the
 * sockets and the watcher report comes as a line too, when it comes. SAs get their keys from
 * small numbers, since no IKE runs here. Ends at the end of input, closing the plane with
 * everything kept.
 */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "plane/plane.h"
#include "plane_words.h"
#include "policy/explain.h"
#include "port/announce.h"
#include "port/guard.h"
#include "port/sockets.h"
#include "port/watch.h"
#include "xfrm/xfrm.h"

enum { WORDS = 24, SCOPES = 4, MARK = 0x76697073 };

struct scope {
	struct spd *spd;
	struct addr addrs[4];
	size_t n_addrs;
};

static struct plane *plane;
static struct sockets *sockets;
static struct watch *watch;
static struct announcer *announcer;
static struct spd *pending;
static struct scope scopes[SCOPES];
static char why[256];
static struct policy_tags tags; /* of entries and SAs to come */
static enum policy_offload offload;
static bool in_kernel; /* VLAB_PLANE=kernel: the kernel plane, not the userspace one */

static void fill_random(void *ctx, uint8_t *out, size_t len)
{
	(void)ctx;
	if (getrandom(out, len, 0) != (ssize_t)len)
		abort();
}

/* ---- policy and guard --------------------------------------------------------------- */

/* entry LOCAL REMOTE ACTION [tunnel] [oneway] [to=ADDRESS] [rule=N] */
static int on_entry(char **w, int n)
{
	struct spd_entry e = {.local = ts_word(w[1]),
		.remote = ts_word(w[2]),
		.mirrored = true,
		.tags = tags};

	if (!pending)
		pending = spd_new();
	e.action = strcmp(w[3], "permit") == 0  ? POLICY_PERMIT
		   : strcmp(w[3], "block") == 0 ? POLICY_BLOCK
						: POLICY_NEGOTIATE;
	e.rule = e.binding = option_number(w, n, "rule", 0);
	if (option(w, n, "to"))
		e.tunnel_to = addr_word(option(w, n, "to"));
	for (int i = 4; i < n; i++) {
		if (strcmp(w[i], "tunnel") == 0)
			e.mode = POLICY_TUNNEL;
		if (strcmp(w[i], "oneway") == 0)
			e.mirrored = false;
	}
	return spd_add(pending, &e) == POLICY_OK ? 0 : -1;
}

/* policy SCOPE [ADDRESS...]: what the entries before it said */
static int on_policy(char **w, int n)
{
	struct scope *s = &scopes[number_word(w[1]) % SCOPES];
	const struct spd_entry *a, *b;

	spd_free(s->spd);
	s->spd = pending;
	pending = NULL;
	s->n_addrs = 0;
	for (int i = 2; i < n && s->n_addrs < 4; i++)
		s->addrs[s->n_addrs++] = addr_word(w[i]);
	if (s->spd && spd_seal(s->spd, &a, &b) != POLICY_OK)
		return -1;
	if (plane)
		plane_policy(plane, (uint16_t)(s - scopes),
			s->spd ? spd_dup(s->spd) : NULL, s->addrs, s->n_addrs);
	return 0;
}

static int on_guard(char **w, int n)
{
	struct guard_scope all[SCOPES];
	struct guard_rules rules = {.scopes = all,
		.tun_name = in_kernel ? NULL : "vipsec0",
		.reqid_first = REQID_FIRST,
		.reqid_last = REQID_LAST,
		.interfaces = tags.if_id != 0};

	(void)w, (void)n;
	for (uint16_t i = 0; i < SCOPES; i++)
		if (scopes[i].spd)
			all[rules.n_scopes++] = (struct guard_scope){
				i, scopes[i].spd, scopes[i].addrs, scopes[i].n_addrs};
	if (guard_apply(&rules, why, sizeof(why)))
		return 0;
	printf("guard refused: %s\n", why);
	return -1;
}

static int on_unguard(char **w, int n)
{
	(void)w, (void)n;
	return guard_remove(why, sizeof(why)) && !guard_present() ? 0 : -1;
}

static int on_counts(char **w, int n)
{
	struct guard_counts c[SCOPES];

	(void)w, (void)n;
	if (!guard_read_counts(c, SCOPES))
		return -1;
	for (int i = 0; i < SCOPES; i++)
		printf("counts %d %lu %lu %lu %lu\n", i, (unsigned long)c[i].clear_in,
			(unsigned long)c[i].clear_out, (unsigned long)c[i].blocked_in,
			(unsigned long)c[i].blocked_out);
	return 0;
}

/* ---- the plane ------------------------------------------------------------------------ */

static int on_open(char **w, int n)
{
	struct plane_params p = {
		.tun_name = "vipsec0",
		.entropy = {.fill = fill_random},
		.mark = MARK,
		.why = why,
		.why_cap = sizeof(why),
	};

	(void)w, (void)n;
	why[0] = '\0';
	/* As the daemon does: the kernel loads its modules now. */
	if (in_kernel && !xfrm_offers(false, AEAD_AES128_GCM16, why, sizeof(why)))
		printf("kernel refused: %s\n", why);
	plane = in_kernel ? plane_open_xfrm(&p) : plane_open_tun(&p);
	if (!plane || why[0] != '\0')
		printf("plane %s: %s\n", plane ? "goes without" : "refused", why);
	return plane ? 0 : -1;
}

/* close keep|drop */
static int on_close(char **w, int n)
{
	(void)n;
	plane_close(plane, strcmp(w[1], "keep") == 0);
	plane = NULL;
	return 0;
}

static int on_bind(char **w, int n)
{
	struct addr a = addr_word(w[2]);

	(void)n;
	return plane_bind(plane, (uint16_t)number_word(w[1]), &a);
}

static int on_unbind(char **w, int n)
{
	struct addr a = addr_word(w[1]);

	(void)n;
	plane_unbind(plane, &a);
	return 0;
}

/* gate SCOPE ACTIVATION; gate SCOPE close */
static int on_gate(char **w, int n)
{
	uint16_t scope = (uint16_t)number_word(w[1]);

	(void)n;
	if (strcmp(w[2], "close") == 0)
		printf("closing %u %u\n", scope, plane_gate_close(plane, scope));
	else
		plane_gate_open(plane, scope, (uint16_t)number_word(w[2]));
	return 0;
}

/* sa ID SCOPE SPI-IN SPI-OUT transport|tunnel esp|udp|ah LOCAL REMOTE LOCAL-TS REMOTE-TS
 * [MEMBER] [alg=NAME] [esn=0] [window=N] [rule=N] [port=N] [soft=N] [idle=1]
 * Keys are made from the SPIs, so both ends agree. idle: it only receives, until activate. */
static int on_sa(char **w, int n)
{
	struct esp_child *c = mem_new(1, sizeof(*c));
	const char *alg = option(w, n, "alg"), *soft = option(w, n, "soft");

	c->id = number_word(w[1]);
	c->scope = (uint16_t)number_word(w[2]);
	c->spi_in = number_word(w[3]);
	c->spi_out = number_word(w[4]);
	c->ah = strcmp(w[6], "ah") == 0;
	c->alg = alg ? alg_word(alg) : c->ah ? AEAD_NULL_SHA256 : AEAD_AES128_GCM16;
	key_from(c->spi_in, c->alg, &c->key_in);
	key_from(c->spi_out, c->alg, &c->key_out);
	c->mode = strcmp(w[5], "tunnel") == 0 ? POLICY_TUNNEL : POLICY_TRANSPORT;
	c->encap = strcmp(w[6], "udp") == 0;
	c->local = (struct endpoint){addr_word(w[7]), c->encap ? 4500 : 0};
	c->remote = (struct endpoint){addr_word(w[8]), c->encap ? 4500 : 0};
	if (c->encap)
		c->remote.port = (uint16_t)option_number(w, n, "port", 4500);
	ts_words(w[9], &c->local_ts);
	ts_words(w[10], &c->remote_ts);
	c->esn = option_number(w, n, "esn", 1) != 0;
	c->replay_window = option_number(w, n, "window", 1024);
	c->rule = option_number(w, n, "rule", 0);
	c->member = (uint8_t)(n > 11 && !strchr(w[11], '=') ? number_word(w[11]) : 1);
	c->soft_seq = soft ? long_word(soft) : UINT64_MAX;
	c->outbound_ready = option_number(w, n, "idle", 0) == 0;
	c->tags = tags;
	c->offload = offload;
	plane_sa_add(plane, c);
	esp_child_wipe(c);
	free(c);
	return 0;
}

static int on_activate(char **w, int n)
{
	(void)n;
	plane_sa_activate(plane, number_word(w[1]));
	return 0;
}

/* await SPI */
static int on_await(char **w, int n)
{
	(void)n;
	plane_sa_await(plane, number_word(w[1]));
	return 0;
}

/* tags MARK MASK IF-ID */
static int on_tags(char **w, int n)
{
	(void)n;
	tags = (struct policy_tags){
		number_word(w[1]), number_word(w[2]), number_word(w[3])};
	return 0;
}

/* offload no|auto|crypto|packet */
static int on_offload(char **w, int n)
{
	(void)n;
	for (offload = OFFLOAD_NO; offload < OFFLOAD_PACKET; offload++)
		if (strcmp(policy_offload_name(offload), w[1]) == 0)
			break;
	return (int)offload;
}

static int on_delete(char **w, int n)
{
	(void)n;
	plane_sa_delete(plane, number_word(w[1]));
	return 0;
}

/* move ID ADDRESS PORT; with port 0 the peer is sent raw ESP */
static int on_move(char **w, int n)
{
	struct endpoint e = {addr_word(w[2]), (uint16_t)number_word(w[3])};

	(void)n;
	plane_sa_move(plane, number_word(w[1]), &e, e.port != 0);
	return 0;
}

static int on_usage(char **w, int n)
{
	(void)w, (void)n;
	plane_usage_query(plane);
	return 0;
}

static int on_replay(char **w, int n)
{
	(void)n;
	plane_replay_query(plane, number_word(w[1]));
	return 0;
}

/* replay-set ID SEQ-OUT SEQ-IN WINDOW SEEN: as a line "replay" has them */
static int on_replay_set(char **w, int n)
{
	struct esp_replay_state s = {.seq_out = long_word(w[2]),
		.seq_in = long_word(w[3]),
		.window = number_word(w[4])};
	size_t len = strlen(w[5]);

	(void)n;
	for (size_t i = 0; i < len / 16 && i < ESP_REPLAY_MAX / ESP_REPLAY_WORD; i++) {
		char word[17] = {0};
		memcpy(word, w[5] + 16 * i, 16);
		s.seen[i] = strtoull(word, NULL, 16);
	}
	plane_replay_set(plane, number_word(w[1]), &s);
	return 0;
}

/* replay-watch ID PACKETS MILLISECONDS */
static int on_replay_watch(char **w, int n)
{
	(void)n;
	plane_replay_watch(
		plane, number_word(w[1]), number_word(w[2]), number_word(w[3]));
	return 0;
}

static int on_refresh(char **w, int n)
{
	(void)w, (void)n;
	plane_refresh(plane);
	return 0;
}

/* ike4500 LOCAL REMOTE TEXT */
static int on_ike4500(char **w, int n)
{
	struct endpoint local = {addr_word(w[1]), 4500}, remote = {addr_word(w[2]), 4500};

	(void)n;
	return plane_send_ike(plane, &local, &remote, span_text(w[3]));
}

static int on_totals(char **w, int n)
{
	struct plane_totals t;

	(void)w, (void)n;
	plane_totals(plane, &t);
	printf("totals reads=%lu writes=%lu sends=%lu errors=%lu dropped=%lu "
	       "children=%zu "
	       "sealed=%lu opened=%lu gate=%lu no_sa=%lu released=%lu no_policy=%lu "
	       "too_big=%lu "
	       "icmp=%lu "
	       "reassembled=%lu replayed=%lu forged=%lu selector=%lu unknown=%lu "
	       "malformed=%lu\n",
		t.tun_reads, t.tun_writes, t.sends, t.send_errors, t.reports_dropped,
		t.children, t.esp.sealed, t.esp.opened, t.esp.drop_gate, t.esp.drop_no_sa,
		t.esp.released, t.esp.drop_no_policy, t.esp.drop_too_big,
		t.esp.icmp_too_big_made, t.esp.reassembled, t.esp.drop_replayed,
		t.esp.drop_forged, t.esp.drop_selector, t.esp.drop_unknown_spi,
		t.esp.drop_malformed);
	return 0;
}

/* ---- sockets, watcher, announcements --------------------------------------------------- */

static int on_open500(char **w, int n)
{
	struct addr a = addr_word(w[1]);

	(void)n;
	return sockets_open(sockets, &a);
}

static int on_close500(char **w, int n)
{
	struct addr a = addr_word(w[1]);

	(void)n;
	sockets_close(sockets, &a);
	return 0;
}

/* ike500 LOCAL REMOTE TEXT */
static int on_ike500(char **w, int n)
{
	struct endpoint local = {addr_word(w[1]), 500}, remote = {addr_word(w[2]), 500};

	(void)n;
	return sockets_send(sockets, &local, &remote, span_text(w[3]));
}

static int on_count500(char **w, int n)
{
	(void)w, (void)n;
	return (int)sockets_count(sockets);
}

static int on_watch(char **w, int n)
{
	struct watch_params p = {.routes = true, .route_protocol = PLANE_ROUTE_PROTOCOL};

	(void)w, (void)n;
	watch = watch_open(&p, why, sizeof(why));
	return watch ? 0 : -1;
}

static int on_overruns(char **w, int n)
{
	struct watch_totals t;

	(void)w, (void)n;
	watch_totals(watch, &t);
	return (int)t.overruns;
}

/* deaf MILLISECONDS: nothing is read meanwhile */
static int on_deaf(char **w, int n)
{
	(void)n;
	printf("deaf\n");
	fflush(stdout);
	poll(NULL, 0, (int)number_word(w[1]));
	return 0;
}

static int on_announce(char **w, int n)
{
	struct addr a = addr_word(w[1]);

	(void)n;
	return announce_address(announcer, &a);
}

/* ---- what comes by itself ----------------------------------------------------------------- */

static void print_bytes(const char *kind, const struct endpoint *local,
	const struct endpoint *remote, struct span bytes)
{
	char l[ENDPOINT_TEXT_MAX], r[ENDPOINT_TEXT_MAX];

	printf("%s %s %s %.*s\n", kind, endpoint_format(local, l),
		endpoint_format(remote, r), (int)bytes.len, (const char *)bytes.at);
}

static void print_notice(const struct esp_notice *e)
{
	static const char *const names[] = {"acquire", "unknown-spi", "seq-soft",
		"seq-hard", "mapping", "inbound", "flow-taken", "flow-nobody"};
	char l[ENDPOINT_TEXT_MAX], r[ENDPOINT_TEXT_MAX];

	printf("notice %s scope=%u rule=%u id=%u spi=%u ", names[e->kind], e->scope,
		e->rule, e->id, e->spi);
	if (e->kind == ESP_MAPPING)
		printf("%s %s\n", endpoint_format(&e->local, l),
			endpoint_format(&e->remote, r));
	else
		printf("%s %s\n", addr_format(&e->flow.local, l),
			addr_format(&e->flow.remote, r));
}

/* SEEN: 64 numbers in 16 digits, from the highest back, the newest one last of its 64. */
static void print_replay(const struct plane_report *r)
{
	const struct esp_replay_state *s = r->u.replay.state;

	printf("replay %u %s ", r->u.replay.id, r->u.replay.asked ? "asked" : "told");
	if (!s) {
		printf("none\n");
		return;
	}
	printf("out=%lu in=%lu window=%u seen=", s->seq_out, s->seq_in, s->window);
	for (uint32_t i = 0; i < s->window / ESP_REPLAY_WORD || i == 0; i++)
		printf("%016lx", s->seen[i]);
	printf("\n");
}

static void print_report(const struct plane_report *r)
{
	const struct esp_usage *u = &r->u.usage;

	switch (r->kind) {
	case PLANE_NOTICE:
		print_notice(&r->u.notice);
		break;
	case PLANE_USAGE:
		printf("usage %u as_of=%lu in=%lu out=%lu bytes_in=%lu bytes_out=%lu "
		       "seq=%lu "
		       "replayed=%lu forged=%lu selector=%lu offload_in=%d "
		       "offload_out=%d\n",
			u->id, u->as_of_ms, u->packets_in, u->packets_out, u->bytes_in,
			u->bytes_out, u->seq_out, u->replayed, u->forged,
			u->wrong_selector, (int)u->offload_in, (int)u->offload_out);
		break;
	case PLANE_USAGE_END:
		printf("usage-end\n");
		break;
	case PLANE_GATE_CLOSED:
		printf("closed %u %u\n", r->u.gate.scope, r->u.gate.turn);
		break;
	case PLANE_IKE:
		print_bytes("ike4500", &r->u.ike.local, &r->u.ike.remote,
			span_of(r->u.ike.bytes, r->u.ike.len));
		break;
	case PLANE_LOST:
		puts("lost");
		break;
	case PLANE_REFUSED:
		printf("refused %u %s\n", r->u.refused.id, r->u.refused.text);
		break;
	case PLANE_TROUBLED:
		printf("troubled %u %s\n", r->u.trouble.scope, r->u.trouble.why);
		break;
	case PLANE_REPLAY:
		print_replay(r);
		break;
	}
}

static void print_event(const struct watch_event *e)
{
	static const char *const names[] = {
		"gone", "tentative", "present", "link", "routes"};
	char a[ADDR_TEXT_MAX] = "-";

	if (addr_is_set(&e->addr))
		addr_format(&e->addr, a);
	printf("event %s %s %u %s %s%s\n", names[e->kind], a, e->ifindex,
		e->link[0] ? e->link : "-", e->up ? "up" : "down",
		e->dad_failed ? " dad-failed" : "");
}

static void print_all(void)
{
	struct plane_report r;
	struct sockets_datagram d;
	struct watch_event e;

	while (plane && plane_next_report(plane, &r))
		print_report(&r);
	while (sockets_next(sockets, &d))
		print_bytes("ike500", &d.local, &d.remote, d.bytes);
	while (watch && watch_next(watch, &e))
		print_event(&e);
}

/* ---- commands ------------------------------------------------------------------------------ */

static const struct {
	const char *name;
	int words; /* with the name, at least */
	int (*run)(char **w, int n);
} commands[] = {
	{"activate", 2, on_activate},
	{"announce", 2, on_announce},
	{"bind", 3, on_bind},
	{"close", 2, on_close},
	{"close500", 2, on_close500},
	{"count500", 1, on_count500},
	{"counts", 1, on_counts},
	{"deaf", 2, on_deaf},
	{"delete", 2, on_delete},
	{"entry", 4, on_entry},
	{"gate", 3, on_gate},
	{"guard", 1, on_guard},
	{"ike4500", 4, on_ike4500},
	{"ike500", 4, on_ike500},
	{"move", 4, on_move},
	{"offload", 2, on_offload},
	{"open", 1, on_open},
	{"open500", 2, on_open500},
	{"overruns", 1, on_overruns},
	{"policy", 2, on_policy},
	{"refresh", 1, on_refresh},
	{"replay", 2, on_replay},
	{"replay-set", 6, on_replay_set},
	{"replay-watch", 4, on_replay_watch},
	{"sa", 11, on_sa},
	{"await", 2, on_await},
	{"tags", 4, on_tags},
	{"totals", 1, on_totals},
	{"unbind", 2, on_unbind},
	{"unguard", 1, on_unguard},
	{"usage", 1, on_usage},
	{"watch", 1, on_watch},
};

static void carry_out(char *line)
{
	char *w[WORDS], *rest = NULL;
	int n = 0;

	for (char *t = strtok_r(line, " \n", &rest); t && n < WORDS;
		t = strtok_r(NULL, " \n", &rest))
		w[n++] = t;
	for (size_t i = 0; n > 0 && i < sizeof(commands) / sizeof(commands[0]); i++) {
		struct timespec a, b;
		if (strcmp(w[0], commands[i].name) != 0 || n < commands[i].words)
			continue;
		clock_gettime(CLOCK_MONOTONIC, &a);
		int result = commands[i].run(w, n);
		clock_gettime(CLOCK_MONOTONIC, &b);
		long us =
			(b.tv_sec - a.tv_sec) * 1000000 + (b.tv_nsec - a.tv_nsec) / 1000;
		printf("done %s %d %ld us\n", w[0], result, us);
		return;
	}
	die("command", n > 0 ? w[0] : "(none)");
}

/* Complete lines out of what has come; poll() must know of all that waits. */
static bool read_commands(void)
{
	static char line[4096];
	static size_t len;
	ssize_t n = read(STDIN_FILENO, line + len, sizeof(line) - 1 - len);

	if (n <= 0)
		return false;
	len += (size_t)n;
	line[len] = '\0';
	for (char *end; (end = strchr(line, '\n')) != NULL;) {
		*end = '\0';
		carry_out(line);
		len -= (size_t)(end + 1 - line);
		memmove(line, end + 1, len + 1);
	}
	return true;
}

static int fd_of(int which)
{
	if (which == 1)
		return plane ? plane_fd(plane) : -1;
	return watch ? watch_fd(watch) : -1;
}

int main(void)
{
	const char *which = getenv("VLAB_PLANE");

	setvbuf(stdout, NULL, _IOLBF, 0);
	in_kernel = which && strcmp(which, "kernel") == 0;
	sockets = sockets_new(MARK);
	announcer = announcer_new();
	if (!sockets || !announcer)
		die("sockets", strerror(errno));
	for (;;) {
		struct pollfd fds[] = {
			{STDIN_FILENO, POLLIN, 0},
			{fd_of(1), POLLIN, 0},
			{fd_of(2), POLLIN, 0},
			{sockets_fd(sockets), POLLIN, 0},
		};
		if (poll(fds, 4, -1) < 0)
			continue;
		if (fds[0].revents != 0 && !read_commands())
			break;
		print_all();
	}
	if (plane)
		plane_close(plane, true);
	return 0;
}
