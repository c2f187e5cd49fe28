/* xfrm/foreign.c - a selector of the kernel's as traffic selectors, beside those of an SPD. */
#include "config.h"

#include "xfrm/foreign.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "xfrm/rules.h"
#include "xfrm/select.h"

static bool read_side(const xfrm_address_t *a, uint16_t family, uint8_t bits,
	uint16_t port, uint16_t mask, uint8_t proto, struct ts *out, struct prefix *named)
{
	*named = (struct prefix){.addr = select_addr_read(a, family), .bits = bits};
	if (!addr_is_set(&named->addr) || bits > 8 * addr_len(&named->addr))
		return false;
	named->addr = prefix_first(named);
	*out = ts_prefix(named);
	out->proto = proto;
	if (mask == 0xffff)
		out->port_lo = out->port_hi = ntohs(port);
	return true;
}

static void name(const struct request_policy *p, const struct prefix *src,
	const struct prefix *dst, char out[FOREIGN_TEXT_MAX])
{
	static const char *const dirs[] = {[XFRM_POLICY_IN] = "in",
		[XFRM_POLICY_OUT] = "out",
		[XFRM_POLICY_FWD] = "fwd"};
	char a[ADDR_TEXT_MAX], b[ADDR_TEXT_MAX], proto[24] = "";

	if (p->sel.proto != 0)
		snprintf(proto, sizeof(proto), " proto %u", p->sel.proto);
	snprintf(out, FOREIGN_TEXT_MAX, "dir %s src %s/%u dst %s/%u%s priority %u",
		dirs[p->dir], addr_format(&src->addr, a), src->bits,
		addr_format(&dst->addr, b), dst->bits, proto, p->priority);
}

bool foreign_read(const struct request_policy *p, struct foreign *out)
{
	const struct xfrm_selector *s = &p->sel;
	struct prefix src, dst;
	struct ts from, to;

	if (s->user == SELECT_USER || p->dir > XFRM_POLICY_FWD ||
		!read_side(&s->saddr, s->family, s->prefixlen_s, s->sport, s->sport_mask,
			s->proto, &from, &src) ||
		!read_side(&s->daddr, s->family, s->prefixlen_d, s->dport, s->dport_mask,
			s->proto, &to, &dst))
		return false;
	*out = (struct foreign){.out = p->dir == XFRM_POLICY_OUT,
		.block = p->action == XFRM_POLICY_BLOCK,
		.secures = p->has_tmpl,
		.priority = p->priority,
		.if_id = p->if_id};
	out->local = out->out ? from : to;
	out->remote = out->out ? to : from;
	name(p, &src, &dst, out->text);
	return true;
}

const struct spd_entry *foreign_before(
	const struct foreign *f, const struct spd *spd, bool is_host)
{
	struct ts common;

	for (size_t i = 0; i < spd_count(spd); i++) {
		const struct spd_entry *e = spd_at(spd, i);
		if (e->action == POLICY_NEGOTIATE && (f->out || e->mirrored) &&
			f->if_id == e->tags.if_id &&
			f->priority <= rules_priority(is_host, i) &&
			ts_intersect(&f->local, &e->local, &common) &&
			ts_intersect(&f->remote, &e->remote, &common))
			return e;
	}
	return NULL;
}
