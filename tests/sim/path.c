/* tests/sim/path.c - packets through a machine: the guard, the dataplane, the applications.
 *
 * The guard is what the configuration says, from the daemon's first start until the
 * machine is switched off; it does not ask whether the daemon lives. What a rule protects
 * goes into the TUN, and if nobody reads there, nowhere.
 */
#include "sim/sim.h"

#include "base/iana.h"
#include "policy/explain.h"
#include "wire/checksum.h"
#include "wire/ip_packet.h"

#include <assert.h>

enum { UDP_HEADER_LEN = 8, DATA_MAX = 1400, WHOLE_ABOVE = 512 };

/* A packet with the room around it that the dataplane wants. */
struct room {
	uint8_t before[ESP_ROOM_BEFORE];
	uint8_t packet[IPV6_HEADER_LEN + UDP_HEADER_LEN + DATA_MAX + 200];
	uint8_t after[ESP_ROOM_AFTER];
};

/* ---- the guard ------------------------------------------------------------------------ */

void machine_guard_up(struct machine *m, const struct config *c)
{
	machine_guard_down(m);
	m->guard = (struct config *)(uintptr_t)c;
	for (uint16_t i = 0; i <= config_host_scope(c); i++)
		m->guard_spd[i] = config_spd(c, i);
}

void machine_guard_down(struct machine *m)
{
	for (unsigned i = 0; i <= VIPS_MAX; i++) {
		spd_free(m->guard_spd[i]);
		m->guard_spd[i] = NULL;
	}
	config_free(m->guard);
	m->guard = NULL;
}

static const struct spd *guard_of(const struct machine *m, const struct addr *local)
{
	const struct config *c = m->guard;

	for (unsigned i = 0; i < c->n_vips; i++)
		for (unsigned k = 0; k < c->vips[i].n_addrs; k++)
			if (addr_equal(&c->vips[i].addrs[k], local))
				return m->guard_spd[i];
	return m->guard_spd[config_host_scope(c)];
}

enum policy_action machine_guard_says(const struct machine *m, enum policy_direction d,
	const struct endpoint *src, const struct endpoint *dst)
{
	const struct endpoint *local = d == POLICY_OUT ? src : dst;
	const struct endpoint *remote = d == POLICY_OUT ? dst : src;
	const struct flow f = {
		.local = local->addr,
		.remote = remote->addr,
		.proto = IP_UDP,
		.ports_known = true,
		.local_port = local->port,
		.remote_port = remote->port,
	};

	if (!m->guard)
		return POLICY_PERMIT;
	const struct spd *spd = guard_of(m, &local->addr);
	const struct spd_entry *e = spd ? spd_lookup(spd, d, &f) : NULL;
	return e ? e->action : POLICY_PERMIT;
}

/* ---- out -------------------------------------------------------------------------------- */

static size_t write_udp(uint8_t *at, size_t cap, const struct endpoint *src,
	const struct endpoint *dst, struct span data)
{
	const struct ip_packet h = {.src = src->addr,
		.dst = dst->addr,
		.proto = IP_UDP,
		.ttl = 64,
		.df = data.len > WHOLE_ABOVE};
	struct writer w = wr_over(at, cap);
	struct ip_packet ip;

	ip_packet_write_header(&w, &h, UDP_HEADER_LEN + data.len);
	wr_u16(&w, src->port);
	wr_u16(&w, dst->port);
	wr_u16(&w, (uint16_t)(UDP_HEADER_LEN + data.len));
	wr_u16(&w, 1); /* a sum is there: to be made right */
	wr_bytes(&w, data);
	assert(wr_ok(&w));
	size_t len = wr_span(&w).len;
	bool summed = ip_packet_read(span_of(at, len), &ip) == WIRE_OK &&
		      l4_checksum_set(at, &ip);
	assert(summed);
	(void)summed;
	return len;
}

static void send_sealed(struct sim *s, struct machine *m, const struct esp_packet *e)
{
	struct packet *p = packet_new(WIRE_ESP, span_of(e->at, e->len));

	p->natt = e->encap;
	p->ah = e->ah;
	p->df = e->dont_fragment;
	p->src = e->local;
	p->dst = e->remote;
	s->counts.sealed++;
	s->counts.sealed_ah += e->ah;
	const struct span sealed = sealed_at_spi(span_of(e->at, e->len), e->ah);
	struct reader spi = rd_over(sealed);
	narrow_check(s, m, e, machine_child_of(m, rd_u32(&spi), &e->remote));
	check_sealed(s, m, e, sealed);
	net_send(s, m, p);
}

/* "Fragmentation needed" for our own packet, from its destination as it seems. */
static void was_told(struct sim *s, struct machine *m, const struct endpoint *src,
	size_t sent, struct span icmp)
{
	struct ip_packet ip;
	struct reader r;

	if (ip_packet_read(icmp, &ip) != WIRE_OK || !addr_equal(&ip.dst, &src->addr) ||
		(ip.proto != IP_ICMP && ip.proto != IP_ICMPV6)) {
		violation(s, "9: %s makes a strange error", m->name);
		return;
	}
	r = rd_over(span_of(icmp.at + ip.l4_at, icmp.len - ip.l4_at));
	rd_skip(&r, 4);
	const uint32_t mtu = rd_u32(&r),
		       headers = ip.header_len + (uint32_t)UDP_HEADER_LEN;
	s->counts.apps_told++;
	if (!rd_ok(&r) || mtu >= sent || mtu < headers)
		violation(s, "9: %s tells %u to one who sent %zu", m->name, mtu, sent);
	else if (!sim_is_node(s, m))
		traffic_fits(s, m->index - s->sc.n_nodes, mtu - headers);
}

static void into_tun(struct sim *s, struct machine *m, const struct endpoint *src,
	const struct endpoint *dst, struct span data)
{
	static struct room r;
	struct esp_batch b = {.n = 1};

	if (!machine_serves(m)) {
		s->counts.guarded++;
		return;
	}
	b.at[0].at = r.packet;
	const size_t len = write_udp(r.packet, sizeof(r.packet), src, dst, data);
	b.at[0].len = len;
	esp_dp_outbound(m->dp, &b, s->world.now_ms);
	if (b.at[0].verdict == ESP_INJECT)
		was_told(s, m, src, len, span_of(b.at[0].at, b.at[0].len));
	if (b.at[0].verdict == ESP_SEND)
		send_sealed(s, m, &b.at[0]);
	machine_notices(s, m);
}

void machine_release(struct sim *s, struct machine *m)
{
	struct esp_batch b;

	do {
		esp_dp_release(m->dp, &b, s->world.now_ms);
		for (unsigned i = 0; i < b.n; i++)
			if (b.at[i].verdict == ESP_SEND)
				send_sealed(s, m, &b.at[i]);
	} while (b.n > 0);
}

void machine_app_send(struct sim *s, struct machine *m, const struct endpoint *src,
	const struct endpoint *dst, struct span data)
{
	assert(data.len <= DATA_MAX);
	/* Applications are started after the daemon. */
	if (!m->guard || m->frozen || !machine_has_addr(m, &src->addr, true))
		return;
	if (machine_guard_says(m, POLICY_OUT, src, dst) != POLICY_PERMIT) {
		into_tun(s, m, src, dst, data);
		return;
	}
	struct packet *p = packet_new(WIRE_CLEAR, data);
	p->src = *src;
	p->dst = *dst;
	net_send(s, m, p);
}

/* ---- in --------------------------------------------------------------------------------- */

static void out_of_tun(struct sim *s, struct machine *m, struct span packet)
{
	struct ip_packet ip;
	struct span data = {0};

	if (ip_packet_read(packet, &ip) != WIRE_OK || ip.proto != IP_UDP ||
		!ip.ports_known || !l4_checksum_ok(packet.at, &ip)) {
		violation(s, "%s: what came out of ESP is no good packet", m->name);
		return;
	}
	const struct endpoint src = {ip.src, ip.src_port}, dst = {ip.dst, ip.dst_port};
	data.at = packet.at + ip.l4_at + UDP_HEADER_LEN;
	data.len = ip.total_len - ip.l4_at - UDP_HEADER_LEN;
	world_note(s, m->index, 'i', data);
	if (machine_has_addr(m, &dst.addr, true))
		traffic_arrived(s, m, &src, &dst, data, true);
}

static void receive_esp(struct sim *s, struct machine *m, const struct packet *p)
{
	static struct room r;
	struct esp_batch b = {.n = 1};

	if (p->len > sizeof(r.packet))
		return;
	memcpy(r.packet, p->bytes, p->len);
	b.at[0] = (struct esp_packet){.at = r.packet,
		.len = p->len,
		.encap = p->natt,
		.ah = p->ah,
		.local = p->dst,
		.remote = p->src};
	/* What was ordered before a packet came is obeyed before it is judged; that is what
	 * rekeying counts on. Other seeds let orders wait all the same: a gate or a Delete
	 * that is late must do no harm either. */
	if (s->sc.rekeys != REKEYS_NONE)
		machine_orders_now(s, m);
	esp_dp_inbound(m->dp, &b, s->world.now_ms);
	if (b.at[0].verdict == ESP_DROP)
		trace(s, "%s: drops ESP %s", m->name, packet_spi(p));
	if (b.at[0].verdict == ESP_INJECT)
		out_of_tun(s, m, span_of(b.at[0].at, b.at[0].len));
	machine_notices(s, m);
}

static void receive_ike(struct sim *s, struct machine *m, const struct packet *p)
{
	struct node_event ev = {.kind = NODE_DATAGRAM};

	ev.u.datagram.local = p->dst;
	ev.u.datagram.remote = p->src;
	ev.u.datagram.natt = p->natt;
	ev.u.datagram.bytes = span_of(p->bytes, p->len);
	machine_feed(s, m, &ev);
}

static void receive_clear(struct sim *s, struct machine *m, const struct packet *p)
{
	if (machine_guard_says(m, POLICY_IN, &p->src, &p->dst) != POLICY_PERMIT) {
		s->counts.guarded++;
		return;
	}
	if (m->guard && machine_has_addr(m, &p->dst.addr, true))
		traffic_arrived(s, m, &p->src, &p->dst, span_of(p->bytes, p->len), false);
}

/* The sockets of an address that is gone are deaf, whatever they may still send. */
void machine_receive(struct sim *s, struct machine *m, const struct packet *p)
{
	world_note(s, m->index, 'r', span_of(p->bytes, p->len));
	if (!m->powered || m->frozen || !machine_has_addr(m, &p->dst.addr, false))
		return;
	if (p->kind == WIRE_CLEAR) {
		receive_clear(s, m, p);
		return;
	}
	if (!machine_serves(m) || !machine_has_socket(m, &p->dst.addr))
		return;
	if (p->kind == WIRE_ESP)
		receive_esp(s, m, p);
	else
		receive_ike(s, m, p);
}
