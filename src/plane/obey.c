/* plane/obey.c - a function for each kind of order.
 *
 * Orders are carried out between batches, when everything that was sealed before has been
 * handed to the kernel or dropped. The acknowledgement that a gate is closed is therefore
 * true the moment it is written.
 */
#include "config.h"

#include "plane/obey.h"

#include "plane/listening.h"
#include "plane/reporting.h"

static void set_policy(struct data *d, struct order *o)
{
	if (!o->u.policy.spd)
		children_remove_scope(d->children, o->u.policy.scope);
	esp_dp_policy(d->dp, o->u.policy.scope, o->u.policy.spd, o->u.policy.addrs,
		o->u.policy.n_addrs);
	o->u.policy.spd = NULL;
}

static void add_child(struct data *d, const struct order *o)
{
	enum esp_err err = esp_dp_add(d->dp, o->u.add.child);

	if (err == ESP_OK)
		children_add(d->children, o->u.add.child, o->u.add.path_mtu);
	else
		reporting_refusal(d, o->u.add.child->id, err);
}

static void delete_child(struct data *d, uint32_t id)
{
	children_remove(d->children, id);
	/* Gone with its scope is gone as well. */
	enum esp_err err = esp_dp_delete(d->dp, id);
	(void)err;
}

static void activate_child(struct data *d, uint32_t id)
{
	enum esp_err err = esp_dp_activate(d->dp, id);

	if (err != ESP_OK)
		reporting_refusal(d, id, err);
}

static void move_child(struct data *d, const struct order *o)
{
	if (esp_dp_move(d->dp, o->id, &o->u.move.remote, o->u.move.encap) == ESP_OK)
		children_move(d->children, o->id, &o->u.move.remote, o->u.move.encap);
}

/* Of a child that is gone meanwhile nothing is wanted any more. */
static void set_replay(struct data *d, const struct order *o)
{
	enum esp_err err = esp_dp_replay_set(d->dp, o->id, o->u.replay);
	(void)err;
}

static void watch_replay(struct data *d, const struct order *o)
{
	enum esp_err err = esp_dp_watch(d->dp, o->id, o->u.watch.packets, o->u.watch.ms);
	(void)err;
}

static void carry_out(struct data *d, struct order *o)
{
	switch (o->kind) {
	case ORDER_POLICY:
		set_policy(d, o);
		break;
	case ORDER_BIND:
		listening_add(d, o->u.local);
		o->u.local = NULL;
		break;
	case ORDER_UNBIND:
		listening_remove(d, o->u.local);
		break;
	case ORDER_GATE_CLOSED:
		d->gate_turns[o->u.gate.scope] = o->u.gate.turn;
		d->gate_waits[o->u.gate.scope]++;
		break;
	case ORDER_SA_ADD:
		add_child(d, o);
		break;
	case ORDER_SA_ACTIVATE:
		activate_child(d, o->id);
		break;
	case ORDER_SA_DELETE:
		delete_child(d, o->id);
		break;
	case ORDER_SA_MOVE:
		move_child(d, o);
		break;
	case ORDER_USAGE:
		d->queries++;
		break;
	case ORDER_REPLAY:
		reporting_replay(d, o->id, true);
		break;
	case ORDER_REPLAY_SET:
		set_replay(d, o);
		break;
	case ORDER_REPLAY_WATCH:
		watch_replay(d, o);
		break;
	case ORDER_STOP:
		d->stop = true;
		break;
	}
}

void obey_orders(struct data *d)
{
	struct list orders;

	list_init(&orders);
	order_take_all(d->orders, &orders);
	list_each_safe(item, &orders)
	{
		struct order *o = list_entry(item, struct order, link);
		carry_out(d, o);
		order_free(o);
	}
	d->unpublished = true;
}
