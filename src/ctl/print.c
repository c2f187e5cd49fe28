/* ctl/print.c - the daemon's JSON as lines and tables for people. */
#include <string.h>
#include <time.h>

#include "base/duration.h"
#include "ctl/ctl.h"

enum { SLOTS = 8, SLOT_LEN = 48 };

static char *slot(void)
{
	static char slots[SLOTS][SLOT_LEN];
	static unsigned next;

	return slots[next++ % SLOTS];
}

const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text && text[0] ? text : "-";
}

json_int_t number_of(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

const char *age_of(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);
	char *out = slot();

	if (!json_is_integer(value))
		return "never";
	uint64_t ms = (uint64_t)json_integer_value(value);
	if (ms >= 10000)
		ms -= ms % 1000;
	return duration_format(ms, out);
}

const char *bytes_text(json_int_t bytes)
{
	static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB"};
	double value = (double)bytes;
	unsigned unit = 0;
	char *out = slot();

	while (value >= 1000 && unit < 5) {
		value /= 1000;
		unit++;
	}
	snprintf(out, SLOT_LEN, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
	return out;
}

const char *plain_of(const json_t *object)
{
	return json_is_false(json_object_get(object, "encrypted"))
		       ? " (integrity only, not encrypted)"
		       : "";
}

static void print_drain(const json_t *drain)
{
	const json_t *a;
	size_t i;

	if (!json_is_object(drain))
		return;
	printf("                 drained to");
	json_array_foreach(json_object_get(drain, "to"), i, a)
		printf(" %s", json_string_value(a));
	printf(" for %s: %u left, %u of %u that were told are gone, %u calls sent on\n",
		age_of(drain, "since_ms"), (unsigned)number_of(drain, "left"),
		(unsigned)number_of(drain, "gone"), (unsigned)number_of(drain, "told"),
		(unsigned)number_of(drain, "turned"));
}

void print_vip(const json_t *vip)
{
	const json_t *addresses = json_object_get(vip, "addresses"), *a;
	const char *state;
	size_t i;

	printf("%-16s %-9s %u/%u peers", text_of(vip, "name"), text_of(vip, "state"),
		(unsigned)number_of(vip, "peers_up"), (unsigned)number_of(vip, "peers"));
	if (number_of(vip, "owner"))
		printf("  owner %d", (int)number_of(vip, "owner"));
	json_array_foreach(addresses, i, a)
	{
		state = text_of(a, "state");
		printf("  %s", text_of(a, "address"));
		if (!json_is_true(json_object_get(a, "present")))
			printf(" (not here)");
		else if (strcmp(state, text_of(vip, "state")) != 0)
			printf(" (%s)", state);
	}
	if (strcmp(text_of(vip, "reason"), "-") != 0)
		printf("  - %s", text_of(vip, "reason"));
	else if (strcmp(text_of(vip, "trouble"), "-") != 0)
		printf("  - %s", text_of(vip, "trouble"));
	putchar('\n');
	print_drain(json_object_get(vip, "drain"));
}

void print_vips(const json_t *vips)
{
	const json_t *vip;
	size_t i;

	json_array_foreach(vips, i, vip) print_vip(vip);
}

/* How long it may take to have the peer back, whatever happens. */
static void print_worst(const json_t *peer)
{
	if (json_is_integer(json_object_get(peer, "worst_recovery_ms")))
		printf("back within %s at worst\n", age_of(peer, "worst_recovery_ms"));
	else
		printf("cannot be called: back when it calls\n");
}

void print_offload(const json_t *sa)
{
	const char *in = text_of(sa, "offload_in"), *out = text_of(sa, "offload_out");

	if (strcmp(in, "no") != 0 || strcmp(out, "no") != 0)
		printf("  offload in %s out %s", in, out);
}

static void print_sa(const json_t *peer)
{
	printf("    IKE %s  %s %s%s", text_of(peer, "suite"), text_of(peer, "protocol"),
		text_of(peer, "esp"), plain_of(peer));
	print_offload(peer);
	printf("  age %s\n", age_of(peer, "age_ms"));
}

void print_peers(const json_t *peers)
{
	const json_t *p;
	size_t i;

	json_array_foreach(peers, i, p)
	{
		printf("%s: %s  vip %s  rule %s  %s\n", text_of(p, "remote_id"),
			text_of(p, "state"), text_of(p, "vip"), text_of(p, "rule"),
			text_of(p, "address"));
		if (json_object_get(p, "suite"))
			print_sa(p);
		printf("    in %s (last %s)  out %s (last %s)  idle timeout %s  ",
			bytes_text(number_of(p, "bytes_in")), age_of(p, "last_in_ms"),
			bytes_text(number_of(p, "bytes_out")), age_of(p, "last_out_ms"),
			age_of(p, "idle_timeout_ms"));
		print_worst(p);
		if (strcmp(text_of(p, "reason"), "-") != 0)
			printf("    %s\n", text_of(p, "reason"));
	}
}

void print_event(const json_t *event)
{
	json_int_t ms = number_of(event, "time_ms");
	time_t seconds = (time_t)(ms / 1000);
	struct tm when;
	char stamp[32];

	localtime_r(&seconds, &when);
	strftime(stamp, sizeof(stamp), "%Y-%m-%d %H:%M:%S", &when);
	printf("%s.%03d %-7s vip=%s peer=%s ike=%d %s: %s\n", stamp, (int)(ms % 1000),
		text_of(event, "severity"), text_of(event, "vip"), text_of(event, "peer"),
		(int)number_of(event, "ike"), text_of(event, "kind"),
		text_of(event, "text"));
	fflush(stdout);
}
