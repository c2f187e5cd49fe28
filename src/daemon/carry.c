/* daemon/carry.c - effects become deeds: one function for each kind, in a table.
 *
 * Effects are carried out in order. A deed that the world refuses (an address that went
 * while we bound to it, a full buffer) is logged; the node's own timers get over it.
 */
#include "daemon/carry.h"

#include <errno.h>
#include <qb/qbutil.h>
#include <string.h>

#include "base/iana.h"
#include "daemon/fetching.h"
#include "daemon/resolving.h"
#include "daemon/keylog.h"
#include "daemon/pending.h"
#include "daemon/tell.h"
#include "port/announce.h"
#include "port/sockets.h"

static void carry_send(struct daemon *d, struct effect *fx)
{
	const struct ike_path *p = &fx->u.send.path;
	struct span bytes = span_of(fx->u.send.bytes, fx->u.send.len);
	int err = p->natt ? plane_send_ike(d->plane, &p->local, &p->remote, bytes)
			  : sockets_send(d->sockets, &p->local, &p->remote, bytes);
	char to[ENDPOINT_TEXT_MAX];

	if (err)
		journal_say(EVENT_DEBUG, "sending IKE to %s: %s",
			endpoint_format(&p->remote, to), strerror(err));
}

static void carry_keepalive(struct daemon *d, struct effect *fx)
{
	/* One that is lost is followed by the next. */
	(void)plane_send_keepalive(
		d->plane, &fx->u.keepalive.local, &fx->u.keepalive.remote);
}

static void carry_sockets(struct daemon *d, struct effect *fx)
{
	const struct addr *a = &fx->u.sockets.addr;
	char text[ADDR_TEXT_MAX];

	if (!fx->u.sockets.open) {
		sockets_close(d->sockets, a);
		plane_unbind(d->plane, a);
		return;
	}
	int err = sockets_open(d->sockets, a);
	if (err == 0)
		err = plane_bind(d->plane, fx->scope, a);
	if (err)
		journal_say(EVENT_ERROR,
			"cannot open the IKE and ESP sockets of %s: %s%s",
			addr_format(a, text), strerror(err),
			err == EADDRINUSE ? " (is another IKE daemon running?)" : "");
}

static void carry_announce(struct daemon *d, struct effect *fx)
{
	char text[ADDR_TEXT_MAX];
	int err = announce_address(d->announcer, &fx->u.announce);

	if (err && err != EADDRNOTAVAIL)
		journal_say(EVENT_WARNING, "cannot announce %s to its link: %s",
			addr_format(&fx->u.announce, text), strerror(err));
}

static void carry_policy(struct daemon *d, struct effect *fx)
{
	plane_policy(d->plane, fx->scope, fx->u.policy.spd, fx->u.policy.addrs,
		fx->u.policy.n_addrs);
	fx->u.policy.spd = NULL;
}

static void carry_gate(struct daemon *d, struct effect *fx)
{
	if (fx->u.gate.open)
		plane_gate_open(d->plane, fx->scope, fx->u.gate.activation);
	else
		(void)plane_gate_close(d->plane, fx->scope);
}

static void carry_sa_await(struct daemon *d, struct effect *fx)
{
	plane_sa_await(d->plane, fx->u.id);
}

static void carry_sa_add(struct daemon *d, struct effect *fx)
{
	keylog_child(fx->u.child);
	plane_sa_add(d->plane, fx->u.child);
}

static void carry_sa_activate(struct daemon *d, struct effect *fx)
{
	plane_sa_activate(d->plane, fx->u.id);
}

static void carry_sa_delete(struct daemon *d, struct effect *fx)
{
	plane_sa_delete(d->plane, fx->u.id);
}

static void carry_sa_move(struct daemon *d, struct effect *fx)
{
	plane_sa_move(d->plane, fx->u.move.id, &fx->u.move.remote, fx->u.move.encap);
}

static void carry_usage_query(struct daemon *d, struct effect *fx)
{
	(void)fx;
	plane_usage_query(d->plane);
}

static void carry_cluster_send(struct daemon *d, struct effect *fx)
{
	if (d->bus && !bus_send(d->bus, span_of(fx->u.blob.bytes, fx->u.blob.len)))
		journal_say(EVENT_DEBUG, "a message to the cluster could not be sent");
}

enum { RESERVE_AFTER_MS = 2000 }; /* when the takeover that used one is over */

static void on_reserve(void *data)
{
	struct daemon *d = data;

	activation_reserve(&d->activation);
}

static int carry_activation(struct daemon *d, struct span bytes)
{
	qb_loop_timer_handle once;

	if (activation_is_short(&d->activation))
		(void)qb_loop_timer_add(d->loop, QB_LOOP_LOW,
			RESERVE_AFTER_MS * QB_TIME_NS_IN_MSEC, d, on_reserve, &once);
	return activation_put(&d->activation, bytes);
}

static void carry_store(struct daemon *d, struct effect *fx)
{
	struct span bytes = span_of(fx->u.blob.bytes, fx->u.blob.len);
	const char *name = fx->u.blob.name;
	bool of_boot = strcmp(name, "held") == 0;
	int err;

	if (strcmp(name, "activation") == 0)
		err = carry_activation(d, bytes);
	else
		err = store_put(
			of_boot ? &d->boot_store : &d->store, name, bytes, STORE_LAZY);
	if (err)
		journal_say(EVENT_ERROR, "cannot store %s in %s: %s", name,
			of_boot ? d->options.run_dir : d->options.state_dir,
			strerror(err));
}

static void carry_event(struct daemon *d, struct effect *fx)
{
	tell_effect(d, fx);
}

static void carry_reply(struct daemon *d, struct effect *fx)
{
	pending_reply(d, fx->u.reply.token, fx->u.reply.code, fx->u.reply.text);
}

static void carry_exit(struct daemon *d, struct effect *fx)
{
	(void)fx;
	d->exiting = true;
	qb_loop_stop(d->loop);
}

static void carry_fetch(struct daemon *d, struct effect *fx)
{
	fetching_begin(d, fx);
}

static void carry_resolve(struct daemon *d, struct effect *fx)
{
	resolving_begin(d, fx);
}

static void (*const deeds[])(struct daemon *d, struct effect *fx) = {
	[FX_SEND] = carry_send,
	[FX_SOCKETS] = carry_sockets,
	[FX_ANNOUNCE] = carry_announce,
	[FX_POLICY] = carry_policy,
	[FX_GATE] = carry_gate,
	[FX_SA_AWAIT] = carry_sa_await,
	[FX_SA_ADD] = carry_sa_add,
	[FX_SA_ACTIVATE] = carry_sa_activate,
	[FX_SA_DELETE] = carry_sa_delete,
	[FX_SA_MOVE] = carry_sa_move,
	[FX_USAGE_QUERY] = carry_usage_query,
	[FX_CLUSTER_SEND] = carry_cluster_send,
	[FX_STORE] = carry_store,
	[FX_EVENT] = carry_event,
	[FX_REPLY] = carry_reply,
	[FX_EXIT] = carry_exit,
	[FX_FETCH] = carry_fetch,
	[FX_RESOLVE] = carry_resolve,
	[FX_KEEPALIVE] = carry_keepalive,
};

void carry_all(struct daemon *d)
{
	for (size_t i = 0; i < d->fx.n; i++)
		deeds[d->fx.at[i].kind](d, &d->fx.at[i]);
	effects_clear(&d->fx);
}
